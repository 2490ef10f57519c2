"""A bridge meets its targets by either method and divergence, says when it does not, counts in raw units."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.common.errors import InputError
from hydrodl.data.preprocessing import raw_metric
from hydrodl.mesh.quadrature import moment
from hydrodl.training.minimisation import minimise
from hydrodl.transport.bridge_result import Bridge
from hydrodl.transport.schroedinger_bridge import bridge

LAYERS = hd.layers(4)
PHYSICS = hd.Lagrangian(0.25, decay=1e-3, smoothness=0.0)


def on_line(mean: float, std: float, domain: hd.Domain) -> hd.Densities:
    return hd.mixture([hd.Gaussian(mean, std)], domain)


@pytest.fixture(scope="module")
def line() -> hd.Domain:
    return hd.Domain.interval(-3.0, 3.0, 41)


@pytest.fixture(scope="module")
def found(line: hd.Domain) -> Bridge:
    return bridge(on_line(-0.4, 0.6, line), on_line(0.5, 0.7, line), LAYERS, PHYSICS)


def l1(domain: hd.Domain, rho: np.ndarray, other: np.ndarray) -> float:
    return float(moment(domain) @ np.abs(rho - other).sum(axis=0))


def test_it_meets_the_target_and_says_so(found: Bridge, line: hd.Domain) -> None:
    missed = l1(line, found.solution.density[-1], found.targets[4].values)
    assert found.converged and found.reason == "distance below the tolerance"
    assert found.distance == pytest.approx(missed, rel=1e-9)
    assert missed <= found.tolerance == 1e-3
    assert found.rounds == len(found.history) > 1
    assert "converged" in str(found) and f"{found.rounds} rounds" in repr(found)


def test_every_round_of_multipliers_shrinks_the_distance(found: Bridge) -> None:
    distances = [line["distances"][4] for line in found.history]
    assert all(later < 0.5 * earlier for earlier, later in pairwise(distances))
    assert found.history[-1]["weight"] < 100  # and none needs the weight that a penalty would: 1 / tolerance


def test_the_multiplier_is_the_potential_at_the_end(found: Bridge) -> None:
    """The loss's slope, shifted target and all: what holds the density where it was asked to be."""
    assert found.multipliers[4] == pytest.approx(-found.solution.potential[-1], rel=1e-6, abs=1e-6)


def test_later_rounds_start_warm(found: Bridge) -> None:
    steps = [line["iterations"] for line in found.history if not line["saddles"]]  # which the last round may leave
    assert len(steps) > 2 and max(steps[2:]) <= steps[0]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "divergence"), [("augmented", "l2"), ("penalty", "kl"), ("penalty", "l2")])
def test_other_methods_and_divergences_agree(found: Bridge, line: hd.Domain, method: str, divergence: str) -> None:
    ends = on_line(-0.4, 0.6, line), on_line(0.5, 0.7, line)
    # thin layers: the exponential tails of the last layer's noise are no part of the target, and KL weighs tails most
    other = bridge(*ends, hd.layers(8), PHYSICS, method=method, divergence=divergence)
    assert other.converged, other
    assert other.cost == pytest.approx(found.cost, rel=0.01)
    if method == "penalty":
        weights = [line["weight"] for line in other.history]
        assert weights == pytest.approx([weights[0] * 10**j for j in range(len(weights))])


def test_the_method_of_multipliers_is_exact_where_a_penalty_is_not(line: hd.Domain) -> None:
    """At the same final weight: what the multiplier is for.

    In layers so thin that the noise after the last map can leave a Gaussian as steep at the walls as the target is.
    """
    ends, layers = (on_line(-0.4, 0.6, line), on_line(0.5, 0.7, line)), hd.layers(8)
    exact = bridge(*ends, layers, PHYSICS, tolerance=2e-4)
    loss = hd.Density(exact.history[-1]["weight"], ends[1], "kl")
    plain = hd.train(hd.Problem(line, layers, ends[0], PHYSICS, loss))
    assert exact.converged, exact
    assert l1(line, plain.density[-1], ends[1].values) > 20 * exact.distance


