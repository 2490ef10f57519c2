"""Runs the benchmarks and writes what they print to docs/results.md: one command for every figure of that page.

    python benchmarks/results.py [--only NAME ...] [--without NAME ...] [--rivals] [--out FILE] [--small]

A section is one script. With --only or --without the other sections stay as they are on the page, so that it can be
made a few sections at a time; the page is written after each. The comparisons with other packages (against_*) install
those packages, which needs the network, and run with --rivals only. A script that fails leaves its last words on the
page, the others still run, and the exit code is 1. --small is for trying all this out, with --out naming another page:
tiny sizes, without the scripts that have none.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "benchmarks"
HEADING = """# Results

Made by `python benchmarks/results.py`; below each heading is the command of the section alone. Every section tells when
it ran, for how long, and the load on the machine just before: other work lengthens wall times more than CPU times.
"""
MACHINE = "Machine: "
RIVALS, NETWORK = "against_", "Needs the network:"
VERSIONS = """
import platform, hydrodl, dolfinx, numpy
from petsc4py import PETSc
petsc = ".".join(map(str, PETSc.Sys.getVersion()))
print(f"hydrodl {hydrodl.__version__}, DOLFINx {dolfinx.__version__}, PETSc {petsc}, ", end="")
print(f"NumPy {numpy.__version__}, Python {platform.python_version()}")
"""


class Section(NamedTuple):
    """One script on the page."""

    title: str
    shows: str
    arguments: str = ""
    small: str | None = None  # None: has no small size


SECTIONS = {
    "scaling": Section(
        "Time and memory against unknowns, d = 1, 2, 3",
        "Time of a Newton step, a pair of sweeps and a Hessian product over two decades; linear is an exponent of 1.",
        small="--small",
    ),
    "iterations": Section(
        "Iterations against unknowns, d = 1, 2, 3",
        "Newton and CG counts as layers and nodes are doubled; they should not grow.",
        small="--small",
    ),
    "memory": Section(
        "Memory and cost against layers, nodes and classes",
        "Bytes and microseconds per layer and node, the constants of `hydrodl train --dry-run`.",
        small="--dimensions 1 --classes 2 --largest 3e4",
    ),
    "profile_run": Section(
        "Profile of a training run",
        "How much of a run is spent inside PETSc and DOLFINx, where there, and in which phase.",
        small="--small",
    ),
    "layer_map": Section(
        "Layer-map schemes against box schemes",
        "Errors of J where it is known, the noise that densities feel, and CPU time at equal size, in one run.",
        "--layers 32 --nodes 128",
        small="--small",
    ),
    "references": Section(
        "Both families of schemes against what is known from outside",
        "Errors on equal nodes: linear-quadratic problems, bridges in closed form, mixtures against Sinkhorn.",
        small="--small",
    ),
    "far_bridges": Section(
        "Bridges between far mixtures, and transport as noise vanishes",
        "Densities on their way against Sinkhorn, distances and interpolations against optimal transport.",
        small="--small",
    ),
    "layer_map_analysis": Section(
        "The layer maps under analysis",
        "Exact laws at rounding, orders of modified energies and equations, and what layers add to J.",
    ),
    "edges": Section(
        "The box schemes as nodes are added",
        "Errors of J, signs, Newton steps and the cost of a Hessian product on boxes, a disc and an annulus.",
        small="--small",
    ),
    "resolution": Section(
        "Two moons against the nodes",
        "J, test accuracy, noise and CPU time of both families on finer and finer meshes, in one run.",
        small="--small",
    ),
    "decay": Section(
        "What weight decay costs",
        "Error of J or of the work, Newton steps, products and accuracy against the decay.",
        small="--small",
    ),
    "push": Section(
        "The layer map's kernels",
        "Compiled push and noise against sparse matrices and LAPACK, and a Hessian product of both; ratios of one run.",
        small="--small",
    ),
    "parallel": Section(
        "Strong scaling over MPI ranks, measured",
        "Wall time and phases on one and two ranks; the optimum must not depend on their number.",
        "--ranks 1 2 --repeat 2",
        "--ranks 1 2 --plane 4 13 --space 2 6 --transport 4 13",
    ),
    "ranks": Section(
        "Strong scaling over MPI ranks, modelled",
        "How long an evaluation and a Hessian product would take on many ranks: measured pieces, simulated waiting.",
        small="--small",
    ),
    "strong": Section(
        "Ways to a strong loss at small noise",
        "Steps, products and time of the default and of other ways from the identity network to the same loss.",
        small="--layers 2 --nodes 9 --weight 2 --noise 0.1 --only direct",
    ),
    "hessian_product": Section(
        "A Hessian product against the bare compiled work in it",
        "The ratio tells what there is besides pushes and tridiagonal solves.",
        small="--layers 2 --nodes 9 --repeat 3",
    ),
    "optimisers": Section(
        "Newton against quasi-Newton",
        "Time to the same gradient norm of the same J, by optimiser.",
        small="--layers 4 --nodes 13",
    ),
    "structure": Section(
        "What discrete flows conserve",
        "Multisymplectic sums at rounding, and growing as soon as one term of the scheme is perturbed; drifts; loops.",
    ),
    "modified_orders": Section(
        "Orders of the modified systems",
        "Residuals of the original and of the modified systems and energies, with observed orders.",
    ),
    "certificates": Section(
        "Certified radii against attacks",
        "Radii that three methods prove, and what projected gradient achieves within them and beyond, ONNX included; "
        "verdicts on random neuron networks against the smallest determinant found.",
        small="--small",
    ),
    "widths": Section(
        "Neurons, fixed and trained whole, against the field",
        "J of every width relative to the optimum over all velocities of the mesh.",
        small="--small",
    ),
    "modified_solved": Section(
        "The modified system solved, and layers corrected by it",
        "Distances of the discrete solution to the modified system's, and objectives after correction, with orders.",
        small="--small",
    ),
    "strang_parts": Section(
        "What keeps an error of first order in `strang`",
        "Differences of J between numbers of layers, with parts of the running cost and of the scheme switched off.",
        small="--small",
    ),
    "error_bar": Section(
        "J with an error bar", "The estimate beside the error against four times the layers and nodes.", small="--small"
    ),
    "recommendation": Section(
        "Layers and nodes recommended",
        "Those that `recommend` finds by measuring, the distance they are expected to leave and leave, and the fewest.",
        small="--small",
    ),
    "marches": Section(
        "Marches about a uniform gas", "Which are certified from their first state, and whether any of those gets away."
    ),
    "box_bounds": Section(
        "Bounds of the box schemes",
        "Fewest layers and nodes, predicted and observed, on a map over both; no run fails whose own bound holds.",
        small="--small",
    ),
    "training_stability": Section(
        "Stability of training",
        "Steps of descent, Newton's ball and changes of the data, predicted and observed.",
        small="--problems 2 --balls 1 --each 1",
    ),
    "saddles": Section(
        "Saddles",
        "Random problems that end in one, without and with looking, and what looking costs.",
        small="--first 2 --hard 1",
    ),
    "adaptivity": Section(
        "Placed layers and refined meshes",
        "Their error of J, and how many equal layers or uniform nodes have the same error.",
        small="--case early_loss",
    ),
    "accuracy": Section(
        "Accuracy beside scikit-learn",
        "Median test accuracy and CPU time of fits of `HydroClassifier`, `MLPClassifier` and `SVC`.",
        "--first-seed 200",
        "--small --only wine",
    ),
    "import_time": Section(
        "Time to import, and to a first trained problem",
        "CPU time against version 0.1.0; `import hydrodl` must take at most 60 percent of what it took.",
        "eecd8d7",
        "eecd8d7 --repeat 1",
    ),
    "against_adjoint": Section(
        "Against dolfinx-adjoint and L-BFGS",
        "CPU time to the same relative gradient of the same discrete problem.",
        small="--small",
    ),
    "against_mfgsolver": Section(
        "Against mfgsolver", "Error of J against time where J is known in closed form.", small="--small"
    ),
    "against_jax": Section(
        "Against JAX, L-BFGS and Adam", "CPU time to the same J of the same discrete problem.", small="--small"
    ),
}


@cache
def machine() -> str:
    """Hardware and versions in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    # in a process of its own: this one starts mpiexec and must not have started MPI itself
    packages = subprocess.run([sys.executable, "-c", VERSIONS], check=True, stdout=subprocess.PIPE, text=True).stdout
    return f"{MACHINE}{cores} core{'s' * (cores > 1)}, {processor()}, {memory:.0f} GiB; {packages.strip()}."


