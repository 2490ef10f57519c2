"""Compiled kernels of a multigrid cycle for a mass and a stiffness on the nodes of a box.

    (A x)_i = s_i x_i + sum_a sum_j c_a,ij (x_i - x_j),    j the neighbours along axis a,    c_a = m_b m_c / |edge|,

m_b the lumped masses of linear elements along axis b. Grids may have unequal cells. Three axes always; those a box does
not have come first, with a single node of mass 1. ``mass`` holds m_1, m_2, m_3 one after another, ``edge`` the inverse
lengths of the edges along each axis with a zero before the first and behind the last (there is nobody), and ``at`` says
where each axis begins. A level is a slice of such arrays; a row of ``places`` says where.

Values are copied in loops: an assignment to a slice can fail, and the words of its error alone take Numba two seconds.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hydrodl.common.arrays import Floats, Ints

NODES, COUNTS, MASS, EDGE = 0, slice(1, 4), slice(4, 7), slice(7, 10)
"""Columns of ``places``: where the nodes of a level begin, nodes along the axes, where their masses and edges begin."""


@njit(cache=True, error_model="numpy")
def diagonal(shares: Floats, place: Ints, mass: Floats, edge: Floats, out: Floats) -> None:
    """The diagonal of A on one level."""
    n, m, k = place[1], place[2], place[3]
    for i in range(n):
        for j in range(m):
            one, two = mass[place[4] + i], mass[place[5] + j]
            first = (edge[place[7] + i] + edge[place[7] + i + 1]) * two
            second = (edge[place[8] + j] + edge[place[8] + j + 1]) * one
            for o in range(k):
                third = (edge[place[9] + o] + edge[place[9] + o + 1]) * one * two
                at = (i * m + j) * k + o
                out[at] = shares[at] + (first + second) * mass[place[6] + o] + third


@njit(cache=True, error_model="numpy", inline="always")
def _row(x, place, mass, edge, i, j):  # type: ignore[no-untyped-def]
    """The four rows beside a row along the last axis, and the weights of those and of its own."""
    n, m, k = place[1], place[2], place[3]
    one, two, a, b = mass[place[4] + i], mass[place[5] + j], place[7] + i, place[8] + j
    here = (i * m + j) * k
    up, down = (here - m * k if i > 0 else here), (here + m * k if i < n - 1 else here)
    left, right = (here - k if j > 0 else here), (here + k if j < m - 1 else here)
    return here, up, down, left, right, edge[a] * two, edge[a + 1] * two, edge[b] * one, edge[b + 1] * one, one * two


@njit(cache=True, error_model="numpy")
def relax(x: Floats, b: Floats, inverse: Floats, place: Ints, mass: Floats, edge: Floats, colour: int) -> None:
    """Gauss and Seidel's steps at the nodes of one colour of the chessboard."""
    n, m, k = place[1], place[2], place[3]
    for i in range(n):
        for j in range(m):
            here, up, down, left, right, wu, wd, wl, wr, own = _row(x, place, mass, edge, i, j)
            for o in range((i + j + colour) % 2, k, 2):
                before, after = (o - 1 if o > 0 else o), (o + 1 if o < k - 1 else o)
                side = edge[place[9] + o] * x[here + before] + edge[place[9] + o + 1] * x[here + after]
                across = wu * x[up + o] + wd * x[down + o] + wl * x[left + o] + wr * x[right + o]
                x[here + o] = inverse[here + o] * (b[here + o] + own * side + mass[place[6] + o] * across)


@njit(cache=True, error_model="numpy")
def product(x: Floats, diagonal: Floats, place: Ints, mass: Floats, edge: Floats, out: Floats) -> None:
    """A x; loops along a row have no end to look out for, which lets the compiler take several nodes at once."""
    n, m, k = place[1], place[2], place[3]
    weights, sides = mass[place[6] : place[6] + k], edge[place[9] : place[9] + k + 1]
    for i in range(n):
        for j in range(m):
            here, up, down, left, right, wu, wd, wl, wr, own = _row(x, place, mass, edge, i, j)
            row, found, centre = x[here : here + k], out[here : here + k], diagonal[here : here + k]
            above, below, before, after = x[up : up + k], x[down : down + k], x[left : left + k], x[right : right + k]
            for o in range(k):
                across = wu * above[o] + wd * below[o] + wl * before[o] + wr * after[o]
                found[o] = centre[o] * row[o] - weights[o] * across
            for o in range(1, k):
                found[o] -= own * sides[o] * row[o - 1]
            for o in range(k - 1):
                found[o] -= own * sides[o + 1] * row[o + 1]