def test_cost_is_the_kinetic_energy_alone(found: Bridge, line: hd.Domain) -> None:
    solution, mass = found.solution, moment(line)
    slabs = zip(solution.flow.slab_density[:, 0], solution.velocity[:, 0], strict=True)
    work = sum(mass @ (r * u**2) / 2 for r, u in slabs) / 4
    assert found.cost == pytest.approx(work, rel=1e-10)
    assert found.cost < solution.parts["running"]  # which has the decay as well
    assert found.raw_cost == pytest.approx(found.cost, rel=1e-12)  # no preprocessing: mesh units are the user's


def test_sinkhorn_cost_needs_one_plan(found: Bridge, line: hd.Domain) -> None:
    assert found.regularisation == pytest.approx(2 * 0.25 * 1.0)
    pair = [hd.Gaussian(-0.4, 0.6, label="a"), hd.Gaussian(0.4, 0.6, label="b")]
    two = bridge(hd.mixture(pair, line), hd.mixture(pair, line), LAYERS, 0.25, tolerance=0.1, max_rounds=1)
    with pytest.raises(InputError, match="one plan only"):
        _ = two.sinkhorn_cost


def test_raw_units_undo_the_preprocessing(line: hd.Domain) -> None:
    """The same bridge, said in features ten times as large: a hundred times the work."""
    scaled = hd.Preprocessing(np.array([5.0]), np.array([10.0]), feature_names=("length",))
    ends = on_line(-0.4, 0.6, line), on_line(0.5, 0.7, line)
    start = hd.Densities(line, ends[0].values, ends[0].class_names, scaled)
    found = bridge(start, ends[1], LAYERS, PHYSICS, tolerance=0.1)
    assert found.raw_cost == pytest.approx(100 * found.cost, rel=1e-10)
    rng = np.random.default_rng(0)
    table = rng.standard_normal((50, 4)) * [1.0, 10.0, 3.0, 0.2] + 7.0
    fitted = hd.Preprocessing.fit(table, 2, ("a", "b", "c", "d"))
    way = fitted.apply(table[1:2]) - fitted.apply(table[:1])
    along = (fitted.components * fitted.component_scale) @ way[0] * fitted.scale  # the same step in the plane kept
    assert way[0] @ raw_metric(fitted, 2) @ way[0] == pytest.approx(along @ along)


def test_targets_at_several_layers(line: hd.Domain) -> None:
    """Through a density far from the straight way, and on; both targets are met."""
    start, middle, end = (on_line(m, 0.6, line) for m in (-0.5, 0.8, 0.0))
    found = bridge(start, {2: middle, 4: end}, LAYERS, PHYSICS, tolerance=5e-3)
    assert found.converged, found
    assert set(found.distances) == {2, 4} and max(found.distances.values()) <= 5e-3
    assert l1(line, found.solution.density[2], middle.values) <= 5e-3
    with pytest.raises(InputError, match="one plan only"):
        _ = found.sinkhorn_cost


def test_going_on_from_a_bridge_is_cheap_also_on_finer_layers(line: hd.Domain) -> None:
    ends, layers, deep = (on_line(-0.4, 0.6, line), on_line(0.5, 0.7, line)), hd.layers(8), hd.layers(16)
    found = bridge(*ends, layers, PHYSICS)
    again = bridge(*ends, layers, PHYSICS, initial=found)
    finer = bridge(*ends, deep, PHYSICS, initial=found)
    cold = bridge(*ends, deep, PHYSICS)
    assert again.rounds == 1 and again.history[0]["iterations"] <= 6
    assert finer.converged and finer.rounds < cold.rounds
    assert finer.cost == pytest.approx(cold.cost, rel=0.02)  # as far as a distance of 1e-3 tells it
    with pytest.raises(InputError, match="another number of targets"):
        bridge(*ends, layers, PHYSICS, initial=found, divergence="l2")


