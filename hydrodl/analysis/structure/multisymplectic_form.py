"""The multisymplectic form of the optimality system: K z_t + sum_i L_i z_{x_i} = grad S(z), as data.

With the flux j_c = rho_c u - nu grad rho_c, the slope b_c = grad phi_c and, for alpha > 0, the matrix W = grad u as
unknowns of their own the action density is linear in derivatives,

    sum_c [ -rho_c d_t phi_c - j_c . grad phi_c + nu b_c . grad rho_c ] + alpha^2 W : grad u - S(z),
    S = sum_c [ b_c . (rho_c u - j_c) - rho_c V_c(x) ] + alpha^2/2 |W|^2 - (w R + eps)/2 |u|^2 - U(R),

and K and L_i are the (skew) coefficients of its Euler-Lagrange equations. Two solutions Z, Z' of the linearised
equations then satisfy d_t (Z . K Z') + sum_i d_{x_i} (Z . L_i Z') = 0, whose discrete form is checked in
``multisymplectic_law``. This is the system with the noise nu itself; that of fitted edges is nu + O(h^4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from hydrodl.common.arrays import Floats
from hydrodl.common.parameters import COUNT, Number
from hydrodl.physics.lagrangian import Lagrangian

DIMENSION = Number(least=1, most=3, whole=True)


@dataclass(frozen=True, eq=False)
class MultisymplecticForm:
    """K z_t + sum_i L_i z_{x_i} = grad S(z).

    Attributes:
        names: of the n components of z: u_i, rho_c, phi_c, j_c_i, b_c_i and, for alpha > 0, W_i_j = d_j u_i.
        K: skew matrix (n, n); L: skew matrices (d, n, n).
        z: the components as sympy symbols, in the order of ``names``; x: the features x_1 .. x_d.
        S: sympy expression in z, x and the undetermined functions U(R) and V_c(x).

    Example:
        >>> form = hd.analysis.multisymplectic_form(problem.lagrangian, dimension=1, classes=1)
        >>> bool((form.K == -form.K.T).all())
        True
    """

    names: tuple[str, ...]
    K: Floats
    L: Floats
    z: tuple[Any, ...]
    x: tuple[Any, ...]
    S: Any

    @property
    def gradient(self) -> tuple[Any, ...]:
        """grad S, one sympy expression a component of z."""
        return tuple(sympy.diff(self.S, symbol) for symbol in self.z)

    def two_form(self, first: Floats, second: Floats) -> Floats:
        """Z . K Z' and Z . L_i Z' of vectors (..., n), shape (..., 1 + d): density and flux of the conservation law."""
        matrices = np.concatenate([self.K[None], self.L])
        return np.einsum("...a,mab,...b->...m", first, matrices, second)


def multisymplectic_form(lagrangian: Lagrangian, dimension: int, classes: int) -> MultisymplecticForm:
    """The multisymplectic form of the system of a Lagrangian; W is left out where alpha = 0.

    Args:
        lagrangian: gives nu, eps, alpha and w; energy and potentials stay undetermined functions U and V_c.
        dimension: d = 1, 2 or 3.
        classes: C, at least 1.

    Raises:
        InputError: a dimension or number of classes out of range.

    Example:
        >>> hd.analysis.multisymplectic_form(problem.lagrangian, dimension=1, classes=1).names[:3]
        ('u_0', 'rho_0', 'phi_0')
    """
    DIMENSION.check("dimension", dimension)
    COUNT.check("classes", classes)
    smooth = float(lagrangian.smoothness) > 0
    names = _names(dimension, classes, smooth)
    place = {name: n for n, name in enumerate(names)}
    K, L = np.zeros((len(names), len(names))), np.zeros((dimension, len(names), len(names)))
    noise, stiffness = float(lagrangian.noise), float(lagrangian.smoothness) ** 2
    for c in range(classes):
        _couple(K, place, f"rho_{c}", f"phi_{c}", -1.0)
        for i in range(dimension):
            _couple(L[i], place, f"j_{c}_{i}", f"phi_{c}", -1.0)
            _couple(L[i], place, f"b_{c}_{i}", f"rho_{c}", noise)
    for i in range(dimension if smooth else 0):
        for j in range(dimension):
            _couple(L[j], place, f"W_{i}_{j}", f"u_{i}", stiffness)
    z, x = sympy.symbols(names, real=True), sympy.symbols(f"x1:{dimension + 1}", real=True)
    S = _potential(dict(zip(names, z, strict=True)), x, lagrangian, classes, smooth)
    return MultisymplecticForm(names, K, L, tuple(z), tuple(x), S)


def _names(d: int, classes: int, smooth: bool) -> tuple[str, ...]:
    u = [f"u_{i}" for i in range(d)]
    scalars = [f"{name}_{c}" for name in ("rho", "phi") for c in range(classes)]
    vectors = [f"{name}_{c}_{i}" for name in ("j", "b") for c in range(classes) for i in range(d)]
    return (*u, *scalars, *vectors, *(f"W_{i}_{j}" for i in range(d if smooth else 0) for j in range(d)))


def _couple(matrix: Floats, place: dict[str, int], first: str, second: str, factor: float) -> None:
    """The term factor * first * d(second) of the action density: rows ``first`` get +, rows ``second`` get -."""
    matrix[place[first], place[second]] += factor
    matrix[place[second], place[first]] -= factor


def _potential(z: dict[str, Any], x: Any, lagrangian: Lagrangian, classes: int, smooth: bool) -> Any:
    d = len(x)
    u = [z[f"u_{i}"] for i in range(d)]
    total = sum(z[f"rho_{c}"] for c in range(classes))
    w, eps, alpha = (sympy.Float(float(v)) for v in (lagrangian.kinetic, lagrangian.decay, lagrangian.smoothness))
    S = -(w * total + eps) / 2 * sum(v**2 for v in u) - sympy.Function("U")(total)
    if lagrangian.stream is not None:
        S -= (
            w
            * total
            * sum(sympy.Float(float(s)) * (float(s) / 2 - v) for s, v in zip(lagrangian.stream, u, strict=True))
        )
    for c in range(classes):
        rho = z[f"rho_{c}"]
        S += sum(z[f"b_{c}_{i}"] * (rho * u[i] - z[f"j_{c}_{i}"]) for i in range(d))
        S -= rho * sympy.Function(f"V_{c}")(*x)
    if smooth:
        S += alpha**2 / 2 * sum(z[f"W_{i}_{j}"] ** 2 for i in range(d) for j in range(d))
    return S
