"""The slabs of a flow as samples of smooth fields in t: H_h and its derivatives there, stretches, derivatives in t."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hydrodl.analysis.backward_error import difference_series as series
from hydrodl.analysis.structure.slab_hamiltonian import SlabDensity
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import summed
from hydrodl.discretisation.slab_action import SlabAction
from hydrodl.linear_algebra.mass_matrix import Mass
from hydrodl.problem.flow import Flow


@dataclass(frozen=True)
class Gradient:
    """Derivatives of H_h as dual vectors: in u (d, owned), in rho_c and in phi_c (C, owned)."""

    velocity: Floats
    density: Floats
    potential: Floats


class SlabStack:
    """H_h(u_k, r_k, q_k) of any slab k, its parts and derivatives; every call is collective.

    Attributes:
        velocity, density, potential: u_k, r_k and q_k, stacks over slabs at owned nodes.
        mass: products and solves with M.
    """

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.velocity, self.density, self.potential = flow.velocity, flow.slab_density, flow.slab_potential
        self.dimension, self.classes = flow.domain.dimension, flow.density.shape[1]
        self._forms = SlabDensity(flow)
        self._forms.set_step(1.0)
        action = SlabAction(flow.domain, flow.lagrangian)
        pattern = action.pattern(action.nonzeros(action.mass, reduce=True), reduce=True)
        values = pattern.values(action.assemble(action.mass, reduce=True)).copy()
        self.mass = Mass(flow.domain, pattern, action.column_owners(), values)

    @cached_property
    def step(self) -> float:
        """Delta, see ``equal_step``."""
        return equal_step(self.flow.layers.steps)

    def _load(self, k: int, potential: Floats | None = None) -> None:
        # the same potential below and above the slab is the potential of the slab, whatever theta
        q = self.potential[k] if potential is None else potential
        self._forms.load(self._forms.state, np.concatenate([self.velocity[k], self.density[k], q, q]))

    def gradient(self, k: int, potential: Floats | None = None) -> Gradient:
        """Derivatives of H_h at slab k; at another potential (C, owned) than the slab's where one is given."""
        self._load(k, potential)
        rows, d, classes = self._forms.vector(self._forms.rows_1), self.dimension, self.classes
        u, r, phi, p = np.split(rows, [d, d + classes, d + 2 * classes])
        return Gradient(u, r, phi + p)

    def energies(self, k: int) -> Floats:
        """H_i = int psi_i (density of H_h) at slab k, (owned,); they add up to H_h."""
        self._load(k)
        return self._forms.vector(self._forms.energy_at)

    def energy_rates(self, k: int, u_t: Floats, r_t: Floats, q_t: Floats) -> Floats:
        """H_i'[z_t] at slab k, (owned,)."""
        self._load(k)
        self._forms.load(self._forms.direction, np.concatenate([u_t, r_t, q_t, q_t]))
        return self._forms.vector(self._forms.energy_along)

    def square(self, fields: Floats) -> float:
        """This rank's share of sum (f, f)_h over fields (m, owned)."""
        return float((fields * self.mass.apply(fields)).sum())

    def sum(self, values: Any) -> Floats:
        """Sums over ranks."""
        return summed(self.flow.domain.comm, np.asarray(values, dtype=float))


class Derivatives:
    """Derivatives in t of a stack of slab fields at slab k, by centred differences."""

    def __init__(self, stack: Floats | Mapping[int, Floats], k: int, step: float, points: int) -> None:
        self._stack, self._k, self._step, self._points = stack, k, step, points

    def __call__(self, order: int) -> Floats:
        """d_t^order."""
        weights, half = series.stencil_weights(order, self._points), self._points // 2
        total = sum(w * self._stack[self._k + j] for j, w in zip(range(-half, half + 1), weights, strict=True))
        return np.asarray(total) / self._step**order

    def orders(self, symbol: series.Symbol) -> Floats:
        """The orders of a difference operator, (LEVELS, ...)."""
        return np.array(
            [
                sum(float(t.coefficient) * self._step**t.power * self(t.orders[0]) for t in terms)
                for terms in series.expand(symbol)
            ]
        )


def equal_step(steps: Floats) -> float:
    """Delta of equal layers.

    Raises:
        InputError: the layers differ, so that there is no series in one step.
    """
    if np.ptp(steps) > 1e-9 * steps.max():
        raise InputError(f"a series in Delta needs equal layers; these are {steps.min():g} to {steps.max():g} deep")
    return float(steps.mean())


def central(whole: range, window: float, points: int, *, midpoints: bool) -> list[int]:
    """The central share of a range, as far as each place has the neighbours that a difference needs.

    Args:
        whole: slabs or nodes.
        window: share, above 0 and at most 1.
        points: odd number of points of the difference.
        midpoints: places are midpoints of equal parts (slabs) rather than the parts' ends (nodes).
    """
    count, half = len(whole), points // 2
    at = (np.arange(count) + 0.5) / count if midpoints else np.arange(count) / max(count - 1, 1)
    keep = np.abs(at - 0.5) <= window / 2 + 1e-12
    keep[:half] = False
    keep[count - half :] = False
    return [whole[int(i)] for i in np.flatnonzero(keep)]
