"""Sums over corners: the same second derivatives as element matrices under the vertex rule, and nothing dropped."""

from __future__ import annotations

from pathlib import Path

import meshio
import numpy as np
import pytest

import hydrodl as hd
from hydrodl.common.errors import SolverError
from hydrodl.discretisation.slab_action import OperatorEntries, SlabAction

PHYSICS = hd.Lagrangian(0.05, decay=0.1, smoothness=0.3, kinetic=0.7, energy=hd.Entropy(0.2))


def skewed(folder: Path) -> hd.Domain:
    """Quadrilaterals without a right angle or two equal sides."""
    x, y = np.meshgrid(np.linspace(0, 1, 5), np.linspace(0, 1.3, 4), indexing="ij")
    points = np.stack([x + 0.13 * np.sin(3 * y) + 0.07 * y * x, y + 0.11 * np.cos(2 * x) * x], axis=-1).reshape(-1, 2)
    corner = np.arange(20).reshape(5, 4)
    cells = np.stack([corner[:-1, :-1], corner[1:, :-1], corner[1:, 1:], corner[:-1, 1:]], axis=-1).reshape(-1, 4)
    path = folder / "skewed.vtu"
    meshio.write(path, meshio.Mesh(np.c_[points, np.zeros(20)], [("quad", cells)]))
    return hd.Domain.from_file(path, lumped=True)


@pytest.fixture(scope="module", params=["line", "box", "cube", "triangles", "tetrahedra", "skewed"])
def action(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SlabAction:
    made = {
        "line": lambda: hd.Domain.interval(-1, 2, 8),
        "box": lambda: hd.Domain.box([-1, 0], [1, 0.7], [5, 6]),
        "cube": lambda: hd.Domain.box([-1, 0, 0], [1, 0.7, 1.1], [4, 3, 5]),
        "triangles": lambda: hd.Domain.box([-1, 0], [1, 0.7], [5, 4], cells="simplex", lumped=True),
        "tetrahedra": lambda: hd.Domain.box([-1, 0, 0], [1, 0.7, 1], 3, cells="simplex", lumped=True),
        "skewed": lambda: skewed(tmp_path_factory.mktemp("mesh")),
    }
    return SlabAction(made[request.param](), PHYSICS)


def load(action: SlabAction, seed: int) -> None:
    rng, nodes = np.random.default_rng(seed), len(action.domain.coordinates)
    action.set_slab(rng.standard_normal((action.dimension, nodes)), rng.random(nodes))
    action.set_class(rng.random(nodes), rng.standard_normal(nodes))


@pytest.mark.parametrize("part", ["cost", "carried"])
def test_every_block_equals_its_element_matrices(action: SlabAction, part: str) -> None:
    size = action.dimension + (1 if part == "cost" else 2)
    groups = [[(a, b) for b in range(size)] for a in range(size)]
    form = getattr(action, f"second_{part}")(groups)
    for seed in range(2):
        load(action, seed)
        expected = action.assemble(getattr(action, f"{part}_2")).copy()
        scale = np.abs(expected).max()
        for group, mask, found in zip(groups, form.masks, form.assemble(), strict=True):
            for lane, (a, b) in enumerate(group):
                np.testing.assert_allclose(found[:, lane], expected[:, a, b], rtol=0, atol=1e-13 * scale)
                assert not expected[~mask, a, b].any() or np.abs(expected[~mask, a, b]).max() < 1e-13 * scale
    patterns = [action.pattern(mask) for mask in form.masks]
    whole = form.assemble()
    form.bind(patterns)
    for pattern, before, after in zip(patterns, whole, form.assemble(), strict=True):
        np.testing.assert_array_equal(after, before[pattern.places])


@pytest.mark.parametrize("name", ["generator", "metric"])
def test_entries_equal_the_assembled_form(action: SlabAction, name: str) -> None:
    form = getattr(action, name)
    entries = OperatorEntries(action, form)
    load(action, 3)
    expected = action.assemble(form, reduce=True)[entries.pattern.places].copy()
    np.testing.assert_allclose(entries(), expected, rtol=0, atol=1e-13 * np.abs(expected).max())


def test_boxes_have_the_stencil_and_no_more() -> None:
    action = SlabAction(hd.Domain.box([0] * 3, [1] * 3, 5), PHYSICS)
    blocks = [(action.PHI, action.RHO), (action.PHI, 0), (0, 0), (0, 1), (action.PHI, action.PHI)]
    generator, *along, crossed, empty = (mask.sum() for mask in action.second_carried([[b] for b in blocks]).masks)
    assert generator == 125 + 2 * 3 * 4 * 25
    assert along == [125 + 2 * 4 * 25] * 2  # edges along the component's own axis
    assert crossed == empty == 0


def test_what_a_constant_makes_zero_takes_no_entries() -> None:
    action = SlabAction(hd.Domain.box([0] * 2, [1] * 2, 5), hd.Lagrangian(0.1, smoothness=0.0))
    load(action, 0)
    before = action._y.x.array.copy()
    assert action.second_cost([[(0, 0)]]).masks[0].sum() == 25
    np.testing.assert_array_equal(action._y.x.array, before)  # and the fields are left alone


def test_a_pattern_that_is_too_small_is_an_error() -> None:
    action = SlabAction(hd.Domain.interval(0, 1, 5), PHYSICS)
    form = action.second_carried([[(action.PHI, 0)]])
    with pytest.raises(SolverError, match="leaves out entries that are not zero"):
        form.bind([action.pattern(np.zeros_like(form.masks[0]))])
