"""The transport of the box schemes on uniform boxes a second time, from the specification: averages at the vertices."""

from __future__ import annotations

from typing import Any

import ufl
from dolfinx import fem

import hydrodl as hd


def edge_transport(domain: hd.Domain, noise: float, u: Any, rho: Any, psi: Any) -> Any:
    """sum_a u_e rho d_a psi - nu D(p_a) d_a rho d_a psi under the vertex rule, u_e = u_a - (x_a - xm_a) d_a u_a.

    xm is the middle of the cell, p_a = |u_e| h_a / (2 nu) and D(p) = (1 + p^4)^(1/4).
    """
    d = domain.dimension
    middle = fem.Function(fem.functionspace(domain.mesh, ("DG", 0, (d,))))
    middle.interpolate(lambda x: x[:d])
    x, total = ufl.SpatialCoordinate(domain.mesh), 0
    for a in range(d):
        away = x[a] - middle[a]  # half a spacing at a vertex
        along = u[a] - away * u[a].dx(a)
        D = (1 + (along * away / noise) ** 4) ** 0.25
        total += (along * rho - noise * D * rho.dx(a)) * psi.dx(a)
    return total
