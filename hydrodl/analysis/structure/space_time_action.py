"""The space-time action around a flow: Hessian products over any patch, and tangent solutions from its KKT matrix.

Unknowns of slab k are u_k, r_k and phi_k; phi_N and rho_0 are data. With A of ``slab_hamiltonian``

    S_h = sum_k int A(u_k, r_k, phi_k, p_k) - sum_c (rho0_c, phi_{c,0})_h + ...,    p_k = phi_{k+1} + jump

and the tangent solutions V = (du, dr, dphi) solve S_h'' V = data: (M drho0) in the rows of phi_0, dphi_N given. A loss
at a layer inside enters as data: its jump is held fixed, as for any loss linear in the densities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from dolfinx.fem import petsc
from petsc4py import PETSc

from hydrodl.analysis.structure.patch_sums import Patch
from hydrodl.analysis.structure.slab_hamiltonian import SlabDensity, slab_states
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError, SolverError
from hydrodl.common.parallel import everywhere
from hydrodl.common.petsc_options import OptionScope
from hydrodl.problem.flow import Flow

DEFAULTS: dict[str, Any] = {
    "ksp_type": "gmres",  # with an exact factorisation: a step or two of refinement
    "ksp_pc_side": "right",
    "ksp_rtol": 1e-15,
    "ksp_max_it": 4,
    "pc_type": "lu",
    "pc_factor_mat_solver_type": "mumps",  # PETSc's own factorisations do not pivot
    "mat_mumps_icntl_14": 200,  # room for pivots, in percent
}


@dataclass(frozen=True, eq=False)
class Tangent:
    """A solution of the linearised discrete equations.

    Attributes:
        velocity: du_k, (N, d, owned); slab_density: dr_k, (N, C, owned).
        density: drho at layers, (N + 1, C, owned); potential: dphi at layers, (N + 1, C, owned).
    """

    velocity: Floats
    slab_density: Floats
    density: Floats
    potential: Floats

    @property
    def states(self) -> Floats:
        """dy_k of every slab, (N, d + 3 C, owned)."""
        return np.concatenate([self.velocity, self.slab_density, self.potential[:-1], self.potential[1:]], axis=1)


def check_data(flow: Flow, data: Sequence[tuple[Floats, Floats]]) -> None:
    """Refuse data of tangent solutions that have another shape or are not finite; collective.

    Raises:
        InputError: then.
    """
    shape = flow.density.shape[1:]
    fine = all(np.shape(x) == shape and bool(np.isfinite(x).all()) for pair in data for x in pair)
    if not everywhere(flow.domain.comm, fine):
        raise InputError(f"tangent data must be finite pairs (drho0, dphi_N) of shape {shape} on this rank")


class SpaceTime:
    """S_h'' around a flow: a product costs one assembly a slab, tangent solutions one sparse factorisation.

    The factorisation has N (d + 2 C) unknowns a node: 3.2 million nonzeros and half a minute for 41 x 41 nodes, 16
    slabs and two classes on one core; take a ``window`` of the slabs where that is too much.
    """

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.slab = SlabDensity(flow)
        self._states = slab_states(flow)
        self._slabs, self._classes = len(flow.layers), flow.density.shape[1]
        self._dimension = flow.domain.dimension
        self._fields = self._dimension + 2 * self._classes

    def product(self, tangent: Tangent, patch: Patch | None = None) -> tuple[Floats, Floats]:
        """Rows of S_h'' V over a patch (default: everywhere), before data at the first and last layer; collective.

        Returns:
            rows of (u_k, r_k) of every slab, (N, d + C, owned), and of phi at layers, (N + 1, C, owned).
        """
        slab, C, d = self.slab, self._classes, self.flow.domain.dimension
        inner = np.empty((self._slabs, d + C, self.flow.domain.owned))
        layers = np.zeros((self._slabs + 1, C, self.flow.domain.owned))
        for k, (step, direction) in enumerate(zip(self.flow.layers.steps, tangent.states, strict=True)):
            slab.choose(None if patch is None else patch[k])
            self._load(k, step)
            slab.load(slab.direction, direction)
            rows = slab.vector(slab.rows_2)
            inner[k] = rows[: d + C]
            layers[k] += rows[d + C : d + 2 * C]
            layers[k + 1] += rows[d + 2 * C :]
        slab.choose(None)
        return inner, layers

    def _load(self, k: int, step: float) -> None:
        self.slab.set_step(float(step))
        self.slab.load(self.slab.state, self._states[k])

    def tangents(
        self, data: Sequence[tuple[Floats, Floats]], options: Mapping[str, Any] | None = None
    ) -> tuple[Tangent, ...]:
        """Tangent solutions with given changes of the initial density and of phi_N; one factorisation; collective.

        Args:
            data: pairs (drho0, dphi_N), each (C, owned).
            options: PETSc's options for the KSP of the space-time matrix; default: MUMPS and refinement.

        Raises:
            InputError: data of another shape, or not finite.
            SolverError: the linear solve failed, as at a conjugate point of a flow that is no strict minimum.
        """
        check_data(self.flow, data)
        matrix = self._matrix()
        scope = OptionScope("tangent", DEFAULTS | dict(options or {}))
        solver = PETSc.KSP().create(self.flow.domain.comm)
        solver.setOperators(matrix)
        scope.apply(solver)
        try:
            return tuple(self._solve(solver, matrix, *pair) for pair in data)
        finally:
            solver.destroy()
            matrix.destroy()
            scope.close()

    def _solve(self, solver: Any, matrix: Any, density: Floats, potential: Floats) -> Tangent:
        rhs, x = matrix.createVecs()
        rhs.array[:] = self._right_hand_side(density, potential)
        solver.solve(rhs, x)
        error = rhs.duplicate()
        matrix.mult(x, error)
        error.axpy(-1.0, rhs)
        missed, size = error.norm(), rhs.norm()
        values = x.array.copy()
        for vector in (rhs, x, error):
            vector.destroy()
        if not missed <= 1e-9 * size:
            raise SolverError(f"the tangent equations were solved to a relative residual of {missed / size:.1e} only")
        return self._tangent(values, density, potential)

    def _right_hand_side(self, density: Floats, potential: Floats) -> Floats:
        """Minus the rows of the data alone, in the order of the matrix."""
        zero = np.zeros(self._slabs * self._fields * self.flow.domain.owned)
        inner, layers = self.product(self._tangent(zero, density, potential))
        layers[0] -= self.mass_product(density)
        rows = np.concatenate([inner[:, : self._dimension], layers[:-1], inner[:, self._dimension :]], axis=1)
        return -rows.transpose(2, 0, 1).ravel()

    def _tangent(self, unknowns: Floats, density: Floats, potential: Floats) -> Tangent:
        """The tangent solution with these unknowns, numbered (node, slab, field), and data."""
        d, C, theta = self._dimension, self._classes, self.flow.theta
        values = unknowns.reshape(-1, self._slabs, self._fields).transpose(1, 2, 0)
        u, r = values[:, :d].copy(), values[:, d : d + C].copy()
        layers = [np.array(density, dtype=float)]
        for slab in r:
            layers.append((slab - (1 - theta) * layers[-1]) / theta)
        phi = np.concatenate([values[:, d + C :], np.asarray(potential, dtype=float)[None]])
        return Tangent(u, r, np.array(layers), phi)

    def mass_product(self, fields: Floats) -> Floats:
        """M times fields (C, owned): A is -(r, p - phi) where Delta is 0."""
        slab, d, C = self.slab, self._dimension, self._classes
        direction = np.zeros((slab.size, self.flow.domain.owned))
        direction[d : d + C] = fields
        slab.set_step(0.0)
        slab.load(slab.direction, direction)
        return slab.vector(slab.rows_2)[d + C : d + 2 * C].copy()

    def _matrix(self) -> Any:
        """S_h'' in the unknowns, numbered (node, slab, field), as a PETSc matrix.

        Rows come in the order (u, phi, r): the sweeps' matrices M - theta Delta L then lie on the diagonal.
        """
        form = self.slab.hessian()
        blocks = petsc.create_matrix(form)  # PETSc's, because DOLFINx's own takes blocks of 9 fields at most
        owned, width = self.flow.domain.owned, self._slabs * self._fields
        shape = (owned * width, self.flow.domain.nodes * width)
        found = []
        for k, step in enumerate(self.flow.layers.steps):
            self._load(k, step)
            blocks.zeroEntries()
            petsc.assemble_matrix(blocks, form)
            blocks.assemble()
            found.append(self._slab_entries(k, *blocks.getValuesCSR()))
        blocks.destroy()
        values, rows, places = (np.concatenate(part) for part in zip(*found, strict=True))
        whole = sp.coo_array((values, (rows, places)), shape=shape).tocsr()
        whole.sort_indices()
        csr = (whole.indptr.astype(np.int32), whole.indices.astype(np.int32), whole.data)
        sizes = tuple((s * width, n * width) for s, n in [(owned, self.flow.domain.nodes)] * 2)
        return PETSc.Mat().createAIJ(sizes, csr=csr, comm=self.flow.domain.comm)

    def _slab_entries(self, k: int, pointers: Any, columns: Any, data: Floats) -> tuple[Any, Any, Any]:
        """Values, rows and columns of slab k: p belongs to phi of the slab above, or to the data at the last."""
        b, width = self.slab.size, self._slabs * self._fields
        node, i = np.divmod(np.repeat(np.arange(len(pointers) - 1, dtype=np.int64), np.diff(pointers)), b)
        other, j = np.divmod(columns.astype(np.int64), b)
        row, column = self._place(k, i), self._place(k, j)
        kept = (data != 0) & (row >= 0) & (column >= 0)
        rows = node[kept] * width + self._row(row[kept])
        return data[kept], rows, other[kept] * width + column[kept]

    def _place(self, k: int, component: Any) -> Any:
        """Number of a component of y_k among the unknowns of a node; -1 where it is data."""
        above = component >= self._fields
        place = k * self._fields + component + np.where(above, self._fields - self._classes, 0)
        return np.where(above & (k + 1 == self._slabs), -1, place)

    def _row(self, place: Any) -> Any:
        """Where the equation of an unknown goes: those of r and phi change places."""
        field, d, C = place % self._fields, self._dimension, self._classes
        return place + np.where(field < d, 0, np.where(field < d + C, C, -C))
