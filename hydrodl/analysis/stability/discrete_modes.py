"""Discrete modes about a uniform state (R, u = 0): eigenvalues of its difference operators, and which modes grow.

With B = M^-1 K the discrete Laplacian and D = (R^2 C W^-1 C^T) M^-1 what a gradient velocity does to the density,
W = (w R + eps) M + alpha^2 K, the linearised slab equations read rho' = D phi - nu B rho, phi' = nu B phi + U'' rho, so

    s^2 is an eigenvalue of nu^2 B^2 + U'' D.

On a uniform box with the vertex rule, B has kappa(k) = sum_j (4/h_j^2) sin^2(k_j h_j/2), while u, one value a node, is
the mean of the cells' gradients: D has, up to what the walls change, R^2 q(k)/(w R + eps + alpha^2 kappa(k)) with
q(k) = sum_j sin^2(k_j h_j)/h_j^2 = kappa - sum_j (h_j^2/4) kappa_j^2: smaller than kappa, and 0 on the chequerboard.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from math import inf, pi, sqrt
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.linalg import eigh
from scipy.sparse.linalg import splu

from hydrodl.analysis.stability.bounds import box_numbers, cells_per_direction
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.laplacian_spectrum import largest_eigenvalue, smallest_eigenvalue
from hydrodl.physics.lagrangian import Lagrangian

Axes = tuple[int, ...]
"""Directions without walls."""


@dataclass(frozen=True)
class Modes:
    """Eigenvalues of the discrete Laplacian and of the discrete drift (for R = w R + eps = 1, alpha = 0), (m,) each."""

    laplacian: Floats
    drift: Floats


def modes(domain: Domain) -> Modes:
    """The modes of a domain; collective.

    By formula on a uniform box with the vertex rule: every mode but the constant. Else 400 numbers between the slowest
    and the fastest that SLEPc finds, drift = laplacian.
    """
    if not (domain.uniform_box and domain.lumped):
        between = np.geomspace(smallest_eigenvalue(domain), fastest(domain), 400)
        return Modes(between, between)
    low, high = domain.bounds
    kappas, drifts = [], []
    for length, cells in zip(high - low, cells_per_direction(domain), strict=True):
        h, angles = length / cells, np.arange(int(cells) + 1) * pi / cells
        kappas.append((2 / h) ** 2 * np.sin(angles / 2) ** 2)
        drifts.append((np.sin(angles) / h) ** 2)
    total = [reduce(np.add.outer, parts).ravel()[1:] for parts in (kappas, drifts)]
    return Modes(total[0], total[1])


def fastest(domain: Domain) -> float:
    """kappa_max, the largest eigenvalue of the discrete Laplacian, collective; sum_j 4/h_j^2 on boxes, lumped."""
    if domain.uniform_box and domain.lumped:
        low, high = domain.bounds
        return float((4 * (np.array(cells_per_direction(domain)) / (high - low)) ** 2).sum())
    return largest_eigenvalue(domain)


@dataclass(frozen=True)
class UniformState:
    """What multiplies what about (R, u = 0): numbers only.

    Attributes:
        total: R; weight: w R + eps; smoothness: alpha; noise: nu.
    """

    total: float
    weight: float
    smoothness: float
    noise: float

    @classmethod
    def of(cls, lagrangian: Lagrangian, total: float) -> UniformState:
        """The state with total density R.

        Raises:
            InputError: R is not positive.
        """
        if not total > 0:
            raise InputError(f"a uniform state needs a positive density, got {total}")
        weight = float(lagrangian.kinetic) * total + float(lagrangian.decay)
        return cls(total, weight, float(lagrangian.smoothness), float(lagrangian.noise))

    def inertia(self, found: Modes) -> Floats:
        """A(k) = (w R + eps + alpha^2 kappa)/(R^2 q): the cost of moving density in a mode; infinite where q = 0."""
        with np.errstate(divide="ignore"):
            moved = np.where(found.drift > 1e-12 * found.laplacian, found.drift, 0.0)
            return (self.weight + self.smoothness**2 * found.laplacian) / (self.total**2 * moved)


def box_growth(
    lengths: tuple[float, ...], cells: tuple[int, ...], state: UniformState, curvature: float, periodic: Axes = ()
) -> float:
    """The largest s^2 of the box scheme itself, walls included, over all modes but the constant; U'' = ``curvature``.

    For a box of given edge lengths and numbers of cells, and its axes without walls, with the vertex rule, by its
    difference operators, on every rank alike.
    M^(1/2) (nu^2 B^2 + U'' D) M^(-1/2) is symmetric; a shift below its spectrum takes the constant, s = 0, away.
    """
    mass, stiffness, couplings = _box_operators(lengths, cells, periodic)
    half = sp.diags_array(1 / np.sqrt(mass))
    laplacian = half @ stiffness @ half
    inner = state.weight * sp.diags_array(mass) + state.smoothness**2 * stiffness
    factor = splu(sp.csc_matrix(inner))
    scaled = [state.total * (half @ coupling) for coupling in couplings]

    def product(x: Floats) -> Floats:
        drift = sum(c @ factor.solve(np.asarray(c.T @ x)) for c in scaled)
        return state.noise**2 * (laplacian @ (laplacian @ x)) + curvature * drift

    constant = np.sqrt(mass / mass.sum())
    if len(mass) <= 400:
        dense = product(np.eye(len(mass)))
        dense = (dense + dense.T) / 2
        below = 1 + 2 * np.abs(dense).sum(axis=1).max()
        return float(np.linalg.eigvalsh(dense - below * np.outer(constant, constant))[-1])
    top = sum(4 * (n / length) ** 2 for n, length in zip(cells, lengths, strict=True))
    below = 1 + 2 * (state.noise * top) ** 2 + 2 * abs(curvature) * state.total**2 * top / state.weight

    def shifted(x: Floats) -> Floats:
        flat = x.reshape(-1)
        return product(flat) - below * constant * (constant @ flat)

    operator = sp.linalg.LinearOperator((len(mass),) * 2, matvec=shifted, dtype=np.float64)
    start = np.random.default_rng(20220712).standard_normal(len(mass))
    return float(sp.linalg.eigsh(operator, 1, which="LA", v0=start, tol=1e-8, return_eigenvectors=False)[0])


def noise_against_pressure(domain: Domain) -> float:
    """lambda, the largest eigenvalue of B^2 against D (R = w R + eps = 1, alpha = 0), without the constant; collective.

    A gas at rest with e'' = -U'' has no growing wave where nu^2 lambda <= e'' R. Computed with the walls, from the
    operators of a uniform box with the vertex rule; without walls it would be the largest kappa/(1 - h^2 kappa/4),
    infinite for the wave of two cells. So it is along a periodic direction with an even number of cells.
    """
    return pencil_top(*box_numbers(domain), domain.periodic)


def pencil_top(lengths: tuple[float, ...], cells: tuple[int, ...], periodic: Axes = ()) -> float:
    """:func:`noise_against_pressure` for a box of given edge lengths and numbers of cells, and its axes without
    walls."""
    if any(cells[a] % 2 == 0 for a in periodic):
        return inf
    if len(periodic) == len(cells):
        kappas, drifts = zip(*map(_periodic_line, lengths, cells), strict=True)
        kappa, drift = (reduce(np.add.outer, parts).ravel()[1:] for parts in (kappas, drifts))
        return float((kappa**2 / drift).max())
    mass, stiffness, couplings = _box_operators(lengths, cells, periodic)
    inverse = sp.diags_array(1 / mass)
    moved = sum(c @ inverse @ c.T for c in couplings)
    spread = stiffness @ inverse @ stiffness
    # constants are in both kernels: a field is known up to one, and may be 0 at the first node
    moved, spread = (sp.csc_matrix(matrix)[1:, 1:] for matrix in (moved, spread))
    if len(mass) <= 400:
        return float(1 / eigh(moved.toarray(), spread.toarray(), eigvals_only=True, subset_by_index=[0, 0])[0])
    start = np.random.default_rng(20220712).standard_normal(len(mass) - 1)
    least = sp.linalg.eigsh(moved, 1, M=spread, sigma=0.0, v0=start, return_eigenvectors=False)
    return float(1 / least[0])


def drift_norm(lengths: tuple[float, ...], cells: tuple[int, ...], periodic: Axes = ()) -> float:
    """|D|, the norm of the nodal gradient D q = M^-1 (grad q, .)_h in the lumped products: about 1/h on a line."""
    top = 0.0
    for a, (length, n) in enumerate(zip(lengths, cells, strict=True)):
        if a in periodic:
            top += float(_periodic_line(length, n)[1].max())
            continue
        mass, _, (coupling,) = _box_operators((length,), (n,))
        half = sp.diags_array(1 / np.sqrt(mass))
        scaled = half @ coupling @ half
        top += (
            float(sp.linalg.svds(scaled, 1, return_singular_vectors=False, random_state=0)[0]) ** 2
            if n > 2
            else (float(np.linalg.norm(scaled.toarray(), 2)) ** 2)
        )
    return sqrt(top)


def _periodic_line(length: float, cells: int) -> tuple[Floats, Floats]:
    """kappa and q of the waves of a line without walls, the constant first."""
    h, angles = length / cells, 2 * pi * np.arange(cells // 2 + 1) / cells
    return (2 / h * np.sin(angles / 2)) ** 2, (np.sin(angles) / h) ** 2


def _box_operators(
    lengths: tuple[float, ...], cells: tuple[int, ...], periodic: Axes = ()
) -> tuple[Floats, Any, list[Any]]:
    """Lumped mass (m,), stiffness (m, m) and (grad_j w, v) for each direction j, of Q1 with the vertex rule."""
    lines = []
    for a, (length, n) in enumerate(zip(lengths, cells, strict=True)):
        h = length / n
        slope = sp.diags_array([-np.ones(n), np.ones(n)], offsets=[0, 1], shape=(n, n + 1)).tocsr() / h  # per cell
        if a in periodic:  # the last node is the first
            joined_ends = sp.csr_array((np.ones(n + 1), (np.arange(n + 1), np.arange(n + 1) % n)), shape=(n + 1, n))
            slope = sp.csr_array(slope @ joined_ends)
        mean = sp.csr_array(abs(slope)) * (h * h / 2)  # its transpose gives each end half of a cell
        lines.append((np.asarray(mean.sum(axis=0)).ravel(), h * (slope.T @ slope), slope.T @ mean))
    whole = range(len(lines))

    def joined(j: int, kind: int) -> Any:
        return reduce(sp.kron, [lines[i][kind] if i == j else sp.diags_array(lines[i][0]) for i in whole])

    mass = reduce(np.kron, [line[0] for line in lines])
    return mass, sp.csr_array(sum(joined(j, 1) for j in whole)), [sp.csr_array(joined(j, 2)) for j in whole]
