"""Compiled kernels of the push: centred cardinal B-splines of degree 2 and 3 on boxes, folded at the walls.

Along an axis of n nodes a place t is measured in spacings from the first node. A spline of degree p reaches p + 1
nodes, and its weights at t,

    w_j = B_p(t - j),    sum_j w_j = 1,    sum_j j w_j = t,    sum_j (j - t)^2 w_j = (p + 1) / 12,

are what a particle at t leaves at the nodes. Beyond a wall the line is reflected: node -1 is node 1. Places outside the
line are moved to its ends, and do not depend on t there. Degree 3 is twice continuously differentiable inside, degree 2
has second derivatives that are constant between the midpoints of the cells.

Numba compiles the rules for each degree, so that kernels can unroll their loops: how many nodes a rule reaches is part
of its type. Kernels are written for three axes; those that a box does not have come first, with a single node. Fields
are padded by one node beyond every wall, so that a node reaches a block of them without looking at the walls. The sums
of ``forces`` and ``pull_with_slopes`` are the same, and stand twice: in a function of their own, inlined or not, they
took 1.2 to 2.2 times as long in space. All this stands in one file because Numba compiles again when the file of a
function changes, and looks at no other.
"""

from __future__ import annotations

from typing import Any

from numba import njit
from numba.extending import overload

from hydrodl.common.arrays import Floats, Ints

Shape = tuple[int, ...]
Rules = tuple[tuple[float, ...], ...]
Axes = tuple[Floats, ...]

# Tells the compiler that no index counts from the end, which takes up to a third off a kernel's time.
_NOT_NEGATIVE = 2**31 - 1


@njit(cache=True, error_model="numpy")
def _missing(t: float, n: int) -> Any:
    return 0, (1.0,), (0.0,), (0.0,)


@njit(cache=True, error_model="numpy")
def _quadratic(t: float, n: int) -> Any:
    inside = 1.0 if 0.0 <= t <= n - 1.0 else 0.0
    t = min(t, n - 1.0) if t > 0.0 else 0.0  # what is no number too
    nearest = int(t + 0.5) & _NOT_NEGATIVE
    f = t - nearest
    weights = (0.5 * (0.5 - f) ** 2, 0.75 - f * f, 0.5 * (0.5 + f) ** 2)
    slopes = (inside * (f - 0.5), -2.0 * inside * f, inside * (f + 0.5))
    return nearest, weights, slopes, (inside, -2.0 * inside, inside)


@njit(cache=True, error_model="numpy")
def _cubic(t: float, n: int) -> Any:
    inside = 1.0 if 0.0 <= t <= n - 1.0 else 0.0
    t = min(t, n - 1.0) if t > 0.0 else 0.0
    cell = min(int(t), n - 2) & _NOT_NEGATIVE
    f = t - cell
    g = 1.0 - f
    weights = (g**3 / 6.0, 2.0 / 3.0 - f * f * (1.0 - 0.5 * f), 2.0 / 3.0 - g * g * (1.0 - 0.5 * g), f**3 / 6.0)
    ends, middle = inside * 0.5, inside * (1.5 * f - 2.0) * f
    slopes = (-ends * g * g, middle, ends * (g * g - f * f) - middle, ends * f * f)
    return cell, weights, slopes, (inside * g, inside * (3.0 * f - 2.0), inside * (3.0 * g - 2.0), inside * f)


_BY_REACH = {1: _missing, 3: _quadratic, 4: _cubic}


def stencil(t: float, n: int, rule: tuple[float, ...]) -> Any:
    """Weights of the nodes that a place on an axis reaches, for compiled code.

    Args:
        t: place; n: number of nodes; rule: a tuple as long as the rule reaches, from :func:`rules`.

    Returns:
        the first node, counted from the one beyond the wall; weights, first and second derivatives in t, one per node.
    """
    return _BY_REACH[len(rule)](t, n)


@overload(stencil)
def _stencil(t: Any, n: Any, rule: Any) -> Any:
    chosen = _BY_REACH[len(rule)]

    def by_reach(t: Any, n: Any, rule: Any) -> Any:  # the signature has to be the same, annotations included
        return chosen(t, n)

    return by_reach


@njit(cache=True)
def folded(place: int, n: int) -> int:
    """The node that node ``place``, counted from the one beyond the wall, is the image of."""
    node = abs(place - 1) if n > 1 else 0
    return min(node, 2 * (n - 1) - node)


