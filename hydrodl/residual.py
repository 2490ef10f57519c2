"""A plain residual network: each layer adds the output of one hidden layer of neurons, then stops at the walls.

    x -> wall(x + Delta_k (A_k sigma(W_k x + b_k) + c_k)),    wall(y) = max(lower, min(upper, y))

Two more rectified neurons are the wall: wall(y) = lower + relu(y - lower) - relu(y - upper) in every coordinate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.mesh.interpolation import checked_points, fills_box
from hydrodl.network import Network
from hydrodl.physics.neurons import ACTIVATIONS

_BLOCK = 2**20  # hidden values at a time: a wide network of many points would otherwise fill the memory


@dataclass(frozen=True, eq=False)
class ResidualNetwork:
    """N residual layers of J hidden neurons in d dimensions.

    Attributes:
        weights: W, shape (N, J, d).
        offsets: b, shape (N, J).
        outputs: A, shape (N, d, J).
        constants: c, shape (N, d).
        steps: Delta, shape (N,).
        lower, upper: corners of feature space, shape (d,).
        activation: sigma, "relu" or "tanh".
    """

    weights: Floats
    offsets: Floats
    outputs: Floats
    constants: Floats
    steps: Floats
    lower: Floats
    upper: Floats
    activation: str = "relu"

    def push(self, points: ArrayLike) -> Floats:
        """Trajectories of points (n, d) through the layers, shape (N + 1, n, d), as those of ``Network.push``.

        Raises:
            InputError: points of another dimension, or not finite.
        """
        x = checked_points(points, len(self.lower))
        path = np.empty((len(self.steps) + 1, *x.shape))
        for rows in _blocks(len(x), self.offsets.shape[1]):
            path[:, rows] = self._push(x[rows])
        return path

    def _push(self, points: Floats) -> Floats:
        path, sigma = [np.clip(points, self.lower, self.upper)], ACTIVATIONS[self.activation]
        for W, b, A, c, step in zip(self.weights, self.offsets, self.outputs, self.constants, self.steps, strict=True):
            velocity = sigma(path[-1] @ W.T + b) @ A.T + c
            path.append(np.clip(path[-1] + step * velocity, self.lower, self.upper))
        return np.array(path)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and a word, fit for JSON; floats survive exactly."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> ResidualNetwork:
        """The inverse of :meth:`to_dict`."""
        read: dict[str, Any] = {k: v if isinstance(v, str) else np.asarray(v, dtype=float) for k, v in content.items()}
        return cls(**read)


def neuron_form(network: Network) -> ResidualNetwork:
    """The residual network that a flow under neuron control is: exactly its neurons, not their interpolant. Collective.

    Raises:
        InputError: a network of another control, or a feature space that is no box.
    """
    problem = network.solution.problem
    coefficients = network.solution.coefficients
    if problem.control is None or coefficients is None:
        raise InputError("this network has no neurons: its control is the velocity at every node")
    if not fills_box(problem.domain):
        raise InputError("feature space of this network is no box; the residual form needs walls that are a box's")
    hidden = problem.control.draw(problem.domain, len(problem.layers))
    zeros = np.zeros(coefficients.shape[:2])
    return ResidualNetwork(
        hidden.weights, hidden.offsets, coefficients, zeros, problem.layers.steps, *problem.domain.bounds,
        activation=hidden.activation,
    )  # fmt: skip


def _blocks(count: int, width: int) -> Iterator[slice]:
    size = max(1, _BLOCK // max(1, width))
    return (slice(start, start + size) for start in range(0, count, size))
