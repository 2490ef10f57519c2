"""The linear-quadratic problem with mfgsolver: upwind differences, implicit Euler, policy iteration until it stands.

Needs mfgsolver only. Prints one JSON line with a row for every size that its CPU time allows.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from time import perf_counter, process_time

import numpy as np
from mfgsolver import MfgBase


class LinearQuadratic(MfgBase):
    """H = |Du|^2 / 2, terminal cost 2.5 (x - 1)^2, m0 = N(-1, 0.25)."""

    def M0_func(self, x):
        """Initial density; mfgsolver makes its mass 1."""
        return np.exp(-((x + 1.0) ** 2) / 0.5)

    def UT_func(self, x):
        """Terminal cost."""
        return 2.5 * (x - 1.0) ** 2

    def F1_func(self, m):
        """No congestion."""
        return 1.0

    def F2_func(self, m):
        """No running cost of the density."""
        return 0.0


def solve(cells: int, steps: int) -> list[float]:
    """[J, policy iterations, wall s, CPU s]; stops when the density no longer moves."""
    wall, cpu = perf_counter(), process_time()
    game = LinearQuadratic(nv=0.05, x1=-4.0, x2=4.0, Nx=cells, Nt=steps, T=1.0, bc="neumann")
    for iteration in range(1, 31):  # noqa: B007
        with contextlib.redirect_stdout(io.StringIO()):
            game.solve(maxit=1)
        if game.diff_M[-1] < 1e-6:
            break
    cost = float(game.compute_cost())
    return [cost, iteration, perf_counter() - wall, process_time() - cpu]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", required=True, help="cells and steps, in turn")
    parser.add_argument("--limit", type=float, required=True, help="no size that would take more CPU seconds")
    given = parser.parse_args()
    rows: list[list[float]] = []
    for cells, steps in zip(given.sizes[::2], given.sizes[1::2], strict=True):
        if rows and rows[-1][-1] * cells * steps / (rows[-1][0] * rows[-1][1]) > given.limit:
            break
        rows.append([cells, steps, *solve(cells, steps)])
    print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main()