@njit(cache=True, error_model="numpy")
def tabulate(places: Floats, n: int, rule: tuple[float, ...], nodes: Ints, weights: Floats) -> None:
    """Nodes (m, reach) that places (m,) on an axis reach, and weights and two derivatives, (3, m, reach)."""
    for i in range(len(places)):
        first, w, dw, ddw = stencil(places[i], n, rule)
        for r in range(len(w)):
            nodes[i, r] = folded(first + r, n)
            weights[0, i, r], weights[1, i, r], weights[2, i, r] = w[r], dw[r], ddw[r]


@njit(cache=True)
def pad(fields: Floats, padded: Floats) -> None:
    """Fields (C, n_1, n_2, n_3) with their mirror images one node beyond every wall."""
    count, n, m, k = fields.shape
    for c in range(count):
        for i in range(padded.shape[1]):
            for j in range(padded.shape[2]):
                row = fields[c, folded(i, n), folded(j, m)]
                for o in range(padded.shape[3]):
                    padded[c, i, j, o] = row[folded(o, k)]


@njit(cache=True)
def fold(padded: Floats, out: Floats) -> None:
    """What lies beyond the walls joins what it is the image of, (C, n_1, n_2, n_3)."""
    count, n, m, k = out.shape
    out[:] = 0.0
    for c in range(count):
        for i in range(padded.shape[1]):
            for j in range(padded.shape[2]):
                row = out[c, folded(i, n), folded(j, m)]
                for o in range(padded.shape[3]):
                    row[folded(o, k)] += padded[c, i, j, o]


@njit(cache=True, error_model="numpy")
def carry(places: Axes, shape: Shape, by: Rules, masses: Floats, padded: Floats) -> None:
    """Add W^T masses, before images are folded."""
    for i in range(masses.shape[1]):
        a, u, _, _ = stencil(places[0][i], shape[0], by[0])
        b, v, _, _ = stencil(places[1][i], shape[1], by[1])
        c, w, _, _ = stencil(places[2][i], shape[2], by[2])
        for q in range(len(masses)):
            for r in range(len(u)):
                x = masses[q, i] * u[r]
                for s in range(len(v)):
                    y = x * v[s]
                    for t in range(len(w)):
                        padded[q, a + r, b + s, c + t] += y * w[t]


@njit(cache=True, error_model="numpy")
def carry_shift(
    places: Axes, shape: Shape, by: Rules, masses: Floats, shift: Axes, scales: tuple[float, ...], padded: Floats
) -> None:
    """Add sum_a (dW/dt_a)^T (masses * shift_a * scale_a), before images are folded."""
    for i in range(masses.shape[1]):
        a, u, du, _ = stencil(places[0][i], shape[0], by[0])
        b, v, dv, _ = stencil(places[1][i], shape[1], by[1])
        c, w, dw, _ = stencil(places[2][i], shape[2], by[2])
        one, two, three = shift[0][i] * scales[0], shift[1][i] * scales[1], shift[2][i] * scales[2]
        for r in range(len(u)):
            for s in range(len(v)):
                y, z = one * du[r] * v[s] + two * u[r] * dv[s], three * u[r] * v[s]
                for t in range(len(w)):
                    weight = y * w[t] + z * dw[t]
                    for q in range(len(masses)):
                        padded[q, a + r, b + s, c + t] += weight * masses[q, i]


@njit(cache=True, error_model="numpy")
def pull(places: Axes, shape: Shape, by: Rules, padded: Floats, out: Floats) -> None:
    """W on padded fields, (C, nodes)."""
    for i in range(len(places[0])):
        a, u, _, _ = stencil(places[0][i], shape[0], by[0])
        b, v, _, _ = stencil(places[1][i], shape[1], by[1])
        c, w, _, _ = stencil(places[2][i], shape[2], by[2])
        for q in range(len(padded)):
            value = 0.0
            for r in range(len(u)):
                x = 0.0
                for s in range(len(v)):
                    y = 0.0
                    for t in range(len(w)):
                        y += w[t] * padded[q, a + r, b + s, c + t]
                    x += v[s] * y
                value += u[r] * x
            out[q, i] = value


