"""hydrodl against JAX: the same discrete problem on a grid, jit, reverse mode, L-BFGS and Adam, in one run.

    python benchmarks/against_jax.py [--scheme strang] [--layers 16] [--nodes 61] [--limit 60] [--small]

Two moons; the JAX program has an environment of its own, CPU only, double precision. It gets hydrodl's initial
densities and readout, and is first asked for J at hydrodl's optimum: the difference is printed. For "strang" it
scatters masses by splines between heat steps (``rivals/layers.py``), for "euler-box" it applies the same slab operators
by shifts and solves with BiCGSTAB (``rivals/grid.py``). The table gives the CPU time to J within a relative distance of
that optimum. Compiling is in neither, hydrodl's set-up is in its time and also shown apart; it runs before and after,
and the mean is shown.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from moons import two_moons
from rivals.clock import Clock
from rivals.environments import UnavailableError, environment, options, run

import hydrodl as hd

PACKAGES = ["jax==0.10.2", "optax==0.2.8", "scipy>=1.14,<2"]
KINDS = {"Newton-CG": "bntl", "hydrodl's L-BFGS": "bqnls"}
PROGRAMS = {"strang": "layers.py", "euler-box": "grid.py"}
LEVELS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)


def train(problem: hd.Problem, kind: str) -> tuple[list[list[float]], hd.Solution]:
    """Rows [wall s, CPU s, J] of one of hydrodl's optimisers, and its solution."""
    rows: list[list[float]] = []
    clock = Clock()

    def look(state: dict[str, Any]) -> None:
        rows.append([clock.wall, clock.cpu, state["objective"]])

    found = hd.train(problem, options={"tao_type": kind, "tao_gatol": 1e-5}, monitor=look)
    return rows, found


def write(path: Path, found: hd.Solution) -> None:
    """What the other one needs, with nodes in the order of a grid (x, y)."""
    problem = found.problem
    domain, physics, loss = problem.domain, problem.lagrangian, problem.terms[0]
    order = np.lexsort(np.round(domain.coordinates[:, ::-1], 9).T)
    shape = [len(np.unique(np.round(column, 9))) for column in domain.coordinates.T]
    h = [(high - low) / (n - 1) for low, high, n in zip(*domain.bounds, shape, strict=True)]

    def grid(fields: Any) -> Any:
        return np.asarray(fields)[..., order].reshape(*np.shape(fields)[:-1], *shape)

    np.savez(
        path,
        rho=grid(problem.densities.values),
        entropy=grid(loss.field(domain, problem.classes)),
        h=h,
        velocity=grid(found.velocity),
        step=problem.layers.steps[0],
        weight=loss.weight,
        noise=physics.noise,
        decay=physics.decay,
        smoothness=physics.smoothness,
    )


def first(rows: list[list[float]], value: float) -> list[float] | None:
    """The first row with J at or below a value."""
    return next((row for row in rows if row[2] <= value), None)


def cell(runs: list[list[list[float]]], value: float) -> str:
    """CPU (wall) seconds to J, the mean over runs."""
    hits = [hit for rows in runs if (hit := first(rows, value))]
    if len(hits) < len(runs):
        return f"not in {max(rows[-1][1] for rows in runs):.1f}"
    return "{1:.2f} ({0:.2f})".format(*np.mean(hits, axis=0))


def show(best: float, ours: dict[str, list[list[list[float]]]], other: dict[str, Any]) -> None:
    """CPU time to each relative distance from the optimum, and JAX's best over hydrodl's default."""
    names = [*ours, *other["runs"]]
    print(f"\n| (J - J*) / J* | {' | '.join(names)} | JAX / Newton | with compiling |")
    print("|" + "---|" * (3 + len(names)))
    for level in LEVELS:
        value = best * (1 + level)
        cells = [cell(runs, value) for runs in ours.values()] + [cell([rows], value) for rows in other["runs"].values()]
        hits = [hit[1] for rows in other["runs"].values() if (hit := first(rows, value))]
        newton = [hit[1] for rows in next(iter(ours.values())) if (hit := first(rows, value))]
        ratios = "- | -"
        if hits and newton:
            ratios = f"{min(hits) / np.mean(newton):.2f} | {(min(hits) + other['compile']) / np.mean(newton):.1f}"
        print(f"| {level:.0e} | {' | '.join(cells)} | {ratios} |")


def main() -> None:
    parser = options(__doc__ or "", 60.0)
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--nodes", type=int, default=61)
    parser.add_argument("--scheme", choices=PROGRAMS, default="strang")
    given = parser.parse_args()
    layers, nodes, limit = (8, 21, 5.0) if given.small else (given.layers, given.nodes, given.limit)
    problem = two_moons(layers, nodes, scheme=given.scheme)
    try:
        python = environment(given.cache, "jax", PACKAGES)
        hd.train(problem, options={"tao_max_it": 1})  # compiled forms
        ours = {name: [train(problem, kind)[0]] for name, kind in KINDS.items()}
        found = hd.train(problem)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "problem.npz"
            write(path, found)
            goal = found.objective * (1 + min(LEVELS))
            other = run(python, PROGRAMS[given.scheme], [str(path), "--goal", str(goal), "--limit", str(limit)])
    except UnavailableError as failed:
        raise SystemExit(str(failed)) from failed
    for name, kind in KINDS.items():
        ours[name].append(train(problem, kind)[0])
    size = f"{layers} layers, {nodes} x {nodes} nodes, {problem.unknowns} unknowns"
    check, slope = other["check"] - found.objective, other["slope"]
    print(f"{size}; jax {other['version']}; J* = {found.objective:.8f}; CPU s (wall s)")
    print(f"at hydrodl's optimum J in JAX differs by {check:.1e}, its largest slope is {slope:.1e}")
    print(f"hydrodl: set-up and first gradient {np.mean([rows[0][1] for rows in ours['Newton-CG']]):.2f} CPU s")
    print(f"JAX: compiling {other['compile']:.1f} CPU s, J and gradient once {other['each']:.3f} CPU s")
    show(found.objective, ours, other)


if __name__ == "__main__":
    main()
