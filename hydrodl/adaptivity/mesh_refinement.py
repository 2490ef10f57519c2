"""Local refinement of the feature mesh where the discrete flow is worst resolved.

Gradients of a finite-element field v jump from cell to cell; averaged at the nodes they are more accurate than they
were (Zienkiewicz and Zhu, Int. J. Numer. Meth. Engng. 24, 1987), so that e(v) = |grad v - averaged grad v| estimates
the error of grad v, and h e(v)/pi that of v. Put into the terms of the action they estimate what a cell contributes
to the error of J:

    sum_k Delta_k int_K  (w R + eps)/2 (h e(u)/pi)^2 + alpha^2/2 e(u)^2
                         + sum_c [ (nu + |u| h/pi) e(rho_c) e(phi_c)
                                   + sum_e w_e nu (D(p_e) - 1) |d_e rho_c d_e phi_c| ]  dx.

The last one, d_e a difference along an edge, there with fitted diffusion only, is not an error of interpolation but of
the scheme.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import ufl
from dolfinx import fem, la
from dolfinx import mesh as dmesh

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import largest, summed
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.quadrature import moment
from hydrodl.problem.flow import Flow
from hydrodl.problem.solution import Solution

_BOXES = (dmesh.CellType.quadrilateral, dmesh.CellType.hexahedron)


def check_refinable(domain: Domain, bulk: float) -> None:
    """Can this mesh be refined here and there, and is ``bulk`` a share?

    Raises:
        InputError: it cannot, or it is not.
    """
    if domain.periodic:
        raise InputError("a periodic box cannot be refined locally; make it with more nodes")
    if domain.mesh.topology.cell_type in _BOXES:
        kind = domain.mesh.topology.cell_name()
        raise InputError(f"a mesh of {kind} cells cannot be refined locally; make the domain with cells='simplex'")
    if domain.mesh.geometry.cmaps[0].degree != 1:
        raise InputError("a mesh of curved cells cannot be refined locally; straight simplices can")
    if not 0 < bulk <= 1:
        raise InputError(f"bulk is {bulk}, must be a share above 0 and at most 1")


def refined(given: Solution | Flow, bulk: float = 0.5) -> Domain:
    """The domain with the cells refined that make the share ``bulk`` of the estimated error (Doerfler); collective.

    Cells are split by bisection of their edges (Plaza and Carey, Appl. Numer. Math. 32, 2000), with as many neighbours
    as keep the mesh conforming; the new mesh is shared out over the ranks anew.

    Raises:
        InputError: boxes or curved cells, or ``bulk`` not in (0, 1].
    """
    flow = given.flow if isinstance(given, Solution) else given
    check_refinable(flow.domain, bulk)
    return refine_cells(flow.domain, marked(flow.domain, cell_errors(flow), bulk))


def refine_cells(domain: Domain, cells: Any) -> Domain:
    """The domain with this rank's ``cells`` (local numbers) refined; collective."""
    mesh, tdim = domain.mesh, domain.mesh.topology.dim
    mesh.topology.create_entities(1)
    mesh.topology.create_connectivity(tdim, 1)
    mesh.topology.create_connectivity(1, tdim)
    chosen = np.asarray(cells, dtype=np.int32)
    edges = chosen if tdim == 1 else dmesh.compute_incident_entities(mesh.topology, chosen, tdim, 1)
    partitioner = dmesh.create_cell_partitioner(dmesh.GhostMode.none, 2)
    made, _, _ = dmesh.refine(mesh, edges, partitioner, dmesh.RefinementOption.none)
    return Domain(made, domain.degree, domain.lumped)


def marked(domain: Domain, errors: Floats, bulk: float) -> Any:
    """The fewest cells of this rank, worst first over all ranks, that make the share of the sum; equals go together."""
    total = summed(domain.comm, float(errors.sum()))
    low, high = 0.0, largest(domain.comm, float(errors.max(initial=0.0)))
    for _ in range(60):  # the largest threshold that still leaves enough, blind to the ranks
        middle = (low + high) / 2
        share = summed(domain.comm, float(errors[errors >= middle].sum()))
        low, high = (middle, high) if share >= bulk * total * (1 - 1e-12) else (low, middle)
    return np.flatnonzero(errors >= low * (1 - 1e-9))


