"""Forward and backward sweeps through the layers, and their linearisations.

One slab of the discrete action, with R and R' the densities at its two layers, r the slab's density, p and phi the
potentials at its two layers and q the slab's potential (theta = 1: r = R', q = phi):

    M (r - R) + theta Delta dH/dphi(u, r, q) = 0        R'  = (r - (1 - theta) R) / theta
    M (q - p) + theta Delta dH/drho(u, r, q) = 0        phi = (q - (1 - theta) p) / theta

p is the next slab's phi less M^-1 dG where a loss acts. Given u both lines are linear with A = M - theta Delta L(u)
and A^T; every class shares A. One pair of solves a slab serves both schemes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from time import perf_counter
from typing import Any

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import SolverError
from hydrodl.common.petsc_options import subset
from hydrodl.discretisation.compiled_loss import CompiledLoss
from hydrodl.physics.problem import Problem
from hydrodl.solver.layer_recursion import march
from hydrodl.solver.layered_family import operator_family
from hydrodl.solver.transport_operator import Generator


class Sweeps:
    """The coupled forward-backward system of one problem, given a velocity.

    Fields are stacks (slabs or layers, classes or components, local nodes).

    Attributes:
        velocity: u_k, (N, d, local); slab_density: r, (N, C, local); slab_potential: q, (N, C, local);
        density: layer densities, (N + 1, C, local); seconds: time spent in "assembly" and "sweeps";
        linear_solver: what solves with the slab operators, in a few words.
    """

    def __init__(self, problem: Problem, options: Mapping[str, Any]) -> None:
        self.problem = problem
        domain, classes, slabs = problem.domain, problem.classes, len(problem.layers)
        self.seconds = {"assembly": 0.0, "sweeps": 0.0}
        self.theta, self.steps = problem.theta, problem.layers.steps
        start = perf_counter()
        self._generator = generator = Generator(problem)
        self.halo, self.action, self.mass = generator.halo, generator.action, generator.mass
        halo, action = self.halo, self.action
        self.operators, self.linear_solver = operator_family(
            domain,
            generator.pattern,
            generator.columns,
            slabs,
            classes,
            options=subset(options, "slab_"),
            name="slab operator",
        )
        self._march = march(self.operators, self.mass, self.theta)
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
        """Load u (N, d, owned) and build and factor every slab operator M - theta Delta L(u)."""
        start = perf_counter()
        self.velocity[..., : self.halo.owned] = velocity
        self.halo.update(self.velocity)
        for k, step in enumerate(self.steps):
            self.action.set_slab(self.velocity[k])
            self.operators.set(k, self._generator.mass_values - self.theta * step * self._generator.entries())
        self.operators.factor()
        self.seconds["assembly"] += perf_counter() - start

    def forward(self) -> None:
        """Densities of every slab and layer for the loaded velocity.

        Raises:
            SolverError: a density is not finite; the layer is named.
        """
        start = perf_counter()
        self.march(self.slab_density[..., : self.halo.owned], self.density[0, :, : self.halo.owned])
        owned = self.halo.owned
        for k, layer in enumerate(self.layers_of(self.slab_density[..., :owned], self.density[0, :, :owned])):
            self.density[k + 1, :, :owned] = layer
        self._check_finite(self.density, "density")
        self.halo.update(self.slab_density)
        self.halo.update(self.density)
        self.seconds["sweeps"] += perf_counter() - start

    def march(self, out: Floats, start: Floats, sources: Floats | None = None) -> None:
        """r of every slab from R_0 (C, owned) and theta Delta dH/dphi at r = 0 ("sources"), dual (N, C, owned)."""
        self._march.forward(start, sources, out)

    def layers_of(self, slabs: Floats, start: Floats) -> Iterator[Floats]:
        """R_1 .. R_N from r of every slab and R_0."""
        layer = start
        for slab in slabs:
            layer = slab if self.theta == 1.0 else (slab - (1 - self.theta) * layer) / self.theta
            yield layer

    def objective(self) -> dict[str, float]:
        """Parts of J after a forward sweep: "running" and one entry a loss, summed over ranks."""
        start = perf_counter()
        action, total = self.action, self.total
        running = 0.0
        for k, step in enumerate(self.steps):
            action.set_slab(self.velocity[k], total[k])
            running += step * action.scalar(action.cost)
        local = [running, 0.0] + [loss.value(self.density[loss.layer]) for loss in self.losses]
        owned = self.halo.owned
        weights = self.steps[:, None, None]
        local[1] = float((weights * self.slab_density[..., :owned] * self._static[None]).sum())
        values = np.array(local)
        result = np.empty_like(values)
        self.problem.domain.comm.Allreduce(values, result)
        parts = {"running": float(result[0] + result[1])}
        for j, (loss, value) in enumerate(zip(self.losses, result[2:], strict=True)):
            parts[loss.name if loss.name not in parts else f"{loss.name} {j + 1}"] = float(value) + loss.penalty
        self.seconds["assembly"] += perf_counter() - start
        return parts

    def backward(self) -> None:
        """Potentials of every slab for the loaded velocity and the densities of the last forward sweep."""
        start = perf_counter()
        slope = self._running_slope()
        pulls = {loss.layer: np.zeros_like(self._static) for loss in self.losses}
        for loss in self.losses:
            pulls[loss.layer] += loss.gradient(self.density[loss.layer])
        self.march_back(self.slab_potential, slope, pulls)
        self._check_finite(self.slab_potential, "potential")
        self.halo.update(self.slab_potential)
        self.seconds["sweeps"] += perf_counter() - start

    def _running_slope(self) -> Floats:
        """dl/drho_c of every slab as dual vectors, (N, C, owned)."""
        action, total = self.action, self.total
        common = self.halo.stack(len(self.steps), 1)
        for k in range(len(self.steps)):
            action.set_slab(self.velocity[k], total[k])
            common[k, 0] = action.blocked_vector(action.cost_1)[action.R]
        self.halo.accumulate(common)
        return common[..., : self.halo.owned] + self._static[None]

    def march_back(self, out: Floats, slope: Floats, pulls: Mapping[int, Floats]) -> None:
        """q of every slab from dH/drho at q = 0 ("slope") and dG at the layers of losses ("pulls"), both dual."""
        scaled = (self.theta * self.steps)[:, None, None] * slope
        self._march.backward(scaled, pulls, out[..., : self.halo.owned])

    def march_both(self, out: Floats, sources: Floats, pulls: Mapping[int, Floats]) -> None:
        """``march`` from R_0 = 0 and ``march_back`` where neither needs the other, stacks (N, 2 C, owned).

        sources: dH/dphi at r = 0, then dH/drho at q = 0; out: q, then r.
        """
        self._march.both((self.theta * self.steps)[:, None, None] * sources, pulls, out)

    def layer_potentials(self) -> tuple[Floats, Floats]:
        """phi_c at layers t_0 .. t_N after a backward sweep, (N + 1, C, owned), and the jumps at losses, (N, C, owned).

        phi_N = -M^-1 dG; a loss at a layer inside adds its -M^-1 dG to what the slab below sees of that layer.
        """
        owned, theta, steps = self.halo.owned, self.theta, len(self.steps)
        out = np.zeros((steps + 1, self.problem.classes, owned))
        jumps = np.zeros_like(out[1:])
        at_end = np.zeros_like(out[0])
        for k in reversed(range(steps)):
            for loss in self.losses:
                if loss.layer == k + 1:
                    jumps[k] -= self.mass.solve(loss.gradient(self.density[k + 1]))
            at_end = at_end + jumps[k]
            if k + 1 == steps:
                out[steps], jumps[k] = at_end, 0.0
            out[k] = (self.slab_potential[k, :, :owned] - (1 - theta) * at_end) / theta
            at_end = out[k]
        return out, jumps

    def _check_finite(self, stack: Floats, name: str) -> None:
        sums = np.ascontiguousarray(stack[..., : self.halo.owned].sum(axis=(1, 2)))
        total = np.empty_like(sums)
        self.problem.domain.comm.Allreduce(sums, total)
        if not np.isfinite(total).all():
            bad = int(np.flatnonzero(~np.isfinite(total))[0])
            raise SolverError(f"the {name} is not finite at layer {bad}")
