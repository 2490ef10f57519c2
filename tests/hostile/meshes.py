"""Meshes as other programs write them, whole and broken: vertices, cells by meshio's names, and what must come of them.

The outcome is the dimension, the number of vertices and the volume, or words of the one line that refuses the mesh.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Cells = list[tuple[str, Any]]


class Case(NamedTuple):
    """A mesh and what must come of it."""

    points: Any
    cells: Cells
    dimension: int = 0
    vertices: int = 0
    volume: float = 0.0
    words: str = ""


def grid(n: int, m: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (., 3) and triangles of the unit square, n x m squares of two triangles."""
    m = m or n
    x, y = np.meshgrid(np.linspace(0, 1, n + 1), np.linspace(0, 1, m + 1), indexing="ij")
    points = np.column_stack([x.ravel(), y.ravel(), 0 * x.ravel()])
    corner = (np.arange(n)[:, None] * (m + 1) + np.arange(m)).ravel()
    lower = np.column_stack([corner, corner + m + 1, corner + m + 2])
    upper = np.column_stack([corner, corner + m + 2, corner + 1])
    return points, np.concatenate([lower, upper])


def ring(turns: float, cells: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Quadrilaterals between two circles, that many turns round."""
    angle = 2 * np.pi * turns * np.arange(cells + 1) / cells
    circles = [r * np.column_stack([np.cos(angle), np.sin(angle)]) for r in (1.0, 2.0)]
    at = np.arange(cells)
    return np.concatenate(circles), np.column_stack([at, at + cells + 1, at + cells + 2, at + 1])


def turned(points: np.ndarray) -> np.ndarray:
    """The plane of x1 and x2 turned in space."""
    c, s = np.cos(0.3), np.sin(0.3)
    return points @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]])


P, T = grid(3)
SHIFT = np.array([1.0, 0.0, 0.0])
SQUARE = {"dimension": 2, "vertices": 16, "volume": 1.0}
CUBE = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], dtype=float)
HEX = [[0, 1, 3, 2, 4, 5, 7, 6]]
TETS = [[0, 1, 3, 7], [0, 1, 5, 7], [0, 2, 3, 7], [0, 2, 6, 7], [0, 4, 5, 7], [0, 4, 6, 7]]
TRIANGLE6 = np.array([[0, 0], [1, 0], [0, 1], [0.5, 0], [0.5, 0.5], [0, 0.5]])
RING, ROUND = ring(0.8)
CLOSED, _ = ring(1.0)
SPIRAL, STAIRS = ring(1.3)
FINE, SMALL = grid(6)


def both(*pieces: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Meshes one after the other, nothing shared."""
    starts = np.cumsum([0, *(len(points) for points, _ in pieces)])
    cells = [cells + start for (_, cells), start in zip(pieces, starts, strict=False)]
    return np.concatenate([points for points, _ in pieces]), np.concatenate(cells)


def moved(vertex: int, to: list[float]) -> np.ndarray:
    points = P.copy()
    points[vertex, : len(to)] = to
    return points


def two(points: np.ndarray, cells: np.ndarray, **outcome: Any) -> Case:
    return Case(points, [("triangle", cells)], **outcome)


MESHES: dict[str, Case] = {
    # mended, or right as they are
    "a square": two(P, T, **SQUARE),
    "cells listed twice": two(P, np.concatenate([T, T[:4, [1, 2, 0]]]), **SQUARE),
    "cells listed twice, turned over": two(P, np.concatenate([T, T[:4, [1, 0, 2]]]), **SQUARE),
    "all cells in two groups": Case(P, [("triangle", T), ("triangle", T)], **SQUARE),
    "cells turned over": two(P, np.where(np.arange(len(T))[:, None] % 2, T, T[:, [1, 0, 2]]), **SQUARE),
    "two pieces with a vertex each along the seam": two(
        *both((P, T), (P + SHIFT, T)), **SQUARE | {"vertices": 28, "volume": 2.0}
    ),
    "vertices at one place up to rounding": two(
        *both((P, T), (P + SHIFT * (1 + 1e-15), T)), **SQUARE | {"vertices": 28, "volume": 2.0}
    ),
    "every cell with vertices of its own": two(P[T].reshape(-1, 3), np.arange(3 * len(T)).reshape(-1, 3), **SQUARE),
    "vertices of no cell": two(np.concatenate([[[9.0, 9.0, 0.0]], P]), T + 1, **SQUARE),
    "height of rounding": two(P + 1e-17 * np.arange(16)[:, None] * [0, 0, 1], T, **SQUARE),
    "the plane of x1 and x3": two(P[:, [0, 2, 1]], T, **SQUARE),
    "the plane of x2 and x3, off the origin": two(P[:, [2, 0, 1]] + [5.0, 0, 0], T, **SQUARE),
    "second order": Case(TRIANGLE6, [("triangle6", [[0, 1, 2, 3, 4, 5]])], 2, 3, 0.5),
    "second order, boxes": Case(
        np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0], [1, 0.5], [0.5, 1], [0, 0.5]]),
        [("quad8", [list(range(8))])],
        2,
        4,
        1.0,
    ),
    "second order, lines": Case(np.array([[0.0, 0], [2, 0], [1, 0]]), [("line3", [[0, 1, 2]])], 1, 2, 2.0),
    "sides of cells listed too": Case(P, [("line", [[0, 1], [1, 2]]), ("triangle", T), ("vertex", [[0]])], **SQUARE),
    "a line along x2": Case(np.array([[3.0, 0], [3, 1], [3, 4]]), [("line", [[0, 1], [1, 2]])], 1, 3, 4.0),
    "a ring": Case(CLOSED, [("quad", ROUND)], 2, 80, 40 * 1.5 * np.sin(2 * np.pi / 40)),
    "most of a ring": Case(RING, [("quad", ROUND)], 2, 82, 40 * 1.5 * np.sin(2 * np.pi * 0.8 / 40)),
    "cells as thin as paper": two(P * [1.0, 1e-9, 1.0], T, **SQUARE | {"volume": 1e-9}),
    "large coordinates": two(P * 1e30 + [1e30, 0, 0], T, **SQUARE | {"volume": 1e60}),
    "a cube": Case(CUBE, [("hexahedron", HEX)], 3, 8, 1.0),
    "a cube of tetrahedra": Case(CUBE, [("tetra", TETS)], 3, 8, 1.0),
    "tetrahedra twice": Case(CUBE, [("tetra", TETS + TETS[2:4])], 3, 8, 1.0),
    # refused
    "a square on half of another": two(*both((P, T), (P + SHIFT * 0.5, T)), words="overlap"),
    "a square inside another": two(*both((P, T), (P * 0.1 + [0.52, 0.41, 0], T)), words="overlap"),
    "a finer square on another": two(*both((P, T), (FINE, SMALL)), words="a vertex on a side of a cell"),
    "a bridge over a square": two(*both((P, T), (P * [0.2, 3, 1] + [0.43, -1, 0], T)), words="overlap"),
    "three cells on a side": two(
        np.concatenate([P, [[0.5, 2.0, 0], [0.4, 3.0, 0]]]),
        np.concatenate([T, [[3, 7, 16], [3, 7, 17]]]),
        words="overlap",
    ),
    "a vertex pulled over its neighbour": two(moved(5, [0.9, 0.5]), T, words="overlap"),
    "a vertex on its neighbour": two(moved(5, [2 / 3, 1 / 3]), T, words="without volume"),
    "a vertex on the opposite side": two(moved(0, [1 / 3, 1 / 6]), T, words="without volume"),
    "a stair that comes round again": Case(SPIRAL, [("quad", STAIRS)], words="overlap"),
    "cells with a vertex twice": two(P, np.concatenate([T, [[0, 1, 1]]]), words="without volume"),
    "cells on a line": two(P, np.concatenate([T, [[0, 1, 2]]]), words="without volume"),
    "a box folded over": Case(P, [("quad", [[0, 1, 4, 5]])], words="without volume"),
    "a box with an inner corner": Case(
        np.array([[0.0, 0], [1, 0], [0.2, 0.2], [0, 1]]), [("quad", [[0, 1, 2, 3]])], words="folded over"
    ),
    "two pieces apart": two(*both((P, T), (P + 3 * SHIFT, T)), words="2 pieces that share no side, of 18 to 18 cells"),
    "two pieces at a corner": two(*both((P, T), (P + np.array([1, 1, 0]), T)), words="2 pieces that share no side"),
    "halves with other vertices along the seam": two(
        *both((P, T), (grid(2)[0] + SHIFT, grid(2)[1])), words="on a side of a cell whose corner it is not"
    ),
    "a hanging vertex": two(
        np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0.5, 0.5, 0]]),
        np.array([[0, 1, 2], [1, 3, 4], [4, 3, 2]]),
        words="vertex on a side of a cell",
    ),
    "a surface in space": two(P + np.arange(16)[:, None] ** 2 * [0, 0, 0.01], T, words="must be flat"),
    "a plane turned in space": two(turned(P), T, words="flat, but turned in 3 dimensions"),
    "a line turned in the plane": Case(
        np.array([[0.0, 0], [1, 1], [2, 2]]), [("line", [[0, 1], [1, 2]])], words="flat, but turned in 2"
    ),
    "a line that goes back": Case(np.array([[0.0, 0], [2, 0], [1, 0]]), [("line", [[0, 1], [1, 2]])], words="overlap"),
    "not a number": two(moved(3, [np.nan]), T, words="not finite"),
    "coordinates without volume": two(P * 1e200, T, words="coordinates up to 1e+200"),
    "vertices that are not there": two(P, np.concatenate([T, [[0, 1, 99]]]), words="vertices out of range"),
    "two kinds of cells": Case(P, [("triangle", T[:3]), ("quad", [[8, 12, 13, 9]])], words="mixes quad and triangle"),
    "points alone": Case(P, [("vertex", [[0], [1]])], words="holds vertex"),
    "prisms": Case(CUBE[[0, 1, 2, 4, 5, 6]], [("wedge", [[0, 1, 2, 3, 4, 5]])], words="holds wedge"),
    "tetrahedra that overlap": Case(
        np.concatenate([CUBE, [[0.1, 0.2, 0.6]]]), [("tetra", [*TETS, [0, 4, 6, 8]])], words="overlap"
    ),
    "a small tetrahedron in a cube": Case(
        np.concatenate([CUBE, CUBE[[0, 1, 2, 4]] * 0.05 + [0.2, 0.5, 0.63]]),
        [("tetra", [*TETS, [8, 9, 10, 11]])],
        words="overlap",
    ),
    "a flat tetrahedron": Case(CUBE, [("tetra", [*TETS, [0, 1, 2, 3]])], words="without volume"),
    "cubes that touch at an edge": Case(
        np.concatenate([CUBE, CUBE + np.array([1, 1, 0])]),
        [("hexahedron", [HEX[0], [k + 8 for k in HEX[0]]])],
        words="2 pieces",
    ),
}
