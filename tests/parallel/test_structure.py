"""Conserved quantities, multisymplectic sums and modified systems are the same numbers on any number of ranks."""

from __future__ import annotations

from functools import cache
from typing import Any

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from mpi4py import MPI

from hydrodl.analysis.backward_error.modified_system import modified_energy, modified_system
from hydrodl.analysis.backward_error.objective_error import objective_error
from hydrodl.analysis.structure.conservation import conservation
from hydrodl.analysis.structure.euler_poincare import euler_poincare
from hydrodl.analysis.structure.map_law import MapLaw, random_parts
from hydrodl.analysis.structure.map_tangents import MapTangents
from hydrodl.analysis.structure.multisymplectic_law import multisymplecticity, patch_sum, random_data, random_patches
from hydrodl.analysis.structure.space_time_action import SpaceTime
from hydrodl.discretisation.layer_map_scheme import LayerMapScheme
from hydrodl.problem.flow import Flow
from tests.builders.on_ranks import agreed, alone_and_together, cases
from tests.convergence.test_modified import smooth_flow

# name: (dimension, scheme, nodes, choices of the domain)
CASES: dict[str, tuple[int, str, int, dict[str, Any]]] = {
    "line, trained": (1, "midpoint", 21, {}),
    "line": (1, "euler-box", 21, {}),
    "box euler-box": (2, "euler-box", 11, {}),
    "box midpoint": (2, "midpoint", 11, {}),
    "line residual, trained": (1, "residual", 21, {}),
    "box strang": (2, "strang", 11, {}),
    "P2": (2, "midpoint", 11, {"cells": "simplex", "degree": 2}),
}
ON_THREE = ("box strang", "line")


def problem(case: str, comm: MPI.Comm) -> hd.Problem:
    d, scheme, nodes, choices = CASES[case]
    domain = hd.Domain.box([-1.5] * d, [1.6] * d, nodes, comm=comm, **choices)
    means = np.array([[-0.6], [0.5]]) * np.linspace(1, 0.5, d)
    rho = hd.mixture([hd.Gaussian(mean, 0.4, label=c) for c, mean in enumerate(means)], domain)
    physics = hd.Lagrangian(0.1, smoothness=0.2, energy=hd.Power(0.1), potential=lambda x: x[:, 0] ** 2 / 9)
    losses = [hd.Position(1.0, -means, layer=2), hd.Position(2.0, -means)]
    return hd.Problem(domain, hd.layers([0.0, 0.2, 0.5, 0.7, 1.0]), rho, physics, losses, scheme)


def swept(given: hd.Problem) -> Flow:
    """The flow of a velocity that is no minimum: the same function on any number of ranks, untrained."""
    functional = hd.ReducedFunctional(given)
    slabs, d, owned = functional.shape
    x = given.domain.coordinates[:owned]
    waves = [np.sin((i + 1) * x.sum(axis=1) + k) for k in range(slabs) for i in range(d)]
    u = 0.2 * np.array(waves).reshape(slabs, d, owned)
    functional.gradient(u)
    sweeps = functional.sweeps
    potential, jumps = sweeps.layer_potentials()
    density = sweeps.density[..., :owned].copy()
    return given.flow(u, density, potential, jumps)


def structure(flow: Flow) -> dict[str, Any]:
    found = multisymplecticity(flow, patches=4)
    return {
        "residual": found.residual,
        "drift": found.two_form_drift,
        "counts": [[patch.border, patch.interior, patch.pairs] for patch in found.patches],
        "sizes": [patch.size for patch in found.patches],
        "two_form": found.two_form.tolist(),
        "violated": violated(flow),
    }


def violated(flow: Flow) -> list[float]:
    """The sums of a tangent solution and of what is none."""
    maps = isinstance(flow.scheme, LayerMapScheme)
    system = MapTangents(flow) if maps else SpaceTime(flow)
    V = system.tangents([random_data(flow, 5)])[0]
    halved = type(V)(0.5 * V.velocity, V.slab_density, V.density, V.potential)
    if maps:
        law = MapLaw(system, flow.scheme)
        return [patch.value for patch in law.sums(V, halved, random_parts(law.elements, 3, 1))]
    return [patch_sum(system, V, halved, patch).value for patch in random_patches(flow, 3, 1)]


def conserved(flow: Flow) -> dict[str, Any]:
    found, momentum = conservation(flow), euler_poincare(flow)
    names = ("masses", "energy", "energy_source", "momentum", "pairing", "momentum_balance")
    values = {name: getattr(found, name) for name in names}
    out = {name: [] if value is None else np.nan_to_num(value, nan=-1.0).tolist() for name, value in values.items()}
    out |= {"energy_drift": found.energy_drift, "relative": momentum.relative, "nodes": momentum.nodes}
    out["residuals"] = [found.duality_residual, float(found.mass_balance.max()), float(found.potential_balance.max())]
    out["circulation"] = None if found.circulation is None else found.circulation.tolist()
    return out


