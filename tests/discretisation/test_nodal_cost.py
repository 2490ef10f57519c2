"""On boxes the running cost as numbers at nodes is the one of the UFL forms, with its first and second derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import ufl

import hydrodl as hd
from hydrodl.common.errors import InputError
from hydrodl.discretisation.running_cost import FormCost
from hydrodl.physics.cost_numbers import CostNumbers, cost_numbers
from hydrodl.physics.lagrangian import Lagrangian

ENERGIES = [None, hd.Entropy(0.2, 1e-3), hd.Power(0.4, 2.5), hd.Focusing(0.1)]


@pytest.mark.parametrize("d", [1, 2, 3])
def test_against_the_forms(d: int) -> None:
    domain = hd.Domain.box([-1.0] * d, [1.0, 1.3, 0.8][:d], [6, 5, 4][:d])
    rng = np.random.default_rng(d)
    for energy in ENERGIES:
        for smoothness in (0.0, 0.3):
            physics = hd.Lagrangian(0.1, 0.05, smoothness, 0.8, energy)
            scheme = hd.Problem(
                domain,
                hd.layers(2),
                hd.mixture([hd.Gaussian([0.0] * d, 0.4)], domain),
                physics,
                hd.Position(1.0, [[0.1] * d]),
                "strang",
            ).method
            transport = scheme.transport(domain, scheme.physics(domain, physics), 2, 1, {})
            ours, forms = transport.cost, FormCost(transport.action)
            u, total = rng.standard_normal((2, d, domain.nodes)), 0.1 + rng.random((2, domain.nodes))
            np.testing.assert_allclose(ours.values(u, total), forms.values(u, total), rtol=1e-13)
            for found, exact in zip(ours.slopes(u, total), forms.slopes(u, total), strict=True):
                np.testing.assert_allclose(found, exact, atol=1e-13)


@dataclass(frozen=True)
class Heavier(Lagrangian):
    """The UFL expression changed, the numbers that it had not."""

    def running_cost(self, u: Any, total: Any) -> Any:
        more = 0.25 * total * ufl.inner(u, u) + 0.1 * ufl.inner(ufl.grad(u), ufl.grad(u))
        return super().running_cost(u, total) + more


@dataclass
class Quartic:
    """An internal energy as a user may write it, which cannot be hashed."""

    weight: float

    def density(self, total: Any) -> Any:
        return self.weight * total**4


@dataclass(frozen=True)
class Steep(Lagrangian):
    """A cost that is not quadratic in the velocity."""

    def running_cost(self, u: Any, total: Any) -> Any:
        return super().running_cost(u, total) + ufl.inner(u, u) ** 2


@dataclass(frozen=True)
class Slanted(Lagrangian):
    """A quadratic cost that couples the components of the velocity."""

    def running_cost(self, u: Any, total: Any) -> Any:
        return super().running_cost(u, total) + 0.1 * ufl.div(u) ** 2


@dataclass(frozen=True)
class Crowded(Lagrangian):
    """An internal energy that is not said to be one."""

    def running_cost(self, u: Any, total: Any) -> Any:
        return super().running_cost(u, total) + 0.1 * total**2


def test_numbers_are_those_of_the_expression() -> None:
    for energy in [*ENERGIES, Quartic(0.3)]:
        physics = hd.Lagrangian(0.1, 1e-7, 0.3, 0.7, energy, potential=lambda x: x[:, 0])
        assert cost_numbers(physics) == CostNumbers(0.7, 1e-7, 0.3**2)
    assert cost_numbers(hd.Lagrangian(0.1, 0.2, 0.0, 0.0)) == CostNumbers(0.0, 0.2, 0.0)
    found = cost_numbers(Heavier(0.1, 0.05, 0.3, 0.8))
    assert found is not None
    assert (found.kinetic, found.decay, found.stiffness) == pytest.approx((1.3, 0.05, 0.29), rel=1e-15)
    for other in (Steep, Slanted, Crowded):
        assert cost_numbers(other(0.1)) is None


def problem(physics: Lagrangian, scheme: str | None = None) -> hd.Problem:
    domain = hd.Domain.interval(-2.0, 2.0, 33)
    start = hd.mixture([hd.Gaussian(-0.5, 0.4)], domain)
    return hd.Problem(domain, hd.layers(4), start, physics, hd.Position(2.0, [[0.5]]), scheme)


def test_the_expression_is_what_every_scheme_solves() -> None:
    """The changed expression is that of other numbers, in the default scheme too."""
    heavy, same = Heavier(0.1, 0.05, 0.3, 0.8), hd.Lagrangian(0.1, 0.05, 0.29**0.5, 1.3)
    ours, theirs = hd.train(problem(heavy)), hd.train(problem(same))
    assert ours.problem.scheme == "strang"
    assert ours.objective == pytest.approx(theirs.objective, rel=1e-12)
    assert ours.iterations == theirs.iterations


def test_costs_of_other_forms() -> None:
    """Refused where kernels are nodal; other schemes solve them."""
    with pytest.raises(InputError, match=r"scheme 'strang' needs the running cost .* that of Steep is not; take"):
        problem(Steep(0.1))
    assert hd.train(problem(Steep(0.1), "euler-box")).converged
