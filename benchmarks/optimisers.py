"""Newton-CG against L-BFGS to the same gradient norm, two moons, in one run.

    python benchmarks/optimisers.py [--layers 16] [--nodes 61] [--gatol 1e-5] [--scheme strang]

All minimise the same J_h with the same exact gradient, so that only the optimiser differs. L-BFGS starts from the
control inner product; plain L-BFGS starts from the identity, as an optimiser that knows nothing of the problem must.
"""

from __future__ import annotations

import argparse
from time import process_time

from moons import two_moons

import hydrodl as hd

KINDS = {"Newton-CG": "bntl", "Newton-CG, trust region": "bntr", "L-BFGS": "bqnls", "plain L-BFGS": "lmvm"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--nodes", type=int, default=61)
    parser.add_argument("--gatol", type=float, default=1e-5)
    parser.add_argument("--scheme", default="strang")
    given = parser.parse_args()
    problem = two_moons(given.layers, given.nodes, given.scheme)
    hd.train(problem, options={"tao_max_it": 1})  # compiled forms
    print("| optimiser | converged | steps | Hessian products | J | CPU s | ratio |")
    print("|---|---|---|---|---|---|---|")
    first = None
    for name, kind in KINDS.items():
        start = process_time()
        found = hd.train(problem, options={"tao_type": kind, "tao_gatol": given.gatol, "tao_max_it": 2000})
        seconds = process_time() - start
        first = first or seconds
        print(
            f"| {name} (`tao_type={kind}`) | {found.converged} | {found.iterations} | {found.hessian_products} "
            f"| {found.objective:.8f} | {seconds:.2f} | {seconds / first:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
