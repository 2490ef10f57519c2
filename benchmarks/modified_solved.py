"""The modified system solved in thin layers, and coarse layers corrected: distances, objectives and their orders.

    python benchmarks/modified_solved.py [--dimension 1] [--small]
    python benchmarks/modified_solved.py --maps

The problem of benchmarks/modified_orders.py on 9 nodes a side. "to modified": densities and potentials at layers, root
mean square relative to those of the modified system solved in three thin layers for one (``hd.modified``); "to
original": to those of the original system, from corrected layers three times as thin (``hd.corrected``). "J" and
"corrected J": less that of the finest corrected layers.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from typing import Any

import numpy as np
from modified_orders import OPTIONS, problem

import hydrodl as hd
from hydrodl.adaptivity.corrected_layers import distance

NODES, PIECES = 9, 3
MAP_NODES, MAP_OPTIONS = 41, {"tao_gatol": 1e-11, "tao_max_it": 40}
COUNTS = {
    1: {"midpoint": (6, 12, 24, 48), "euler-box": (16, 32, 64, 128)},
    2: {"midpoint": (6, 12, 24), "euler-box": (16, 32, 64)},
}


def measured(d: int, layers: int, scheme: str) -> tuple[float, float, float, float]:
    """Distances to the modified and to the original system, J and corrected J."""
    solution = hd.train(problem(layers, NODES, scheme, d), options=OPTIONS)
    fine = hd.modified(solution, pieces=PIECES, rounds=3, options=OPTIONS)
    best = hd.corrected(problem(PIECES * layers, NODES, scheme, d), options=OPTIONS)
    own = hd.corrected(solution.problem, rounds=3, options=OPTIONS)
    gaps = (distance(solution.flow, other.solution.flow) for other in (fine, best))
    return (*gaps, solution.objective, own.objective)


def of_maps(layers: int, scheme: str) -> tuple[float, float, float]:
    """Distances of a layer map to the modified and to the original system, and of its corrected layers to that."""
    solution = hd.train(problem(layers, MAP_NODES, scheme), options=MAP_OPTIONS)
    fine = hd.modified(solution, pieces=PIECES, rounds=1, options=MAP_OPTIONS)
    best = hd.corrected(problem(PIECES * layers, MAP_NODES, scheme), rounds=1, options=MAP_OPTIONS).solution.flow
    own = hd.corrected(solution.problem, rounds=1, options=MAP_OPTIONS)
    return (
        distance(solution.flow, fine.solution.flow),
        distance(solution.flow, best),
        distance(own.solution.flow, best),
    )


def maps(counts: tuple[int, ...]) -> None:
    """The table of the layer maps."""
    print("| scheme | layers | to modified | order | to original | order | corrected to original | order |")
    print("|---" * 8 + "|")
    for scheme in ("residual", "strang"):
        rows: list[tuple[float, ...]] = []
        for n in counts:
            rows.append(of_maps(n, scheme))
            orders = [""] * 3
            for coarse, fine in list(pairwise(rows))[-1:]:
                orders = [f"{np.log2(a / b):.2f}" for a, b in zip(coarse, fine, strict=True)]
            cells = [f"{x:.2e} | {order}" for x, order in zip(rows[-1], orders, strict=True)]
            print(f"| {scheme} | {n} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dimension", type=int, choices=(1, 2), default=1)
    parser.add_argument("--maps", action="store_true", help="the layer maps, in d = 1 on 41 nodes")
    parser.add_argument("--small", action="store_true", help="for trying it out")
    given = parser.parse_args()
    if given.maps:
        return maps((4,) if given.small else (4, 8, 16, 32))
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
