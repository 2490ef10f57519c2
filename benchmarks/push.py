"""What the layer map's kernels cost against sparse matrices and LAPACK, and a Hessian product against the bare kernels.

    python benchmarks/push.py [--classes 2] [--degree 2] [--repeat 15] [--small]

One slab on a box, displacements of a few spacings. "carry" brings masses forward, "pull" potentials back with their
gradients. Sparse means CSR matrices W and dW/dy_a with one set of indices, made by NumPy, and their products in SciPy
and in PETSc with all classes at once, which are then still in the cache. The noise is one resolvent along all axes:
LAPACK's tridiagonal solves and inverses of each axis as dense matrices, with the transposes they need. The product is a
slab's share of a Hessian product, and its bare work the kernels in it. All are timed in turn; medians of CPU time, in
nanoseconds a node.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from statistics import median
from time import process_time

import hydrodl  # noqa: F401  the order of imports

# isort: split
import numpy as np
import scipy.sparse as sp
from petsc4py import PETSc
from scipy.linalg import solveh_banded
from scipy.linalg.lapack import dpttrf, dpttrs

from hydrodl.common.arrays import Floats
from hydrodl.discretisation.heat_step import HeatStep
from hydrodl.discretisation.push import Push, Splines
from hydrodl.discretisation.spline_weights import spline_weights

Jobs = dict[str, Callable[[], object]]
SHAPES = [(2500,), (41, 41), (128, 128), (24, 24, 24)]
SMALL = [(60,), (9, 9), (5, 5, 5)]
NOISE = 0.3


class Case:
    """Fields and displacements on one box, in spacings."""

    def __init__(self, shape: tuple[int, ...], classes: int, degree: int) -> None:
        self.shape, self.degree = shape, degree
        self.dim, self.nodes = len(shape), int(np.prod(shape))
        rng = np.random.default_rng(0)
        self.masses, self.other = rng.random((2, classes, self.nodes))
        x = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij")).reshape(self.dim, -1)
        self.shift = 2.5 * np.sin(3 * x[::-1] / np.array(shape)[:, None] + 1)
        self.splines = Splines(shape, np.ones(self.dim), degree)
        self.push = self.made()
        self.resolvent = HeatStep.of(shape, self.splines.spacing, 1.0, np.full(self.dim, NOISE))
        self.slopes = self.push.pull_with_slopes(self.other)[1]
        self.curvatures = self.push.curvatures(self.masses, self.other)

    def made(self) -> Push:
        """The push of the displacements."""
        return Push(self.splines, self.shift)

    def sparse(self) -> list[sp.csr_array]:
        """W and dW/dy_a, with shared indices."""
        numbers, parts = np.zeros((self.nodes, 1), dtype=np.int32), [np.ones((self.nodes, 1))] * (1 + self.dim)
        for a, (t, n) in enumerate(zip(self.push.places, self.shape, strict=True)):
            nodes, weights, slopes, _ = spline_weights(t, n, self.degree)
            numbers = (n * numbers[:, :, None] + nodes[:, None].astype(np.int32)).reshape(self.nodes, -1)
            along = [slopes if b == a + 1 else weights for b in range(1 + self.dim)]
            parts = [(p[:, :, None] * w[:, None]).reshape(self.nodes, -1) for p, w in zip(parts, along, strict=True)]
        pointers = np.arange(0, numbers.size + 1, numbers.shape[1], dtype=np.int32)
        return [sp.csr_array((p.ravel(), numbers.ravel(), pointers), shape=(self.nodes,) * 2) for p in parts]


def pushes(case: Case) -> Jobs:
    """Ways to carry and to pull."""
    matrices = case.sparse()
    first = matrices[0]
    petsc = [
        PETSc.Mat().createAIJWithArrays(m.shape, (first.indptr, first.indices, m.data), comm=PETSc.COMM_SELF)
        for m in matrices
    ]
    size = (case.nodes, len(case.masses))
    dense = PETSc.Mat().createDense(size, array=case.other.ravel(), comm=PETSc.COMM_SELF)
    for matrix in (*petsc, dense):
        matrix.assemble()
    products = [matrix.matMult(dense) for matrix in petsc]
    out, given = petsc[0].createVecs()

    def petsc_carry() -> None:
        for row in case.masses:
            given.placeArray(row)
            petsc[0].multTranspose(given, out)
            given.resetArray()

    return {
        "make": case.made,
        "make, sparse": case.sparse,
        "carry": lambda: case.push.carry(case.masses),
        "carry, SciPy": lambda: first.T @ case.masses.T,
        "carry, PETSc": petsc_carry,
        "pull": lambda: case.push.pull_with_slopes(case.other),
        "pull, SciPy": lambda: [matrix @ case.other.T for matrix in matrices],
        "pull, PETSc": lambda: [m.matMult(dense, p) for m, p in zip(petsc, products, strict=True)],
    }


def noises(case: Case) -> Jobs:
    """Ways to smooth; the axes of these boxes are alike."""
    n = case.shape[0]
    ends = np.r_[0.5, np.ones(n - 2), 0.5] * (1 + 2 * NOISE)
    factors = dpttrf(ends, np.full(n - 1, -NOISE))[:2]
    banded = np.stack([np.r_[0.0, np.full(n - 1, -NOISE)], ends])
    inverse = dpttrs(*factors, np.eye(n))[0]

    def along(solve: Callable[[Floats], Floats]) -> Callable[[], Floats]:
        def every() -> Floats:
            x = case.masses.reshape(-1, *case.shape)
            for axis in range(1, x.ndim):
                moved = np.ascontiguousarray(np.moveaxis(x, axis, -1)).reshape(-1, n)
                x = np.moveaxis(solve(moved).reshape(-1, *[n] * case.dim), -1, axis)
            return np.ascontiguousarray(x)

        return every

    jobs = {
        "smooth": lambda: case.resolvent.smooth(case.masses),
        "smooth, pttrs": along(lambda x: dpttrs(*factors, x.T, overwrite_b=1)[0].T),
        "smooth, solveh_banded": along(lambda x: solveh_banded(banded, x.T).T),
    }
    return jobs if n > 500 else jobs | {"smooth, dense": along(lambda x: x @ inverse)}


def product(case: Case) -> Jobs:
    """A slab's share of a Hessian product, and the kernels in it."""
    masses, change, shift, push, smooth = case.masses, case.other, case.shift, case.push, case.resolvent.smooth
    carried, smoothed, values = (np.empty_like(masses) for _ in range(3))  # sweeps keep theirs
    slopes, result = np.empty_like(case.slopes), np.empty_like(shift)

    def whole() -> Floats:
        bare()
        np.add(values, np.einsum("an,can->cn", shift, case.slopes), out=values)
        np.einsum("abn,bn->an", case.curvatures, shift, out=result)
        np.add(result, np.einsum("cn,can->an", change, case.slopes), out=result)
        return np.add(result, np.einsum("cn,can->an", masses, slopes), out=result)

    def bare() -> None:
        smooth(push.carry_change(masses, shift, change, carried), carried)
        push.pull_with_slopes(smooth(change, smoothed), values, slopes)

    return {"Hessian product": whole, "Hessian product, bare": bare}


def times(jobs: Jobs, repeat: int, nodes: int) -> dict[str, float]:
    """Median nanoseconds a node, all in turn."""
    found: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeat + 1):
        for name, job in jobs.items():
            start = process_time()
            job()
            found[name].append(1e9 * (process_time() - start) / nodes)
    return {name: median(values[1:]) for name, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("classes", 2), ("degree", 2), ("repeat", 15)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()
    print(f"{given.classes} classes, degree {given.degree}; ns a node and, in brackets, over the package's own.\n")
    columns: dict[str, dict[str, float]] = {}
    for shape in SMALL if given.small else SHAPES:
        case = Case(shape, given.classes, given.degree)
        found: dict[str, float] = {}
        for jobs in (product(case), noises(case), pushes(case)):  # those that take much memory last
            found |= times(jobs, given.repeat, case.nodes)
        columns[" x ".join(map(str, shape))] = found
    print(f"| work | {' | '.join(columns)} |\n|{'---|' * (1 + len(columns))}")
    for name in dict.fromkeys(name for found in columns.values() for name in found):
        own = name.split(",")[0]
        cells = [f"{f[name]:.1f} ({f[name] / f[own]:.2f})" if name in f else "" for f in columns.values()]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
