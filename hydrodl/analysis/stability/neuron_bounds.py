"""How much a layer of neurons stretches and bends: proven bounds on grad u and (u . grad) u of the network itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.physics.neuron_ranges import NeuronRanges
from hydrodl.physics.neurons import HiddenLayers
from hydrodl.problem.solution import Solution


@dataclass(frozen=True, eq=False)
class NeuronLayers:
    """The layers of a network of neurons.

    Attributes:
        hidden: W and b of every layer; outputs: A, (N, d, J); bounds: corners of a box around feature space, (2, d).
    """

    hidden: HiddenLayers
    outputs: Floats
    bounds: Floats

    @classmethod
    def of(cls, solution: Solution) -> NeuronLayers | None:
        """Those of a solution, None where its velocity is a field."""
        hidden = solution.neurons
        if hidden is None or solution.coefficients is None:
            return None
        return cls(hidden, solution.coefficients, np.array(solution.problem.domain.bounds))

    @property
    def _ranges(self) -> list[NeuronRanges]:
        return [NeuronRanges(self.hidden, k, outputs) for k, outputs in enumerate(self.outputs)]

    def lipschitz(self) -> Floats:
        """Bounds on Lip(u_k) over the box, (N,), within 2 percent unless it takes too many boxes."""
        return np.array([layer.largest(*self.bounds) for layer in self._ranges])

    def layer_lipschitz(self, steps: Floats) -> Floats:
        """Bounds on Lip(id + Delta_k u_k), (N,), as tight."""
        (low, high), pairs = self.bounds, zip(self._ranges, steps, strict=True)
        return np.array([layer.largest(low, high, shift=1.0, step=step) for layer, step in pairs])

    def accelerations(self) -> Floats:
        """Bounds on |(u_k . grad) u_k|, (N,), as tight."""
        return np.array([layer.acceleration(*self.bounds) for layer in self._ranges])
