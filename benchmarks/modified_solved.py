"""The modified system solved in thin layers, and coarse layers corrected: distances, objectives and their orders.

    python benchmarks/modified_solved.py [--dimension 1] [--small]
    python benchmarks/modified_solved.py --maps [--dimension 1] [--small]

The problem of benchmarks/modified_orders.py on 9 nodes a side. "to modified": densities and potentials at layers, root
mean square relative to those of the modified system solved in three thin layers for one (``hd.modified``); "to
original": to those of the original system, from corrected layers three times as thin (``hd.corrected``). "J" and
"corrected J": less that of the finest corrected layers. Layer maps: p, the order asked for.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from modified_orders import OPTIONS, problem

import hydrodl as hd
from hydrodl.adaptivity.corrected_layers import distance

NODES, PIECES = 9, 3
MAP_OPTIONS = {"tao_gatol": 1e-12, "tao_max_it": 40}
MAPS = {
    1: (
        ("mirrors", "strang", 2),
        ("mirrors", "strang", 4),
        ("mirrors", "residual", 2),
        ("mirrors", "residual", 4),
        ("inside", "strang", 4),
        ("walls", "strang", 4),
    ),
    2: (("mirrors", "strang", 4), ("mirrors", "residual", 2)),
}
MAP_COUNTS = {1: (6, 12, 24), 2: (6, 12)}
COUNTS = {
    1: {"midpoint": (6, 12, 24, 48), "euler-box": (16, 32, 64, 128)},
    2: {"midpoint": (6, 12, 24), "euler-box": (16, 32, 64, 128)},
}


def measured(d: int, layers: int, scheme: str) -> tuple[float, float, float, float]:
    """Distances to the modified and to the original system, J and corrected J."""
    solution = hd.train(problem(layers, NODES, scheme, d), options=OPTIONS)
    fine = hd.modified(solution, pieces=PIECES, rounds=3, options=OPTIONS)
    best = hd.corrected(problem(PIECES * layers, NODES, scheme, d), options=OPTIONS)
    own = hd.corrected(solution.problem, rounds=3, options=OPTIONS)
    gaps = (distance(solution.flow, other.solution.flow) for other in (fine, best))
    return (*gaps, solution.objective, own.objective)


def map_problem(case: str, layers: int, scheme: str, d: int) -> hd.Problem:
    """That of benchmarks/modified_orders.py with half of its loss, which keeps layers within half a cell.

    "mirrors": without smoothness, so that the velocity is 0 at the walls. "walls": with it, and it is not. "inside":
    Gaussians away from the walls, with smoothness, V and U.
    """
    if case == "inside":
        domain = hd.Domain.box([-2.0] * d, [2.0] * d, 101)
        start, target = (hd.densities_from_function([bump(s), bump(-s)], domain) for s in (0.4, -0.4))
        wave, energy = (lambda x: 0.1 * np.cos(np.pi * x[:, 0] / 2)), hd.Power(0.1)
        physics = hd.Lagrangian(noise=0.05, decay=0.5, smoothness=0.1, potential=wave, energy=energy)
        loss = hd.Density(0.5, target, divergence="l2")
        return hd.Problem(domain, hd.layers(layers), start, physics, loss, scheme)
    given = problem(layers, 33 if d == 1 else 21, scheme, d)
    physics = replace(given.lagrangian, smoothness=0.1 if case == "walls" else 0.0)
    return replace(given, lagrangian=physics, losses=replace(given.terms[0], weight=1.0))


def bump(place: float) -> Callable[[np.ndarray], np.ndarray]:
    """A Gaussian on the first axis, and a floor."""
    return lambda x: 1e-3 + np.exp(-((x[:, 0] - place) ** 2 + (x[:, 1:] ** 2).sum(axis=1)) / 0.32)


def maps(d: int, counts: tuple[int, ...]) -> None:
    """The table of the layer maps."""
    print("| data | scheme | p | layers | to modified | order | J | order | corrected J | order |")
    print("|---" * 10 + "|")
    for case, scheme, order in MAPS[d]:
        # each scheme has its own, by an error of order h^2 in the noise of the splines
        limit = hd.corrected(map_problem(case, 2 * counts[-1], scheme, d), order=4, options=MAP_OPTIONS).objective
        rows: list[tuple[float, ...]] = []
        for n in counts:
            solution = hd.train(map_problem(case, n, scheme, d), options=MAP_OPTIONS)
            fine = hd.modified(solution, pieces=2 * (order // 2) + 1, order=order, options=MAP_OPTIONS)
            own = hd.corrected(solution.problem, order=order, options=MAP_OPTIONS)
            gap = distance(solution.flow, fine.solution.flow)
            rows.append((gap, abs(solution.objective - limit), abs(own.objective - limit)))
            orders = [""] * 3
            for coarse, thin in list(pairwise(rows))[-1:]:
                orders = [f"{np.log2(a / b):.2f}" for a, b in zip(coarse, thin, strict=True)]
            cells = [f"{x:.2e} | {order}" for x, order in zip(rows[-1], orders, strict=True)]
            print(f"| {case} | {scheme} | {order} | {n} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dimension", type=int, choices=(1, 2), default=1)
    parser.add_argument("--maps", action="store_true", help="the layer maps")
    parser.add_argument("--small", action="store_true", help="for trying it out")
    given = parser.parse_args()
    if given.maps:
        return maps(given.dimension, (6,) if given.small else MAP_COUNTS[given.dimension])
    print("| scheme | layers | to modified | order | to original | order | J | order | corrected J | order |")
    print("|---" * 10 + "|")
    for scheme, counts in COUNTS[given.dimension].items():
        counts = (4, 8) if given.small else counts
        depth = 2 * counts[-1] if scheme == "midpoint" else 4 * counts[-1]
        limit = hd.corrected(problem(depth, NODES, scheme, given.dimension), options=OPTIONS).objective
        rows: list[tuple[float, ...]] = []
        for n in counts:
            modified, original, J, corrected = measured(given.dimension, n, scheme)
            rows.append((modified, original, abs(J - limit), abs(corrected - limit)))
            orders = [""] * 4
            for coarse, fine in list(pairwise(rows))[-1:]:
                orders = [f"{np.log2(a / b):.2f}" for a, b in zip(coarse, fine, strict=True)]
            cells: list[Any] = [f"{x:.2e} | {order}" for x, order in zip(rows[-1], orders, strict=True)]
            print(f"| {scheme} | {n} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
