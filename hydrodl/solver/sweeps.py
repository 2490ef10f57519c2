"""Forward and backward sweeps through the layers of one problem, and the objective.

For a velocity u the scheme's slabs (:class:`~hydrodl.discretisation.scheme.Transport`) carry the densities R up
through the layers and the potentials phi down. Slab k has its own density r_k, which the running cost sees, and its own
potential q_k. phi above a slab is the next slab's phi less M^-1 dG where a loss acts. V and U are in the cost of slabs
or, if the scheme has them there, at layers (:class:`~hydrodl.solver.layer_sums.LayerSums`).
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
from hydrodl.solver.layer_sums import LayerSums


class Sweeps:
    """The coupled forward-backward system of one problem, given a velocity.

    Fields are stacks (slabs here, classes or components, local nodes) where the scheme has them.

    Attributes:
        transport: the scheme's slabs; stacks: where fields are; halo: ghosts of fields by nodes; velocity: u_k;
        slab_density: r; slab_potential: q; layer_sums: V and U at layers, None if there are none there;
        steps: of all layers; own_steps: of the slabs here, (slabs here,);
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
        self.stacks = stacks = self.transport.stacks
        self.own_steps = self.steps[stacks.layers]
        halo, action = self.halo, self.action
        given = problem.correction
        self._corrected = None if given is None else CorrectedSlabs(given, self.transport, self.steps)
        self.losses = [CompiledLoss(loss, action, halo, classes, slabs) for loss in problem.terms]
        self.velocity = stacks.stack(domain.dimension)
        self.slab_density, self.slab_potential, self._above = (stacks.stack(classes) for _ in range(3))
        self._seen = {layer: halo.stack(classes) for layer in sorted({loss.layer for loss in self.losses})}
        cost = self.transport.layer_cost
        self.layer_sums = None if cost is None else LayerSums(problem, cost, self.transport)
        self.data = halo.stack(classes)
        self.set_data(problem.densities.values)
        self._potential = halo.stack(classes)
        nodes = domain.coordinates[: halo.owned]
        self._potential[:, : halo.owned] = problem.lagrangian.potentials(nodes, classes)
        halo.update(self._potential)
        static = np.zeros((classes, halo.owned)) if self.layer_sums else self._potential_dual()
        self._static = stacks.everywhere(static)
        self.set_up_seconds = perf_counter() - start
        self.seconds["assembly"] += self.set_up_seconds

    def set_data(self, densities: Floats) -> None:
        """Put densities (C, owned) at the first layer; collective."""
        self.data[:, : self.halo.owned] = densities
        if self.layer_sums is not None:
            self.layer_sums.set_data(densities)
        self.halo.update(self.data)

    def _potential_dual(self) -> Floats:
        out = self.halo.stack(self.problem.classes)
        for c, values in enumerate(self._potential):
            self.action.potential.x.array[:] = values
            self.action.vector(self.action.potential_1, out[c])
        self.halo.accumulate(out)
        return out[:, : self.halo.owned]

    @property
    def total(self) -> Floats:
        """R of the slabs here, (slabs here, local)."""
        return self.slab_density.sum(axis=1)

    @property
    def density(self) -> Floats:
        """R at all layers by nodes, ghosts valid, (N + 1, C, local), a new array; collective."""
        out = self.halo.stack(len(self.steps) + 1, self.problem.classes)
        out[1:, :, : self.halo.owned] = self.stacks.collect(self.above)
        self.halo.update(out)
        out[0] = self.data
        return out

    @property
    def above(self) -> Floats:
        """R_{k+1} of the slabs here, a stack without ghosts."""
        return self._above[..., : self.stacks.owned]

    def density_at(self, layer: int) -> Floats:
        """R at a layer where a loss acts by nodes, ghosts valid, (C, local)."""
        return self._seen[layer]

    def set_velocity(self, velocity: Floats) -> None:
        """Load u, a stack (slabs here, d, owned), and build every slab."""
        start = perf_counter()
        self.velocity[..., : self.stacks.owned] = velocity
        self.stacks.update(self.velocity)
        self.transport.set_velocity(self.velocity, self.steps)
        if self._corrected is not None:
            self._corrected.set_velocity(self.velocity)
        self.seconds["assembly"] += perf_counter() - start

    def forward(self) -> None:
        """Densities of every slab and layer for the loaded velocity.

        Raises:
            SolverError: a density is not finite; the layer is named.
        """
        start, owned, nodes = perf_counter(), self.stacks.owned, self.halo.owned
        layers = {k: field[:, :nodes] for k, field in self._seen.items()}
        corrected, slabs = self._corrected, self.slab_density[..., :owned]
        sources = None if corrected is None else self.stacks.spread(corrected.to_density)
        self.transport.march.forward(self.data[:, :nodes], sources, slabs, layers, self.above)
        if corrected is not None:
            slabs += self.stacks.spread(corrected.density)
        self._check_finite(self._above, "density", 1)
        self.stacks.update(self.slab_density)
        for field in self._seen.values():
            self.halo.update(field)
        self.seconds["sweeps"] += perf_counter() - start

    def objective(self) -> dict[str, float]:
        """Parts of J after a forward sweep: "running" and one entry a loss, summed over ranks."""
        start = perf_counter()
        running = float(self.own_steps @ self.transport.cost.values(self.velocity, self.total))
        if self.layer_sums is not None:
            running += self.layer_sums.value(self.above)
        local = [running, 0.0] + [loss.value(self._seen[loss.layer]) for loss in self.losses]
        local[1] = float(self.own_steps @ self._static_costs())
        if self._corrected is not None:
            layers, slabs = (self.density[..., : self.halo.owned], self.slab_density[..., : self.stacks.owned])
            local.append(self._corrected.value(layers, self.stacks.collect(slabs)))
        values = np.array(local)
        result = summed(self.problem.domain.comm, values)
        parts = {"running": float(result[0] + result[1])}
        if self._corrected is not None:
            parts["correction"] = float(result[-1])
        for j, (loss, value) in enumerate(zip(self.losses, result[2 : 2 + len(self.losses)], strict=True)):
            parts[loss.name if loss.name not in parts else f"{loss.name} {j + 1}"] = float(value) + loss.penalty
        self.seconds["assembly"] += perf_counter() - start
        return parts

    def _static_costs(self) -> Floats:
        """(V_c, r_c) of the slabs here, this rank's part."""
        return np.einsum("kcn,cn->k", self.slab_density[..., : self.stacks.owned], self._static)

    def running_costs(self) -> Floats:
        """What every slab costs over its thickness, after a forward sweep, (N,), summed over ranks.

        l(u_k, r_k); where V and U act at layers, they are the mean of both ends of the slab.
        """
        found = self._by_layer(self._static_costs() + self.transport.cost.values(self.velocity, self.total))
        if self.layer_sums is None:
            return found
        return found + self.layer_sums.means(self._by_layer(self.layer_sums.values(self.above)))

    def _by_layer(self, local: Floats) -> Floats:
        """Numbers of the slabs here, summed over ranks, for all slabs, (N,)."""
        out = np.zeros(len(self.steps))
        out[self.stacks.layers] = local
        return summed(self.problem.domain.comm, out)

    def backward(self, layers: Mapping[int, Floats] | None = None) -> Floats:
        """Potentials of every slab for the loaded velocity and the densities of the last forward sweep.

        Args:
            layers: takes M phi_0, dual vectors (C, owned), if it has the key 0.

        Returns:
            the derivative of every slab's running cost in u, a stack to be accumulated.
        """
        start = perf_counter()
        slope = self._sweep_back(layers or {})
        if self.layer_sums is not None and layers and 0 in layers:
            self.layer_sums.kick_first(layers[0])
        self._check_finite(self.slab_potential, "potential", 0)
        self.stacks.update(self.slab_potential)
        self.seconds["sweeps"] += perf_counter() - start
        return slope

    def _sweep_back(self, layers: Mapping[int, Floats], states: Floats | None = None) -> Floats:
        """As for ``backward``, M phi_k into a stack too; the running costs are assembled once for both."""
        stacks = self.stacks
        slabs = self.slab_potential[..., : stacks.owned]
        by_velocity, by_density = self.transport.cost.slopes(self.velocity, self.total)
        stacks.accumulate(by_density)
        sources = by_density[..., : stacks.owned] + self._static[None]
        if self._corrected is not None:
            sources += stacks.spread(self._corrected.to_potential)
        kicks = None if self.layer_sums is None else self.layer_sums.kicks(self.above)
        self.transport.march.backward(sources, self.pulls(), slabs, layers, states, kicks=kicks)
        if self._corrected is not None:
            slabs += stacks.spread(self._corrected.potential)
        return by_velocity

    def pulls(self) -> dict[int, Floats]:
        """dG at the layers of losses, dual vectors (C, owned)."""
        found = {layer: np.zeros((len(seen), self.halo.owned)) for layer, seen in self._seen.items()}
        for loss in self.losses:
            found[loss.layer] += loss.gradient(self._seen[loss.layer])
        return found

    def layer_potentials(self) -> tuple[Floats, Floats]:
        """phi_c at layers t_0 .. t_N, (N + 1, C, owned), and the jumps at losses, (N, C, owned); a backward sweep.

        phi_N = -M^-1 dG; V and U at layers act half above phi_k and half below it; a loss at a layer inside adds its
        -M^-1 dG to what the slab below sees of that layer.
        """
        start, steps = perf_counter(), len(self.steps)
        out = np.zeros((steps + 1, self.problem.classes, self.halo.owned))
        jumps = np.zeros_like(out[1:])
        below = np.empty((len(self.stacks.layers), self.problem.classes, self.stacks.owned))
        self._sweep_back({}, below)
        out[:steps] = [self.mass.solve(dual) for dual in self.stacks.collect(below)]
        if self.layer_sums is not None:
            out[:steps] = self.layer_sums.between(out[:steps], self.density[:-1, :, : self.halo.owned])
        for layer, pull in self.pulls().items():
            jumps[layer - 1] = -self.mass.solve(pull)
        out[steps], jumps[-1] = jumps[-1], 0.0
        self.stacks.update(self.slab_potential)
        self.seconds["sweeps"] += perf_counter() - start
        return out, jumps

    def _check_finite(self, stack: Floats, name: str, first: int) -> None:
        total = self._by_layer(stack[..., : self.stacks.owned].sum(axis=(1, 2)))
        if not np.isfinite(total).all():
            bad = int(np.flatnonzero(~np.isfinite(total))[0]) + first
            raise SolverError(f"the {name} is not finite at layer {bad}")
