"""ONNX files and forms do not depend on the number of ranks, and whatever fails is told by all of them.

The functions named ``ranks_*`` run on every rank: this file is also the script that ``mpiexec`` starts.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from mpi4py import MPI

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from hydrodl.files.archive import write_npz
from hydrodl.files.onnx_file import write_onnx
from hydrodl.network.exact_form import exact_form
from hydrodl.physics.neurons import Neurons
from tests.builders.form_cases import everywhere, random_neurons, wild
from tests.parallel.launch import run_on_ranks
from tests.parallel.said import refused, report

pytestmark = pytest.mark.parallel
MESHES = Path(__file__).parents[2] / "meshes"


def networks() -> Iterator[tuple[str, hd.Network]]:
    yield "line", wild(hd.Domain.interval(-3, 2.2, 31), 0.4)
    yield "graded", wild(hd.Domain.from_file(MESHES / "interval.xdmf"), 0.1)
    yield "plane", wild(hd.Domain.box([-3, -1], [2.2, 1.5], [9, 8]), 2.0)
    yield "bridge", wild(hd.Domain.box([-3, -1], [2.2, 1.5], [9, 8]), 0.5, hd.Position(1.0, np.eye(2)))
    yield "space", wild(hd.Domain.box([-3, -1, 0], [2.2, 1.5, 9], [6, 5, 4]), 2.0)
    yield "neurons", random_neurons(hd.Domain.box([-3, -1], [2.2, 1.5], [9, 8]), Neurons(6), 1.0)


def ranks_write(folder: Path) -> None:
    for name, network in networks():
        write_onnx(folder / f"{name}.onnx", network)
        write_npz(folder / f"{name}.npz", network.solution)
        points = everywhere(network.domain, 300)
        if name == "graded":  # that mesh is no box to the network, which stops points a little inside
            points = np.clip(points, -2, 2)
        path, mine = network.push(points), exact_form(network).push(points)
        worst = max(network.domain.comm.allgather(float(np.abs(mine - path)[1].max())))
        report(f"{name} {'as the network' if worst < 1e-12 else worst}")


def ranks_refuse(folder: Path) -> None:
    disc = wild(hd.Domain.from_file(MESHES / "disc.msh"), 0.1)
    refused(lambda: write_onnx(folder / "disc.onnx", disc))
    fine = next(networks())[1]
    refused(lambda: write_onnx(folder / "none" / "line.onnx", fine))
    if MPI.COMM_WORLD.rank == 0:
        sys.modules["onnx"] = None  # type: ignore[assignment]
    refused(lambda: write_onnx(folder / "line.onnx", fine))


def on_ranks(name: str, ranks: int, folder: Path) -> list[str]:
    return run_on_ranks(Path(__file__), ranks, name, str(folder)).splitlines()


@pytest.mark.slow
def test_any_number_of_ranks_writes_the_same_files(tmp_path: Path) -> None:
    names = [name for name, _ in networks()]
    for ranks in (1, 2, 3):
        (tmp_path / str(ranks)).mkdir()
        said = on_ranks("ranks_write", ranks, tmp_path / str(ranks))
        assert said == [f"{ranks} ranks: {name} as the network" for name in names]
    for name in names:
        alone, two, three = ((tmp_path / str(ranks) / f"{name}.onnx").read_bytes() for ranks in (1, 2, 3))
        assert alone == two == three, name
        archives = [np.load(tmp_path / str(ranks) / f"{name}.npz") for ranks in (1, 2, 3)]
        for key in ("counts", "steps", "velocity", "neuron_weights", "coefficients", "input_matrix", "lower"):
            if key in archives[0]:
                for other in archives[1:]:
                    np.testing.assert_array_equal(other[key], archives[0][key])


def test_a_refusal_is_the_same_on_every_rank(tmp_path: Path) -> None:
    said = on_ranks("ranks_refuse", 2, tmp_path)
    for line, reason in zip(said, ("the table form needs", "No such file", "onnx is not installed"), strict=True):
        assert line.startswith("2 ranks: ") and reason in line
    assert not list(tmp_path.iterdir())


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]))
