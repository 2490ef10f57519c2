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
from hydrodl.mesh.gathering import whole
from hydrodl.mesh.interpolation import checked_points, fills_box
from hydrodl.network.network import Network
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
    coefficients, hidden = network.solution.coefficients, network.hidden
    if hidden is None or coefficients is None:
        raise InputError("this network has no neurons: its control is the velocity at every node")
    if not fills_box(problem.domain):
        raise InputError("feature space of this network is no box; the residual form needs walls that are a box's")
    zeros = np.zeros(coefficients.shape[:2])
    return ResidualNetwork(
        hidden.weights,
        hidden.offsets,
        coefficients,
        zeros,
        problem.layers.steps,
        *problem.domain.bounds,
        activation=hidden.activation,
    )


def _blocks(count: int, width: int) -> Iterator[slice]:
    size = max(1, _BLOCK // max(1, width))
    return (slice(start, start + size) for start in range(0, count, size))


def relu_form(network: Network) -> ResidualNetwork:
    """The stack of rectified layers that a network in d = 1 is, equal to it to rounding. Collective.

    Any mesh of an interval will do; every layer has one hidden neuron less than the mesh has nodes.

    Raises:
        InputError: d > 1, elements of higher degree, neuron control, a ring, or a mesh of several intervals.
    """
    domain = network.domain
    if domain.dimension > 1:
        raise InputError(f"the rectified form needs d = 1, feature space has d = {domain.dimension}; use table_form")
    if network.solution.coefficients is not None:
        raise InputError("this network is made of neurons already: use neuron_form")
    if domain.degree > 1:
        raise InputError(f"the rectified form needs elements of degree 1, these have degree {domain.degree}")
    if domain.periodic:
        raise InputError("the rectified form needs an interval with walls, this one is periodic; use the npz format")
    if not fills_box(domain):
        raise InputError("the rectified form needs a mesh of one interval, this one has gaps")
    nodes, velocity = whole(domain, network.solution.velocity)
    signs, kinks, outputs, constants = rectify(nodes[:, 0], velocity[:, 0])
    layers = len(velocity)
    return ResidualNetwork(
        weights=np.tile(signs[:, None], (layers, 1, 1)),
        offsets=np.tile(-signs * kinks, (layers, 1)),
        outputs=outputs[:, None, :],
        constants=constants[:, None],
        steps=network.solution.problem.layers.steps,
        lower=domain.bounds[0],
        upper=domain.bounds[1],
    )


def rectify(nodes: Floats, values: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Piecewise linear functions as sums of rectified neurons.

    Args:
        nodes: x, shape (n + 1,), increasing, n >= 1.
        values: m functions at the nodes, shape (m, n + 1).

    Returns:
        (signs (n,), kinks (n,), outputs (m, n), constants (m,)) such that
        u(x) = constants + outputs @ relu(signs * (x - kinks)) on [x_0, x_n].
    """
    slopes = np.diff(values, axis=1) / np.diff(nodes)
    middle = min(int(np.searchsorted(nodes, 0.5 * (nodes[0] + nodes[-1]))), len(nodes) - 2)
    jumps = np.diff(slopes, axis=1)  # at nodes 1 .. n-1
    right = np.hstack([slopes[:, middle : middle + 1], jumps[:, middle:]])
    left = np.hstack([jumps[:, : middle - 1], -slopes[:, middle - 1 : middle]]) if middle else slopes[:, :0]
    signs = np.repeat([-1.0, 1.0], [middle, len(nodes) - 1 - middle])
    kinks = np.concatenate([nodes[1 : middle + 1], nodes[middle:-1]])
    return signs, kinks, np.hstack([left, right]), values[:, middle]
