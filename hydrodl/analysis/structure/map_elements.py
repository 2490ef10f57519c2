"""The action of the layer-map schemes as a sum over elements, each of which sees a few nodes of one slab.

The resolvents are inverses: what they solve becomes unknowns of its own, one density z and one multiplier pi for each
axis of the noise before the map, w and sigma for the noise after it. With z_0 = rho_k below, r = z_n, q = sigma_1 and
w_d = rho_{k+1} above, the part of slab k is, class by class,

    (phi_k, z_0)_h + sum_a [ (pi_a, z_a - z_{a-1})_h + Delta s'_a (D_a z_a, D_a pi_a)_h ]                    (cells)
    + (sigma_1, w_1)_h + sum_{a>1} (sigma_a, w_a - w_{a-1})_h + sum_a Delta s''_a (D_a w_a, D_a sigma_a)_h   (cells)
    - sum_i M_i r_i (Pi sigma_1)(x_i + Delta u_i)                                                            (nodes)
    + Delta l_h(u, r) - (phi_{k+1}, w_d)_h                                                                   (cells)
    + Delta/2 [ F(z_0) + F(w_d) ]           if V and U act at layers: F = sum_c V_c rho_c + U(R)             (cells)

with the vertex rule in every cell. Only phi is shared by slabs. Its stationary points are the sweeps and the momentum
map; an element of a cell sees the corners of the cell, that of node i sees u_i, r_i and q at the nodes that the splines
at x_i + Delta u_i reach.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import product
from typing import Any

import numpy as np
import ufl
from dolfinx import fem
from dolfinx import mesh as dmesh
from numpy.typing import NDArray

from hydrodl.analysis.structure.map_tangents import MapTangents
from hydrodl.analysis.structure.space_time_action import Tangent
from hydrodl.common.arrays import Floats
from hydrodl.discretisation.layer_map_scheme import LayerMapScheme
from hydrodl.discretisation.noise_resolvent import NoiseResolvent, NoiseSplit, noise_split
from hydrodl.discretisation.push import Push, Splines
from hydrodl.linear_algebra.layer_shares import Shares
from hydrodl.mesh.ghosts import with_ghosts
from hydrodl.mesh.grid_nodes import GridNodes

Mask = NDArray[np.bool_]

Chain = dict[str, Floats]
"""Fields of one slab on the grid: u (d, nodes), the others (C, nodes); phi_0 below, phi_1 above."""


@dataclass(frozen=True, eq=False)
class Part:
    """The elements of one slab that belong to a patch: cells (n_1 - 1, ...) and nodes (n_1, ...) of the grid."""

    cells: Mask
    nodes: Mask


class MapElements:
    """The elements of a flow's slabs, this rank's layers on the whole grid.

    Args:
        system: the linearised equations, whose scheme is a layer map.
        scheme: that scheme.
    """

    def __init__(self, system: MapTangents, scheme: LayerMapScheme) -> None:
        flow = self.flow = system.flow
        self._system = system
        self.nodes, self.shares = GridNodes(flow.domain), Shares(flow.domain, len(flow.layers))
        self._splines = Splines(self.nodes.shape, self.nodes.spacing, scheme.degree)
        self.steps = flow.layers.steps[self.shares.layers]
        noise = float(flow.lagrangian.noise)
        self.splits = [
            noise_split(noise, float(t), self.nodes.spacing, scheme.degree, scheme.before) for t in self.steps
        ]
        velocity, density, potential = map(self.on_grid, (flow.velocity, flow.slab_density, flow.slab_potential))
        self.pushes = [Push(self._splines, t * u) for t, u in zip(self.steps, velocity, strict=True)]
        self._masses, self._potential = self.nodes.mass * density, potential
        low, high = (self.on_grid(bent) for bent in (system.bent[:-1], system.bent[1:]))
        self._bent = [{"z_0": a, f"w_{self.dim}": b} for a, b in zip(low, high, strict=True)]
        self._cost = _CostRows(system)

    def on_grid(self, stack: Floats) -> Floats:
        """A stack (N, m, owned) at this rank's layers, (mine, m, nodes), a copy; collective."""
        return self.nodes.to_grid(self.shares.to_layers(np.ascontiguousarray(stack))).copy()

    def chains(self, tangent: Tangent) -> list[Chain]:
        """All unknowns of this rank's slabs in a tangent solution; collective."""
        sources = self._system.respond(tangent.velocity, tangent.density[0], tangent.potential[-1])[2]
        u, r, low, high, below, above, cost = map(
            self.on_grid,
            (
                tangent.velocity,
                tangent.slab_density,
                tangent.density[:-1],
                tangent.density[1:],
                tangent.potential[:-1],
                tangent.potential[1:],
                sources,
            ),
        )
        out = []
        for j, (split, push) in enumerate(zip(self.splits, self.pushes, strict=True)):
            chain: Chain = {"u": u[j], "phi_0": below[j], "phi_1": above[j]}
            carried = push.carry_change(self._masses[j], self.steps[j] * u[j], self.mass * r[j])
            self._after(chain, j, split, carried, high[j])
            chain[f"w_{self.dim}"] = high[j]
            self._before(chain, j, split, low[j], push.pull(chain["sigma_1"]) - self.steps[j] * cost[j] / self.mass)
            chain[self.last(split)] = r[j]
            out.append(chain)
        return out

    @property
    def mass(self) -> Floats:
        """Lumped mass of the nodes of the grid."""
        return self.nodes.mass

    @property
    def dim(self) -> int:
        """d."""
        return len(self.nodes.shape)

    def last(self, split: NoiseSplit) -> str:
        """The name of r in a slab."""
        return f"z_{self.dim}" if split.before.any() else "z_0"

    def _along(self, j: int, axis: int, noise: Floats) -> NoiseResolvent:
        only = np.where(np.arange(self.dim) == axis, noise, 0.0)
        return NoiseResolvent(self.nodes.shape, self.nodes.spacing, float(self.steps[j]), only)

    def _kick(self, j: int, name: str, density: Floats) -> Floats:
        """The change of Delta/2 (V + U') at an end of slab j."""
        return self.steps[j] / 2 * self._bent[j][name] * density.sum(axis=0)

    def _after(self, chain: Chain, j: int, split: NoiseSplit, carried: Floats, high: Floats) -> None:
        """w upwards from the pushed masses, sigma downwards from phi_{k+1}."""
        resolvents = [self._along(j, a, split.after) for a in range(self.dim)]
        density, potential = carried, chain["phi_1"] - self._kick(j, f"w_{self.dim}", high)
        for a, resolvent in enumerate(resolvents, 1):
            density = chain[f"w_{a}"] = resolvent.smooth(density)
            density = self.mass * density
        for a in range(self.dim, 0, -1):
            potential = chain[f"sigma_{a}"] = resolvents[a - 1].smooth(self.mass * potential)

    def _before(self, chain: Chain, j: int, split: NoiseSplit, density: Floats, potential: Floats) -> None:
        """z upwards from rho_k, pi downwards from what the map and the running cost pull with."""
        chain["z_0"] = density
        if not split.before.any():
            return
        resolvents = [self._along(j, a, split.before) for a in range(self.dim)]
        for a, resolvent in enumerate(resolvents, 1):
            density = chain[f"z_{a}"] = resolvent.smooth(self.mass * density)
        for a in range(self.dim, 0, -1):
            potential = chain[f"pi_{a}"] = resolvents[a - 1].smooth(self.mass * potential)

    def rows(self, chains: list[Chain], tangent: Tangent, parts: list[Part]) -> list[Chain]:
        """Rows of the second derivative of the action over a patch, times a tangent; collective.

        Args:
            chains, tangent: the tangent.
            parts: of the patch, one a slab, all slabs on every rank.
        """
        velocity, total = self._cost(tangent, [part.cells for part in parts])
        velocity, total = self.on_grid(velocity), self.on_grid(total)
        out = []
        for j, (chain, k) in enumerate(zip(chains, self.shares.layers, strict=True)):
            row = {name: np.zeros_like(values) for name, values in chain.items()}
            row["u"] += velocity[j]
            row[self.last(self.splits[j])] += total[j]
            self._cells(row, chain, j, parts[k].cells)
            self._push(row, chain, j, parts[k].nodes.ravel())
            out.append(row)
        return out

    def _cells(self, row: Chain, chain: Chain, j: int, cells: Mask) -> None:
        """The pairings and the noise."""
        split, step, dim = self.splits[j], self.steps[j], self.dim
        mass = self._lump(cells)
        row["phi_0"] += mass * chain["z_0"]
        row["z_0"] += mass * chain["phi_0"]
        row["phi_1"] -= mass * chain[f"w_{dim}"]
        row[f"w_{dim}"] -= mass * chain["phi_1"]
        for name in self._bent[j]:
            row[name] += mass * self._kick(j, name, chain[name])
        links = [("sigma", "w", a, split.after[a - 1]) for a in range(1, dim + 1)]
        if split.before.any():
            links += [("pi", "z", a, split.before[a - 1]) for a in range(1, dim + 1)]
        for multiplier, field, a, noise in links:
            up, new, old = f"{multiplier}_{a}", f"{field}_{a}", f"{field}_{a - 1}"
            for first, second in ((up, new), (new, up)):
                row[first] += mass * chain[second] + step * noise * self._stiffness(cells, a - 1, chain[second])
            if old in chain:
                row[up] -= mass * chain[old]
                row[old] -= mass * chain[up]

    def _push(self, row: Chain, chain: Chain, j: int, nodes: Mask) -> None:
        """What the nodes of the patch carry."""
        push, step, r = self.pushes[j], self.steps[j], self.last(self.splits[j])
        potential, masses = self._potential[j], self._masses[j] * nodes
        shift, change = step * chain["u"], self.mass * nodes * chain[r]
        row["sigma_1"] -= push.carry_change(masses, shift, change)
        slopes = push.pull_with_slopes(potential)[1]
        pulled, turned = push.pull_with_slopes(chain["sigma_1"])
        row[r] -= self.mass * nodes * (np.einsum("can,an->cn", slopes, shift) + pulled)
        exerted = np.einsum("cn,can->an", change, slopes) + np.einsum("cn,can->an", masses, turned)
        row["u"] -= step * (exerted + np.einsum("abn,bn->an", push.curvatures(masses, potential), shift))

    def _lump(self, cells: Mask) -> Floats:
        """The vertex rule's mass of every node over the cells of a patch."""
        volume = float(np.prod(self.nodes.spacing)) / 2**self.dim
        return volume * sum(corners(cells)).ravel()

    def _stiffness(self, cells: Mask, axis: int, fields: Floats) -> Floats:
        """(D_a f, D_a v) of fields (C, nodes) over the cells of a patch."""
        volume = float(np.prod(self.nodes.spacing)) / 2 ** (self.dim - 1)
        table = fields.reshape(-1, *self.nodes.shape)
        edges = sum(corners(cells, skip=axis)) * volume / self.nodes.spacing[axis] ** 2
        flux = edges * np.diff(table, axis=axis + 1)
        out = np.zeros_like(table)
        low = (slice(None), *(slice(None, -1) if a == axis else slice(None) for a in range(self.dim)))
        high = (slice(None), *(slice(1, None) if a == axis else slice(None) for a in range(self.dim)))
        out[low] -= flux
        out[high] += flux
        return out.reshape(fields.shape)

    def touched(self, j: int, part: Part) -> Iterator[tuple[str, Mask, Mask]]:
        """Name, which nodes' unknowns a patch touches, which it has all elements of; in slab j of this rank."""
        inside = reduce(np.logical_and, corners(part.cells, beyond=True)).ravel()
        some = reduce(np.logical_or, corners(part.cells)).ravel()
        nodes = part.nodes.ravel()
        push, split = self.pushes[j], self.splits[j]
        reached = push.carry(nodes[None].astype(float))[0] > 0
        missed = push.carry((~nodes)[None].astype(float))[0] > 0
        names = ["u", "z_0", *(f"{f}_{a}" for f in ("w", "sigma") for a in range(1, self.dim + 1))]
        if split.before.any():
            names += [f"{f}_{a}" for f in ("z", "pi") for a in range(1, self.dim + 1)]
        for name in names:
            if name in ("u", self.last(split)):
                yield name, some | nodes, inside & nodes
            elif name == "sigma_1":
                yield name, some | reached, inside & ~missed
            else:
                yield name, some, inside