def test_saddles_are_looked_for_at_the_end_alone(line: hd.Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[bool] = []

    def noted(*args: Any, **kwargs: Any) -> hd.Solution:
        looks.append(kwargs["saddles"])
        return minimise(*args, **kwargs)

    monkeypatch.setattr("hydrodl.transport.schroedinger_bridge.minimise", noted)
    made = bridge(on_line(-0.4, 0.6, line), on_line(0.5, 0.7, line), LAYERS, PHYSICS)
    assert made.converged and looks == [False] * made.rounds + [True]
    assert made.history[-1]["saddles"] == made.solution.saddles


def test_it_says_why_it_stopped(line: hd.Domain) -> None:
    ends = on_line(-0.4, 0.6, line), on_line(0.5, 0.7, line)
    short = bridge(*ends, LAYERS, PHYSICS, max_rounds=2)
    assert not short.converged and short.rounds == 2
    assert "after max_rounds = 2" in short.reason and "NOT CONVERGED" in str(short)
    lame = bridge(*ends, LAYERS, PHYSICS, options={"tao_max_it": 1})
    assert not lame.converged and lame.reason == "round 1: iteration limit tao_max_it reached"
    seen: list[Mapping[str, Any]] = []

    def watch(step: dict[str, Any]) -> bool:
        seen.append(step)
        return step["round"] == 2

    stopped = bridge(*ends, LAYERS, PHYSICS, monitor=watch)
    assert not stopped.converged and stopped.reason == "round 2: stopped by the monitor"
    assert {step["round"] for step in seen} == {1, 2} and seen[0]["weight"] == 2.0


def test_noise_alone_is_physics_enough(line: hd.Domain) -> None:
    found = bridge(on_line(-0.4, 0.6, line), on_line(0.5, 0.7, line), LAYERS, 0.25, max_rounds=1)
    assert found.solution.problem.lagrangian.noise == 0.25
    assert found.solution.problem.lagrangian.decay > 0


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no target": ({"targets": {}}, "targets: at least one"),
    "layer out of range": ({"targets": {5: None}}, r"target layer is 5, must be 1, 2, 3 or 4"),
    "layer no number": ({"targets": {"last": None}}, "target layer is 'last'"),
    "no densities": ({"targets": {4: None}}, "target at layer 4 is NoneType, must be Densities"),
    "tolerance": ({"tolerance": 0.0}, "tolerance is 0"),
    "method": ({"method": "newton"}, "method is 'newton', must be 'augmented' or 'penalty'"),
    "divergence": ({"divergence": "js"}, "divergence is 'js'"),
    "rounds": ({"max_rounds": 0}, "max_rounds is 0"),
    "weight": ({"weight": -1.0}, "loss weight is -1"),
    "floor": ({"floor": 0.0}, "floor is 0"),
    "noise": ({"physics": -0.1}, "noise is -0.1"),
    "scheme": ({"scheme": "leapfrog"}, "scheme is 'leapfrog'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused(line: hd.Domain, case: str) -> None:
    given, message = BAD[case]
    usual = {"start": on_line(0, 0.6, line), "targets": on_line(0, 0.7, line), "layers": LAYERS, "physics": 0.25}
    with pytest.raises(InputError, match=message):
        bridge(**(usual | given))


def test_targets_must_fit_the_start(line: hd.Domain) -> None:
    start = on_line(0, 0.6, line)
    heavy = hd.Densities(line, 1.1 * start.values, start.class_names)
    with pytest.raises(InputError, match=r"class '0' has mass 1.1, the start has 1; a flow keeps the mass"):
        bridge(start, heavy, LAYERS, 0.25)
    elsewhere = on_line(0, 0.6, hd.Domain.interval(-3.0, 3.0, 41))
    with pytest.raises(InputError, match="made on another domain"):
        bridge(start, elsewhere, LAYERS, 0.25)
