"""What a dry run says, and that a problem too large for the memory is refused before anything of it is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from mpi4py import MPI

from hydrodl.application import cli
from hydrodl.common import memory
from hydrodl.common.errors import InputError
from hydrodl.problem_file import building as _build
from hydrodl.problem_file import machine as _machine
from hydrodl.problem_file import reading as config
from hydrodl.problem_file.size_estimate import Sizes, check_memory, fitting, memory_bytes, seconds, sizes_of
from tests.builders.cli_runs import GAUSSIANS, MOONS

SQUARE = Sizes(layers=64, nodes=(201, 101), dimension=2, classes=2)
CUBE = Sizes(layers=16, nodes=(48, 48, 48), dimension=3, classes=2)

PROBLEMS = {
    "moons": MOONS,
    "moons lifted": MOONS.replace("samples = 60", "samples = 60\nlift = 1"),
    "neurons": MOONS.replace("layers = 3", "layers = 3\nwidth = 7"),
    "whole neurons": MOONS.replace("layers = 3", 'layers = 3\nwidth = 7\nhidden_weights = "trained"'),
    "simplices of degree 2": MOONS.replace("nodes = 11", 'nodes = [7, 6]\ncells = "simplex"\ndegree = 2'),
    "line": GAUSSIANS.replace("layers = 6", "times = [0.0, 0.1, 0.5, 2.0]"),
    "snapshots": """
[[data.snapshots]]
time = 0.0
mixture = [{mean = [-1.0], std = 0.3}]
[[data.snapshots]]
time = 1.0
mixture = [{mean = [1.0], std = 0.3}]
[domain]
nodes = 31
[network]
layers = 4
""",
}


@pytest.fixture
def problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> Path:
        (tmp_path / "p.toml").write_text(text)
        return tmp_path / "p.toml"

    return write


@pytest.fixture
def nothing_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Building a mesh or densities is a failure."""
    for name in ("make_domain", "densities_on", "make_problem"):
        monkeypatch.setattr(_build, name, lambda *_, name=name, **__: pytest.fail(f"{name} was called"))


@pytest.mark.parametrize("name", PROBLEMS)
def test_sizes_are_those_of_the_problem_built(name: str, problem: Callable[[str], Path]) -> None:
    wanted = config.load(problem(PROBLEMS[name]))
    known, built = _build.sizes(wanted), _build.setup(wanted).problem
    assert known.unknowns == built.unknowns and known.count == built.domain.nodes
    assert replace(known, nodes=known.count) == sizes_of(built)


def test_schemes_without_factors_need_less(problem: Callable[[str], Path]) -> None:
    """The scheme of the problem file counts, settled where it is left out: half the memory at most in d = 2 and 3."""
    wanted = [config.load(problem(MOONS), [f'network.scheme="{name}"']) for name in ("euler-box", "strang-cubic")]
    boxes, maps = (_build.sizes(one) for one in wanted)
    assert maps == replace(boxes, maps=True)
    for sizes in (SQUARE, CUBE):
        assert memory_bytes(replace(sizes, maps=True)) < 0.5 * memory_bytes(sizes)
        assert seconds(replace(sizes, maps=True)) < seconds(sizes)


def test_dry_run_builds_nothing(
    problem: Callable[[str], Path], capsys: pytest.CaptureFixture[str], nothing_built: None
) -> None:
    for text in PROBLEMS.values():
        assert cli.invoke(["train", str(problem(text)), "--dry-run"]) == 0
    problem(MOONS)
    capsys.readouterr()
    settings = ["domain.nodes=[301,201]", "network.layers=50"]
    assert cli.invoke(["train", "p.toml", "--dry-run", *(w for s in settings for w in ("--set", s))]) == 0
    words = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert list(words) == ["layers", "nodes", "unknowns", "memory", "time"]
    assert words["nodes"].split()[1:] == [str(301 * 201), "(301", "x", "201)"]
    assert words["unknowns"].split()[1] == str(50 * 301 * 201 * 6)
    assert "GiB free" in words["memory"] and "1 rank" in words["time"]