def corners(cells: Mask, *, skip: int = -1, beyond: bool = False) -> list[Any]:
    """The cells at each corner of every node, of every edge along ``skip``; beyond the walls they count as told."""
    widths = [(0, 0) if a == skip else (1, 1) for a in range(cells.ndim)]
    padded = np.pad(cells, widths, constant_values=beyond)
    sides = [(slice(None),) if a == skip else (slice(None, -1), slice(1, None)) for a in range(cells.ndim)]
    return [padded[choice] if beyond else padded[choice].astype(float) for choice in product(*sides)]


class _CostRows:
    """Rows of the running cost's second derivative over the cells of a patch."""

    def __init__(self, system: MapTangents) -> None:
        flow, action = system.flow, system.transport.action
        self._system, self._action = system, action
        mesh, domain = flow.domain.mesh, flow.domain
        self._patch = fem.Function(fem.functionspace(mesh, ("DG", 0)))
        density, self._state = action.cost_density
        self._direction = fem.Function(self._state.function_space)
        first = ufl.derivative(self._patch * density * domain.dx, self._state)
        self._form = fem.form(ufl.derivative(first, self._state, self._direction))
        count = mesh.topology.index_map(mesh.topology.dim).size_local
        middles = dmesh.compute_midpoints(mesh, mesh.topology.dim, np.arange(count, dtype=np.int32))
        low, _ = domain.bounds
        spacing = GridNodes(domain).spacing
        self._cells = tuple(np.floor((middles[:, : domain.dimension] - low) / spacing).astype(int).T)

    def __call__(self, tangent: Tangent, cells: list[Mask]) -> tuple[Floats, Floats]:
        """Delta l'' (du, dR): rows of u (N, d, owned), and of r, the same for every class, (N, 1, owned)."""
        system, action, halo = self._system, self._action, self._system.transport.halo
        flow = system.flow
        velocity, density = (with_ghosts(flow.domain, stack) for stack in (flow.velocity, flow.slab_density))
        steps, d = system.flow.layers.steps, action.dimension
        change = np.concatenate([tangent.velocity, tangent.slab_density.sum(axis=1, keepdims=True)], axis=1)
        along = halo.with_ghosts(change)
        out = halo.stack(len(steps), d + 1)
        for k, step in enumerate(steps):
            self._patch.x.array[: len(self._cells[0])] = cells[k][self._cells]
            action.set_slab(velocity[k], density[k].sum(axis=0))
            self._direction.x.array[:] = along[k].T.ravel()
            out[k] = step * action.blocked_vector(self._form)
        halo.accumulate(out)
        return out[:, :d, : halo.owned].copy(), out[:, d:, : halo.owned].copy()
