"""Training on several ranks is the training of one: both schemes, boxes and simplices, d = 1, 2, 3, every loss."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from typing import Any

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from mpi4py import MPI
from sklearn.exceptions import ConvergenceWarning

from hydrodl.physics.neurons import Neurons
from hydrodl.training.controlled_functional import ControlledFunctional
from hydrodl.training.derivative_tests import hessian_symmetry, taylor_orders
from tests.builders.on_ranks import LAST, WORLD, agreed, alone_and_together, cases

EXACT = ("converged", "reason", "warnings")
CLOSE = ("objective", "initial_gradient_norm", "start", "slope", "curvature", "norm")
STEPS = ("iterations", "hessian_products", "gradient_norm")
FIELDS = ("min_density", "negative_mass", "mass_error", "peclet")
ITERATED = {"slab_ksp_type": "gmres", "slab_pc_type": "bjacobi", "slab_ksp_rtol": 1e-13, "tao_type": "nls"}
LEARNING = hd.Classification(4.0, trained=True)
# name: (dimension, scheme, loss, nodes, choices of the domain, choices of the problem)
CASES: dict[str, tuple[int, str, str, int, dict[str, Any], dict[str, Any]]] = {
    "line euler-box": (1, "euler-box", "density", 21, {}, {}),
    "line midpoint": (1, "midpoint", "density", 21, {}, {}),
    "P2 euler-box": (2, "euler-box", "classification", 5, {"cells": "simplex", "degree": 2}, {}),
    "P2 midpoint": (2, "midpoint", "classification", 5, {"cells": "simplex", "degree": 2}, {}),
    "lumped euler-box": (2, "euler-box", "classification", 6, {"cells": "simplex", "lumped": True}, {}),
    "box euler-box": (2, "euler-box", "density", 8, {}, {}),
    "box midpoint": (2, "midpoint", "classification", 8, {}, {}),
    "cube euler-box": (3, "euler-box", "position", 4, {}, {}),
    "line strang": (1, "strang", "density", 21, {}, {}),
    "box residual": (2, "residual", "density", 8, {}, {}),
    "cube strang": (3, "strang", "position", 4, {}, {}),
    "box strang, readout and neurons": (
        2,
        "strang",
        "classification",
        8,
        {},
        {"losses": LEARNING, "control": Neurons(12)},
    ),
    "box euler-box, iterated": (2, "euler-box", "classification", 8, {}, {}),
    "box trained readout": (2, "midpoint", "classification", 8, {}, {"losses": LEARNING}),
    "box neurons": (2, "euler-box", "classification", 8, {}, {"losses": LEARNING, "control": Neurons(12)}),
}
ON_THREE = ("line strang", "box residual", "P2 euler-box", "box trained readout")
every_case = pytest.mark.parametrize("case", cases(CASES, ON_THREE))


def components(d: int, shift: float = 0.0) -> list[hd.Gaussian]:
    means = np.array([[-0.6], [0.5]]) * np.linspace(1, 0.5, d) + shift
    return [hd.Gaussian(mean, 0.4, label=name) for mean, name in zip(means, "ab", strict=True)]


def problem(case: str, comm: MPI.Comm) -> hd.Problem:
    d, scheme, loss, nodes, choices, changes = CASES[case]
    domain = hd.Domain.box([-1.5] * d, [1.6] * d, nodes, comm=comm, **choices)
    rho, target = hd.mixture(components(d), domain), hd.mixture(components(d, 0.2), domain)
    losses: dict[str, Any] = {
        "classification": hd.Classification(4.0),
        "position": hd.Position(2.0, np.array([[-1.0], [1.0]]) * np.ones(d)),
        "density": [hd.Density(0.5, target, "kl"), hd.Density(2.0, target, "l2", layer=1), hd.Classification(1.0)],
    }
    smoothness = 0.0 if d == 1 else 0.2
    lagrangian = hd.Lagrangian(0.1, smoothness=smoothness, energy=hd.Power(0.1), potential=lambda x: x[:, 0] ** 2 / 9)
    given = hd.Problem(domain, hd.layers([0.0, 0.4, 1.0]), rho, lagrangian, losses[loss], scheme)
    return replace(given, **changes) if changes else given


def smooth(given: hd.Problem, number: int) -> np.ndarray:
    """A velocity that is the same function on any number of ranks."""
    x = given.domain.coordinates[: given.domain.owned]
    waves = [np.sin((number + i + 1) * x.sum(axis=1) + k) for k in range(2) for i in range(given.domain.dimension)]
    return 0.3 * np.array(waves).reshape(2, given.domain.dimension, -1)


def derivatives(given: hd.Problem) -> dict[str, Any]:
    functional = hd.ReducedFunctional(given)
    u, v, w = (smooth(given, number) for number in range(3))
    orders = taylor_orders(functional, u, v, (1e-2, 5e-3))
    comm, gradient = given.domain.comm, functional.gradient(u)
    functional.linearise(u)
    product = functional.hessian_product(v)
    return {
        "start": functional.evaluate(u),
        "slope": comm.allreduce(float((gradient * v).sum())),
        "curvature": comm.allreduce(float((product * w).sum())),
        "norm": functional.norm(gradient),
        "symmetry": hessian_symmetry(functional, u, v, w),
        "orders": [*orders.gradient, *orders.hessian],
    }


@cache
def runs(case: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The solution, its steps, its network and the derivatives elsewhere: of one rank alone, and of all."""

    def run(comm: MPI.Comm) -> dict[str, Any]:
        steps: list[int] = []
        given = problem(case, comm)
        options = ITERATED if "iterated" in case else {}
        solution = hd.train(given, options=options, monitor=lambda entry: steps.append(entry["iteration"]))
        found = {name: getattr(solution, name) for name in (*EXACT, *CLOSE[:2], *STEPS, *FIELDS)}
        if given.readout is not None:
            network, samples = hd.Network(solution), hd.sample_mixture(components(given.domain.dimension), 60, seed=3)
            found["accuracy"], found["moved"] = network.accuracy(samples), network.transform(samples.features)
            found["readout"] = np.column_stack([network.readout.weights, network.readout.offsets])
        return derivatives(given) | found | {"parts": dict(solution.parts), "steps": steps, "words": str(solution)}

    return alone_and_together(run)


