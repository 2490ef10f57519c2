"""The multipliers and weights of a bridge between its rounds, see ``schroedinger_bridge``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.parameters import POSITIVE
from hydrodl.data.class_densities import Densities
from hydrodl.mesh.quadrature import integrals, moment
from hydrodl.physics.losses import Density
from hydrodl.problem.solution import Solution

WEIGHT = 2.0  # of the KL divergence; that of l2 is this over the mean density of the target


GROWTH = {"penalty": 10.0, "augmented": 3.0}  # of the weight: every round, or after a round that gained too little


GAIN = 0.25  # an "augmented" round must shrink the distance below this part of what it was


STEP = 2.0
"""Largest step of a KL multiplier in one round, in weights: a factor exp(2) of the shifted target. Far out, where the
flow leaves next to nothing of what the target has, log(rho / rho*) would make the next target a crowd out there."""


CLEAR = 1e-6  # of the floor: how near to -floor a shifted target may come before rounding would lose it


class Multipliers:
    """Weight and multipliers between rounds."""

    def __init__(
        self,
        start: Densities,
        goals: Mapping[int, Densities],
        divergence: str,
        floor: float,
        weight: float,
        initial: Mapping[int, Floats] | None,
    ) -> None:
        self.domain, self.goals, self.divergence, self.weight = start.domain, goals, divergence, weight
        self.relative_floor, self.floor = floor, floor / start.domain.volume
        self.values = {layer: np.zeros_like(goal.values) for layer, goal in goals.items()}
        self.last: float | None = None
        self._moment = moment(self.domain)
        if initial is not None:
            self.values = {layer: mu.copy() for layer, mu in initial.items()}

    def losses(self) -> list[Density]:
        """This round's losses, the multipliers absorbed in their targets."""
        return [
            Density(
                self.weight,
                Densities(self.domain, self._shifted(layer), goal.class_names),
                self.divergence,
                self.relative_floor,
                layer,
            )
            for layer, goal in self.goals.items()
        ]

    def _shifted(self, layer: int) -> Floats:
        goal, step = self.goals[layer].values, self.values[layer] / self.weight
        if self.divergence == "l2":
            return goal - step
        above = (goal + self.floor) * np.exp(-np.clip(step, -50, 50))
        return np.maximum(above, CLEAR * self.floor) - self.floor

    def distances(self, solution: Solution) -> dict[int, float]:
        """Relative L1 distance to every target."""
        found = {}
        for layer, goal in self.goals.items():
            misses = np.abs(solution.density[layer] - goal.values)
            found[layer] = float(integrals(self.domain, self._moment, misses).sum() / goal.masses.sum())
        return found

    def advance(self, solution: Solution, method: str) -> None:
        """The next round's weight and multipliers."""
        now = max(self.distances(solution).values())
        if method == "penalty":
            self.weight *= GROWTH[method]
            return
        self.values = self.after(solution, STEP)
        if self.last is not None and now > GAIN * self.last:
            self.weight *= GROWTH[method]
        self.last = now

    def after(self, solution: Solution, step: float = np.inf) -> dict[int, Floats]:
        """The multipliers that a solution of this round's problem implies, by layer; of KL no further than ``step``."""
        found = {}
        for layer, goal in self.goals.items():
            miss = self._miss(solution.density[layer], goal)
            if self.divergence == "kl":
                miss = np.clip(miss, -step, step)
            found[layer] = self.values[layer] + self.weight * miss
        return found

    def _miss(self, density: Floats, goal: Densities) -> Floats:
        if self.divergence == "l2":
            return density - goal.values
        ratio = np.maximum(density + self.floor, CLEAR * self.floor) / (goal.values + self.floor)
        return np.log(ratio)


def first_weight(goals: Mapping[int, Densities], divergence: str, weight: float | None) -> float:
    """The weight of the first round: the caller's, else one in proportion to the goals."""
    if weight is not None:
        POSITIVE.check("loss weight", weight)
        return float(weight)
    if divergence == "kl":
        return WEIGHT
    means = [float(integrals(g.domain, moment(g.domain), g.values**2).sum() / g.masses.sum()) for g in goals.values()]
    return WEIGHT / min(means)