@njit(cache=True, error_model="numpy")
def pull_with_slopes(
    places: Axes, shape: Shape, by: Rules, padded: Floats, scales: tuple[float, ...], out: Floats, slopes: Floats
) -> None:
    """W and, for the last d axes times their scales, dW/dt_a on padded fields: (C, nodes), (C, d, nodes)."""
    dim = slopes.shape[1]
    for i in range(len(places[0])):
        a, u, du, _ = stencil(places[0][i], shape[0], by[0])
        b, v, dv, _ = stencil(places[1][i], shape[1], by[1])
        c, w, dw, _ = stencil(places[2][i], shape[2], by[2])
        for q in range(len(padded)):
            value, one, two, three = 0.0, 0.0, 0.0, 0.0
            for r in range(len(u)):
                x, x_two, x_three = 0.0, 0.0, 0.0
                for s in range(len(v)):
                    y, y_three = 0.0, 0.0
                    for t in range(len(w)):
                        found = padded[q, a + r, b + s, c + t]
                        y += w[t] * found
                        y_three += dw[t] * found
                    x += v[s] * y
                    x_two += dv[s] * y
                    x_three += v[s] * y_three
                value += u[r] * x
                one += du[r] * x
                two += u[r] * x_two
                three += u[r] * x_three
            out[q, i] = value
            gradient = one * scales[0], two * scales[1], three * scales[2]
            for k in range(dim):
                slopes[q, k, i] = gradient[k + 3 - dim]


@njit(cache=True, error_model="numpy")
def forces(
    places: Axes, shape: Shape, by: Rules, padded: Floats, scales: tuple[float, ...], masses: Floats, out: Floats
) -> None:
    """The sum over classes of masses * dW/dt_a, for the last d axes times their scales, (d, nodes)."""
    dim = len(out)
    for i in range(len(places[0])):
        a, u, du, _ = stencil(places[0][i], shape[0], by[0])
        b, v, dv, _ = stencil(places[1][i], shape[1], by[1])
        c, w, dw, _ = stencil(places[2][i], shape[2], by[2])
        one, two, three = 0.0, 0.0, 0.0
        for q in range(len(padded)):
            mass = masses[q, i]
            for r in range(len(u)):
                x, x_two, x_three = 0.0, 0.0, 0.0
                for s in range(len(v)):
                    y, y_three = 0.0, 0.0
                    for t in range(len(w)):
                        found = padded[q, a + r, b + s, c + t]
                        y += w[t] * found
                        y_three += dw[t] * found
                    x += v[s] * y
                    x_two += dv[s] * y
                    x_three += v[s] * y_three
                one += mass * du[r] * x
                two += mass * u[r] * x_two
                three += mass * u[r] * x_three
        gradient = one * scales[0], two * scales[1], three * scales[2]
        for k in range(dim):
            out[k, i] = gradient[k + 3 - dim]


@njit(cache=True, error_model="numpy")
def curvatures(
    places: Axes, shape: Shape, by: Rules, padded: Floats, scales: tuple[float, ...], masses: Floats, out: Floats
) -> None:
    """The sum over classes of masses * d2W/dt_a dt_b, times both scales, on padded fields, (d, d, nodes)."""
    dim = len(out)
    out[:] = 0.0
    for i in range(len(places[0])):
        a, u, du, ddu = stencil(places[0][i], shape[0], by[0])
        b, v, dv, ddv = stencil(places[1][i], shape[1], by[1])
        c, w, dw, ddw = stencil(places[2][i], shape[2], by[2])
        for q in range(len(padded)):
            aa, ab, ac, bb, bc, cc = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for r in range(len(u)):
                x, xb, xc, xbb, xbc, xcc = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
                for s in range(len(v)):
                    y, yc, ycc = 0.0, 0.0, 0.0
                    for t in range(len(w)):
                        found = padded[q, a + r, b + s, c + t]
                        y += w[t] * found
                        yc += dw[t] * found
                        ycc += ddw[t] * found
                    x += v[s] * y
                    xb += dv[s] * y
                    xc += v[s] * yc
                    xbb += ddv[s] * y
                    xbc += dv[s] * yc
                    xcc += v[s] * ycc
                aa += ddu[r] * x
                ab += du[r] * xb
                ac += du[r] * xc
                bb += u[r] * xbb
                bc += u[r] * xbc
                cc += u[r] * xcc
            second = (aa, ab, ac), (ab, bb, bc), (ac, bc, cc)
            for j in range(3 - dim, 3):
                for k in range(3 - dim, 3):
                    out[j + dim - 3, k + dim - 3, i] += masses[q, i] * scales[j] * scales[k] * second[j][k]
