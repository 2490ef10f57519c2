"""Forward and backward sweeps through the layers of one problem, and the objective.

For a velocity u the scheme's slabs (:class:`~hydrodl.discretisation.scheme.Transport`) carry the densities R up
through the layers and the potentials phi down. Slab k has its own density r_k, which the running cost sees, and its own
potential q_k. phi above a slab is the next slab's phi less M^-1 dG where a loss acts.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import SolverError
from hydrodl.common.parallel import summed
from hydrodl.discretisation.compiled_loss import CompiledLoss
from hydrodl.problem.problem import Problem
from hydrodl.solver.corrected_slabs import CorrectedSlabs


class Sweeps:
    """The coupled forward-backward system of one problem, given a velocity.

    Fields are stacks (slabs or layers, classes or components, local nodes).

    Attributes:
        transport: the scheme's slabs; velocity: u_k, (N, d, local); slab_density: r, (N, C, local);
        slab_potential: q, (N, C, local); density: R at layers, (N + 1, C, local);
        seconds: time spent in "assembly" and "sweeps".
    """

    def __init__(self, problem: Problem, options: Mapping[str, Any]) -> None:
        self.problem = problem
        domain, classes, slabs = problem.domain, problem.classes, len(problem.layers)
        self.seconds = {"assembly": 0.0, "sweeps": 0.0}
        self.steps = problem.layers.steps
        start = perf_counter()
        self.transport = problem.method.transport(domain, problem.lagrangian, slabs, classes, options)
        self.halo, self.action, self.mass = self.transport.halo, self.transport.action, self.transport.mass
        halo, action = self.halo, self.action
        given = problem.correction
        self._corrected = None if given is None else CorrectedSlabs(given, self.transport, self.steps)
        self.losses = [CompiledLoss(loss, action, halo, classes, slabs) for loss in problem.terms]
        self.velocity = halo.stack(slabs, domain.dimension)
        self.slab_density, self.slab_potential = halo.stack(slabs, classes), halo.stack(slabs, classes)
        self.density = halo.stack(slabs + 1, classes)
        self.density[0, :, : halo.owned] = problem.densities.values
        halo.update(self.density[0])
        self._potential = halo.stack(classes)
        nodes = domain.coordinates[: halo.owned]
        self._potential[:, : halo.owned] = problem.lagrangian.potentials(nodes, classes)
        halo.update(self._potential)
        self._static = self._potential_dual()
        self.set_up_seconds = perf_counter() - start
        self.seconds["assembly"] += self.set_up_seconds

    def _potential_dual(self) -> Floats:
        out = self.halo.stack(self.problem.classes)
        for c, values in enumerate(self._potential):
            self.action.potential.x.array[:] = values
            self.action.vector(self.action.potential_1, out[c])
        self.halo.accumulate(out)
        return out[:, : self.halo.owned]

    @property
    def total(self) -> Floats:
        """R of every slab, (N, local)."""
        return self.slab_density.sum(axis=1)

    def set_velocity(self, velocity: Floats) -> None:
        """Load u (N, d, owned) and build every slab."""
        start = perf_counter()
        self.velocity[..., : self.halo.owned] = velocity
        self.halo.update(self.velocity)
        self.transport.set_velocity(self.velocity, self.steps)
        if self._corrected is not None:
            self._corrected.set_velocity(self.velocity)
        self.seconds["assembly"] += perf_counter() - start

    def forward(self) -> None:
        """Densities of every slab and layer for the loaded velocity.

        Raises:
            SolverError: a density is not finite; the layer is named.
        """
        start, owned = perf_counter(), self.halo.owned
        layers = {k: self.density[k, :, :owned] for k in range(1, len(self.density))}
        corrected, slabs = self._corrected, self.slab_density[..., :owned]
        sources = None if corrected is None else corrected.to_density
        self.transport.forward(self.density[0, :, :owned], sources, slabs, layers)
        if corrected is not None:
            slabs += corrected.density
        self._check_finite(self.density, "density")
        self.halo.update(self.slab_density)
        self.halo.update(self.density)
        self.seconds["sweeps"] += perf_counter() - start

    def objective(self) -> dict[str, float]:
        """Parts of J after a forward sweep: "running" and one entry a loss, summed over ranks."""
        start = perf_counter()
        running = float(self.steps @ self.transport.cost.values(self.velocity, self.total))
        local = [running, 0.0] + [loss.value(self.density[loss.layer]) for loss in self.losses]
        owned = self.halo.owned
        weights = self.steps[:, None, None]
        local[1] = float((weights * self.slab_density[..., :owned] * self._static[None]).sum())
        if self._corrected is not None:
            local.append(self._corrected.value(self.density[..., :owned], self.slab_density[..., :owned]))
        values = np.array(local)
        result = summed(self.problem.domain.comm, values)
        parts = {"running": float(result[0] + result[1])}
        if self._corrected is not None:
            parts["correction"] = float(result[-1])
        for j, (loss, value) in enumerate(zip(self.losses, result[2 : 2 + len(self.losses)], strict=True)):
            parts[loss.name if loss.name not in parts else f"{loss.name} {j + 1}"] = float(value) + loss.penalty
        self.seconds["assembly"] += perf_counter() - start
        return parts

    def running_costs(self) -> Floats:
        """l(u_k, r_k) of every slab after a forward sweep, (N,), summed over ranks."""
        local = np.einsum("kcn,cn->k", self.slab_density[..., : self.halo.owned], self._static)
        return summed(self.problem.domain.comm, local + self.transport.cost.values(self.velocity, self.total))

    def backward(self, layers: Mapping[int, Floats] | None = None) -> Floats:
        """Potentials of every slab for the loaded velocity and the densities of the last forward sweep.

        Args:
            layers: takes M phi_j at layers j, dual vectors (C, owned), as asked.

        Returns:
            the derivative of every slab's running cost in u, (N, d, local), to be accumulated.
        """
        start = perf_counter()
        slope = self._sweep_back(layers or {})
        self._check_finite(self.slab_potential, "potential")
        self.halo.update(self.slab_potential)
        self.seconds["sweeps"] += perf_counter() - start
        return slope

    def _sweep_back(self, layers: Mapping[int, Floats]) -> Floats:
        """As for ``backward``, M phi_j into ``layers``; the running costs are assembled once for both."""
        slabs = self.slab_potential[..., : self.halo.owned]
        by_velocity, by_density = self.transport.cost.slopes(self.velocity, self.total)
        self.halo.accumulate(by_density)
        sources = by_density[..., : self.halo.owned] + self._static[None]
        if self._corrected is not None:
            sources += self._corrected.to_potential
        self.transport.backward(sources, self.pulls(), slabs, layers)
        if self._corrected is not None:
            slabs += self._corrected.potential
        return by_velocity

    def pulls(self) -> dict[int, Floats]:
        """dG at the layers of losses, dual vectors (C, owned)."""
        found = {loss.layer: np.zeros_like(self._static) for loss in self.losses}
        for loss in self.losses:
            found[loss.layer] += loss.gradient(self.density[loss.layer])
        return found

    def layer_potentials(self) -> tuple[Floats, Floats]:
        """phi_c at layers t_0 .. t_N, (N + 1, C, owned), and the jumps at losses, (N, C, owned); a backward sweep.

        phi_N = -M^-1 dG; a loss at a layer inside adds its -M^-1 dG to what the slab below sees of that layer.
        """
        start, steps = perf_counter(), len(self.steps)
        out = np.zeros((steps + 1, self.problem.classes, self.halo.owned))
        jumps = np.zeros_like(out[1:])
        self._sweep_back({k: out[k] for k in range(steps)})
        out[:steps] = [self.mass.solve(dual) for dual in out[:steps]]
        for layer, pull in self.pulls().items():
            jumps[layer - 1] = -self.mass.solve(pull)
        out[steps], jumps[-1] = jumps[-1], 0.0
        self.halo.update(self.slab_potential)
        self.seconds["sweeps"] += perf_counter() - start
        return out, jumps

    def _check_finite(self, stack: Floats, name: str) -> None:
        sums = np.ascontiguousarray(stack[..., : self.halo.owned].sum(axis=(1, 2)))
        total = summed(self.problem.domain.comm, sums)
        if not np.isfinite(total).all():
            bad = int(np.flatnonzero(~np.isfinite(total))[0])
            raise SolverError(f"the {name} is not finite at layer {bad}")