@njit(cache=True, error_model="numpy")
def restrict(
    x: Floats,
    b: Floats,
    diagonal: Floats,
    fine: Ints,
    mass: Floats,
    edge: Floats,
    coarse: Ints,
    lower: Ints,
    share: Floats,
    out: Floats,
) -> None:
    """What is left of b at the nodes of colour 0 (elsewhere it is nothing, after a step there), brought to a coarser
    grid.

    Args:
        lower, share: for each node along an axis, the coarse node below it and the part of what it gives to the next.
    """
    n, m, k = fine[1], fine[2], fine[3]
    p, q = coarse[2], coarse[3]
    out[: coarse[1] * p * q] = 0.0
    for i in range(n):
        r, u = lower[fine[4] + i], share[fine[4] + i]
        for j in range(m):
            s, v = lower[fine[5] + j], share[fine[5] + j]
            here, up, down, left, right, wu, wd, wl, wr, own = _row(x, fine, mass, edge, i, j)
            base = (r * p + s) * q
            for o in range((i + j) % 2, k, 2):
                before, after = (o - 1 if o > 0 else o), (o + 1 if o < k - 1 else o)
                side = edge[fine[9] + o] * x[here + before] + edge[fine[9] + o + 1] * x[here + after]
                across = wu * x[up + o] + wd * x[down + o] + wl * x[left + o] + wr * x[right + o]
                rest = b[here + o] + own * side + mass[fine[6] + o] * across - diagonal[here + o] * x[here + o]
                t, w = lower[fine[6] + o], share[fine[6] + o]
                _give(out, base + t, q, p * q, u, v, w, rest)


@njit(cache=True, error_model="numpy", inline="always")
def _give(out, at, q, pq, u, v, w, value):  # type: ignore[no-untyped-def]
    """Add a value to the coarse nodes around."""
    for a in range(2 if u > 0.0 else 1):
        x = value * (u if a == 1 else 1.0 - u)
        for b in range(2 if v > 0.0 else 1):
            y = x * (v if b == 1 else 1.0 - v)
            spot = at + a * pq + b * q
            out[spot] += (1.0 - w) * y
            if w > 0.0:
                out[spot + 1] += w * y


@njit(cache=True, error_model="numpy")
def gather_shares(given: Floats, fine: Ints, coarse: Ints, lower: Ints, share: Floats, out: Floats) -> None:
    """The shares s of a coarser grid: those of the finer one, handed on as masses are."""
    out[: coarse[1] * coarse[2] * coarse[3]] = 0.0
    for i in range(fine[1]):
        for j in range(fine[2]):
            for o in range(fine[3]):
                r, s, t = lower[fine[4] + i], lower[fine[5] + j], lower[fine[6] + o]
                at = (r * coarse[2] + s) * coarse[3] + t
                weights = share[fine[4] + i], share[fine[5] + j], share[fine[6] + o]
                value = given[(i * fine[2] + j) * fine[3] + o]
                _give(out, at, coarse[3], coarse[2] * coarse[3], weights[0], weights[1], weights[2], value)


@njit(cache=True, error_model="numpy")
def prolong(coarse_x: Floats, fine: Ints, coarse: Ints, lower: Ints, share: Floats, x: Floats) -> None:
    """Add the interpolation of values on a coarser grid."""
    n, m, k = fine[1], fine[2], fine[3]
    p, q = coarse[2], coarse[3]
    for i in range(n):
        r, u = lower[fine[4] + i], share[fine[4] + i]
        below = p * q if u > 0.0 else 0
        for j in range(m):
            s, v = lower[fine[5] + j], share[fine[5] + j]
            base, beside = (r * p + s) * q, (q if v > 0.0 else 0)
            row, a, b, c, d = (i * m + j) * k, (1.0 - u) * (1.0 - v), (1.0 - u) * v, u * (1.0 - v), u * v
            for o in range(k):
                at, w = base + lower[fine[6] + o], share[fine[6] + o]
                value = a * coarse_x[at] + b * coarse_x[at + beside]
                if u > 0.0:
                    value += c * coarse_x[at + below] + d * coarse_x[at + below + beside]
                if w > 0.0:
                    value *= 1.0 - w
                    value += w * (a * coarse_x[at + 1] + b * coarse_x[at + beside + 1])
                    if u > 0.0:
                        value += w * (c * coarse_x[at + below + 1] + d * coarse_x[at + below + beside + 1])
                x[row + o] += value


