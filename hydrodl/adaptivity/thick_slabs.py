"""What slabs of twice, three and four times the thickness do otherwise: the modified system of a layer map, in numbers.

A slab of thickness s with its best velocity is a symplectic map with the generating function S_s(R, p). Along a smooth
curve R(t), phi(t) let

    e(s) = (R(t + s), phi(t)) less what the slab makes of R(t) and phi(t + s) = s c_1 + s^2 c_2 + s^3 c_3 + ...,

as functions of the middle t + s/2. The curve obeys the original system where c_1 = 0, for then e(s)/s vanishes with
s; it obeys the modified system of layers of thickness D where e(D) = 0, to order p where c_1 + .. + D^(p-1) c_p = 0.
On layers of thickness d slabs of thickness m d, m = 2 .. p, each a training problem of one layer with the linear loss
-(phi(t + s), R)_h, give these terms, splines, noise, smoothness, V and U included:

    e(m d)/m - e(d) = sum_j (m^(j-1) - 1) d^j c_j,        e(d) must be sum_j (1 - (D/d)^(j-1)) d^j c_j,

and e(d) is what the sources of a corrected slab make, S'' b above and S' b* below; but for an internal energy that acts
at layers, which sees the density above with the source in it: then slabs of one layer are solved too.

The action in the same way: with S*_s that of the curve, S*_s = (R(t + s), phi(t + s)) less the running cost between,
S*_s - S_s = s k_1 + s^2 k_2 + ..., and k_1 is what is to vanish, which gives the running cost to the same order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np

from hydrodl.adaptivity.depth_differences import derivative
from hydrodl.common.arrays import Floats
from hydrodl.common.notices import warn_unconverged
from hydrodl.common.parallel import summed
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.layer_partition import Layers
from hydrodl.mesh.quadrature import moment
from hydrodl.problem.correction import Correction
from hydrodl.problem.problem import Problem
from hydrodl.problem.solution import Controls, Solution
from hydrodl.training.controlled_functional import ControlledFunctional
from hydrodl.training.minimisation import DEFAULTS
from hydrodl.training.optimiser import Optimiser
from hydrodl.training.reduced_functional import ReducedFunctional

_SWEEPS = 4
"""How often the action's sums over neighbours are made anew, each better by d^2."""


@dataclass(frozen=True, eq=False)
class LinearLoss:
    """G = sum_c (g_c, R_c)_h; see :class:`~hydrodl.physics.losses.Loss`.

    Attributes:
        values: g_c at owned nodes, (C, owned).
    """

    values: Floats
    layer: int | None = None
    name = "linear"
    penalty = 0.0
    constants: tuple[float, ...] = ()

    def density(self, rho: Any, field: Any, constants: Sequence[Any]) -> Any:
        """g rho."""
        return field * rho

    def field(self, domain: Domain, classes: int) -> Floats:
        """g."""
        return self.values


@dataclass(frozen=True, eq=False)
class ThickSlabs:
    """Slabs of m layers each, from every layer that has as many above it.

    Attributes:
        layers: m; middles: t + m d/2, (n,); defects: e, (n, 2, C, owned), R above and phi below.
        gains: (R, phi)_h above less S, (n,).
    """

    layers: int
    middles: Floats
    defects: Floats
    gains: Floats


