"""How far two trained flows part: the identity of the relative energy, what bounds it, and the extrapolated numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import hydrodl as hd
from hydrodl.analysis.stability.parting import parting
from hydrodl.problem.flow import Flow

EXACT = hd.Lagrangian(0.2, decay=0.0, smoothness=0.0, energy=hd.Power(0.3), fitted=False)
LINE = hd.Domain.interval(-2, 2, 25)


def problem(centre: float = -0.3, domain: hd.Domain = LINE, **choices: Any) -> hd.Problem:
    """A Gaussian that goes to another one."""

    def at(mean: float) -> hd.Densities:
        return hd.mixture([hd.Gaussian([mean] * domain.dimension, 0.6, label=0)], domain)

    given: dict[str, Any] = {"layers": hd.layers(6, 0.6), "lagrangian": EXACT, "scheme": "midpoint"} | choices
    return hd.Problem(
        domain, given["layers"], at(centre), given["lagrangian"], hd.Density(1.0, at(0.4)), given["scheme"]
    )


def trained(**choices: Any) -> Flow:
    return hd.train(problem(**choices), options={"tao_gatol": 1e-11}).flow


@pytest.mark.parametrize("scheme", ["midpoint", "euler-box"])
def test_the_identity_is_exact_and_the_start_bounds_it(scheme: str) -> None:
    flows = [trained(centre=centre, scheme=scheme) for centre in (-0.3, -0.25)]
    found = parting(*flows)
    assert found.unexplained < 1e-8
    whole = float((flows[0].layers.steps * (found.kinetic + found.pressure)).sum())
    assert (found.kinetic > 0).all() and (found.pressure > 0).all()
    assert found.pairing[1] < 0  # the loss is convex
    assert 0 < whole <= -found.pairing[0] + 1e-12 and -found.pairing[0] <= found.start
    assert found.entropy[1] <= found.entropy_bound
    assert parting(flows[0], flows[0]).paths == 0


def test_the_identity_fails_where_it_must() -> None:
    flows = [trained(centre=centre, lagrangian=replace(EXACT, decay=0.3)) for centre in (-0.3, -0.1)]
    assert parting(*flows).unexplained > 1e-5


@pytest.mark.slow
def test_more_layers_bring_it_to_the_tolerance() -> None:
    """Asked for from 4 against 8 layers; the distance from there to 4 times as many is within the tolerance."""
    tolerance = 0.001
    few, more = (trained(layers=hd.layers(n, 0.6), scheme="euler-box") for n in (4, 8))
    bound = parting(few, more, tolerance).bounds[0]
    assert bound.name == "relative energy, layers" and bound.needs_layers is not None and not bound.holds
    asked, deep = (trained(layers=hd.layers(n * bound.needs_layers, 0.6), scheme="euler-box") for n in (1, 4))
    assert 0.4 * tolerance < parting(asked, deep).paths < tolerance


@pytest.mark.slow
def test_more_nodes() -> None:
    coarse, fine = (trained(domain=hd.Domain.interval(-2, 2, n)) for n in (13, 25))
    found = parting(coarse, fine)
    assert [bound.name for bound in found.bounds] == ["relative energy, nodes"]
    nearer = parting(fine, trained(domain=hd.Domain.interval(-2, 2, 49)))
    assert 3 < found.paths / nearer.paths < 6  # order 2


def test_what_cannot_be_compared() -> None:
    flow = trained()
    for other, words in (
        (trained(layers=hd.layers(7, 0.6)), "every layer of the first"),
        (trained(scheme="euler-box"), "dimension, classes and scheme"),
        (trained(layers=hd.layers(12, 0.6), domain=hd.Domain.interval(-2, 2, 13)), "layers and in nodes"),
    ):
        with pytest.raises(hd.InputError, match=words):
            parting(flow, other)
    with pytest.raises(hd.InputError, match="tolerance"):
        parting(flow, flow, 0.0)