@njit(cache=True, error_model="numpy")
def cycles(
    which: Ints,
    given: Floats,
    out: Floats,
    diagonals: Floats,
    inverses: Floats,
    last: Floats,
    places: Ints,
    mass: Floats,
    edge: Floats,
    lower: Ints,
    share: Floats,
) -> None:
    """One symmetric cycle from 0 for some operators and each of their right-hand sides.

    Args:
        which: numbers of the operators; given, out: theirs, (which, m, nodes).
        diagonals, inverses: of A, and one over them, on all levels, (operators, all).
        last: the inverse of A on the coarsest level, (operators, n, n).
    """
    count, sides, nodes = given.shape
    depth, size = len(places) - 1, diagonals.shape[1]
    b, x = np.empty(size), np.empty(size)
    for c in range(count):
        d, inverse, coarsest = diagonals[which[c]], inverses[which[c]], last[which[c]]
        for q in range(sides):
            for i in range(nodes):
                b[i] = given[c, q, i]
            for level in range(depth):
                at, end = places[level, 0], places[level + 1, 0]
                place, above, own, right = places[level], places[level + 1], x[at:end], b[at:end]
                over = inverse[at:end]
                for i in range(len(own)):  # colour 0 from 0; the values of colour 1 come next
                    own[i] = over[i] * right[i]
                relax(own, right, over, place, mass, edge, 1)
                restrict(own, right, d[at:end], place, mass, edge, above, lower, share, b[end:])
            start = places[depth, 0]
            for i in range(size - start):
                value = 0.0
                for j in range(size - start):
                    value += coarsest[i, j] * b[start + j]
                x[start + i] = value
            for level in range(depth - 1, -1, -1):
                at, end = places[level, 0], places[level + 1, 0]
                place, own, right = places[level], x[at:end], b[at:end]
                prolong(x[end:], place, places[level + 1], lower, share, own)
                relax(own, right, inverse[at:end], place, mass, edge, 1)
                relax(own, right, inverse[at:end], place, mass, edge, 0)
            for i in range(nodes):
                out[c, q, i] = x[i]


@njit(cache=True, error_model="numpy")
def products(
    which: Ints, fields: Floats, diagonals: Floats, place: Ints, mass: Floats, edge: Floats, out: Floats
) -> None:
    """A of some operators times each of their fields (which, m, nodes)."""
    for c in range(len(fields)):
        for q in range(fields.shape[1]):
            product(fields[c, q], diagonals[which[c]], place, mass, edge, out[c, q])


@njit(cache=True, error_model="numpy")
def prepare(
    shares: Floats, diagonals: Floats, places: Ints, mass: Floats, edge: Floats, lower: Ints, share: Floats
) -> None:
    """Diagonals (operators, all levels) from s on the finest one, (operators, nodes)."""
    s = np.empty(diagonals.shape[1])
    for c in range(len(shares)):
        for i in range(shares.shape[1]):
            s[i] = shares[c, i]
        for level in range(len(places)):
            start = places[level, 0]
            diagonal(s[start:], places[level], mass, edge, diagonals[c, start:])
            if level + 1 < len(places):
                end = places[level + 1, 0]
                gather_shares(s[start:end], places[level], places[level + 1], lower, share, s[end:])


@njit(cache=True, error_model="numpy")
def factor_lines(shares: Floats, edge: Floats, diagonals: Floats, inverses: Floats) -> None:
    """Diagonals of A on an interval, and one over the pivots of its L D L^T."""
    for c in range(len(shares)):
        for i in range(shares.shape[1]):
            pivot = shares[c, i] + edge[i] + edge[i + 1]
            diagonals[c, i] = pivot
            if i > 0:
                pivot -= edge[i] ** 2 * inverses[c, i - 1]
            inverses[c, i] = 1.0 / pivot


@njit(cache=True, error_model="numpy")
def solve_lines(which: Ints, given: Floats, edge: Floats, inverses: Floats, out: Floats) -> None:
    """A^-1 of right-hand sides (which, m, nodes) of some operators on an interval."""
    count, sides, n = given.shape
    for c in range(count):
        inverse = inverses[which[c]]
        for q in range(sides):
            x = out[c, q]
            x[0] = given[c, q, 0]
            for i in range(1, n):
                x[i] = given[c, q, i] + edge[i] * inverse[i - 1] * x[i - 1]
            x[n - 1] *= inverse[n - 1]
            for i in range(n - 2, -1, -1):
                x[i] = inverse[i] * (x[i] + edge[i + 1] * x[i + 1])
