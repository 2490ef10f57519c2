"""Trains small problems and prints what must not depend on the number of ranks, as JSON; run by test_train_parallel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import hydrodl as hd  # isort: skip  (before mpi4py: it loads the compiled stack in the order that needs)
import numpy as np
from mpi4py import MPI

from hydrodl.physics.neurons import Neurons
from hydrodl.training.derivative_tests import hessian_symmetry, taylor_orders

RANKS = MPI.COMM_WORLD.size


def components(d: int, shift: float = 0.0) -> list[hd.Gaussian]:
    means = np.array([[-0.6], [0.5]]) * np.linspace(1, 0.5, d) + shift
    return [hd.Gaussian(mean, 0.4, label=name) for mean, name in zip(means, "ab", strict=True)]


def problem(d: int, scheme: str, loss: str, nodes: int, **choices: Any) -> hd.Problem:
    domain = hd.Domain.box([-1.5] * d, [1.6] * d, nodes, **choices)
    rho, target = hd.mixture(components(d), domain), hd.mixture(components(d, 0.2), domain)
    losses: dict[str, Any] = {
        "classification": hd.Classification(4.0),
        "position": hd.Position(2.0, np.array([[-1.0], [1.0]]) * np.ones(d)),
        "density": [hd.Density(0.5, target, "kl"), hd.Density(2.0, target, "l2", layer=1), hd.Classification(1.0)],
    }
    smoothness = 0.0 if d == 1 else 0.2
    lagrangian = hd.Lagrangian(0.1, smoothness=smoothness, energy=hd.Power(0.1), potential=lambda x: x[:, 0] ** 2 / 9)
    return hd.Problem(domain, hd.layers([0.0, 0.4, 1.0]), rho, lagrangian, losses[loss], scheme)


def cases() -> Iterator[tuple[str, hd.Problem, dict[str, Any]]]:
    for scheme in ("euler-box", "midpoint"):
        yield f"line {scheme}", problem(1, scheme, "density", 21), {}
        yield f"P2 {scheme}", problem(2, scheme, "classification", 5, cells="simplex", degree=2), {}
    yield "box euler-box", problem(2, "euler-box", "density", 8), {}
    yield "box midpoint", problem(2, "midpoint", "classification", 8), {}
    yield "cube euler-box", problem(3, "euler-box", "position", 4), {}
    iterate = {"slab_ksp_type": "gmres", "slab_pc_type": "bjacobi", "slab_ksp_rtol": 1e-13}
    learning = hd.Classification(4.0, trained=True)
    yield "box trained readout", replace(problem(2, "midpoint", "classification", 8), losses=learning), {}
    few = replace(problem(2, "euler-box", "classification", 8), losses=learning, control=Neurons(12))
    yield "box neurons", few, {}
    yield "box euler-box, iterated", problem(2, "euler-box", "classification", 8), iterate | {"tao_type": "nls"}


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


def trained(given: hd.Problem, options: dict[str, Any]) -> dict[str, Any]:
    steps: list[int] = []
    solution = hd.train(given, options=options, monitor=lambda entry: steps.append(entry["iteration"]))
    found: dict[str, Any] = {
        name: getattr(solution, name)
        for name in (
            "objective",
            "gradient_norm",
            "initial_gradient_norm",
            "converged",
            "reason",
            "iterations",
            "hessian_products",
            "min_density",
            "negative_mass",
            "mass_error",
            "peclet",
        )
    }
    found |= {"parts": dict(solution.parts), "warnings": len(solution.warnings), "steps": steps}
    found["everyone"] = len(
        set(given.domain.comm.allgather((solution.objective, solution.gradient_norm, str(solution))))
    )
    if given.readout is not None:
        samples = hd.sample_mixture(components(given.domain.dimension), 60, seed=3)
        network = hd.Network(solution)
        found["readout"] = np.column_stack([network.readout.weights, network.readout.offsets]).tolist()
        found["accuracy"] = network.accuracy(samples)
        found["pushed"] = network.transform(samples.features).tolist()
    return found


def stopped() -> list[Any]:
    """One rank's wish stops them all; one rank's bad array is an error on them all."""
    given = problem(1, "euler-box", "position", 21)
    last = MPI.COMM_WORLD.rank == RANKS - 1
    solution = hd.train(given, monitor=lambda entry: last and entry["iteration"] == 1)
    start = np.full_like(solution.velocity, np.nan if last else 0.0)
    said = "nothing"
    try:
        hd.train(given, initial=start)
    except hd.InputError as error:
        said = str(error)[:20]
    return [solution.reason, solution.iterations, sorted(set(MPI.COMM_WORLD.allgather(said)))]


if __name__ == "__main__":
    results = {name: derivatives(given) | trained(given, options) for name, given, options in cases()}
    report = {"cases": results, "stopped": stopped()}
    if MPI.COMM_WORLD.rank == 0:
        print(json.dumps(report))
