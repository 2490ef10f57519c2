"""Neuron control: the velocity of a layer as a sum of neurons, so that the network is a plain residual network.

    u_k(x) = A_k sigma(W_k x + b_k),    A_k (d, J) trained, W_k (J, d) and b_k (J,) random, then fixed or trained too

J is the width. The mesh sees the interpolant of u_k at its nodes; the network that comes out evaluates the neurons
themselves. As J grows their span fills the finite-element fields and the optimum approaches that of the field control
(random features: A. Rahimi and B. Recht, "Random features for large-scale kernel machines", NeurIPS 2007).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parameters import Choice, Number
from hydrodl.mesh.domain import Domain


def relu(values: Floats) -> Floats:
    """max(x, 0)."""
    return np.maximum(values, 0.0)


ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {"tanh": np.tanh, "relu": relu}
"""sigma by name."""


WIDTH, SEED = Number(least=1, whole=True), Number(0, least=0, most=2**63 - 1, whole=True)


SCALE, DECAY = Number(1.5, above=0, smallest=1e-6, most=1e6), Number(1e-6, above=0, most=1e6)


ACTIVATION = Choice("tanh", ACTIVATIONS)


HIDDEN_WEIGHTS = Choice("fixed", ("fixed", "trained"))


@dataclass(frozen=True)
class Neurons:
    """A choice of control for a Problem: J random neurons in every layer, trained in their output weights or whole.

    Trained whole, A first and then all of A, W and b, from where they were drawn; J is then no convex function of them
    even where it is one of A, and what is found is a local minimum, never above that of A alone.

    Args:
        width: J, number of neurons of a layer.
        activation: "tanh" or "relu".
        scale: typical slope |w| of a neuron, in the units of the mesh.
        decay: weight decay of the coefficients, 1/2 decay sum_k Delta_k |A_k|^2 joins the objective; where W and b are
            trained, also 1/2 decay sum_k Delta_k (|W_k - W_k^0|^2 + |b_k - b_k^0|^2) around those drawn.
        seed: of the random neurons.
        hidden_weights: "fixed" or "trained", W and b; trained they need second derivatives, and so "tanh".

    Raises:
        InputError: a number out of range, an unknown word, or hidden weights of "relu" to be trained.

    Example:
        >>> narrow = hd.train(replace(problem, control=hd.Neurons(8), layers=hd.layers(4)))
        >>> narrow.coefficients.shape
        (4, 2, 8)
    """

    width: int
    activation: str = ACTIVATION.default
    scale: float = SCALE.default
    decay: float = DECAY.default
    seed: int = SEED.default
    hidden_weights: str = HIDDEN_WEIGHTS.default

    def __post_init__(self) -> None:
        WIDTH.check("width", self.width)
        ACTIVATION.check("activation", self.activation)
        SCALE.check("neuron scale", self.scale)
        DECAY.check("neuron decay", self.decay)
        SEED.check("neuron seed", self.seed)
        HIDDEN_WEIGHTS.check("hidden weights", self.hidden_weights)
        if self.whole and self.activation != "tanh":
            raise InputError(
                f"hidden weights are trained by second derivatives, which {self.activation!r} has not; take 'tanh', or "
                "leave them fixed"
            )

    @property
    def whole(self) -> bool:
        """Are W and b trained too?"""
        return self.hidden_weights == "trained"

    def parameters(self, dimension: int) -> int:
        """Trained numbers of a layer."""
        return self.width * (2 * dimension + 1 if self.whole else dimension)

    def draw(self, domain: Domain, slabs: int) -> HiddenLayers:
        """The hidden layers of a network with this many slabs; the same on every rank.

        Directions are uniform on the sphere, slopes log-uniform within a factor 2 of ``scale``, and every neuron is
        zero somewhere in the box around the domain, so that none is constant on the data.
        """
        rng = np.random.default_rng(self.seed)
        d = domain.dimension
        direction = rng.standard_normal((slabs, self.width, d))
        direction /= np.linalg.norm(direction, axis=2, keepdims=True)
        weights = direction * self.scale * 2 ** rng.uniform(-1, 1, (slabs, self.width, 1))
        centres = rng.uniform(*domain.bounds, (slabs, self.width, d))
        return HiddenLayers(weights, -(weights * centres).sum(axis=2), self.activation)


@dataclass(frozen=True, eq=False)
class HiddenLayers:
    """sigma(W_k x + b_k), k = 0 .. N-1.

    Attributes:
        weights: W, shape (N, J, d).
        offsets: b, shape (N, J).
        activation: a key of ``ACTIVATIONS``.
    """

    weights: Floats
    offsets: Floats
    activation: str

    @property
    def width(self) -> int:
        """J."""
        return int(self.weights.shape[1])

    def values(self, k: int, points: Floats) -> Floats:
        """What the neurons of layer k return at points (n, d), shape (n, J)."""
        return ACTIVATIONS[self.activation](points @ self.weights[k].T + self.offsets[k])


def neuron_gradients(hidden: HiddenLayers, outputs: Floats, k: int, points: Floats) -> Floats:
    """d/dx of A sigma(W_k x + b_k) with A = outputs (d, J) at points (n, d), shape (n, d, d)."""
    values = hidden.values(k, points)
    slopes = 1 - values**2 if hidden.activation == "tanh" else (values > 0).astype(float)
    return np.einsum("ij,nj,jl->nil", outputs, slopes, hidden.weights[k], optimize=True)