@every_case
def test_training_does_not_depend_on_the_ranks(case: str) -> None:
    one, many = runs(case)
    agreed((many["objective"], many["gradient_norm"], many["words"]))
    assert one["converged"]
    for name in EXACT[:2]:
        assert many[name] == one[name], name
    assert len(many["warnings"]) == len(one["warnings"])
    for name in CLOSE:
        assert many[name] == pytest.approx(one[name], rel=1e-9), name
    assert many["parts"] == pytest.approx(one["parts"], rel=1e-6)
    assert max(one["gradient_norm"], many["gradient_norm"]) <= 1e-7
    assert abs(many["iterations"] - one["iterations"]) <= 1
    assert many["hessian_products"] == pytest.approx(one["hessian_products"], rel=0.2, abs=3)
    assert many["steps"] == list(range(many["iterations"] + 1))
    for name in ("min_density", "negative_mass"):
        assert many[name] == pytest.approx(one[name], rel=1e-4, abs=1e-12), name
    assert many["peclet"] == pytest.approx(one["peclet"], rel=1e-5)
    assert max(one["mass_error"], many["mass_error"]) < (1e-10 if "iterated" in case else 1e-12)


@pytest.mark.three_ranks
def test_saddles_are_left_the_same_way() -> None:
    def run(comm: MPI.Comm) -> dict[str, Any]:
        domain = hd.Domain.interval(-2.0, 2.0, 17, comm=comm)
        start, goal = (hd.mixture([hd.Gaussian([0.2], std)], domain) for std in (0.4, 0.5))
        physics = hd.Lagrangian(0.3, decay=0.02, smoothness=0.0)
        solution = hd.train(hd.Problem(domain, hd.layers(4), start, physics, hd.Density(2.0, goal, divergence="kl")))
        left = [entry["curvature"] for entry in solution.history if "curvature" in entry]
        return {"left": left, "objective": solution.objective, "saddles": solution.saddles}

    one, many = alone_and_together(run)
    assert one["saddles"] == many["saddles"] == 1
    assert many["left"] == pytest.approx(one["left"], rel=1e-6)
    assert many["objective"] == pytest.approx(one["objective"], rel=1e-9)


