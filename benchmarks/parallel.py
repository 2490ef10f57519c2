"""Strong scaling of training over MPI ranks, with the time of each phase.

    python benchmarks/parallel.py [--ranks 1 2] [--repeat 1] [--schemes strang euler-box]
                                  [--share layers nodes] [--plane 32 128] [--space 16 41] [--transport 32 128]

"plane" is two moons on nodes x nodes, "space" is two classes in d = 3 on nodes^3, "transport" carries one density to
another on nodes x nodes by a loss that is curved, so that no two sweeps go at once: the hardest case. Each has layers
and nodes as given, no nodes leave it out. Box schemes take (8, 24) for "space", unless it is given.
--share forces how the ranks share out layer maps, by layers or by nodes; each is a table of its own.
Every run is a process group of its own; wall time counts from the problem to the solution, after a small training that
loads the compiled forms. CPU is the largest over ranks; phases are wall times on the rank where each took longest.
Ranks that wait spin, so that CPU time is no measure of balance; "user" is the part of it outside the system, where
waiting that yields counts little. GB is the peak resident size of all ranks, libraries included. The optimum must be
the same on any number of ranks.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from itertools import product
from os import times
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

CASES = {"plane": 2, "space": 3, "transport": 2}
PHASES = ("assembly", "sweeps", "optimiser")


def transport(layers: int, nodes: int, scheme: str) -> Any:
    """One class from one mixture to another, d = 2."""
    import hydrodl as hd

    domain = hd.Domain.box([-3.0] * 2, [3.0] * 2, nodes)
    start = hd.mixture([hd.Gaussian([-1.0, 0.0], 0.5)], domain)
    target = hd.mixture([hd.Gaussian([1.0, 0.5], 0.6)], domain)
    physics = hd.Lagrangian(noise=0.05, decay=0.02, smoothness=0.1)
    return hd.Problem(domain, hd.layers(layers), start, physics, hd.Density(5.0, target, "kl"), scheme)


def in_space(layers: int, nodes: int, scheme: str | None = None) -> Any:
    """Two classes of two Gaussians each, crosswise, d = 3."""
    import hydrodl as hd

    domain = hd.Domain.box([-3.0] * 3, [3.0] * 3, nodes)
    corners = [((-1.0, -1.0, -0.5), "a"), ((1.0, 1.0, -0.5), "a"), ((-1.0, 1.0, 0.5), "b"), ((1.0, -1.0, 0.5), "b")]
    rho = hd.mixture([hd.Gaussian(mean, 0.5, label=label) for mean, label in corners], domain)
    physics = hd.Lagrangian(noise=0.05, decay=0.02, smoothness=0.1)
    return hd.Problem(domain, hd.layers(layers), rho, physics, hd.Classification(10.0), scheme)


def one(case: str, scheme: str, layers: int, nodes: int, share: str = "") -> None:
    """Train on the ranks at hand and print the measurements as JSON."""
    from memory import peak_bytes
    from moons import two_moons

    import hydrodl as hd  # isort: skip
    from mpi4py import MPI

    make = {"plane": two_moons, "space": in_space, "transport": transport}[case]
    hd.train(make(2, 5, scheme))  # imports and compiled forms
    comm = MPI.COMM_WORLD
    problem = make(layers, nodes, scheme)
    comm.Barrier()
    wall, cpu, user = perf_counter(), process_time(), times().user
    found = hd.train(problem, options={"slab_share": share} if share else {})
    wall, cpu, user = perf_counter() - wall, process_time() - cpu, times().user - user
    measured = {"wall": wall, "cpu": cpu, "user": user} | {phase: found.timings[phase] for phase in PHASES}
    measured = {name: comm.allreduce(value, MPI.MAX) for name, value in measured.items()}
    measured["memory"] = comm.allreduce(peak_bytes()) / 1e9
    if comm.rank == 0:
        about = {"unknowns": problem.unknowns, "objective": found.objective, "converged": found.converged}
        print(json.dumps(measured | about | {"newton": found.iterations, "products": found.hessian_products}))


def run(ranks: int, case: str, scheme: str, layers: int, nodes: int, share: str) -> dict[str, Any]:
    """The measurements of one run in a process group of its own."""
    beside = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    if mpiexec is None:
        raise SystemExit("no mpiexec beside this Python nor on the path")
    size = [str(layers), str(nodes), *filter(None, [share])]
    command = [mpiexec, "-n", str(ranks), sys.executable, __file__, "--one", case, scheme, *size]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    return dict(json.loads(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", nargs="+", help="one run only, as JSON: case, scheme, layers, nodes, perhaps share")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeat", type=int, default=1, help="runs of each; the fastest counts")
    parser.add_argument("--schemes", nargs="+", default=["strang", "euler-box"])
    parser.add_argument("--share", nargs="+", default=[""], choices=["layers", "nodes"])
    for case in CASES:
        parser.add_argument(f"--{case}", type=int, nargs="*", metavar="N", help="layers, nodes")
    given = parser.parse_args()
    if given.one:
        case, scheme, *size, share = [*given.one, ""][:5]
        one(case, scheme, int(size[0]), int(size[1]), share)
        return
    for scheme, (case, d), share in product(given.schemes, CASES.items(), given.share):
        size = getattr(given, case)
        layers, nodes = size or ((32, 128) if d == 2 else (16, 41) if scheme in ("strang", "residual") else (8, 24))
        if size == []:
            continue
        print(f"\n{case}, {scheme}, {layers} layers, {nodes}^{d} nodes{share and f', shared out by {share}'}\n")
        columns = ("wall s", "CPU s", "user s", *(f"{phase} s" for phase in PHASES), "Newton", "products", "J", "GB")
        print(f"| ranks | {' | '.join(columns)} | speed-up |\n{'|---' * (len(columns) + 2)}|")
        first: dict[str, Any] = {}
        for ranks in given.ranks:
            runs = [run(ranks, case, scheme, layers, nodes, share) for _ in range(given.repeat)]
            row = min(runs, key=lambda found: found["wall"])
            first = first or row
            seconds = " | ".join(f"{row[name]:.2f}" for name in ("wall", "cpu", "user", *PHASES))
            print(
                f"| {ranks} | {seconds} | {row['newton']} | {row['products']} "
                f"| {row['objective']:.10f} | {row['memory']:.1f} | {first['wall'] / row['wall']:.2f} |",
                flush=True,
            )
            if not row["converged"] or abs(row["objective"] - first["objective"]) > 1e-8 * abs(first["objective"]):
                raise SystemExit("the optimum depends on the number of ranks, or was not found")


if __name__ == "__main__":
    main()