@cache
def analysed(case: str) -> tuple[dict[str, Any], dict[str, Any]]:
    def found(comm: MPI.Comm) -> dict[str, Any]:
        given = problem(case, comm)
        trained = "trained" in case
        flow = hd.train(given, options={"tao_gatol": 1e-11}).flow if trained else swept(given)
        return structure(flow) | conserved(flow)

    one, many = alone_and_together(found)
    return one, agreed(many)


every_case = pytest.mark.parametrize("case", cases(CASES, ON_THREE))


@every_case
def test_exact_laws_on_every_number_of_ranks(case: str) -> None:
    for found in analysed(case):
        assert found["residual"] < 1e-12 and found["drift"] < 1e-12
        assert all(interior > 0 for _, interior, _ in found["counts"])
        assert max(found["residuals"]) < 1e-11
        assert (max(found["momentum_balance"]) < 1e-8) == ("trained" in case)
        assert min(np.abs(found["violated"])) > 1e-6


@every_case
def test_the_numbers_do_not_depend_on_the_ranks(case: str) -> None:
    one, many = analysed(case)
    assert many["counts"] == one["counts"] and many["nodes"] == one["nodes"]
    loose = 1e-7 if "trained" in case else 1e-9  # two optimisers stop at slightly different places
    names = ("sizes", "two_form", "violated", "masses", "energy", "momentum", "pairing", "energy_source")
    for name in (*names, "energy_drift", "relative"):
        size = float(np.max(np.abs(one[name]), initial=0.0))
        np.testing.assert_allclose(many[name], one[name], rtol=loose, atol=loose * size, err_msg=name)
    assert (one["circulation"] is None) == ("line" in case)
    if one["circulation"] is not None:
        np.testing.assert_allclose(many["circulation"], one["circulation"], rtol=1e-7)


def test_layer_maps_in_layers_do_not_depend_on_the_ranks() -> None:
    def found(comm: MPI.Comm) -> dict[str, Any]:
        domain = hd.Domain.interval(0.0, 1.0, 61, comm=comm)
        x = domain.coordinates[: domain.owned, 0]
        rho = hd.densities_from_function([lambda x, s=s: 1 + s * np.cos(np.pi * x[:, 0]) for s in (0.4, -0.4)], domain)
        physics, layers = hd.Lagrangian(0.05, 0.5, 0.1), hd.layers(9)
        given = hd.Problem(domain, layers, rho, physics, hd.Position(1.0, [[0.6], [0.4]]), "strang")
        functional = hd.ReducedFunctional(given)
        u = 0.2 * np.sin(np.pi * x) * np.cos(np.arange(9.0) / 9)[:, None, None]
        functional.gradient(u)
        sweeps = functional.sweeps
        flow = given.flow(u, sweeps.density[..., : domain.owned].copy(), *sweeps.layer_potentials())
        system, energy, error = modified_system(flow, points=7), modified_energy(flow), objective_error(flow)
        assert system.layers is not None
        levels = [dict(level) for level in system.layers.levels]
        parts = {name: values.tolist() for name, values in error.parts.items()}
        return {"levels": levels, "energies": [*energy.energy, *energy.modified], "parts": parts}

    one, many = alone_and_together(found)
    for mine, theirs in zip(one["levels"], many["levels"], strict=True):
        assert theirs == pytest.approx(mine, rel=1e-7)
    assert many["energies"] == pytest.approx(one["energies"], rel=1e-11)
    for name, values in one["parts"].items():
        assert many["parts"][name] == pytest.approx(values, rel=1e-7, abs=1e-12), name


@pytest.mark.parametrize(("d", "layers", "theta", "parts"), [(1, 12, 0.5, 6), (2, 3, 1.0, 3)])
def test_modified_equations_do_not_depend_on_the_ranks(d: int, layers: int, theta: float, parts: int) -> None:
    def found(comm: MPI.Comm) -> dict[str, Any]:
        flow = smooth_flow(d, layers, theta, comm)
        system, energy = modified_system(flow), modified_energy(flow)
        levels = [dict(level) for part in (system.layers, system.space) if part for level in part.levels]
        return {"levels": levels, "note": system.note, "energies": [*energy.energy, *energy.modified]}

    one, many = alone_and_together(found)
    assert many["note"] == one["note"] and len(one["levels"]) == parts
    for mine, theirs in zip(one["levels"], many["levels"], strict=True):
        assert theirs == pytest.approx(mine, rel=1e-8)
    assert many["energies"] == pytest.approx(one["energies"], rel=1e-11)
