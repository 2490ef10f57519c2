"""hydrodl against mfgsolver on the linear-quadratic problem, whose J is known in closed form: error against time.

    python benchmarks/against_mfgsolver.py [--limit 60] [--small]

rho0 = N(-1, 0.25), nu = 0.05, T = 1, loss 2.5 (x - 1)^2, box [-4, 4]: J = 5/12 (4 + 0.25) + nu log 6 = 1.8604213.
mfgsolver (upwind differences, implicit Euler, policy iteration: ``rivals/policy.py``) has an environment of its own;
its cells : steps are 8 : 1, the best proportion for it of those tried. hydrodl uses the midpoint scheme without fitted
diffusion, resolved, with smoothness 0.6 Delta, whose cost is of second order like the scheme's error; it starts from a
coarse fitted Euler-box solution, whose time is included. hydrodl runs before and after, and the mean is shown.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from rivals.clock import Clock
from rivals.environments import UnavailableError, environment, options, run

import hydrodl as hd

PACKAGES = ["mfgsolver==0.4.4"]
NOISE, DECAY = 0.05, 1e-7
EXACT = 5 / 12 * (4 + 0.25) + NOISE * np.log(6)
OURS = ((241, 64), (481, 128), (961, 256))
THEIRS = ((200, 25), (400, 50), (800, 100), (1600, 200), (3200, 400))


def problem(nodes: int, layers: int, scheme: str, physics: hd.Lagrangian) -> hd.Problem:
    """The linear-quadratic problem."""
    domain = hd.Domain.interval(-4.0, 4.0, nodes)
    start = hd.mixture([hd.Gaussian([-1.0], 0.5)], domain)
    return hd.Problem(domain, hd.layers(layers), start, physics, hd.Position(5.0, [[1.0]]), scheme)


def onto(coarse: hd.Solution, fine: hd.Problem) -> np.ndarray:
    """The velocity of one solution between the nodes and layers of another problem, d = 1."""
    x, old = fine.domain.coordinates[:, 0], coarse.problem.domain.coordinates[:, 0]
    order = np.argsort(old)
    times, before = ((p.layers.times[1:] + p.layers.times[:-1]) / 2 for p in (fine, coarse.problem))
    rows = np.array([np.interp(x, old[order], u[0, order]) for u in coarse.velocity])
    return np.array([np.interp(times, before, row) for row in rows.T]).T[:, None]


def solve(nodes: int, layers: int) -> tuple[float, float, float]:
    """J, wall s and CPU s, with the coarse start."""
    clock = Clock()
    coarse = problem(121, 16, "euler-box", hd.Lagrangian(NOISE, decay=1e-4, smoothness=0.0))
    first = hd.train(coarse, options={"tao_gatol": 1e-3})
    physics = hd.Lagrangian(NOISE, decay=DECAY, smoothness=0.6 / layers, fitted=False)
    fine = problem(nodes, layers, "midpoint", physics)
    found = hd.train(fine, options={"tao_gatol": 1e-5}, initial=onto(first, fine))
    if not found.converged:
        raise SystemExit(f"hydrodl did not converge on {nodes} nodes, {layers} layers: {found.reason}")
    return found.objective, clock.wall, clock.cpu


def show(ours: list[list[tuple[float, float, float]]], sizes: Any, theirs: list[list[float]]) -> None:
    """Both ladders, then the errors at equal CPU time."""
    print("| solver | nodes | layers | J | error | CPU s | wall s |\n|---|---|---|---|---|---|---|")
    best = []
    for (nodes, layers), runs in zip(sizes, zip(*ours, strict=True), strict=True):
        value, wall, cpu = np.mean(runs, axis=0)
        best.append((cpu, abs(value - EXACT)))
        print(f"| hydrodl | {nodes} | {layers} | {value:.7f} | {value - EXACT:.1e} | {cpu:.2f} | {wall:.2f} |")
    for cells, steps, value, _, wall, cpu in theirs:
        print(f"| mfgsolver | {cells + 1} | {steps} | {value:.7f} | {value - EXACT:.1e} | {cpu:.2f} | {wall:.2f} |")
    print("\n| CPU s of mfgsolver | its error | hydrodl in no more time | ratio |\n|---|---|---|---|")
    for _, _, value, _, _, cpu in theirs:
        within = [error for seconds, error in best if seconds <= cpu]
        if within:
            print(f"| {cpu:.2f} | {value - EXACT:.1e} | {min(within):.1e} | {(value - EXACT) / min(within):.0f} |")
    if len(theirs) > 1:
        (*_, last), before = theirs[-1], theirs[-2][2]
        extrapolated = 2 * theirs[-1][2] - before - EXACT
        print(f"\nmfgsolver's last two sizes extrapolated (Richardson, order 1): error {extrapolated:.1e}")
        print(f"in {last + theirs[-2][5]:.2f} CPU s; hydrodl's errors above are not extrapolated")


def main() -> None:
    given = options(__doc__ or "", 60.0).parse_args()
    sizes, limit = (OURS[:1], 3.0) if given.small else (OURS, given.limit)
    try:
        python = environment(given.cache, "mfgsolver", PACKAGES)
        solve(*sizes[0])  # compiled forms
        ours = [[solve(*size) for size in sizes]]
        flat = [str(number) for size in THEIRS for number in size]
        theirs = run(python, "policy.py", ["--limit", str(limit), "--sizes", *flat])["rows"]
    except UnavailableError as failed:
        raise SystemExit(str(failed)) from failed
    ours.append([solve(*size) for size in sizes])
    print(f"exact J = {EXACT:.7f}; {', '.join(PACKAGES)}; one thread each")
    show(ours, sizes, theirs)


if __name__ == "__main__":
    main()
