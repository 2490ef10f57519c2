"""Saddles that training ends in, with and without looking for them, and what looking costs.

    python benchmarks/saddles.py            # --first, --hard: how many random problems of each kind

Random problems are those of ``training_stability.py``: the first ones as they are, and those with a density target and
layer maps, without smoothness, where nodes at walls have no force of their own. A saddle has a smallest eigenvalue of
the Hessian, in the control inner product, below -1e-6, by SLEPc.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace
from time import process_time
from unittest.mock import patch

import numpy as np
from training_stability import draw, head, row, say, trained

import hydrodl as hd
from hydrodl.training import optimiser

BLIND = {"target": optimiser, "attribute": "way_down", "new": lambda *given: None}
NEGATIVE = -1e-6


def hard(count: int) -> Iterator[hd.Problem]:
    """Density targets, layer maps, no smoothness."""
    seed = 100
    while count:
        problem = draw(seed)
        if isinstance(problem.terms[0], hd.Density) and problem.method.moves_points:
            yield replace(problem, lagrangian=replace(problem.lagrangian, smoothness=0.0))
            count -= 1
        seed += 1


def smallest(solution: hd.Solution) -> float:
    """Eigenvalue of the Hessian."""
    with hd.Neighbourhood(solution) as near:
        return float(hd.analysis.spectrum(near, comm=near.comm, largest=False, tolerance=1e-7).smallest[0])


def show(name: str, problems: Iterable[hd.Problem]) -> None:
    """A row without looking and one with."""
    given = list(problems)
    for looks in (False, True):
        with warnings.catch_warnings(), patch.object(**BLIND) if not looks else warnings.catch_warnings():
            warnings.simplefilter("ignore")
            begun = process_time()
            found = [solution for solution in map(trained, given) if solution.converged]
            seconds = process_time() - begun
        ends = [smallest(solution) for solution in found]
        products = sum(solution.hessian_products for solution in found)
        left = sum(solution.saddles > 0 for solution in found)
        saddles = [value for value in ends if value < NEGATIVE]
        row(
            name,
            "yes" if looks else "no",
            len(found),
            len(saddles),
            f"{min(saddles):.3g}" if saddles else "",
            left,
            products,
            f"{seconds:.1f}",
        )


def share(repeats: int = 6) -> tuple[float, float]:
    """Of the CPU time of training README's problem, at least and at most."""
    samples = hd.load_dataset("two_moons", n=400, seed=0)
    domain = hd.Domain.around(samples, nodes=61)
    rho = hd.densities(samples, domain, bandwidth=0.2)
    physics = hd.Lagrangian(noise=0.02, smoothness=0.1)
    problem = hd.Problem(domain, hd.layers(16), rho, physics, hd.Classification(weight=10.0))
    look, spent, shares = optimiser.way_down, [0.0], []

    def timed(*given: object) -> object:
        begun = process_time()
        found = look(*given)  # type: ignore[arg-type]
        spent.append(process_time() - begun)
        return found

    with patch.object(optimiser, "way_down", timed):
        for _ in range(repeats + 1):
            begun = process_time()
            hd.train(problem)
            shares.append(spent[-1] / (process_time() - begun))
    return min(shares[1:]), max(shares[1:])  # the first compiles


def main() -> None:
    """Both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=66, help="problems of every kind")
    parser.add_argument("--hard", type=int, default=90, help="problems with targets and without smoothness")
    given = parser.parse_args()
    head("problems", "looks", "converged", "saddles", "lowest eigenvalue", "left", "products", "CPU s")
    show("every kind", map(draw, range(given.first)))
    show("targets, no smoothness", hard(given.hard))
    say("\nOf README's training, percent: {:.1f} to {:.1f}".format(*(100 * np.array(share()))))


if __name__ == "__main__":
    main()
