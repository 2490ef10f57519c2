"""Backward error analysis: residuals of the original and modified systems fall with the orders they must have.

Densities are cosines and the loss pulls towards cosines, so that the reflecting walls are smooth mirrors; residuals are
measured on the central half of depth and box. The optimiser's own error is below 1e-12.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from mpi4py import MPI

from hydrodl.analysis.backward_error.modified_system import (
    layer_residuals,
    modified_energy,
    modified_system,
    space_residuals,
)
from hydrodl.analysis.backward_error.residual_sums import ModifiedResiduals
from hydrodl.discretisation.box_scheme import BoxScheme
from hydrodl.problem.flow import Flow

SCHEMES = ("euler-box", "midpoint")
LAYER_ORDERS = {"euler-box": (1, 2, 3), "midpoint": (2, 4, 6)}
OPTIONS = {"tao_gatol": 1e-13, "tao_max_it": 30}
POINTS = 13  # of differences in layers: their error is of order 12


def mirrored(sign: float, sides: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: 1 + sign * 0.4 * np.cos(np.pi * x / sides) @ np.array([1.0, 0.5])[: len(sides)]


def solved(
    domain: hd.Domain, layers: hd.Layers, scheme: str, energy: object = None, loss_layer: int | None = None
) -> Flow:
    """Two classes exchange their densities between reflecting walls."""
    sides = domain.bounds[1]
    start, target = (hd.densities_from_function([mirrored(s, sides), mirrored(-s, sides)], domain) for s in (1, -1))
    # V: the same smooth mirror as the densities
    physics = hd.Lagrangian(0.05, 0.5, 0.1, energy=energy, potential=lambda x: 0.1 * np.cos(np.pi * x[:, 0] / sides[0]))
    losses = [hd.Density(2.0, target, divergence="l2")]
    if loss_layer is not None:
        losses.append(hd.Density(0.5, target, layer=loss_layer, divergence="l2"))
    solution = hd.train(hd.Problem(domain, layers, start, physics, losses, scheme), options=OPTIONS)
    assert solution.converged
    return solution.flow


@cache
def in_layers(layers: int, scheme: str) -> Flow:
    return solved(hd.Domain.interval(0.0, 1.0, 9), hd.layers(layers), scheme)


def box(nodes: int, d: int, comm: MPI.Comm = MPI.COMM_WORLD) -> hd.Domain:
    """Sides and spacings differ, the latter always by the same factor."""
    return hd.Domain.box([0.0] * d, [1.0, 1.3][:d], nodes, comm=comm)


def seen(coarse: ModifiedResiduals, fine: ModifiedResiduals, name: str) -> list[float]:
    """Observed orders of the three residuals of an equation."""
    ratio = np.log(coarse.step / fine.step)
    return [float(np.log(a[name] / b[name]) / ratio) for a, b in zip(coarse.levels, fine.levels, strict=True)]


@pytest.mark.parametrize("name", ["density", "potential", "energy"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_orders_in_layers(scheme: str, name: str) -> None:
    counts = (48, 64) if scheme == "midpoint" else (64, 128)  # below, the midpoint's last residual meets rounding
    found = [layer_residuals(in_layers(n, scheme), points=POINTS) for n in counts]
    assert seen(*found, name) == pytest.approx(LAYER_ORDERS[scheme], abs=0.12)
    assert found[1].direction == "layers" and found[1].step == 1 / counts[1]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_momentum_map_holds_in_every_slab(scheme: str) -> None:
    """It has no series in layers: what is left is the optimiser's."""
    assert max(level["velocity"] for level in layer_residuals(in_layers(64, scheme)).levels) < 1e-11


@pytest.mark.parametrize("name", ["density", "potential", "velocity", "energy"])
@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_orders_in_space(scheme: str, d: int, name: str) -> None:
    found = in_space(scheme, d)
    assert seen(*found, name) == pytest.approx((2, 4, 6), abs=0.4)
    assert found[1].modified_residual_4[name] < 1e-6


@cache
def in_space(scheme: str, d: int) -> list[ModifiedResiduals]:
    counts, energy = ((33, 49), hd.Power(0.3)) if d == 1 else ((37, 49), hd.Power(0.3, 3.0))
    return [space_residuals(solved(box(n, d), hd.layers(4), scheme, energy)) for n in counts]


def test_a_field_that_does_not_solve_the_scheme_is_seen() -> None:
    """A smooth change by 1e-6 of the potential stops the fall of the residual."""
    flow = in_layers(64, "midpoint")
    wrong = replace(flow, potential=flow.potential * (1 + 1e-6 * np.cos(3 * flow.layers.times)[:, None, None]))
    good, bad = (layer_residuals(f, points=POINTS).modified_residual_4["potential"] for f in (flow, wrong))
    assert bad > 100 * good


