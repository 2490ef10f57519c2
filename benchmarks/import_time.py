"""CPU time of `import hydrodl`, and of what a user waits for first, against an older version.

    python benchmarks/import_time.py OLD [--repeat 10] [--only CASE ...]

OLD is a folder with the older version, or a revision of this repository. Every line of Python runs in processes of its
own, old and new by turns, so that whatever else the machine does meets both; the median CPU seconds of all their
threads are printed. The first process of each is not counted: it compiles what is cached.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
PROBLEM = """
import numpy as np, hydrodl as hd
x = np.random.default_rng(0).normal(size=(100, 2)) + np.repeat([[-1.0, 0.0], [1.0, 0.0]], 50, axis=0)
samples = hd.Samples(x, np.repeat([0, 1], 50), ("left", "right"), ("x1", "x2"), hd.Preprocessing.fit(x))
domain = hd.Domain.around(samples, nodes=9)
densities = hd.densities(samples, domain, bandwidth=0.3)
physics = hd.Lagrangian(noise=0.1, smoothness=0.1)
hd.train(hd.Problem(domain, hd.layers(4), densities, physics, hd.Classification(weight=10.0)))
"""
CASES = {
    "import hydrodl": ["-c", "import hydrodl"],
    "from hydrodl import Problem": ["-c", "from hydrodl import Problem"],
    "hydrodl --version": ["-m", "hydrodl", "--version"],
    "to a first trained problem": ["-c", PROBLEM],
}


def seconds(tree: Path, arguments: list[str]) -> float:
    """CPU seconds, user and system, of one Python process that imports from a tree."""
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    silent = {"stdout": subprocess.DEVNULL, "stderr": None if tree == ROOT else subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, *arguments], cwd=tree, env=environment, **silent)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0 and tree == ROOT:
        sys.exit(f"{' '.join(arguments)} ended with exit code {process.returncode}")
    if process.returncode != 0:
        return float("nan")  # what another package's update did to the older version is no concern here
    return used.ru_utime + used.ru_stime


def older(name: str, folder: Path) -> Path:
    """The folder of that name, or that revision of this repository, unpacked."""
    if Path(name).is_dir():
        return Path(name).resolve()
    done = subprocess.run(["git", "archive", name, "hydrodl"], cwd=ROOT, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"{name} is neither a folder nor a revision of {ROOT}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", metavar="OLD", help="folder or revision to compare with")
    parser.add_argument("--repeat", type=int, default=10, help="counted processes of each (default 10)")
    parser.add_argument("--only", choices=CASES, nargs="+", default=list(CASES), metavar="CASE")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        trees = older(given.old, Path(folder)), ROOT
        print(f"CPU seconds, medians of {given.repeat}\n\n| case | {given.old} | now | ratio |\n|---|---|---|---|")
        for name in given.only:
            both = [[seconds(tree, CASES[name]) for tree in trees] for _ in range(given.repeat + 1)][1:]
            old, new = (statistics.median(column) for column in zip(*both, strict=True))
            print(f"| {name} | {old:.2f} | {new:.2f} | {new / old:.2f} |", flush=True)


if __name__ == "__main__":
    main()