def test_mesh_file_is_read_for_its_size(problem: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    import meshio
    import numpy as np

    x, y = (c.ravel() for c in np.meshgrid(np.linspace(-4, 4, 6), np.linspace(-4, 4, 5), indexing="ij"))
    corner = (np.arange(5)[:, None] * 5 + np.arange(4)).ravel()
    cells = np.concatenate([np.stack(corner + np.array(p)[:, None], axis=1) for p in ([0, 5, 6], [0, 6, 1])])
    meshio.write("square.vtu", meshio.Mesh(np.stack([x, y, 0 * x], axis=1), [("triangle", cells)]))
    wanted = config.load(problem(MOONS.replace("nodes = 11", 'mesh = "square.vtu"')))
    known, built = _build.sizes(wanted), _build.setup(wanted).problem
    assert known == sizes_of(built) and known.count == 30 and known.lumped
    assert cli.invoke(["train", "p.toml", "--dry-run"]) == 0
    assert "nodes     30\n" in capsys.readouterr().out


@pytest.mark.parametrize("dry", [["--dry-run"], []])
def test_problem_that_cannot_fit_is_refused_before_anything_is_built(
    dry: list[str], problem: Callable[[str], Path], capsys: pytest.CaptureFixture[str], nothing_built: None
) -> None:
    problem(MOONS)
    size = ["--set", "domain.nodes=20000", "--set", "network.layers=1000"]
    assert cli.invoke(["train", "p.toml", *dry, *size]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and "1000 layers x 20000 x 20000 nodes need about" in said.err
    assert "what would fit: 1000 layers x" in said.err
    assert ("unknowns" in said.out) == bool(dry) and not list(Path().glob("p-run/*"))


def test_a_problem_that_fits_is_not_refused() -> None:
    check_memory(SQUARE, MPI.COMM_WORLD, available=1.001 * memory_bytes(SQUARE))
    check_memory(SQUARE, MPI.COMM_WORLD, available=float("inf"))
    with pytest.raises(InputError, match="64 layers x 201 x 101 nodes need"):
        check_memory(SQUARE, MPI.COMM_WORLD, available=0.999 * memory_bytes(SQUARE))


@pytest.mark.parametrize("wanted", [SQUARE, CUBE, replace(SQUARE, width=500), replace(SQUARE, lumped=False, degree=2)])
def test_sizes_that_would_fit_fit_and_no_larger_ones(wanted: Sizes) -> None:
    room = 0.6 * memory_bytes(wanted)
    thinner, shallower = (parsed(text, wanted) for text in fitting(wanted, room))
    assert thinner.layers == wanted.layers and shallower.nodes == wanted.nodes
    assert isinstance(thinner.nodes, tuple)
    for small in (thinner, shallower):
        assert memory_bytes(small) <= room
    assert memory_bytes(replace(thinner, nodes=tuple(n + 1 for n in thinner.nodes))) > room
    assert memory_bytes(replace(shallower, layers=shallower.layers + 1)) > room


def parsed(text: str, wanted: Sizes) -> Sizes:
    layers, _, *nodes = text.removesuffix(" nodes").replace(" x ", " ").split()
    return replace(wanted, layers=int(layers), nodes=tuple(int(n) for n in nodes))


def test_where_hardly_anything_fits_fewer_ways_are_named() -> None:
    one_layer = memory_bytes(replace(SQUARE, layers=1))
    assert len(fitting(SQUARE, 0.9 * one_layer)) == 1  # fewer nodes only
    assert fitting(SQUARE, 1.0) == []
    with pytest.raises(InputError, match="what would fit: nothing"):
        check_memory(SQUARE, MPI.COMM_WORLD, available=1.0)
    assert len(fitting(replace(SQUARE, nodes=20301), 0.3 * memory_bytes(SQUARE))) == 1  # a mesh file: fewer layers only


def test_more_of_anything_needs_more_memory_and_time() -> None:
    for wanted in (SQUARE, CUBE, Sizes(10, (400,), 1, 2), replace(SQUARE, maps=True), replace(CUBE, maps=True)):
        assert isinstance(wanted.nodes, tuple)
        finer = replace(wanted, nodes=tuple(2 * n for n in wanted.nodes))
        for more in (replace(wanted, layers=2 * wanted.layers), replace(wanted, classes=5), finer):
            assert memory_bytes(more) > memory_bytes(wanted) and seconds(more) > seconds(wanted)
        assert memory_bytes(replace(wanted, width=1000)) > memory_bytes(wanted)
        assert memory_bytes(finer) >= 2 ** len(wanted.nodes) * memory_bytes(wanted)
    assert seconds(SQUARE, solve=6e-8) == pytest.approx(2 * seconds(SQUARE, solve=3e-8))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wanted", "maps"),
    [
        (Sizes(48, (751,), 1, 3), True),
        (Sizes(12, (51, 51), 2, 2), False),
        (Sizes(12, (51, 51), 2, 2), True),
        (Sizes(6, (15,) * 3, 3, 2), False),
    ],
)
def test_memory_estimate_is_near_what_training_takes(wanted: Sizes, maps: bool) -> None:
    """In a process of its own, at sizes that the constants were not measured at: not too small by much, nor absurd."""
    from benchmarks.memory import measured

    assert isinstance(wanted.nodes, tuple)
    scheme = ("--scheme", "strang" if maps else "euler-box")
    taken = measured(wanted.dimension, wanted.layers, wanted.nodes[0], wanted.classes, *scheme)["growth"]
    assert 0.7 * taken < memory_bytes(replace(wanted, maps=maps)) < 2.5 * taken


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], float]:
    """What is free on a machine with 800 kB whose /proc and /sys/fs/cgroup hold these files."""
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: SimpleNamespace(available=800 * 1024))

    def free(files: dict[str, str]) -> float:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return memory.free_here(tmp_path / "proc", tmp_path / "cgroup")

    return free


