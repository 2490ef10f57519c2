"""The directory of a run: the names of its files, whether it can be written to, and reading a finished one back."""

from __future__ import annotations

import hashlib
import math
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mpi4py import MPI

from hydrodl.common.errors import InputError
from hydrodl.common.parallel import attempt, on_root, partial
from hydrodl.data.class_densities import Densities
from hydrodl.data.preprocessing import Preprocessing
from hydrodl.data.samples import Samples
from hydrodl.files.checkpoint import checkpoint_sizes, load_checkpoint, load_mesh
from hydrodl.files.model_record import check_densities, check_model, point, recorded_samples
from hydrodl.files.record_schema import FactsTable, ModelTable, SamplesTables, checked
from hydrodl.mesh.domain import Domain
from hydrodl.network.network import Network
from hydrodl.problem.solution import Solution
from hydrodl.problem_file import building
from hydrodl.problem_file import reading as config
from hydrodl.problem_file.schema import Config
from hydrodl.problem_file.settling import make_layers

REPORT, PROBLEM, CHECKPOINT = "report.json", "problem.toml", "solution.h5"


_SIGNED = "# What was solved, with nothing left open. A run replaces this file unless it has been edited: sha256 {}\n"


@dataclass(frozen=True, eq=False)
class Run:
    """What a directory of a finished run holds.

    Attributes:
        config: the problem file as solved.
        solution: the solution, on any number of ranks.
        preprocessing: from raw features to mesh coordinates.
        train, test: some of the samples, as many as figures show; None where there were none.
    """

    config: Config
    solution: Solution
    preprocessing: Preprocessing
    train: Samples
    test: Samples | None

    @property
    def network(self) -> Network:
        """The residual network of the solution, on raw features."""
        return Network(self.solution, self.preprocessing)


def check_writable(folder: Path, comm: MPI.Comm = MPI.COMM_WORLD) -> None:
    """Make the output directory and see that files can be written in it; collective.

    Raises:
        InputError: they cannot.
    """

    def test() -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"hydrodl")
        except OSError as error:
            raise InputError(f"output directory {folder} cannot be written: {error.strerror}") from None

    on_root(comm, test)


def signed(text: str) -> str:
    """A run's problem.toml: with a first line by which a later run knows that nobody has edited it."""
    return _SIGNED.format(hashlib.sha256(text.encode()).hexdigest()) + text


def check_replaceable(folder: Path, comm: MPI.Comm) -> None:
    """See that a problem.toml in the output directory is a run's own, and not the user's; collective.

    Raises:
        InputError: it is not, or has been edited since.
    """

    def test() -> None:
        path = folder / PROBLEM
        if not path.exists():
            return
        first, _, text = path.read_bytes().decode("utf-8", "replace").partition("\n")
        if signed(text) != f"{first}\n{text}":
            edited = "has been edited" if re.match(_SIGNED.partition(":")[0], first) else "is not a run's own"
            raise InputError(
                f"{path} {edited}, and training would replace it: choose another --out, or give it another name"
            )

    on_root(comm, test)


@contextmanager
def retired_report(folder: Path, comm: MPI.Comm) -> Iterator[None]:
    """Around the first file of a new run: the report of the one before goes if that file is written, else it stays.

    Collective.
    """
    report, aside = folder / REPORT, partial(folder / REPORT)

    def move(source: Path, target: Path) -> None:
        if comm.rank == 0 and source.exists():
            source.replace(target)

    attempt(comm, lambda: move(report, aside))
    try:
        yield
    except BaseException:
        with suppress(OSError):
            move(aside, report)
        raise
    on_root(comm, lambda: aside.unlink(missing_ok=True))


def load(folder: Path, comm: MPI.Comm = MPI.COMM_WORLD) -> Run:
    """Read the directory of a finished run and nothing else: no table, no mesh file. Collective.

    Raises:
        InputError: no such directory, a file missing or damaged, or a run that has not finished.
    """
    if not comm.bcast((folder / PROBLEM).is_file() and (folder / CHECKPOINT).is_file() if comm.rank == 0 else None):
        raise InputError(f"{folder} is not the directory of a run: it has no {PROBLEM} and {CHECKPOINT}")
    solved, path = config.load(folder / PROBLEM, comm=comm, check_data=False), folder / CHECKPOINT
    domain = _domain(solved, path, comm)
    found = load_checkpoint(path, domain, make_layers(solved))
    if found.density is None or found.potential is None:
        raise InputError(f"the run in {folder} has not finished; continue it with hydrodl train --resume")
    held = checked(path, ModelTable, found.attributes.get("model"))
    samples = checked(path, SamplesTables, found.attributes.get("samples"))
    facts = checked(path, FactsTable, found.attributes)
    check_densities(path, domain, found, held, facts)
    classes, preprocessing = tuple(held.class_names), held.preprocessing.made
    rho = Densities(domain, found.density[0], classes, preprocessing)
    targets = [Densities(domain, values, classes) for values in (() if found.targets is None else found.targets)]
    if len(targets) != (wanted := len(solved.data.snapshots or [()]) - 1):
        raise InputError(f"checkpoint {path} holds {len(targets)} target densities, must be {wanted}")
    controls = point(held, found.velocity)
    problem = building.make_problem(solved, rho, controls.readout, targets)
    check_model(path, held, problem)
    jumps = np.zeros_like(found.potential[1:]) if found.jumps is None else found.jumps
    flow = problem.flow(found.velocity, found.density, found.potential, jumps)
    A, hidden = controls.coefficients, controls.hidden
    solution = Solution(problem=problem, flow=flow, coefficients=A, hidden=hidden, **dict(facts))
    test = None if samples.test is None else recorded_samples(samples.test, rho)
    return Run(solved, solution, preprocessing, recorded_samples(samples.train, rho), test)


def _domain(solved: Config, path: Path, comm: MPI.Comm) -> Domain:
    """The mesh of a run: the one that the checkpoint keeps, where it came from a file, or the box.

    Only what the checkpoint holds as many values for is ever made.
    """
    box = solved.domain
    layers, nodes = checkpoint_sizes(path, comm)
    if solved.network.count != layers:
        raise InputError(f"checkpoint {path} was written for other layers: {layers}, not {solved.network.count}")
    if box.mesh is not None:
        return Domain(load_mesh(path, comm), box.degree, bool(box.lumped))
    if box.lower is None or box.upper is None or box.nodes is None:
        raise InputError(f"{path.with_name(PROBLEM)} has no domain.lower and upper; it is not that of a finished run")
    counts: list[int] = box.nodes if isinstance(box.nodes, list) else [box.nodes] * len(box.lower)
    if (wanted := math.prod(box.degree * (n - 1) + 1 for n in counts)) != nodes:
        raise InputError(f"checkpoint {path} was written for another mesh: {nodes} nodes, not {wanted}")
    return building.make_domain(solved)
