"""Files do not depend on the number of ranks, and whatever fails on one rank is raised on all.

The functions named ``ranks_*`` run on every rank: this file is also the script that ``mpiexec`` starts.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import hydrodl  # noqa: F401  # first: it loads the platform in the order that works

# isort: split
import numpy as np
import pytest
from matplotlib.image import imread
from mpi4py import MPI

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from hydrodl.common.parallel import attempt
from hydrodl.files.archive import write_npz
from hydrodl.files.checkpoint import load_checkpoint
from hydrodl.files.paraview import write_vtk
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.gathering import gather
from hydrodl.mesh.layer_partition import layers
from hydrodl.pictures.figures import plot_all, plot_convergence
from tests.files.test_checkpoint import TIMES, fake_solution, save_solution, smooth
from tests.parallel.launch import run_on_ranks
from tests.parallel.said import refused, report
from tests.pictures.test_figures import centres_of, fake

pytestmark = pytest.mark.parallel
KINDS = [("box", 1, 1), ("box", 2, 1), ("simplex", 2, 2), ("box", 3, 1)]  # cells, dimension, degree


def domain_of(kind: int) -> Domain:
    cells, dimension, degree = KINDS[kind]
    return Domain.box([-1] * dimension, [1] * dimension, 5, cells=cells, degree=degree)


def ranks_write(folder: Path) -> None:
    for kind in range(len(KINDS)):
        solution = fake_solution(domain_of(kind))
        save_solution(folder / f"{kind}.h5", solution)
        write_npz(folder / f"{kind}.npz", solution)
        write_vtk(folder / str(kind), solution)


def ranks_read(folder: Path) -> None:
    for kind in range(len(KINDS)):
        domain = domain_of(kind)
        loaded, expected = load_checkpoint(folder / f"{kind}.h5", domain, layers(TIMES)), fake_solution(domain)
        for name in ("velocity", "density", "potential", "jumps"):
            assert np.allclose(getattr(loaded, name), getattr(expected, name), rtol=1e-12, atol=1e-12), (kind, name)
        assert loaded.attributes["iterations"] == 7
    report("read")


def ranks_gather(folder: Path) -> None:
    for kind in range(len(KINDS)):
        domain = domain_of(kind)
        x = gather(domain, domain.coordinates[: domain.owned].T)
        values = gather(domain, fake_solution(domain).density)
        assert (values is None) == (domain.comm.rank != 0)
        if x is not None and values is not None:
            assert values.shape == (3, 2, domain.nodes) and np.allclose(values[2, 1], smooth(x.T, 121), atol=1e-12)
    report("gathered")


def ranks_refuse(folder: Path) -> None:
    domain = domain_of(1)
    for name in ("missing.h5", "damaged.h5", "1.h5"):
        refused(lambda name=name: load_checkpoint(folder / name, domain, layers(3 if name == "1.h5" else TIMES)))
    shifted = Domain.box([-1, -1], [1, 1.001], 5)
    refused(lambda: load_checkpoint(folder / "1.h5", shifted, layers(TIMES)))


def ranks_fail_to_write(folder: Path) -> None:
    solution = fake_solution(domain_of(1))
    for write in (save_solution, write_npz):
        refused(lambda write=write: write(folder / "none" / "file", solution))
    refused(lambda: write_vtk(folder / "occupied" / "out", solution))


def ranks_fill_the_disk(folder: Path) -> None:
    solution = fake_solution(Domain.box([0, 0], [1, 1], 41))
    if MPI.COMM_WORLD.rank == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    for write in (save_solution, write_npz):
        refused(lambda write=write: write(folder / "full", solution))


def ranks_fail_on_the_last(folder: Path) -> None:
    comm = MPI.COMM_WORLD
    refused(lambda: attempt(comm, lambda: (folder / "none").read_text() if comm.rank == comm.size - 1 else ""))


def ranks_draw(folder: Path) -> None:
    for dimension in (1, 2):
        made = fake(Domain.box([-1] * dimension, [1] * dimension, 7), centres_of(dimension))
        (folder / str(dimension)).mkdir(exist_ok=True)
        plot_all(*made, folder / str(dimension))
    refused(lambda: plot_convergence(made[0], folder / "none" / "convergence.png"))


def on_ranks(name: str, ranks: int, folder: Path) -> list[str]:
    return run_on_ranks(Path(__file__), ranks, name, str(folder)).splitlines()


@pytest.mark.parametrize(("writers", "readers"), [(1, 2), (2, 1), (2, 3)])
def test_checkpoint_of_any_ranks_is_read_by_any_ranks(tmp_path: Path, writers: int, readers: int) -> None:
    on_ranks("ranks_write", writers, tmp_path)
    assert on_ranks("ranks_read", readers, tmp_path) == [f"{readers} ranks: read"]


def test_archives_and_series_of_two_ranks_hold_the_right_values(tmp_path: Path) -> None:
    pyvista = pytest.importorskip("pyvista")
    on_ranks("ranks_write", 2, tmp_path)
    for kind, (_, dimension, _) in enumerate(KINDS):
        with np.load(tmp_path / f"{kind}.npz") as archive:
            assert np.allclose(archive["density"][2, 1], smooth(archive["nodes"], 121), atol=1e-12)
            assert (np.diff(archive["nodes"][:, 0]) > -1e-12).all()
        reader = pyvista.get_reader(tmp_path / str(kind) / "fields.pvd")
        assert np.allclose(reader.time_values, TIMES)
        reader.set_active_time_value(TIMES[2])
        grid = reader.read()[0]
        x = grid.points[:, :dimension]
        assert np.allclose(grid["rho_b"], smooth(x, 121), atol=1e-12)
        assert np.allclose(grid["u"][:, dimension - 1], smooth(x, 10 + dimension - 1), atol=1e-12)


@pytest.mark.parametrize("ranks", [1, 3])
def test_gather_brings_nodes_and_values_in_one_order(tmp_path: Path, ranks: int) -> None:
    assert on_ranks("ranks_gather", ranks, tmp_path) == [f"{ranks} ranks: gathered"]


def test_bad_checkpoint_is_refused_on_every_rank(tmp_path: Path) -> None:
    save_solution(tmp_path / "1.h5", fake_solution(domain_of(1)))
    (tmp_path / "damaged.h5").write_bytes((tmp_path / "1.h5").read_bytes()[:5000])
    said = on_ranks("ranks_refuse", 2, tmp_path)
    for line, reason in zip(said, ("no such file", "truncated", "other layers", "nodes lie elsewhere"), strict=True):
        assert line.startswith("2 ranks: ") and reason in line


def test_file_that_cannot_be_written_is_refused_on_every_rank(tmp_path: Path) -> None:
    (tmp_path / "occupied").touch()
    said = on_ranks("ranks_fail_to_write", 2, tmp_path)
    for line, reason in zip(said, ("No such file", "No such file", "Not a directory"), strict=True):
        assert line.startswith("2 ranks: ") and reason in line


def test_full_disk_is_reported_on_every_rank(tmp_path: Path) -> None:
    said = on_ranks("ranks_fill_the_disk", 2, tmp_path)
    assert len(said) == 2 and all(line.startswith("2 ranks: ") and "cannot be written" in line for line in said)
    assert not list(tmp_path.iterdir())


def test_error_of_the_last_rank_is_raised_on_every_rank(tmp_path: Path) -> None:
    (line,) = on_ranks("ranks_fail_on_the_last", 3, tmp_path)
    assert line.startswith("3 ranks: ") and "No such file" in line


def test_two_ranks_draw_the_pictures_of_one(tmp_path: Path) -> None:
    (line,) = on_ranks("ranks_draw", 2, tmp_path)
    assert line.startswith("2 ranks: ") and "No such file" in line
    for dimension in (1, 2):
        (tmp_path / "one").mkdir(exist_ok=True)
        made = fake(Domain.box([-1] * dimension, [1] * dimension, 7, comm=MPI.COMM_SELF), centres_of(dimension))
        for alone in plot_all(*made, tmp_path / "one"):
            together = imread(tmp_path / str(dimension) / alone.name)
            assert np.abs(together - imread(alone)).mean() < 1e-4, (dimension, alone.name)


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]))
