"""Peak memory and time of training against layers, nodes, dimension and classes: the constants of size_estimate.py.

    python benchmarks/memory.py [--scheme strang] [--dimensions 1 2 3] [--classes 2 3] [--largest 2e5]

Gaussian classes in a box, two Newton steps, which reach the peak. Each size runs in a process of its own. Measured is
the growth of the process's peak over its size after the imports and a first tiny training, so that what remains is the
problem's. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from time import process_time
from typing import Any

SIZES = {
    1: [(64, 401), (64, 2501), (16, 2501)],
    2: [(16, 41), (16, 81), (4, 81), (8, 161)],
    3: [(8, 13), (8, 21), (4, 33), (8, 33)],
}


def peak_bytes() -> int:
    """Peak resident size of this process; unlike getrusage's it does not begin with that of the parent."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(status["VmHWM"].split()[0])


def gaussians(
    dimension: int, layers: int, nodes: int, classes: int, cells: str, degree: int, scheme: str | None = None
) -> Any:
    """A problem of ``classes`` Gaussians in [-4, 4]^d, brought apart by a position loss."""
    import hydrodl as hd

    domain = hd.Domain.box([-4.0] * dimension, [4.0] * dimension, nodes, cells=cells, degree=degree)
    centres = [[-1.5 + 3.0 * c / (classes - 1)] + [0.0] * (dimension - 1) for c in range(classes)]
    rho = hd.mixture([hd.Gaussian(mean, std=0.6, label=str(c)) for c, mean in enumerate(centres)], domain)
    physics = hd.Lagrangian(noise=0.1, decay=0.02, smoothness=0.1)
    return hd.Problem(domain, hd.layers(layers), rho, physics, hd.Classification(5.0), scheme)


def one(given: argparse.Namespace) -> None:
    """Train at one size and print the measurements as JSON."""
    import sklearn.exceptions  # noqa: F401  what a training that does not converge imports

    import hydrodl as hd
    from hydrodl.training.reduced_functional import ReducedFunctional

    d, layers, nodes, classes = given.one
    options = {"tao_max_it": 2}
    chosen = given.cells, given.degree, given.scheme
    hd.train(gaussians(d, 1, 5, classes, *chosen), options=options)  # imports and compiled forms
    before = peak_bytes()
    problem = gaussians(d, layers, nodes, classes, *chosen)
    velocity = hd.train(problem, options=options).velocity
    growth, points = peak_bytes() - before, layers * problem.domain.nodes
    functional = ReducedFunctional(problem)
    start = process_time()
    functional.evaluate(0.9 * velocity)  # a Newton step evaluates about twice
    functional.linearise(velocity)
    middle = process_time()
    for _ in range(3):
        functional.hessian_product(velocity)
    unit = 1e-6 * points * classes
    times = {"step": (middle - start) / unit, "product": (process_time() - middle) / 3 / unit}
    print(json.dumps({"points": points, "growth": growth} | times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", nargs=4, type=int, metavar="N", help="dimension, layers, nodes, classes: as JSON")
    parser.add_argument("--dimensions", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--classes", nargs="+", type=int, default=[2, 3])
    parser.add_argument("--cells", default="box")
    parser.add_argument("--degree", type=int, default=1)
    parser.add_argument("--scheme", default="euler-box")
    parser.add_argument("--largest", type=float, default=2.5e5, help="leave out sizes with more layers x nodes")
    given = parser.parse_args()
    if given.one:
        one(given)
        return
    print("CPU time in microseconds per layer, node and class.\n")
    print("| d | layers | nodes | classes | layers x nodes | bytes per layer, node | Newton step | Hessian product |")
    print("|---|---|---|---|---|---|---|---|")
    for d in given.dimensions:
        for classes in given.classes:
            for layers, nodes in SIZES[d]:
                show(given, d, layers, nodes, classes)


def measured(d: int, layers: int, nodes: int, classes: int, *options: str) -> dict[str, float]:
    """Run one size in a process of its own: "points" (layers x nodes), "growth" (bytes), "cpu" (s), "products"."""
    command = [sys.executable, __file__, "--one", *map(str, (d, layers, nodes, classes)), *options]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(said.splitlines()[-1]))


def show(given: argparse.Namespace, d: int, layers: int, nodes: int, classes: int) -> None:
    """Print the row of one size."""
    if layers * nodes**d > given.largest:
        return
    row = measured(
        d, layers, nodes, classes, "--cells", given.cells, "--degree", str(given.degree), "--scheme", given.scheme
    )
    each, grid = row["growth"] / row["points"], " x ".join([str(nodes)] * d)
    print(
        f"| {d} | {layers} | {grid} | {classes} | {row['points']} | {each:.0f} | {row['step']:.1f} "
        f"| {row['product']:.2f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
