"""Data, densities and what is chosen from them are the same on any number of ranks, and refused by all of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from dolfinx import mesh as dmesh
from mpi4py import MPI

from hydrodl.data.bandwidth import choose_bandwidth
from hydrodl.data.snapshot_sets import read_snapshots
from hydrodl.data.tables import read_columns, read_csv
from hydrodl.estimators.initial_readout import logistic_readout
from tests.builders.on_ranks import WORLD, agreed, alone_and_together, everywhere, refusal

# read by all ranks together, and so not where one of them works alone
MOONS, WINE = hd.load_dataset("two_moons", n=60), hd.load_dataset("wine", dimensions=3)
LINE = hd.load_dataset("circles", n=40, dimensions=1)


WEIGHTED = replace(MOONS, weights=np.linspace(0.1, 3.0, len(MOONS)))


def on_nodes() -> hd.Samples:
    """Samples on nodes, edges and walls: the ones that several ranks see."""
    lattice = np.stack(np.meshgrid(*[np.linspace(-1, 1, 9)] * 2), axis=-1).reshape(-1, 2)[:60]
    return hd.Samples(lattice, MOONS.labels, MOONS.class_names, MOONS.feature_names, hd.Preprocessing.identity(2))


def ghosted(comm: MPI.Comm) -> hd.Domain:
    """A mesh whose ranks see a cell of their neighbours."""
    return hd.Domain(
        dmesh.create_rectangle(comm, [[-4, -4], [4, 4]], [12, 12], ghost_mode=dmesh.GhostMode.shared_facet)
    )


CASES: dict[str, Callable[[MPI.Comm], hd.Densities]] = {
    "box": lambda comm: hd.densities(MOONS, hd.Domain.around(MOONS, 21, comm=comm)),
    "shared": lambda comm: hd.densities(on_nodes(), hd.Domain.box([-1, -1], [1, 1], 9, comm=comm), 0.1),
    "ghost cells": lambda comm: hd.densities(MOONS, ghosted(comm), 0.3),
    "triangles P2": lambda comm: hd.densities(
        MOONS, hd.Domain.around(MOONS, 9, degree=2, cells="simplex", comm=comm), 0.3
    ),
    "weighted": lambda comm: hd.densities(WEIGHTED, hd.Domain.around(WEIGHTED, 21, comm=comm)),
    "interval": lambda comm: hd.densities(LINE, hd.Domain.around(LINE, 31, comm=comm)),
    "two cells": lambda comm: hd.densities(LINE, hd.Domain.interval(-5, 5, 3, comm=comm)),
    "cube": lambda comm: hd.densities(WINE, hd.Domain.around(WINE, 9, comm=comm), 0.5),
    "mixture": lambda comm: hd.mixture(
        [hd.Gaussian([0, 0], 0.5), hd.Gaussian([1, 1], 0.3, label=1)], hd.Domain.box([-2, -2], [3, 3], 15, comm=comm)
    ),
}


def test_what_a_mesh_does_not_show_is_told_alike() -> None:
    def found(comm: MPI.Comm) -> tuple[str, ...]:
        return CASES["two cells"](comm).notes

    one, many = alone_and_together(found)
    assert one == many and "does not show the samples" in agreed(many)[0]


@pytest.mark.parametrize("case", CASES)
def test_densities_do_not_depend_on_the_ranks(case: str) -> None:
    def found(comm: MPI.Comm) -> tuple[np.ndarray, ...]:
        rho = CASES[case](comm)
        return *everywhere(rho.domain, rho.values), rho.masses, rho.means

    (nodes, values, masses, means), many = alone_and_together(found)
    np.testing.assert_allclose(many[0], nodes, atol=1e-12)
    np.testing.assert_allclose(many[1], values, rtol=0, atol=1e-12 * values.max())
    np.testing.assert_allclose(many[2], masses, rtol=1e-12)
    np.testing.assert_allclose(many[3], means, rtol=1e-10, atol=1e-12)
    if case == "box":  # positive to the last digit of the tails: no cancellation anywhere
        np.testing.assert_allclose(many[1], values, rtol=1e-11)


def test_a_table_is_read_by_one_rank_for_all(folder: Path) -> None:
    path = folder / "table.csv"
    if WORLD.rank == 0:
        path.write_text("a,b,kind\n1,2,x\n2,1,x\n3,5,y\n4,4,y\n")
    read = read_csv(path, label="kind")
    agreed((read.points.tolist(), read.labels.tolist()))
    assert read.class_names == ("x", "y") and read.features.tolist() == [[1, 2], [2, 1], [3, 5], [4, 4]]


def test_a_series_in_one_table_and_labels_that_are_one_number_are_the_same_everywhere(folder: Path) -> None:
    path = folder / "series.csv"
    if WORLD.rank == 0:
        path.write_text("day;x;kind\n2;1,5;1\n1;0,5;1,0\n1;2;0\n2;3,5;0\n")
    series = read_snapshots(path, time="day", features=["x"], decimal=",")
    assert agreed([table.tolist() for table in series.features]) == [[[0.5], [2.0]], [[1.5], [3.5]]]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        read = read_csv(path, label="kind", decimal=",")
    assert agreed(read.class_names) == ("0", "1") and read.labels.tolist() == [1, 1, 0, 0]
    assert len(said) == (WORLD.rank == 0)


def test_every_rank_meets_the_same_error(folder: Path) -> None:
    interval = hd.Domain.interval(0, 1, 11)
    missing = folder / "missing.csv"
    trials: dict[str, Callable[[], object]] = {
        "no such file": lambda: read_csv(missing, label="kind"),
        "missing.csv: no such file": lambda: read_columns(missing, ["a"]),
        "lies outside the mesh": lambda: hd.densities(MOONS, hd.Domain.box([-9, -9], [0, 0], 5)),
        # negative on one rank only
        "density of class 0 is -0.01 at (0)": lambda: hd.densities_from_function([lambda x: x[:, 0] - 0.01], interval),
    }
    for message, trial in trials.items():
        assert message in refusal(trial)


def test_bandwidth_and_first_readout_are_the_same_everywhere() -> None:
    wine = hd.load_dataset("wine")
    for comm in (MPI.COMM_SELF, WORLD):
        readout = logistic_readout(wine, comm=comm)
        found = choose_bandwidth(wine, comm=comm), readout.weights.tolist(), readout.offsets.tolist()
        agreed(found)
    assert found == (choose_bandwidth(wine), readout.weights.tolist(), readout.offsets.tolist())
    one = hd.Samples(wine.features, 0 * wine.labels, ("a",), wine.feature_names, wine.preprocessing)
    assert refusal(lambda: logistic_readout(one))
