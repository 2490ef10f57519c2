"""hydrodl against dolfinx-adjoint and L-BFGS on the same discrete problem, two moons, in one run.

    python benchmarks/against_adjoint.py [--layers 16] [--nodes 41] [--goal 1e-5] [--limit 200] [--small]

The other one is J_h of the same action (vertex rule, fitted diffusion, same densities and readout) on a pyadjoint tape,
minimised by SciPy's L-BFGS-B through ``pyadjoint.minimize``: ``rivals/taped.py``. dolfinx-adjoint and pyadjoint-ad are
installed without their dependencies in a folder of their own and run with hydrodl's DOLFINx, one after the other on one
thread. Both gradients are measured in hydrodl's control inner product, relative to the start u = 0, with the clock of
the other one standing still. The table gives the CPU time to each reduction; hydrodl's includes its set-up, the other
one's does not include taping; compiling forms is in neither. hydrodl runs before and after, and the mean is shown.
"""

from __future__ import annotations

import statistics
import sys
from typing import Any

import numpy as np
from moons import two_moons
from rivals.clock import Clock
from rivals.environments import UnavailableError, beside, options, run

import hydrodl as hd

PACKAGES = ["dolfinx-adjoint==0.4.0", "pyadjoint-ad==2026.10.0", "fenicsx-compat==0.4.0", "checkpoint_schedules==1.0.4"]
Row = tuple[float, float, float, float]  # wall s, CPU s, J, relative gradient norm


def newton(problem: hd.Problem, goal: float) -> list[Row]:
    """hydrodl with its own defaults until the gradient norm has fallen by ``goal``."""
    rows: list[Row] = []
    clock = Clock()

    def look(state: dict[str, Any]) -> None:
        first = rows[0][3] if rows else state["gradient_norm"]
        rows.append((clock.wall, clock.cpu, state["objective"], state["gradient_norm"] / (first if rows else 1.0)))

    hd.train(problem, options={"tao_gatol": 0.0, "tao_gttol": goal}, monitor=look)
    return [(*rows[0][:3], 1.0), *rows[1:]]


def gradient(problem: hd.Problem, repeat: int = 5) -> float:
    """CPU seconds of one evaluation of J and its gradient."""
    functional, rng = hd.ReducedFunctional(problem), np.random.default_rng(0)
    points = [0.1 * rng.standard_normal(functional.shape) for _ in range(repeat + 1)]
    functional.gradient(points[0])
    clock = Clock()
    for point in points[1:]:
        functional.gradient(point)
    return clock.cpu / repeat


def reached(rows: list[Row], level: float) -> Row | None:
    """The first row at or below a relative gradient norm."""
    return next((row for row in rows if row[3] <= level), None)


def show(runs: list[list[Row]], taped: dict[str, Any], goal: float) -> None:
    """The table of times to each reduction, and the ratio at the last that both reached."""
    print("| relative gradient | hydrodl CPU s (wall s) | taped L-BFGS CPU s (wall s) | CPU ratio |")
    print("|---|---|---|---|")
    levels = [10.0**-n for n in range(1, 12) if 10.0**-n >= 0.999 * goal]
    lowest = min(row[3] for row in taped["history"])
    for level in sorted({*levels, lowest}, reverse=True):
        ours = [reached(rows, level) for rows in runs]
        wall, cpu = (statistics.mean(row[i] for row in ours if row) for i in (0, 1))
        other = reached(taped["history"], level)
        text = f"{other[1]:.1f} ({other[0]:.1f})" if other else f"not in {taped['history'][-1][1]:.0f}"
        ratio = other[1] / cpu if other else taped["history"][-1][1] / cpu
        print(f"| {level:.2e} | {cpu:.2f} ({wall:.2f}) | {text} | {'' if other else 'over '}{ratio:.0f} |")


def main() -> None:
    parser = options(__doc__ or "", 200.0)
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--nodes", type=int, default=41)
    parser.add_argument("--goal", type=float, default=1e-5, help="reduction of the gradient norm to reach")
    given = parser.parse_args()
    layers, nodes, limit = (4, 15, 10.0) if given.small else (given.layers, given.nodes, given.limit)
    try:
        path = beside(given.cache, "adjoint", PACKAGES)
    except UnavailableError as missing:
        raise SystemExit(str(missing)) from missing
    problem = two_moons(layers, nodes)
    hd.train(problem, options={"tao_max_it": 1})  # compiled forms
    runs = [newton(problem, given.goal)]
    arguments = ["--layers", layers, "--nodes", nodes, "--goal", given.goal, "--limit", limit]
    try:
        taped = run(sys.executable, "taped.py", [str(x) for x in arguments], path)
    except UnavailableError as failed:
        raise SystemExit(str(failed)) from failed
    runs.append(newton(problem, given.goal))
    print(f"{layers} layers, {nodes} x {nodes} nodes, {problem.unknowns} unknowns; {', '.join(PACKAGES[:2])}")
    show(runs, taped, given.goal)
    steps = len(taped["history"]) - 1
    last, ours = taped["history"][-1], runs[0][-1]
    print(f"L-BFGS: {steps} steps to J = {last[2]:.8f}; Newton-CG: {len(runs[0]) - 1} to {ours[2]:.8f}")
    print(f"the two J_h differ by at most {taped['difference']:.1e} at the iterates, ", end="")
    print(f"their gradients at a random velocity by {taped['gradient_difference']:.1e} of the largest entry")
    print(f"J and gradient once: hydrodl {gradient(problem):.3f} CPU s, taped {taped['gradient']:.3f}")
    print(f"taping: {taped['tape']:.2f} CPU s")


if __name__ == "__main__":
    main()
