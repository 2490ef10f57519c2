"""Zero velocity is the heat equation between reflecting walls: closed forms, observed orders in layers and nodes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.mesh.quadrature import moment

NOISE, DEPTH, SLOPE = 0.2, 1.0, 0.5
# family: dimension, cells, degree, nodes per direction
FAMILIES = {
    "interval-Q1": (1, "box", 1, (9, 17, 33)),
    "interval-P1": (1, "simplex", 1, (9, 17, 33)),
    "interval-P2": (1, "simplex", 2, (5, 9, 17)),
    "square-Q1": (2, "box", 1, (7, 13, 25)),
    "square-P1": (2, "simplex", 1, (9, 17, 33)),
    "square-P2": (2, "simplex", 2, (5, 9, 17)),
}
SCHEMES = {"euler-box": 1, "midpoint": 2}


def box(family: str, nodes: int) -> hd.Domain:
    d, cells, degree = FAMILIES[family][:3]
    return hd.Domain.box([0.0] * d, [1.0] * d, nodes, cells=cells, degree=degree, lumped=cells == "box")


def heated(domain: hd.Domain, rho0: Callable, layers: int, scheme: str) -> np.ndarray:
    """Densities (N + 1, nodes) of one class at rest."""
    problem = hd.Problem(
        domain,
        hd.layers(layers, DEPTH),
        hd.densities_from_function([rho0], domain),
        hd.Lagrangian(NOISE, smoothness=0.0),
        hd.Position(1.0, [[0.0] * domain.dimension]),
        scheme,
    )
    functional = hd.ReducedFunctional(problem)
    functional.evaluate(np.zeros(functional.shape))
    return functional.sweeps.density[:, 0, : domain.owned].copy()


def mode(x: np.ndarray) -> np.ndarray:
    """prod_a cos(pi x_a): eigenvalue -d pi^2 of the Laplacian with reflecting walls."""
    return np.cos(np.pi * x).prod(axis=1)


def start(x: np.ndarray) -> np.ndarray:
    return 1.0 + SLOPE * mode(x)


def decay(scheme: str, rate: float, layers: int) -> float:
    """What N layers of a scheme make of a mode that decays as exp(-rate t)."""
    z = rate * DEPTH / layers
    return (1 / (1 + z) if scheme == "euler-box" else (1 - z / 2) / (1 + z / 2)) ** layers


def orders(errors: list[float]) -> np.ndarray:
    """Observed orders of errors under doubling."""
    values = np.abs(errors)
    return np.log2(values[:-1] / values[1:])


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("family", FAMILIES)
def test_order_in_layers(family: str, scheme: str) -> None:
    """Successive differences of the last density, in which the error in nodes cancels."""
    domain = box(family, FAMILIES[family][3][1])
    last = [heated(domain, start, n, scheme)[-1] for n in (16, 32, 64, 128)]
    found = orders([rms(a - b) for a, b in pairwise(last)])
    assert found[-1] == pytest.approx(SCHEMES[scheme], abs=0.1)


@pytest.mark.parametrize("family", FAMILIES)
def test_order_in_nodes(family: str) -> None:
    """Against the PDE's mode taken through the same layers in closed form, so no error in layers enters.

    Degree p gives order p + 1 in the mean square, and more at the nodes of some meshes. The layers are euler-box's: it
    damps the rough modes that interpolation of the start excites, midpoint carries them along.
    """
    d, _, degree, sizes = FAMILIES[family]
    factor = decay("euler-box", NOISE * d * np.pi**2, 16)
    errors = []
    for nodes in sizes:
        domain = box(family, nodes)
        exact = 1.0 + SLOPE * factor * mode(domain.coordinates[: domain.owned])
        errors.append(rms(heated(domain, start, 16, "euler-box")[-1] - exact))
    if degree == 1:
        assert orders(errors) == pytest.approx(2.0, abs=0.15)
    else:
        assert orders(errors).min() > 2.8


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("family", FAMILIES)
def test_error_against_the_heat_equation(family: str, scheme: str) -> None:
    """Against 1 + a exp(-d nu pi^2 t) prod cos(pi x); nodes and layers refined together, both errors fall by 4."""
    d, sizes = FAMILIES[family][0], FAMILIES[family][3]
    errors = []
    for nodes, n in zip(sizes[1:], (64, 256) if scheme == "euler-box" else (16, 32), strict=True):
        domain = box(family, nodes)
        exact = 1.0 + SLOPE * np.exp(-NOISE * d * np.pi**2 * DEPTH) * mode(domain.coordinates[: domain.owned])
        errors.append(rms(heated(domain, start, n, scheme)[-1] - exact))
    assert errors[1] < 6e-4
    assert orders(errors)[0] > 1.85


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("d", [1, 2])
def test_lumped_boxes_follow_the_discrete_dispersion_relation(d: int, scheme: str) -> None:
    """cos(pi x) is an eigenvector of the lumped Laplacian, eigenvalue -(4/h^2) sin^2(pi h/2): exact to rounding."""
    nodes, layers = 9, 6
    domain = hd.Domain.box([0.0] * d, [1.0] * d, nodes)
    h = 1 / (nodes - 1)
    rho = heated(domain, start, layers, scheme)[-1]
    factor = decay(scheme, NOISE * d * 4 / h**2 * np.sin(np.pi * h / 2) ** 2, layers)
    exact = 1.0 + SLOPE * factor * mode(domain.coordinates[: domain.owned])
    np.testing.assert_allclose(rho, exact, atol=1e-13)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("family", FAMILIES)
def test_variance_grows_by_twice_the_noise(family: str, scheme: str) -> None:
    """x^2 is resolved exactly by every family, so the variance at every layer is s0 + 2 nu t up to the far tails."""
    d, cells, degree = FAMILIES[family][:3]
    domain = hd.Domain.box([-8.0] * d, [8.0] * d, 65 if d == 1 else 33, cells=cells, degree=degree)
    x = domain.coordinates[: domain.owned]
    rho = heated(domain, hd.Gaussian([0.0] * d, 0.8).density, 5, scheme)
    spread = np.array([_integral(domain, (x[:, 0] ** 2) * layer) for layer in rho])
    assert spread[0] == pytest.approx(0.64, abs=1e-3)
    np.testing.assert_allclose(spread - spread[0], 2 * NOISE * np.linspace(0, DEPTH, 6), atol=1e-8)


def _integral(domain: hd.Domain, values: np.ndarray) -> float:
    """int of the interpolant of nodal values."""
    return float(moment(domain) @ values)
