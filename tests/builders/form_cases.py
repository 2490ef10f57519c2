"""Networks whose exact forms are tested: small trained ones with their test set, and wild ones of any velocity."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

import hydrodl as hd
from hydrodl.physics.neurons import Neurons

# name -> (data set and its choices, nodes, layers, choices of the problem)
TRAINED: dict[str, tuple[dict[str, Any], Any, int, dict[str, Any]]] = {
    "line, 3 classes, PCA": ({"name": "iris", "dimensions": 1}, 31, 4, {}),
    "plane, 2 classes": ({"name": "two_moons", "n": 240}, [13, 9], 4, {}),
    "plane, 3 classes, PCA": ({"name": "wine", "dimensions": 2}, [9, 11], 3, {}),
    "space, 3 classes, PCA": ({"name": "iris", "dimensions": 3}, [6, 5, 4], 2, {}),
    "space, lifted": ({"name": "circles", "n": 120, "lift": 1}, [9, 8, 4], 2, {}),
    "neurons, tanh": ({"name": "two_moons", "n": 240}, [11, 9], 3, {"control": Neurons(12)}),
    "neurons, whole": ({"name": "two_moons", "n": 240}, [11, 9], 2, {"control": Neurons(3, hidden_weights="trained")}),
    "neurons, relu, readout": (
        {"name": "wine", "dimensions": 2},
        [11, 9],
        3,
        {"control": Neurons(10, "relu"), "trained": True},
    ),
}


@cache
def trained(name: str) -> tuple[hd.Network, hd.Samples]:
    """A trained network and the half of its data that it has not seen."""
    data, nodes, layers, choices = TRAINED[name]
    train, test = hd.load_dataset(**data).split(0.5)
    domain = hd.Domain.around(train, nodes, margin=0.6)
    loss = hd.Classification(5.0, trained=choices.get("trained", False))
    problem = hd.Problem(
        domain,
        hd.layers(layers),
        hd.densities(train, domain, 0.3),
        hd.Lagrangian(0.05, smoothness=0.05),
        loss,
        control=choices.get("control"),
    )
    solution = hd.train(problem)
    assert solution.converged, solution
    return hd.Network(solution), test


def untrained(domain: hd.Domain, loss: Any = None, **choices: Any) -> hd.Network:
    """Two classes, three layers of different depth, u = 0."""
    means = np.array([[-0.2], [0.3]]) * np.ones(domain.dimension)
    rho = hd.mixture([hd.Gaussian(m, 0.6, label=name) for m, name in zip(means, "ab", strict=True)], domain)
    layers = hd.layers([0.0, 0.3, 0.5, 1.0])
    loss = loss or hd.Classification(1.0, hd.Readout.spread(2, domain.dimension))
    problem = hd.Problem(domain, layers, rho, hd.Lagrangian(0.1, smoothness=0.0), loss, **choices)
    return hd.Network(hd.train(problem, monitor=lambda entry: True))


def wild(domain: hd.Domain, amplitude: float, loss: Any = None) -> hd.Network:
    """As untrained, but neighbouring nodes know nothing of each other; the same on any number of ranks."""
    found, x = untrained(domain, loss), domain.coordinates[: domain.owned]
    phases = np.arange(3 * domain.dimension).reshape(3, domain.dimension, 1)
    # the last digits depend on the rank, and on how many nodes are computed at once
    mixed = (x @ np.array([1.0, 1.7, 2.3])[: domain.dimension]).round(9)
    velocity = amplitude * np.sin(150.0 * mixed**2 + 40.0 * mixed + 5.0 * phases)
    return hd.Network(found.solution.with_velocity(velocity.round(9)))


def random_neurons(domain: hd.Domain, control: Neurons, amplitude: float) -> hd.Network:
    """As untrained, with neurons of random coefficients; the velocity at nodes is not theirs."""
    found = untrained(domain, control=control)
    draw = np.random.default_rng(0).standard_normal((3, domain.dimension, control.width))
    return hd.Network(replace(found.solution, coefficients=amplitude * draw))


def everywhere(domain: hd.Domain, count: int = 1500, reach: float = 1.5) -> np.ndarray:
    """Points in and around the box, some of them on its nodes, walls and corners, and some very far away."""
    rng, (lower, upper) = np.random.default_rng(1), domain.bounds
    middle, half = (lower + upper) / 2, (upper - lower) / 2
    points = middle + reach * half * rng.uniform(-1, 1, (count, domain.dimension))
    exact = rng.integers(0, 3, (40, domain.dimension))
    return np.concatenate([points, np.choose(exact, [lower, middle, upper]), [lower - 1e6, upper + 1e6]])