def test_free_memory_is_what_the_system_says(machine: Callable[[dict[str, str]], float]) -> None:
    assert machine({}) == 800 * 1024


@pytest.mark.parametrize("group", ["", "job/step"])
def test_limits_of_a_batch_job_count(group: str, machine: Callable[[dict[str, str]], float]) -> None:
    """Also of an outer group, and without the file cache, which the system gives back."""
    inside = {"proc/self/cgroup": "0::/job/step/task\n", "cgroup/job/step/task/memory.max": "max\n"}
    own = {"memory.max": "500000\n", "memory.current": "300000\n", "memory.stat": "anon 1\ninactive_file 50000\n"}
    assert machine(inside | {f"cgroup/{group}/{k}": v for k, v in own.items()}) == 250000


def test_limits_of_the_older_kind_count(machine: Callable[[dict[str, str]], float]) -> None:
    old = {
        "proc/self/cgroup": "4:memory:/job\n3:cpuset:/\n",
        "cgroup/memory/job/memory.limit_in_bytes": "400000\n",
        "cgroup/memory/job/memory.usage_in_bytes": "100000\n",
        "cgroup/memory/job/memory.stat": "cache 1\ntotal_inactive_file 20000\n",
        "cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    }
    assert machine(old) == 320000


def test_every_machine_is_counted_once_and_the_fullest_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    class Machine:
        rank, size = 0, 4

        def bcast(self, value: float) -> float:
            return value

        def Free(self) -> None:
            pass

    class Job:
        """Four ranks on this machine, four on one that leaves each of them 1000 bytes."""

        size = 8

        def Split_type(self, kind: int) -> Machine:
            return Machine()

        def allreduce(self, value: float, operation: object) -> float:
            assert operation == MPI.MIN
            return min(value, 1000.0)

    monkeypatch.setattr(_machine, "free_here", lambda: 3200.0)
    assert _machine.available_bytes(Job()) == 8 * 800.0
    monkeypatch.setattr(_machine, "free_here", lambda: 1e9)
    assert _machine.available_bytes(Job()) == 8 * 1000.0


def test_this_machine_has_memory_and_speed() -> None:
    assert 0 < _machine.available_bytes(MPI.COMM_WORLD) <= _machine.free_here() * 1.1
    assert 1e-10 < _machine.seconds_per_solve(MPI.COMM_WORLD) < 1e-4
