"""The mass matrix of the quadrature rule: products, solves, integrals."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import summed
from hydrodl.linear_algebra.operator_family import OperatorFamily
from hydrodl.linear_algebra.sparsity import Pattern
from hydrodl.mesh.domain import Domain


class Mass:
    """Products and solves with the mass matrix M of the domain's quadrature rule, for stacks of fields (m, owned)."""

    def __init__(self, domain: Domain, pattern: Pattern, columns: NDArray[np.int64], values: Floats) -> None:
        self.domain = domain
        self.diagonal: Floats | None = values if pattern.diagonal else None
        shape = (domain.owned, domain.nodes)
        self.rows = sp.csr_array((values, columns[pattern.columns], pattern.pointers), shape=shape)
        if self.diagonal is None:
            options = {"ksp_type": "cg", "pc_type": "jacobi", "ksp_rtol": 1e-14, "ksp_max_it": 500}
            self._family = OperatorFamily(domain, pattern, columns, 1, 1, options=options, name="mass matrix")
            self._family.set(0, values)
        self.ones = self.apply(np.ones((1, domain.owned)))[0]

    def apply(self, fields: Floats) -> Floats:
        """M times each field."""
        if self.diagonal is not None:
            return fields * self.diagonal
        return np.array([self._family.product(0, field[None])[0].copy() for field in fields])

    def solve(self, duals: Floats) -> Floats:
        """M^-1 times each dual vector."""
        if self.diagonal is not None:
            return duals / self.diagonal
        return np.array([self._family.solve(0, dual[None])[0].copy() for dual in duals])

    def integrals(self, fields: Floats) -> Floats:
        """int f dx of each field over all ranks, shape (m,)."""
        local = np.ascontiguousarray(fields @ self.ones)
        return summed(self.domain.comm, local)