def processor() -> str:
    """The model of the processor, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "processor unknown"
    )


def as_markdown(said: str) -> str:
    """Tables and headings as they are, everything else as it looked in a terminal."""

    def kind(line: str) -> str:
        return "table" if line.startswith("|") else "heading" if line.startswith("#") else "words"

    out = []
    for what, lines in groupby(said.splitlines(), kind):
        block = "\n".join(lines).strip("\n")
        if block:
            out.append(f"```text\n{block}\n```" if what == "words" else block)
    return "\n\n".join(out)


def run(name: str, section: Section, arguments: str) -> tuple[str, bool]:
    """The text of a section, and whether its script succeeded."""
    load, began = os.getloadavg()[0], perf_counter()
    command = [sys.executable, str(SCRIPTS / f"{name}.py"), *arguments.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    seconds, fine = perf_counter() - began, done.returncode == 0
    body = as_markdown(done.stdout)
    if not fine:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1].replace(f"{ROOT}{os.sep}", "")
        body = f"{body}\n\n**Failed** with exit code {done.returncode}:\n\n```text\n{last}\n```".lstrip()
    footer = f"{datetime.now():%Y-%m-%d}, {seconds:.0f} s, load before {load:.1f}."
    typed = " ".join(["python", f"benchmarks/{name}.py", *arguments.split()])
    return "\n\n".join([section.shows, f"```sh\n{typed}\n```", body, footer]), fine


def stored(page: Path) -> dict[str, str]:
    """The sections of an existing page by title; those from another machine say so."""
    if not page.exists():
        return {}
    head, *parts = ("\n" + page.read_text()).split("\n## ")
    old = next((line for line in head.splitlines() if line.startswith(MACHINE)), "")
    found = {}
    for part in parts:
        title, _, body = part.partition("\n")
        body = body.strip()
        if not body.startswith(NETWORK):
            found[title.strip()] = body if old == machine() or f"\n{MACHINE}" in body else f"{body}\n\n{old}"
    return found


def pointer(name: str) -> str:
    """What stands for a comparison that has not run here."""
    typed = f"python benchmarks/results.py --rivals --only {name}"
    return f"{NETWORK} `{typed}`. [comparisons.md](comparisons.md) has the figures of an earlier run."


def write(page: Path, texts: dict[str, str]) -> None:
    """The page with the sections that there are, in their order; whole at any moment."""
    parts = [HEADING, machine() + "\n"]
    for name, section in SECTIONS.items():
        text = texts.get(section.title) or (pointer(name) if name.startswith(RIVALS) else None)
        if text:
            parts.append(f"## {section.title}\n\n{text}\n")
    page.parent.mkdir(parents=True, exist_ok=True)
    partial = page.with_name(f".{page.name}.partial")
    partial.write_text("\n".join(parts))
    partial.replace(page)


def chosen(given: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Names and arguments of the sections to run."""
    for name, section in SECTIONS.items():
        wanted = name in given.only if given.only else given.rivals or not name.startswith(RIVALS)
        arguments = section.small if given.small else section.arguments
        if wanted and name not in given.without:
            if arguments is None:
                print(f"{name}: no small size, left out", flush=True)
            else:
                yield name, arguments