class MapCurve:
    """The layers of a layer map's solution as a smooth curve, and the series of its slabs; every call is collective.

    Args:
        solution: in equal layers, corrected before or not; costs: l of every slab, (N,); order: p, from 2 on.
        options: as in ``train``, for the thick slabs.
    """

    def __init__(self, solution: Solution, costs: Floats, order: int, options: Mapping[str, Any] | None) -> None:
        self._solution, self._flow, self._options = solution, solution.flow, options
        layers = self._flow.layers
        self._step, self._middles = float(layers.steps.mean()), layers.times[:-1] + layers.steps / 2
        self._mass, self._upper = moment(self._flow.domain), self._flow.upper_potential
        if solution.problem.correction is not None and self._sees_sources():
            thin = self._slabs(1)
            self._sources, self._own = thin.defects, thin.gains
        else:
            self._sources = self._made()
            # of V at layers the slab alone has less than the curve, by its share at the density that sources make
            self._own = self._products(self._sources[:, 0], self._flow.inner_potentials[1]) + self._step * costs
        self._points = order  # in a value between slabs: enough for the order, and few where it is beyond the ends
        self._multiples = np.arange(2.0, order + 1)
        self._thick = [self._slabs(int(m)) for m in self._multiples]

    def correction(self, thickness: float) -> Correction:
        """That with which these layers solve the modified system of layers of a thickness, 0: the original system."""
        terms = [
            derivative(slabs.defects, slabs.middles, self._middles, 0, self._points) / slabs.layers - self._sources
            for slabs in self._thick
        ]
        more = np.tensordot(self._weights(thickness), np.array(terms), 1) - self._sources
        given, none = self._solution.problem.correction, np.zeros_like(self._upper)
        growth, decline = (none, none) if given is None else (given.growth, given.decline)
        return Correction(none, none, growth - more[:, 0], decline - more[:, 1])

    def running_cost(self, thickness: float) -> float:
        """int l dt of that system along the curve."""
        weights, found = self._weights(thickness), np.zeros(len(self._middles))
        for _ in range(_SWEEPS):
            terms = []
            for slabs in self._thick:
                m = slabs.layers
                whole = slabs.gains - self._over(m, self._own - found)
                terms.append(derivative(whole / m, slabs.middles, self._middles, 0, self._points) - found)
            found = weights @ np.array(terms)
        return float((self._own - found).sum())

    def _weights(self, thickness: float) -> Floats:
        """Of e(m d)/m - e(d) in e(d)."""
        powers = self._multiples - 1
        table = self._multiples[:, None] ** powers - 1
        return np.asarray(np.linalg.solve(table.T, 1 - (thickness / self._step) ** powers))

    def _sees_sources(self) -> bool:
        cost = self._flow.layer_cost
        return cost is not None and cost.curved

    def _made(self) -> Floats:
        """e of the thin slabs: what their sources make, (N, 2, C, owned)."""
        flow, given = self._flow, self._solution.problem.correction
        if given is None:
            return np.zeros((len(flow.layers), 2, *self._upper.shape[1:]))
        steps, one = flow.layers.steps, (flow.domain, flow.lagrangian)
        below = np.concatenate([given.decline, given.decline[-1:]])
        above = flow.scheme.slab_potential(*one, steps, given.growth, given.growth)
        return -np.stack([above, flow.scheme.slab_density(*one, steps, below)], axis=1)

    def _slabs(self, m: int) -> ThickSlabs:
        flow, times = self._flow, self._flow.layers.times
        starts = range(len(flow.layers) - m + 1)
        defects, actions = np.empty((len(starts), 2, *self._upper.shape[1:])), np.empty(len(starts))
        with _OneSlab(self._solution.problem, m * self._step, self._options) as slab:
            for k in starts:
                velocity = flow.velocity[k : k + m].mean(axis=0)
                found = slab.between(flow.density[k], self._upper[k + m - 1], velocity)
                defects[k] = flow.density[k + m] - found.flow.density[1], flow.potential[k] - found.flow.potential[0]
                actions[k] = found.objective
        gains = self._products(flow.density[m:], self._upper[m - 1 :]) + actions
        return ThickSlabs(m, times[: len(starts)] + m * self._step / 2, defects, gains)

    def _products(self, left: Floats, right: Floats) -> Floats:
        """Sums over classes of (left, right)_h, slab by slab."""
        return summed(self._flow.domain.comm, np.einsum("n,kcn,kcn->k", self._mass, left, right))

    @staticmethod
    def _over(m: int, values: Floats) -> Floats:
        """Sums over m neighbours, (N - m + 1,)."""
        return np.convolve(values, np.ones(m), "valid")


class _OneSlab:
    """A slab of some thickness with its best velocity between any R below and phi above; compiled once."""

    def __init__(self, problem: Problem, step: float, options: Mapping[str, Any] | None) -> None:
        start = LinearLoss(np.zeros_like(problem.densities.values))
        one = replace(problem, layers=Layers(np.array([0.0, step])), losses=start, correction=None)
        self._settings, self._comm = DEFAULTS | dict(options or {}), problem.domain.comm
        self._functional, self._unmet = ReducedFunctional(one, self._settings), ""

    def __enter__(self) -> _OneSlab:
        return self

    def __exit__(self, *error: object) -> None:
        self._functional.close()
        if self._unmet and error[0] is None:
            warn_unconverged(f"the velocity of a thick slab did not converge: {self._unmet}", self._comm)

    def between(self, density: Floats, potential: Floats, velocity: Floats) -> Solution:
        """The slab, from a velocity (d, owned) on; collective."""
        self._functional.own.set_data(density)
        self._functional.own.set_loss(0, LinearLoss(-potential))
        controlled = ControlledFunctional(self._functional)
        optimiser = Optimiser(controlled, self._settings, set(), lambda step: None, None)
        try:
            found = optimiser.run(controlled.flat(Controls(velocity[None])), trusted=inf)
        finally:
            optimiser.destroy()
        if not found.converged:
            self._unmet = found.reason
        return found
