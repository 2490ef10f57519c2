"""Run time and memory of training two moons, d = 2, against the number of unknowns N (d + 2 C) M.

    python benchmarks/scaling.py [--largest 2e6]

Each size runs in a process of its own. Memory is the growth of the process's peak over its size after the imports and
a first small training, so that what remains is the problem's. Prints a Markdown table and the fitted exponents.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from time import perf_counter, process_time

import numpy as np

SIZES = [(8, 21), (11, 32), (16, 46), (22, 68), (32, 102)]


def peak_bytes() -> int:
    """Peak resident size of this process."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def one(layers: int, nodes: int) -> None:
    """Train at one size and print the measurements as JSON."""
    from moons import two_moons

    import hydrodl as hd

    hd.train(two_moons(2, 9))  # imports and compiled forms
    before, wall, cpu = peak_bytes(), perf_counter(), process_time()
    found = hd.train(two_moons(layers, nodes))
    wall, cpu = perf_counter() - wall, process_time() - cpu
    measured = {"unknowns": found.problem.unknowns, "wall": wall, "cpu": cpu, "products": found.hessian_products}
    measured |= {"newton": found.iterations, "bytes": (peak_bytes() - before) / (layers * nodes**2)}
    print(json.dumps(measured | {"compiled": (found.timings["assembly"] + found.timings["sweeps"]) / wall}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", nargs=2, type=int, metavar=("LAYERS", "NODES"), help="one size only, as JSON")
    parser.add_argument("--largest", type=float, default=2.1e6, help="leave out sizes with more unknowns")
    given = parser.parse_args()
    if given.one:
        one(*given.one)
        return
    print("| layers | nodes | unknowns | wall s | CPU s | Newton | products | CPU us / product / unknown | kB / node |")
    print("|---|---|---|---|---|---|---|---|---|")
    rows = []
    for layers, nodes in SIZES:
        if layers * nodes**2 * 6 > given.largest:
            continue
        command = [sys.executable, __file__, "--one", str(layers), str(nodes)]
        row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        rows.append(row)
        each = 1e6 * row["cpu"] / row["products"] / row["unknowns"]
        print(
            f"| {layers} | {nodes} x {nodes} | {row['unknowns']} | {row['wall']:.2f} | {row['cpu']:.2f} "
            f"| {row['newton']} | {row['products']} | {each:.3f} | {row['bytes'] / 1e3:.2f} |",
            flush=True,
        )
    size = np.log([row["unknowns"] for row in rows])
    for name in ("wall", "cpu"):
        print(f"{name} time ~ unknowns^{np.polyfit(size, np.log([row[name] for row in rows]), 1)[0]:.3f}")
    print(f"memory at the largest size: {rows[-1]['bytes'] / 1e3:.2f} kB per layer and node")


if __name__ == "__main__":
    main()
