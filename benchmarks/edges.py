"""The box schemes on boxes, discs and annuli as nodes are added: errors of J, signs, Newton steps, Hessian products.

    python benchmarks/edges.py            four tables, about three minutes on one core

The error of J is against the same problem and layers on the finest mesh. A checkout of an older hydrodl runs this
script too (PYTHONPATH), which is how the figures "before" in ``docs/schemes.md`` were measured. ``p`` is the largest
cell Peclet number, CPU milliseconds are of a Hessian product, averaged over the run's own.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time

import meshio
import numpy as np
from moons import two_moons
from scipy.spatial import Delaunay

import hydrodl as hd


def linear_quadratic(nodes: int) -> hd.Problem:
    """N(-1, 1/4) to a quadratic loss around 1 on [-4, 4], 16 layers."""
    domain = hd.Domain.interval(-4.0, 4.0, nodes)
    rho = hd.mixture([hd.Gaussian([-1.0], 0.5)], domain)
    physics = hd.Lagrangian(0.05, decay=1e-4, smoothness=0.0)
    return hd.Problem(domain, hd.layers(16), rho, physics, hd.Position(5.0, [[1.0]]), "euler-box")


def moons(nodes: int) -> hd.Problem:
    """Two moons, 8 layers."""
    return two_moons(8, nodes)


def rings(inner: float, width: float) -> hd.Domain:
    """Triangles between the radii ``inner`` and 3, with rings of nodes ``width`` apart, and the vertex rule."""
    count = round((3 - inner) / width)
    radii = np.linspace(inner, 3, count + 1)
    counts = np.maximum(1, np.rint(2 * np.pi * radii / width))
    angles = [k + 2 * np.pi * np.arange(n) / n for k, n in enumerate(counts)]  # no two rings alike
    points = np.concatenate([r * np.stack([np.cos(a), np.sin(a)], axis=1) for r, a in zip(radii, angles, strict=True)])
    cells = Delaunay(points).simplices
    cells = cells[np.linalg.norm(points[cells].mean(axis=1), axis=1) > inner]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rings.vtu"
        meshio.write(path, meshio.Mesh(np.pad(points, ((0, 0), (0, 1))), [("triangle", cells)]))
        return hd.Domain.from_file(path, lumped=True)


def around(inner: float, cells: int) -> hd.Problem:
    """Two classes on opposite sides of a disc or an annulus, asked to change places, 4 layers."""
    domain = rings(inner, 3 / cells)
    rho = hd.mixture([hd.Gaussian([x, 0.0], 0.4, label=c) for c, x in enumerate((-1.8, 1.8))], domain)
    loss = hd.Classification(10.0, hd.Readout([[0.0, -1.0], [0.0, 1.0]], [0.0, 0.0]))
    physics = hd.Lagrangian(0.05, decay=0.05, smoothness=0.1)
    return hd.Problem(domain, hd.layers(4), rho, physics, loss, "euler-box")


TABLES: dict[str, tuple[Callable[[int], hd.Problem], Sequence[int]]] = {
    "linear-quadratic": (linear_quadratic, (21, 41, 81, 161, 1281)),
    "two moons": (moons, (21, 41, 61, 121)),
    "disc": (lambda n: around(0.0, n), (8, 11, 16, 23, 46)),
    "annulus": (lambda n: around(1.0, n), (9, 13, 18, 26, 52)),
}


def product_cost(solution: hd.Solution) -> float:
    """CPU milliseconds of a Hessian product at the optimum."""
    functional = hd.ReducedFunctional(solution.problem)
    functional.gradient(solution.velocity)
    functional.linearise(solution.velocity)
    direction = np.random.default_rng(0).standard_normal(functional.shape)
    functional.hessian_product(direction)
    start = process_time()
    for _ in range(5):
        functional.hessian_product(direction)
    spent = (process_time() - start) / 5e-3
    functional.close()
    return spent


def table(name: str, make: Callable[[int], hd.Problem], sizes: Sequence[int]) -> None:
    """One problem on meshes finer and finer; the last is the reference."""
    print(
        f"\n| {name}: nodes | J | error | order in h | p | smallest density | steps | products | CPU s | ms a product |"
    )
    print("|---" * 10 + "|", flush=True)
    rows = []
    for size in sizes:
        problem = make(size)
        start = process_time()
        solution = hd.train(problem)
        rows.append((problem, solution, process_time() - start, product_cost(solution)))
    limit, before = rows[-1][1].objective, None
    for problem, s, spent, cost in rows:
        h = problem.domain.nodes ** (-1 / problem.domain.dimension)
        error = s.objective - limit
        order = np.log(abs(before[0] / error)) / np.log(before[1] / h) if before and error else np.nan
        before = error, h
        line = f"{problem.domain.nodes} | {s.objective:.6f} | {error:.2e} | {order:.2f} | {s.peclet:.2g}"
        line += f" | {s.min_density:.0e} | {s.iterations} | {s.hessian_products} | {spent:.1f} | {cost:.2g}"
        print(f"| {line.replace('nan', '')} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=TABLES, help="one table")
    parser.add_argument("--small", action="store_true", help="for trying it out")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # the tables tell the signs
    for name, (make, sizes) in TABLES.items():
        if given.only in (None, name):
            table(name, make, sizes[:2] if given.small else sizes)


if __name__ == "__main__":
    main()
