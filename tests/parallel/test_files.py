"""Files do not depend on the number of ranks, and whatever fails on one rank is raised on all."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import hydrodl as hd

# isort: split
import numpy as np
import pytest
import pyvista
from matplotlib.image import imread
from mpi4py import MPI

from hydrodl.common.parallel import attempt
from hydrodl.files.archive import write_npz
from hydrodl.files.checkpoint import load_checkpoint
from hydrodl.files.paraview import write_vtk
from hydrodl.mesh.gathering import gather
from hydrodl.pictures.figures import plot_all, plot_convergence
from tests.builders.on_ranks import WORLD, alone_and_together, refusal
from tests.files.test_checkpoint import TIMES, fake_solution, save_solution, smooth
from tests.pictures.test_figures import centres_of, fake

# cells, dimension, degree
every_kind = pytest.mark.parametrize("kind", [("box", 1, 1), ("box", 2, 1), ("simplex", 2, 2), ("box", 3, 1)])
Kind = tuple[str, int, int]


def domain_of(kind: Kind, comm: MPI.Comm = WORLD) -> hd.Domain:
    cells, dimension, degree = kind
    return hd.Domain.box([-1] * dimension, [1] * dimension, 5, cells=cells, degree=degree, comm=comm)


def square() -> hd.Domain:
    return domain_of(("box", 2, 1))


@pytest.mark.three_ranks
@every_kind
@pytest.mark.parametrize(("writers", "readers"), [("one", "all"), ("all", "one"), ("all but one", "all")])
def test_a_checkpoint_of_any_ranks_is_read_by_any_ranks(folder: Path, kind: Kind, writers: str, readers: str) -> None:
    sizes = {"one": 1, "all but one": max(WORLD.size - 1, 1), "all": WORLD.size}
    some = WORLD.Split(int(WORLD.rank < sizes[writers]))
    if WORLD.rank < sizes[writers]:
        save_solution(folder / "s.h5", fake_solution(domain_of(kind, some)))
    WORLD.barrier()
    some.Free()
    domain = domain_of(kind, WORLD if readers == "all" else MPI.COMM_SELF)
    loaded, expected = load_checkpoint(folder / "s.h5", domain, hd.layers(TIMES)), fake_solution(domain)
    for name in ("velocity", "density", "potential", "jumps"):
        np.testing.assert_allclose(getattr(loaded, name), getattr(expected, name), rtol=1e-12, atol=1e-12)
    assert loaded.attributes["iterations"] == 7


@every_kind
def test_archives_and_series_hold_the_right_values(folder: Path, kind: Kind) -> None:
    solution, dimension = fake_solution(domain_of(kind)), kind[1]
    write_npz(folder / "s.npz", solution)
    write_vtk(folder / "s", solution)
    WORLD.barrier()
    with np.load(folder / "s.npz") as archive:
        np.testing.assert_allclose(archive["density"][2, 1], smooth(archive["nodes"], 121), atol=1e-12)
        assert (np.diff(archive["nodes"][:, 0]) > -1e-12).all()
    reader = pyvista.get_reader(folder / "s" / "fields.pvd")
    np.testing.assert_allclose(reader.time_values, TIMES)
    reader.set_active_time_value(TIMES[2])
    grid = reader.read()[0]
    x = grid.points[:, :dimension]
    np.testing.assert_allclose(grid["density of class b"], smooth(x, 121), rtol=1e-6)
    np.testing.assert_allclose(grid["velocity"][:, dimension - 1], smooth(x, 10 + dimension - 1), rtol=1e-6)


@every_kind
def test_rank_0_alone_has_what_is_gathered(kind: Kind) -> None:
    domain = domain_of(kind)
    x, values = gather(domain, domain.coordinates[: domain.owned].T), gather(domain, fake_solution(domain).density)
    assert (values is None) == (x is None) == (WORLD.rank != 0)
    if x is not None and values is not None:
        assert values.shape == (3, 2, domain.nodes)
        np.testing.assert_allclose(values[2, 1], smooth(x.T, 121), atol=1e-12)


def test_a_bad_checkpoint_is_refused_on_every_rank(folder: Path) -> None:
    domain, good, times = square(), folder / "1.h5", hd.layers(TIMES)
    save_solution(good, fake_solution(domain))
    if WORLD.rank == 0:
        (folder / "damaged.h5").write_bytes(good.read_bytes()[:5000])
    WORLD.barrier()
    shifted = hd.Domain.box([-1, -1], [1, 1.001], 5)
    trials: dict[str, Callable[[], object]] = {
        "no such file": lambda: load_checkpoint(folder / "missing.h5", domain, times),
        "truncated": lambda: load_checkpoint(folder / "damaged.h5", domain, times),
        "other layers": lambda: load_checkpoint(good, domain, hd.layers(3)),
        "nodes lie elsewhere": lambda: load_checkpoint(good, shifted, times),
    }
    for reason, trial in trials.items():
        assert reason in refusal(trial)


def test_a_file_that_cannot_be_written_is_refused_on_every_rank(folder: Path) -> None:
    solution = fake_solution(square())
    if WORLD.rank == 0:
        (folder / "occupied").touch()
    WORLD.barrier()
    for write in (save_solution, write_npz):
        assert "No such file" in refusal(lambda write=write: write(folder / "none" / "file", solution))
    assert "Not a directory" in refusal(lambda: write_vtk(folder / "occupied" / "out", solution))


def test_a_full_disk_is_reported_on_every_rank(folder: Path) -> None:
    solution = fake_solution(hd.Domain.box([0, 0], [1, 1], 41))
    room = resource.getrlimit(resource.RLIMIT_FSIZE)
    if WORLD.rank == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, room[1]))
    try:
        said = [refusal(lambda write=write: write(folder / "full", solution)) for write in (save_solution, write_npz)]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, room)
    assert all("cannot be written" in words for words in said)
    assert not list(folder.iterdir())


def test_an_error_of_the_last_rank_is_raised_on_every_rank(folder: Path) -> None:
    def read() -> str:
        return (folder / "none").read_text() if WORLD.rank == WORLD.size - 1 else ""

    assert "No such file" in refusal(lambda: attempt(WORLD, read))


@pytest.mark.parametrize("dimension", [1, 2])
def test_many_ranks_draw_the_pictures_of_one(folder: Path, dimension: int) -> None:
    def draw(comm: MPI.Comm) -> list[Path]:
        where = folder / str(comm.size)
        where.mkdir(exist_ok=True)
        made = fake(hd.Domain.box([-1] * dimension, [1] * dimension, 7, comm=comm), centres_of(dimension))
        return list(plot_all(*made, where))

    alone, together = alone_and_together(draw)
    WORLD.barrier()
    assert [path.name for path in together] == [path.name for path in alone]
    for one, many in zip(alone, together, strict=True):
        assert np.abs(imread(many) - imread(one)).mean() < 1e-4, one.name


def test_a_picture_that_cannot_be_written_is_refused_on_every_rank(folder: Path) -> None:
    made = fake(hd.Domain.box([-1], [1], 7), centres_of(1))
    assert "No such file" in refusal(lambda: plot_convergence(made[0], folder / "none" / "convergence.png"))
