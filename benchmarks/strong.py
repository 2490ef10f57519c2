"""Ways to a strong loss at small noise: Newton steps, Hessian products and CPU time from the identity network.

    python benchmarks/strong.py [--layers 8] [--nodes 21] [--weight 50] [--noise 0.01] [--scheme NAME] [--only ...]

Two spirals. "default" is hydrodl's: both weight and noise in stages where weight / noise >= 4000 (layer maps: 10000,
of the noise that densities feel), else "direct", one Newton solve. The others go through easier problems first, each
solved to a gradient norm of 3e-2: weight an eighth, a quarter, a half; noise eight, four, two times; both; half the
layers and nodes each way. Or they change one PETSc option. Steps and products count all stages. The optimum need not
be the same: J is not convex. ``--limit`` is tao_max_it of every stage.
"""

from __future__ import annotations

import argparse
from time import process_time
from typing import Any

import numpy as np

import hydrodl as hd
from hydrodl.adaptivity.velocity_transfer import transfer

FACTORS = (8.0, 4.0, 2.0, 1.0)
OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "direct": {},
    "line search only": {"tao_type": "bnls"},
    "trust region only": {"tao_type": "bntr"},
    "forcing 0.5": {"tao_ksp_rtol": 0.5},
    "forcing 1e-2": {"tao_ksp_rtol": 1e-2},
    "Nash": {"tao_ksp_type": "nash"},
    "quasi-Newton": {"tao_type": "bqnls"},
}
STAGED = ("weight", "noise", "weight and noise", "nested")


def spirals(layers: int, nodes: int, weight: float, noise: float, scheme: str | None = None) -> hd.Problem:
    """Two spirals of 400 samples."""
    samples = hd.load_dataset("two_spirals", n=400, seed=0)
    domain = hd.Domain.around(samples, nodes=nodes)
    rho = hd.densities(samples, domain, bandwidth=0.1)
    physics = hd.Lagrangian(noise=noise, decay=0.02, smoothness=0.1)
    return hd.Problem(domain, hd.layers(layers), rho, physics, hd.Classification(weight), scheme)


def stages(name: str, given: argparse.Namespace) -> list[hd.Problem]:
    """The problems of one way, the last of them the one that was asked for."""
    layers, nodes, weight, noise, scheme = given.layers, given.nodes, given.weight, given.noise, given.scheme
    whole = spirals(layers, nodes, weight, noise, scheme)
    if name == "nested":
        return [spirals(layers // 2, (nodes + 1) // 2, weight, noise, scheme), whole]
    if name not in STAGED:
        return [whole]
    lighter = FACTORS if "weight" in name else (1.0,) * len(FACTORS)
    louder = FACTORS if "noise" in name else (1.0,) * len(FACTORS)
    return [spirals(layers, nodes, weight / w, noise * n, scheme) for w, n in zip(lighter, louder, strict=True)]


def identity(problem: hd.Problem) -> np.ndarray:
    """The identity network, named: hydrodl does not go through easier problems then."""
    return np.zeros((len(problem.layers), problem.domain.dimension, problem.domain.owned))


def one(name: str, given: argparse.Namespace) -> dict[str, Any]:
    """Solve one way; counts of all stages, and J and gradient norm of the last."""
    options = OPTIONS.get(name, {}) | ({} if name == "default" else {"tao_max_it": given.limit})
    began = process_time()
    *easier, problem = stages(name, given)
    start, counts = None if name == "default" else identity(easier[0] if easier else problem), np.zeros(2, dtype=int)
    for stage in easier:
        found = hd.train(stage, options=options | {"tao_gatol": 3e-2}, initial=start)
        start = transfer(found, problem) if name == "nested" else found.velocity
        counts += (found.iterations, found.hessian_products)
    found = hd.train(problem, options=options | {"tao_gatol": 1e-5}, initial=start)
    counts += (found.iterations, found.hessian_products)
    return {"found": found, "steps": counts[0], "products": counts[1], "cpu": process_time() - began}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--nodes", type=int, default=21)
    parser.add_argument("--weight", type=float, default=50.0)
    parser.add_argument("--noise", type=float, default=0.01)
    parser.add_argument("--scheme")
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--only", nargs="+", choices=[*OPTIONS, *STAGED], default=[*OPTIONS, *STAGED])
    given = parser.parse_args()
    hd.train(spirals(2, 9, 1.0, 0.1), options={"tao_max_it": 1})  # imports and compiled forms
    print(f"{given.layers} layers, {given.nodes} x {given.nodes} nodes, weight {given.weight}, noise {given.noise}\n")
    print("| way | Newton steps | Hessian products | CPU s | ratio | J | gradient norm | converged |")
    print("|---|---|---|---|---|---|---|---|")
    first = None
    for name in given.only:
        row = one(name, given)
        first = first or row["cpu"]
        found = row["found"]
        print(
            f"| {name} | {row['steps']} | {row['products']} | {row['cpu']:.1f} | {row['cpu'] / first:.2f} "
            f"| {found.objective:.6f} | {found.gradient_norm:.1e} | {'yes' if found.converged else 'no'} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
