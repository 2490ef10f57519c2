"""What a bridge found: its flow, how far that is from the targets, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hydrodl.common.arrays import Floats
from hydrodl.common.cards import Card
from hydrodl.common.errors import InputError
from hydrodl.data.class_densities import Densities
from hydrodl.problem.solution import Solution
from hydrodl.transport.bridge_cost import sinkhorn_cost


@dataclass(frozen=True, eq=False, repr=False)
class Bridge(Card):
    """A flow that meets its targets, or the best one found.

    Attributes:
        solution: of the last round; its losses are those of the last round, with the shifted targets.
        targets: layer index -> the densities asked for there.
        distances: layer index -> relative L1 distance sum_c int |rho_c(t_j) - rho*_c| / sum_c int rho*_c.
        tolerance: what the distances were to reach.
        converged: they did, and the last round's optimiser converged; reason: in words.
        rounds: number of training problems solved; history: a mapping for each of them.
        cost: the work int int R |u|^2 / 2 dx dt in mesh units, without decay, potential and losses.
        raw_cost: the same in the units of the raw features: |u|^2 becomes sum_i scale_i^2 |u_i|^2, and through
            principal components |A u|^2 with f = mean + A x. It is the work of the flow that was found, which is the
            least in mesh units; it is the least in raw units too if these are one factor apart (one_unit, no
            components). Added coordinates (lift) do not count. Equal to ``cost`` without preprocessing.
        multipliers: layer index -> mu after the last round, shape (C, owned): minus the jump of phi there.
        divergence: which of the two they belong to.

    Example:
        >>> line = hd.Domain.interval(-3.0, 3.0, nodes=31)
        >>> start, end = (hd.mixture([hd.Gaussian(m, std=0.6)], line) for m in (-0.5, 0.5))
        >>> found = hd.bridge(start, end, hd.layers(4), hd.Lagrangian(noise=0.2))
        >>> found.converged, found.distance < found.tolerance
        (True, True)
    """

    solution: Solution
    targets: Mapping[int, Densities]
    distances: Mapping[int, float]
    tolerance: float
    converged: bool
    reason: str
    history: tuple[Mapping[str, Any], ...]
    cost: float
    raw_cost: float
    multipliers: Mapping[int, Floats]
    divergence: str

    def facts(self) -> Mapping[str, Any]:
        """For a notebook."""
        reached = {f"distance at layer {layer}": f"{value:.2e}" for layer, value in self.distances.items()}
        return {
            "problem": self.solution.problem,
            "stopped": self.reason,
            "rounds": self.rounds,
            "work": f"{self.cost:.6g}, in raw units {self.raw_cost:.6g}",
            "tolerance": f"{self.tolerance:g}",
        } | reached

    @property
    def rounds(self) -> int:
        """Number of training problems solved."""
        return len(self.history)

    @property
    def distance(self) -> float:
        """The largest of the distances."""
        return max(self.distances.values())

    @property
    def regularisation(self) -> float:
        """2 nu T, what Sinkhorn's algorithm calls reg for the cost |x - y|^2 / 2 (mesh units)."""
        return 2 * float(self.solution.problem.lagrangian.noise) * self.solution.problem.layers.depth

    @property
    def sinkhorn_cost(self) -> float:
        """<pi, |x - y|^2 / 2> + reg KL(pi | a x b) of the plan pi between the ends a = start, b = rho(T) (mesh units).

        From the work of the bridge: T work - reg (int b log b + d/2 log(2 pi reg)). This is what POT's Sinkhorn
        computes with reg = ``regularisation``, and goes to W_2^2 / 2 as the noise goes to 0. Collective.

        Raises:
            InputError: several classes or several targets, for which there is no single plan.
        """
        if self.solution.problem.classes > 1 or len(self.targets) > 1:
            raise InputError("sinkhorn_cost: there is one plan only for a bridge of one class to one target")
        return sinkhorn_cost(self.solution, self.cost, self.regularisation)

    def __str__(self) -> str:
        state = "converged" if self.converged else "NOT CONVERGED"
        return (
            f"{state} ({self.reason}): work {self.cost:.6g} ({self.raw_cost:.6g} in raw units), distance "
            f"{self.distance:.1e} to its target{'s' * (len(self.targets) > 1)}, {self.rounds} rounds"
        )