@pytest.mark.parametrize("name", ["density", "potential"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_other_meshes_have_the_layer_part_and_say_so(scheme: str, name: str) -> None:
    """P2 on a mesh of triangles of many sizes."""
    domain = hd.Domain.box([0.0, 0.0], [1.0, 1.0], [5, 4], cells="simplex", degree=2)
    points = domain.mesh.geometry.x
    points[:, 0] += 0.1 * np.sin(np.pi * points[:, 0]) * np.sin(np.pi * points[:, 1])
    found = [modified_system(solved(domain, hd.layers(n), scheme), points=POINTS) for n in (48, 64)]
    assert found[1].space is None and "not a uniform box" in found[1].note
    layers = [one.layers for one in found]
    assert layers[0] is not None and layers[1] is not None and "energy" not in layers[0].equation_residual
    assert seen(*layers, name) == pytest.approx(LAYER_ORDERS[scheme], abs=0.15)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_modified_energy(scheme: str) -> None:
    """Drift at least 30 times below that of H at 32 layers; orders 1 -> 2 and 2 -> 4."""
    first, window = (1, 0.8) if scheme == "euler-box" else (2, 0.8)
    at_32 = modified_energy(in_layers(32, scheme))
    assert at_32.modified_drift < at_32.drift / 30
    coarse, fine = (modified_energy(in_layers(n, scheme), window=window) for n in (64, 128))
    orders = [np.log2(coarse.drift / fine.drift), np.log2(coarse.modified_drift / fine.modified_drift)]
    assert orders == pytest.approx([first, 2 * first], abs=0.15)
    assert fine.order == 2 * first


@pytest.mark.parametrize("scheme", SCHEMES)
def test_modified_energy_on_any_mesh(scheme: str) -> None:
    domain = hd.Domain.box([0.0, 0.0], [1.0, 1.0], [6, 5], cells="simplex")
    found = modified_energy(solved(domain, hd.layers(32), scheme))
    assert found.modified_drift < found.drift / 20


def test_a_loss_inside_breaks_the_stretch() -> None:
    """The potential jumps there: derivatives and drifts stay on either side of it."""
    flow = solved(hd.Domain.interval(0.0, 1.0, 9), hd.layers(64), "midpoint", loss_layer=24)
    found, energy = layer_residuals(flow), modified_energy(flow)
    assert found.modified_residual_4["potential"] < 1e-6
    assert energy.modified_drift < energy.drift / 30
    jump = np.abs(np.diff(energy.energy[[np.searchsorted(energy.slabs, k) for k in (22, 25)]]))
    assert jump > 30 * energy.drift


def test_what_does_not_apply_is_named() -> None:
    domain = hd.Domain.interval(0.0, 1.0, 7)
    uneven = solved(domain, hd.layers(np.linspace(0, 1, 25) ** 1.1), "midpoint")
    with pytest.raises(hd.InputError, match="equal layers"):
        layer_residuals(uneven)
    with pytest.raises(hd.InputError, match="equal layers"):
        modified_energy(uneven)
    with pytest.raises(hd.InputError, match="more than 7 nodes a side"):
        space_residuals(uneven)
    with pytest.raises(hd.InputError, match="points is 8"):
        modified_system(uneven, points=8)
    with pytest.raises(hd.InputError, match="window is 0"):
        modified_energy(uneven, window=0.0)
    with pytest.raises(hd.InputError, match="more than 4 layers"):
        layer_residuals(solved(domain, hd.layers(4), "midpoint"))
    said = modified_system(uneven)
    assert said.layers is None and said.space is None
    assert "equal layers" in said.note and "7 nodes" in said.note


def test_space_needs_equal_nodes_only() -> None:
    """Layers may differ: the difference in layers is kept as it is."""
    uneven = hd.layers([0.0, 0.2, 0.3, 0.6, 1.0])
    found = [space_residuals(solved(box(n, 1), uneven, "midpoint")) for n in (33, 49)]
    assert seen(*found, "energy") == pytest.approx((2, 4, 6), abs=0.3)


def smooth_flow(d: int, layers: int, theta: float, comm: MPI.Comm = MPI.COMM_WORLD) -> Flow:
    """Fields that solve nothing, the same on any number of ranks."""
    domain = box(15, d, comm)
    x, t = domain.coordinates[: domain.owned].T, np.linspace(0, 1, layers + 1)[:, None, None]
    wave = np.stack([np.sin(x.sum(axis=0)), np.cos(2 * x[0])])
    velocity = np.stack([np.cos(x[0] + i) for i in range(d)]) * (1 + t[:-1])
    fields = 2 + wave * np.cos(3 * t), wave[::-1] * np.sin(2 * t), np.zeros((layers, 2, domain.owned))
    lagrangian = hd.Lagrangian(0.3, 0.5, 0.1, energy=hd.Power(0.3), potential=lambda x: x[:, 0] ** 2)
    return Flow(domain, hd.layers(layers), lagrangian, BoxScheme("box", theta), velocity, *fields)


def test_an_unresolved_direction_is_named() -> None:
    """Fast flow, little noise: h |u| / nu is far above 1, where the series of the edges' noise diverges."""
    flow = smooth_flow(1, 12, 0.5)
    said = modified_system(replace(flow, lagrangian=replace(flow.lagrangian, noise=0.01))).note
    assert "residuals in space grow with the terms" in said
    assert modified_system(in_layers(64, "midpoint")).note == "layers and space"