def cell_errors(given: Solution | Flow) -> Floats:
    """The module's estimate on each cell this rank owns, shape (cells,); collective."""
    flow = given.flow if isinstance(given, Solution) else given
    estimate = _Estimate(flow)
    out = np.zeros(estimate.cells)
    density, potential = flow.slab_density, flow.slab_potential
    for k, step in enumerate(flow.layers.steps):
        out += step * estimate.flow(flow.velocity[k], density[k].sum(axis=0))
        for rho, phi in zip(density[k], potential[k], strict=True):
            out += step * estimate.transport(rho, phi)
    return out


class _Estimate:
    """Compiled forms of one slab's estimate, and of averaged gradients."""

    def __init__(self, flow: Flow) -> None:
        domain = flow.domain
        self.domain, self.owned = domain, domain.owned
        self.cells = domain.mesh.topology.index_map(domain.mesh.topology.dim).size_local
        d, self.mass = domain.dimension, moment(domain)
        self.scalar = fem.Function(domain.V)
        vectors = domain.space(d)
        self.slopes = fem.form(ufl.inner(ufl.grad(self.scalar), ufl.TestFunction(vectors)) * domain.dx)
        self.u = [fem.Function(domain.V) for _ in range(d)]
        self.total, self.rho, self.phi = (fem.Function(domain.V) for _ in range(3))
        self.averages = {f: fem.Function(vectors) for f in (*self.u, self.rho, self.phi)}
        self.costs, self.pairs = (fem.form(form) for form in self._forms(flow))

    def _forms(self, flow: Flow) -> tuple[Any, Any]:
        domain, lagrangian = self.domain, flow.lagrangian.on(flow.domain.mesh)
        h, u, dx = domain.edge_length, ufl.as_vector(self.u), ufl.dx(metadata={"quadrature_degree": 4})
        test = ufl.TestFunction(fem.functionspace(domain.mesh, ("DG", 0)))
        weight = lagrangian.kinetic * abs(self.total) + lagrangian.decay
        rough = sum(self._miss(component) ** 2 for component in self.u)
        cost = 0.5 * (weight * (h / np.pi) ** 2 + lagrangian.smoothness**2) * rough
        speed = ufl.sqrt(ufl.inner(u, u))
        pair = (lagrangian.noise + speed * h / np.pi) * self._miss(self.rho) * self._miss(self.phi)
        if lagrangian.fitted:
            for edge in domain.edges:
                extra = abs(edge.weight) * (lagrangian.edge_noise(edge.flow(u)) - lagrangian.noise)
                pair += extra * abs(edge.difference(self.rho) * edge.difference(self.phi))
        return cost * test * dx, pair * test * dx

    def _miss(self, field: fem.Function) -> Any:
        gap = ufl.grad(field) - self.averages[field]
        return ufl.sqrt(ufl.inner(gap, gap))

    def flow(self, velocity: Floats, total: Floats) -> Floats:
        """What u has to answer for on each cell."""
        self._load(self.total, total)
        for function, values in zip(self.u, velocity, strict=True):
            self._load(function, values)
            self._average(function)
        return self._cellwise(self.costs)

    def transport(self, rho: Floats, phi: Floats) -> Floats:
        """What one class has to answer for on each cell, with the velocity of the last ``flow``."""
        for function, values in ((self.rho, rho), (self.phi, phi)):
            self._load(function, values)
            self._average(function)
        return self._cellwise(self.pairs)

    def _cellwise(self, form: fem.Form) -> Floats:
        return np.array(fem.assemble_vector(form).array[: self.cells])

    def _load(self, function: fem.Function, values: Floats) -> None:
        function.x.array[: self.owned] = values
        function.x.scatter_forward()

    def _average(self, function: fem.Function) -> None:
        """The nodal averages of grad v, weighted by the shares of the cells in the lumped mass."""
        self.scalar.x.array[:] = function.x.array
        right = fem.assemble_vector(self.slopes)
        right.scatter_reverse(la.InsertMode.add)
        target = self.averages[function].x
        d = self.domain.dimension
        target.array[: d * self.owned] = (right.array[: d * self.owned].reshape(-1, d) / self.mass[:, None]).ravel()
        target.scatter_forward()