@pytest.mark.parametrize("case", [case for case in CASES if "cube" not in case])
def test_nor_does_the_network(case: str) -> None:
    one, many = runs(case)
    assert many["accuracy"] == one["accuracy"] > 0.8
    np.testing.assert_allclose(many["moved"], one["moved"], atol=1e-5)
    np.testing.assert_allclose(many["readout"], one["readout"], atol=1e-5)


@every_case
def test_derivatives_are_exact_on_any_number_of_ranks(case: str) -> None:
    for found in runs(case):
        np.testing.assert_allclose(found["orders"], 2.0, atol=0.1)
        assert found["symmetry"] < 1e-10
        assert found["min_density"] >= 0 or "euler-box" not in case or "P2" in case


def test_neurons_trained_whole() -> None:
    """Derivatives are those of one rank; training, which is not convex, ends at the same point."""

    def run(comm: MPI.Comm) -> dict[str, Any]:
        control = Neurons(3, hidden_weights="trained")
        given = replace(problem("box strang, readout and neurons", comm), control=control)
        functional = ControlledFunctional(hd.ReducedFunctional(given))
        draws = 0.3 * np.random.default_rng(0).standard_normal((3, 2 * 3 * 5 + 6))
        u, v, w = draws if comm.rank == 0 else np.zeros((3, 0))
        u = u + functional.flat(None)
        gradient = functional.gradient(u)
        functional.linearise(u)
        sums = [
            (gradient * v).sum(),
            (functional.hessian_product(v) * w).sum(),
            (functional.metric_product(v) * v).sum(),
        ]
        solution = hd.train(given)
        assert solution.converged and solution.hidden is not None
        moved = hd.Network(solution).push([[0.1, 0.2], [-0.7, 0.3]])[-1]
        found = {"sums": [comm.allreduce(float(x)) for x in sums], "value": functional.evaluate(u)}
        return found | {"norm": functional.norm(gradient), "J": solution.objective, "moved": moved}

    one, many = alone_and_together(run)
    for name in ("sums", "value", "norm"):
        np.testing.assert_allclose(many[name], one[name], rtol=1e-9)
    np.testing.assert_allclose(many["J"], one["J"], rtol=1e-8)
    np.testing.assert_allclose(many["moved"], one["moved"], atol=1e-4)


def test_one_rank_that_wants_to_stop_stops_all() -> None:
    solution = hd.train(problem("line euler-box", WORLD), monitor=lambda entry: LAST and entry["iteration"] == 1)
    assert agreed((solution.reason, solution.iterations)) == ("stopped by the monitor", 1)


def test_a_bad_array_on_one_rank_is_an_error_on_all() -> None:
    given = problem("line euler-box", WORLD)
    start = np.full(hd.ReducedFunctional(given).shape, np.nan if LAST else 0.0)
    with pytest.raises(hd.InputError, match="initial velocity has"):
        hd.train(given, initial=start)


def test_rank_0_alone_speaks(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "hydrodl"):
        found = hd.train(problem("line euler-box", WORLD), verbose=2)
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("newton")]
    assert len(said) == (len(found.history) if WORLD.rank == 0 else 0)
    assert bool(caplog.records) == (WORLD.rank == 0)
    with pytest.warns(ConvergenceWarning) if WORLD.rank == 0 else nullcontext():
        hd.train(problem("line euler-box", WORLD), options={"tao_max_it": 1})
