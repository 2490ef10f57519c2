"""The action of the layer-map schemes as a sum over elements, each of which sees a few nodes of one slab.

Heat steps S_a = (1 - b_a L_a)^-1 E_a are inverses in part: what these solve becomes unknowns of its own, one density z
and one multiplier pi for each axis of the noise before the map, w and sigma for the noise after it. With z_0 = rho_k
below, r = z_d, q = sigma_0 and w_d = rho_{k+1} above, the part of slab k is, class by class,

    (phi_k, z_0)_h + sum_a [ (pi_a, z_a)_h + b'_a h_a^2 (D_a z_a, D_a pi_a)_h ]                    (cells)
    - sum_a sum_i M_i pi_ai (E'_a z_{a-1})_i                                                       (nodes)
    + (sigma_0, w_0)_h + sum_a [ (sigma_a, w_a)_h + b''_a h_a^2 (D_a w_a, D_a sigma_a)_h ]         (cells)
    - sum_a sum_i M_i sigma_ai (E''_a w_{a-1})_i - sum_i M_i r_i (Pi sigma_0)(x_i + Delta u_i)     (nodes)
    + Delta l_h(u, r) - (phi_{k+1}, w_d)_h                                                         (cells)
    + Delta/2 [ F(z_0) + F(w_d) ]      if V and U act at layers: F = sum_c V_c rho_c + U(R)        (cells)

with the vertex rule in every cell. Only phi is shared by slabs. Its stationary points are the sweeps and the momentum
map; an element of a cell sees the corners of the cell, that of node i sees u_i, r_i, q at the nodes that the splines
at x_i + Delta u_i reach, and along the axes the multipliers there with the densities at the neighbours of E_a.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial, reduce
from itertools import product
from typing import Any

import numpy as np
import ufl
from dolfinx import fem
from dolfinx import mesh as dmesh
from numpy.typing import NDArray

from hydrodl.analysis.structure.heat_factors import HeatFactors, heat_factors
from hydrodl.analysis.structure.map_tangents import MapTangents
from hydrodl.analysis.structure.space_time_action import Tangent
from hydrodl.common.arrays import Floats
from hydrodl.discretisation.heat_step import noise_split
from hydrodl.discretisation.layer_map_scheme import LayerMapScheme
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
        split = partial(noise_split, noise, spacing=self.nodes.spacing, degree=scheme.degree, before=scheme.before)
        self._heat = [heat_factors(self.nodes, t, split(step=t)) for t in map(float, self.steps)]
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
        for j, push in enumerate(self.pushes):
            chain: Chain = {"u": u[j], "phi_0": below[j], "phi_1": above[j]}
            carried = push.carry_change(self._masses[j], self.steps[j] * u[j], self.mass * r[j])
            self._after(chain, j, carried, high[j])
            chain[f"w_{self.dim}"] = high[j]
            self._before(chain, j, low[j], push.pull(chain["sigma_0"]) - self.steps[j] * cost[j] / self.mass)
            chain[self.last(j)] = r[j]
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

    def last(self, j: int) -> str:
        """The name of r in slab j of this rank."""
        return f"z_{self.dim}" if "pi" in self._heat[j] else "z_0"

    def _kick(self, j: int, name: str, density: Floats) -> Floats:
        """The change of Delta/2 (V + U') at an end of slab j."""
        return self.steps[j] / 2 * self._bent[j][name] * density.sum(axis=0)

    def _after(self, chain: Chain, j: int, carried: Floats, high: Floats) -> None:
        """w upwards from the pushed masses, sigma downwards from phi_{k+1}."""
        chain["w_0"] = carried / self.mass
        self._chain(chain, j, "w", "sigma", chain["phi_1"] - self._kick(j, f"w_{self.dim}", high))
        chain["sigma_0"] = self._heat[j]["sigma"][0].explicit(chain["sigma_1"])

    def _before(self, chain: Chain, j: int, density: Floats, potential: Floats) -> None:
        """z upwards from rho_k, pi downwards from what the map and the running cost pull with."""
        chain["z_0"] = density
        if "pi" in self._heat[j]:
            self._chain(chain, j, "z", "pi", potential)

    def _chain(self, chain: Chain, j: int, field: str, multiplier: str, potential: Floats) -> None:
        factors = self._heat[j][multiplier]
        for a, factor in enumerate(factors, 1):
            chain[f"{field}_{a}"] = factor.solved(factor.explicit(chain[f"{field}_{a - 1}"]))
        for a in range(self.dim, 0, -1):
            potential = chain[f"{multiplier}_{a}"] = factors[a - 1].solved(potential)
            potential = factors[a - 1].explicit(potential)

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
            row[self.last(j)] += total[j]
            self._cells(row, chain, j, parts[k].cells)
            self._push(row, chain, j, parts[k].nodes.ravel())
            out.append(row)
        return out

    def _cells(self, row: Chain, chain: Chain, j: int, cells: Mask) -> None:
        """The pairings and the implicit factors."""
        mass = self._lump(cells)
        pairs = [("phi_0", "z_0", 1.0), ("phi_1", f"w_{self.dim}", -1.0), ("sigma_0", "w_0", 1.0)]
        for first, second, sign in pairs:
            row[first] += sign * mass * chain[second]
            row[second] += sign * mass * chain[first]
        for name in self._bent[j]:
            row[name] += mass * self._kick(j, name, chain[name])
        for up, _, new, axis, factor in self._links(j):
            amount = factor.implicit * self.nodes.spacing[axis] ** 2
            for first, second in ((up, new), (new, up)):
                row[first] += mass * chain[second] + amount * self._stiffness(cells, axis, chain[second])

    def _links(self, j: int) -> Iterator[tuple[str, str, str, int, HeatFactors]]:
        """Names of multiplier, density before and behind, axis and factors of every heat step of a slab."""
        for multiplier, factors in self._heat[j].items():
            field = {"sigma": "w", "pi": "z"}[multiplier]
            for a, factor in enumerate(factors):
                yield f"{multiplier}_{a + 1}", f"{field}_{a}", f"{field}_{a + 1}", a, factor

    def _push(self, row: Chain, chain: Chain, j: int, nodes: Mask) -> None:
        """What the nodes of the patch carry, and the explicit factors."""
        here = self.mass * nodes
        for up, old, _, _, factor in self._links(j):
            row[up] -= here * factor.explicit(chain[old])
            row[old] -= self.mass * factor.explicit(nodes * chain[up])
        push, step, r = self.pushes[j], self.steps[j], self.last(j)
        potential, masses = self._potential[j], self._masses[j] * nodes
        shift, change = step * chain["u"], here * chain[r]
        row["sigma_0"] -= push.carry_change(masses, shift, change)
        slopes = push.pull_with_slopes(potential)[1]
        pulled, turned = push.pull_with_slopes(chain["sigma_0"])
        row[r] -= here * (np.einsum("can,an->cn", slopes, shift) + pulled)
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
        more = {"u": nodes, self.last(j): nodes}
        whole = dict(more)
        for up, old, _, _, factor in self._links(j):
            more[up] = whole[up] = nodes
            more[old], whole[old] = reached(factor.explicit, nodes)
        more["sigma_0"], whole["sigma_0"] = reached(self.pushes[j].carry, nodes)
        names = {"u", "z_0", "w_0", "sigma_0", *(name for link in self._links(j) for name in (link[0], link[2]))}
        everywhere, nowhere = np.ones_like(nodes), np.zeros_like(nodes)
        for name in sorted(names):
            yield name, some | more.get(name, nowhere), inside & whole.get(name, everywhere)


def reached(operator: Callable[[Floats], Floats], nodes: Mask) -> tuple[Mask, Mask]:
    """Which nodes an operator without negative entries reaches from some nodes, and which from these alone."""
    return operator(nodes[None].astype(float))[0] > 0, operator((~nodes)[None].astype(float))[0] == 0


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
