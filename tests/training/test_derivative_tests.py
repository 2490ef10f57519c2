"""Taylor tests: gradient and Hessian are those of the discrete objective, for everything that can be set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.physics.internal_energy import InternalEnergy
from hydrodl.physics.losses import Loss
from hydrodl.training.derivative_tests import STEPS, TaylorOrders, hessian_symmetry, taylor_orders

TIMES = [0.0, 0.15, 0.5, 0.8]  # non-uniform layers
NODES = {1: 8, 2: 5, 3: 3}
ENERGIES: dict[str, InternalEnergy] = {
    "entropy": hd.Entropy(0.3),
    "power 2": hd.Power(0.5),
    "power 2.5": hd.Power(0.5, 2.5),
    "power 3": hd.Power(0.5, 3),
    "focusing": hd.Focusing(0.4),
    "focusing 2.5": hd.Focusing(0.4, 2.5),
}
LOSSES = ["classification", "position", "l2", "kl", "several"]
ELEMENTS: dict[str, dict[str, Any]] = {
    "box": {"cells": "box"},
    "box, consistent": {"cells": "box", "lumped": False},
    "P1": {"cells": "simplex", "lumped": False},
    "P1, lumped": {"cells": "simplex", "lumped": True},
    "P2": {"cells": "simplex", "degree": 2},
}
schemes = pytest.mark.parametrize("scheme", ["euler-box", "midpoint"])


def classes_of(domain: hd.Domain, classes: int, shift: float) -> hd.Densities:
    """Wide Gaussians, so that every density is well above 0 on coarse meshes too."""
    means = np.linspace(-0.6, 0.6, classes)[:, None] + shift * np.linspace(1, 0.5, domain.dimension)
    return hd.mixture([hd.Gaussian(mean, 0.6 + 0.1 * c, label=c) for c, mean in enumerate(means)], domain)


def losses_of(kind: str, domain: hd.Domain, classes: int) -> Loss | Sequence[Loss]:
    targets = np.linspace(0.5, -0.5, classes)[:, None] * np.ones(domain.dimension)
    target = classes_of(domain, classes, -0.2)
    several = [
        hd.Density(2.0, target, "kl", layer=1),
        *([hd.Classification(3.0)] if classes > 1 else []),
        hd.Density(1.5, target, "l2", layer=1),
        hd.Position(0.7, targets, layer=2),
        hd.Density(1.0, target, "kl", floor=1e-3),
    ]
    return {
        "classification": hd.Classification(3.0),
        "position": hd.Position(2.0, targets),
        "l2": hd.Density(2.0, target, divergence="l2"),
        "kl": hd.Density(2.0, target, "kl"),
        "several": several,
    }[kind]


def problem(
    scheme: str, *, d: int = 2, classes: int = 2, loss: str = "classification", element: str = "box", **physics: Any
) -> hd.Problem:
    domain = hd.Domain.box([-1.0] * d, np.linspace(1.2, 1.5, d), NODES[d], **ELEMENTS[element])
    given: dict[str, Any] = {"noise": 0.15, "decay": 0.05, "smoothness": 0.3} | physics
    lagrangian = hd.Lagrangian(**given)
    return hd.Problem(
        domain, hd.layers(TIMES), classes_of(domain, classes, 0.1), lagrangian, losses_of(loss, domain, classes), scheme
    )


def check(given: hd.Problem, size: float = 0.3, steps: Sequence[float] = STEPS) -> None:
    functional = hd.ReducedFunctional(given)
    u, v, w = np.random.default_rng(1).standard_normal((3, *functional.shape))
    orders = taylor_orders(functional, size * u, v, steps)
    assert orders.gradient_remainders[0] > 1e-9 and orders.hessian_remainders[0] > 1e-9  # well above rounding
    np.testing.assert_allclose(orders.gradient[-2:], 2.0, atol=0.1)
    np.testing.assert_allclose(orders.hessian[-2:], 2.0, atol=0.1)
    assert hessian_symmetry(functional, size * u, v, w) < 1e-10
    functional.close()


@schemes
@pytest.mark.parametrize(
    ("classes", "loss"), [(c, loss) for c in (1, 2, 3) for loss in LOSSES if c > 1 or loss != "classification"]
)
def test_every_loss_and_number_of_classes(scheme: str, classes: int, loss: str) -> None:
    check(problem(scheme, loss=loss, classes=classes))


@schemes
@pytest.mark.parametrize("energy", ENERGIES)
def test_every_internal_energy(scheme: str, energy: str) -> None:
    check(problem(scheme, energy=ENERGIES[energy], loss="several"))


@pytest.mark.slow
@schemes
@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("d", [1, 2, 3])
def test_every_element_and_dimension(scheme: str, d: int, element: str) -> None:
    per_class = [lambda x: x[:, 0] ** 2, lambda x: np.cos(x[:, -1])]
    check(problem(scheme, d=d, element=element, energy=hd.Power(0.3), potential=per_class, loss="l2"))


@schemes
@pytest.mark.parametrize(
    "physics",
    [
        {"smoothness": 0.0},  # the control inner product is then diagonal
        {"kinetic": 0.0, "decay": 1.0},
        {"decay": 0.0},
        {"fitted": False},
        {"noise": 1e-3},  # fitted diffusion far from nu
        {"potential": lambda x: np.sin(x[:, 0])},
    ],
    ids=["not smooth", "no kinetic cost", "no decay", "unfitted", "little noise", "potential"],
)
def test_every_number_of_the_lagrangian(scheme: str, physics: dict[str, Any]) -> None:
    # where the speed along an edge is next to nothing its noise bends within nu / h: steps are shorter than that
    scale = min(1.0, physics.get("noise", 1.0) / 1e-2)
    check(problem(scheme, loss="several", **physics), steps=scale * np.array(STEPS))


def test_one_layer() -> None:
    given = problem("midpoint", d=1, loss="kl")
    domain = given.domain
    loss = losses_of("kl", domain, 2)
    check(hd.Problem(domain, hd.layers(1, 0.7), given.densities, given.lagrangian, loss, "midpoint"))


# The tests of the tests: wrong derivatives must be seen


class Wrong(hd.ReducedFunctional):
    """A functional whose gradient and Hessian are a little wrong, in the ways asked for."""

    gradient_factor, product_factor, skew = 1.0, 1.0, 0.0

    def gradient(self, velocity: np.ndarray) -> np.ndarray:
        return self.gradient_factor * super().gradient(velocity)

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        return self.product_factor * super().hessian_product(direction) + self.skew * np.roll(direction, 1, axis=2)


def orders_of(**errors: float) -> tuple[TaylorOrders, float]:
    functional = Wrong(problem("euler-box", d=1))
    for name, value in errors.items():
        setattr(functional, name, value)
    u, v, w = 0.3 * np.random.default_rng(1).standard_normal((3, *functional.shape))
    return taylor_orders(functional, u, v), hessian_symmetry(functional, u, v, w)


def test_a_wrong_gradient_is_seen() -> None:
    orders, _ = orders_of(gradient_factor=1.1)
    assert orders.gradient[-1] < 1.9
    assert orders_of()[0].gradient[-1] == pytest.approx(2, abs=0.1)


def test_a_wrong_hessian_is_seen() -> None:
    orders, _ = orders_of(product_factor=1.1)
    assert orders.gradient[-1] == pytest.approx(2, abs=0.1)
    assert orders.hessian[-1] < 1.9


def test_an_asymmetric_hessian_is_seen() -> None:
    assert orders_of(skew=1e-6)[1] > 1e-8 > 1e-12 > orders_of()[1]


# Arguments


@pytest.mark.parametrize("steps", [[1e-2], [1e-2, 1e-2], [1e-3, 1e-2], [1e-2, 0.0], [1e-2, -1e-3], [np.nan, 1e-2]])
def test_bad_steps(steps: list[float]) -> None:
    functional = hd.ReducedFunctional(problem("euler-box", d=1))
    u = np.zeros(functional.shape)
    with pytest.raises(hd.InputError, match="at least two positive decreasing numbers"):
        taylor_orders(functional, u, u + 1, steps)


@pytest.mark.parametrize("bad", [np.zeros((3, 1, 4)), np.full((3, 1, 8), np.nan)])
def test_bad_controls(bad: np.ndarray) -> None:
    functional = hd.ReducedFunctional(problem("euler-box", d=1))
    good = np.ones(functional.shape)
    with pytest.raises(hd.InputError, match="direction has shape"):
        taylor_orders(functional, good, bad)
    with pytest.raises(hd.InputError, match="w has shape"):
        hessian_symmetry(functional, good, good, bad)


def test_the_functional_is_left_at_its_point() -> None:
    functional = hd.ReducedFunctional(problem("euler-box", d=1))
    u, v = 0.3 * np.random.default_rng(1).standard_normal((2, *functional.shape))
    functional.linearise(u)
    expected = functional.hessian_product(v).copy()
    rebuilt = functional.restored
    taylor_orders(functional, u, v)
    np.testing.assert_array_equal(functional.hessian_product(v), expected)
    assert functional.restored == rebuilt