def options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=[], metavar="NAME", help=", ".join(SECTIONS))
    parser.add_argument("--without", nargs="+", choices=SECTIONS, default=[], metavar="NAME")
    parser.add_argument("--rivals", action="store_true", help="also the comparisons that install other packages")
    parser.add_argument("--out", type=Path, help="default: docs/results.md")
    parser.add_argument("--small", action="store_true", help="tiny sizes, to see that it works")
    given = parser.parse_args(words)
    named = [name for name in given.only if name.startswith(RIVALS)]
    if named and not given.rivals:
        parser.error(f"{named[0]} installs another package: add --rivals")
    if given.small and given.out is None:
        parser.error("figures of tiny sizes do not belong in docs/results.md: name another page with --out")
    given.out = given.out or ROOT / "docs" / "results.md"
    return given


def main(words: list[str] | None = None) -> int:
    given = options(words)
    texts, failed = stored(given.out), []
    for name, arguments in chosen(given):
        print(f"{name} ...", end=" ", flush=True)
        began = perf_counter()
        texts[SECTIONS[name].title], fine = run(name, SECTIONS[name], arguments)
        print(f"{perf_counter() - began:.0f} s{'' if fine else ', FAILED'}", flush=True)
        if not fine:
            failed.append(name)
        write(given.out, texts)
    print(f"wrote {given.out}" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
