"""Stability bounds, spectra and energy-Casimir numbers do not depend on the number of ranks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from mpi4py import MPI

from hydrodl.analysis.stability.casimir_estimate import a_priori
from hydrodl.analysis.stability.discrete_modes import fastest
from hydrodl.analysis.stability.energy_casimir import energy_casimir
from hydrodl.analysis.stability.equilibrium import Equilibrium
from hydrodl.analysis.stability.focusing_threshold import focusing_threshold
from hydrodl.analysis.stability.hessian_spectrum import spectrum
from hydrodl.analysis.stability.layer_gradients import accelerations, layer_determinants, layer_lipschitz, lipschitz
from hydrodl.analysis.stability.marching_bounds import compact_hyperbolic, discrete_hyperbolic, explicit_marching
from hydrodl.analysis.stability.recommendation import recommend
from hydrodl.analysis.structure.momenta import momenta
from hydrodl.discretisation.box_scheme import BoxScheme
from hydrodl.mesh.laplacian_spectrum import smallest_eigenvalue
from hydrodl.problem.flow import Flow
from tests.builders.on_ranks import agreed, alone_and_together, cases

GAS = hd.Lagrangian(0.01, decay=0.0, energy=hd.Focusing(1.0), smoothness=0.0)
DOMAINS: dict[str, dict[str, Any]] = {
    "line": {"lower": [-1], "upper": [1], "nodes": 9},
    "box": {"lower": [0, 0], "upper": [1, 2], "nodes": [5, 7]},
    "cube": {"lower": [0, 0, 0], "upper": [1, 1, 1], "nodes": 4},
    "simplex": {"lower": [0, 0], "upper": [1, 1], "nodes": 5, "cells": "simplex"},
    "P2": {"lower": [0, 0], "upper": [1, 1], "nodes": 4, "cells": "simplex", "degree": 2},
}


def made(domain: hd.Domain, lagrangian: hd.Lagrangian, theta: float) -> Flow:
    """A smooth velocity and density, the same functions on any number of ranks."""
    x, d = domain.coordinates[: domain.owned], domain.dimension
    u = np.array([[np.sin((k + 1) * x.sum(axis=1) + i) for i in range(d)] for k in range(3)])
    rho = np.array([[1 + 0.2 * np.cos(x[:, 0] + k)] for k in range(4)])
    return Flow(
        domain, hd.layers([0.0, 0.2, 0.5, 1.0]), lagrangian, BoxScheme("box", theta), u, rho, 0 * rho, 0 * rho[1:]
    )


@pytest.mark.parametrize("name", cases(DOMAINS, ("box",)))
def test_bounds(name: str) -> None:
    def found(comm: MPI.Comm) -> dict[str, Any]:
        domain = hd.Domain.box(**DOMAINS[name], comm=comm)
        flow, gas = (
            made(domain, hd.Lagrangian(0.1, energy=hd.Focusing(0.2), smoothness=0.0), 0.5),
            made(domain, GAS, 1.0),
        )
        advice = recommend(flow, 0.1)
        marched = [compact_hyperbolic(gas), discrete_hyperbolic(gas), explicit_marching(gas)]
        threshold = focusing_threshold(domain, flow.layers, flow.lagrangian, 0.5, 1.0)
        return {
            "recommended": [advice.layers, advice.nodes, advice.binding],
            "holds": [[b.holds, b.needs_layers, b.needs_nodes, b.most_nodes] for b in advice.bounds],
            "bounds": [bound.value for bound in (*advice.bounds, *marched)],
            "bends": accelerations(flow).tolist(),
            "modes": [
                smallest_eigenvalue(domain),
                fastest(domain),
                threshold.local,
                threshold.finite_depth,
                threshold.discrete,
            ],
            "layers": [each(flow).tolist() for each in (lipschitz, layer_lipschitz, layer_determinants)],
        }

    one, many = alone_and_together(found)
    agreed(many)
    for key in ("recommended", "holds"):
        assert many[key] == one[key], key
    for key in ("bounds", "bends", "modes"):
        assert many[key] == pytest.approx(one[key], rel=1e-8, abs=1e-10), key
    for numbers, expected in zip(many["layers"], one["layers"], strict=True):
        assert numbers == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("scheme", "smoothness"), [("euler-box", 0.0), ("midpoint", 0.2), ("strang", 0.2)])
def test_spectrum(scheme: str, smoothness: float) -> None:
    def found(comm: MPI.Comm) -> dict[str, Any]:
        domain = hd.Domain.box([-1, -1], [1, 1.2], 7, comm=comm)
        rho = hd.mixture([hd.Gaussian([s, -s], 0.4, label=name) for s, name in ((0.4, "a"), (-0.4, "b"))], domain)
        physics = hd.Lagrangian(0.1, smoothness=smoothness)
        problem = hd.Problem(domain, hd.layers(3), rho, physics, hd.Classification(3.0), scheme)
        solution = hd.train(problem, options={"tao_gatol": 1e-10})
        functional = hd.ReducedFunctional(problem)
        functional.linearise(solution.velocity)
        seen = spectrum(functional, 2, comm=comm)
        assert max(seen.residuals) < 1e-7
        with hd.Neighbourhood(solution) as near:
            stable = hd.analysis.training_stability(near)
            step = near.precondition(near.rough())
            after = [near.length(near.newton_step(step / near.length(step) * stable.newton_radius))]
            modes = hd.analysis.data_modes(near, 3)
            after += [*modes.values, modes.first_order(near, 0.1 * near.solution.density[0])]
        descent = hd.descend(problem, stable.descent.best, steps=3)
        return {
            "smallest": seen.smallest.tolist(),
            "largest": seen.largest.tolist(),
            "descent": descent.objective,
            "measured": [stable.sensitivity, stable.change, *after],
        }

    one, many = alone_and_together(found)
    agreed(many)
    for end in ("smallest", "largest", "descent"):
        assert many[end] == pytest.approx(one[end], rel=1e-8)
    assert many["measured"] == pytest.approx(one["measured"], rel=1e-3)  # power iterations end early


def test_energy_casimir() -> None:
    def found(comm: MPI.Comm) -> tuple[list[float], list[float]]:
        domain = hd.Domain.box([-1, -1], [1, 1], [9, 21], comm=comm)
        y = domain.coordinates[: domain.owned, 1]
        base = Equilibrium(
            domain, replace(GAS, noise=1e-4), np.full(domain.owned, 2.0), np.stack([np.cosh(y), 0 * y]) * 0.3
        )
        density = base.density[None] * (1 + 0.05 * np.cos(3 * y))
        run = a_priori(base, density, base.velocity[None] * 1.1)
        assert run.inside and run.stable
        bounds = energy_casimir(base, 0.1)
        values = [bound.value for bound in bounds] + [bound.bound for bound in bounds]
        return values, [*run.norms.tolist(), *run.functional.tolist()]

    one, many = alone_and_together(found)
    agreed(many)
    assert len(one[0]) == 6
    for numbers, expected in zip(many, one, strict=True):
        assert numbers == pytest.approx(expected, rel=1e-9)


def test_the_estimate_of_a_march_and_how_flows_part() -> None:
    """A stream in the plane between two walls; two such marches, one from another mesh."""

    def found(comm: MPI.Comm) -> tuple[list[float], list[float]]:
        flows = []
        for nodes, size in (([5, 4], 0.01), ([7, 6], 0.02)):
            domain = hd.Domain.box([0, 0], [1, 1], nodes, periodic=[True, False], comm=comm)
            x = domain.coordinates[: domain.owned]
            gas = replace(GAS, noise=1e-5, stream=[0.3, 0.0])
            density = 1 + size * np.cos(2 * np.pi * x[:, 0]) * np.cos(np.pi * x[:, 1])
            flows.append(hd.evolve(domain, hd.layers(3, 0.1), gas, [density], [0 * density], "midpoint"))
        estimate, apart = hd.analysis.march_estimate(flows[0]), hd.analysis.parting(*flows)
        numbers = [bound.value for bound in (*estimate.bounds, *apart.bounds)]
        numbers += [estimate.share, apart.paths, apart.gronwall, apart.start, apart.entropy_bound, *apart.entropy]
        marches = estimate.limit, estimate.functional, estimate.norms, apart.kinetic, apart.pressure
        return numbers, [x for values in (*marches, momenta(flows[0]).ravel()) for x in values]

    one, many = alone_and_together(found)
    for ours, theirs in zip(many, one, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-14)
