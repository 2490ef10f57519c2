"""Bounds, spectrum and energy-Casimir numbers of small flows as JSON; run by test_stability_parallel."""

from __future__ import annotations

import json
from typing import Any

import hydrodl as hd  # isort: skip  (before mpi4py: it loads the compiled stack in the order that needs)
import numpy as np
from mpi4py import MPI

from hydrodl.analysis.stability.discrete_modes import fastest, slowest
from hydrodl.analysis.stability.energy_casimir import a_priori, energy_casimir
from hydrodl.analysis.stability.equilibrium import Equilibrium
from hydrodl.analysis.stability.focusing_threshold import focusing_threshold
from hydrodl.analysis.stability.hessian_spectrum import spectrum
from hydrodl.analysis.stability.marching_bounds import compact_hyperbolic, discrete_hyperbolic, explicit_marching
from hydrodl.analysis.stability.recommendation import recommend
from hydrodl.analysis.stability.training_bounds import accelerations, layer_determinants, layer_lipschitz, lipschitz
from hydrodl.discretisation.box_scheme import BoxScheme
from hydrodl.problem.flow import Flow

GAS = hd.Lagrangian(0.01, decay=0.0, energy=hd.Focusing(1.0), smoothness=0.0)


def made(domain: hd.Domain, lagrangian: hd.Lagrangian, theta: float) -> Flow:
    """A smooth velocity and density, the same functions on any number of ranks."""
    x, d = domain.coordinates[: domain.owned], domain.dimension
    u = np.array([[np.sin((k + 1) * x.sum(axis=1) + i) for i in range(d)] for k in range(3)])
    rho = np.array([[1 + 0.2 * np.cos(x[:, 0] + k)] for k in range(4)])
    return Flow(
        domain, hd.layers([0.0, 0.2, 0.5, 1.0]), lagrangian, BoxScheme("box", theta), u, rho, 0 * rho, 0 * rho[1:]
    )


def numbers(domain: hd.Domain) -> dict[str, Any]:
    flow = made(domain, hd.Lagrangian(0.1, energy=hd.Focusing(0.2), smoothness=0.0), 0.5)
    gas = made(domain, GAS, 1.0)
    found = recommend(flow, 0.1)
    marched = [compact_hyperbolic(gas), discrete_hyperbolic(gas), explicit_marching(gas)]
    threshold = focusing_threshold(domain, flow.layers, flow.lagrangian, 0.5, 1.0)
    return {
        "recommended": [found.layers, found.nodes, found.binding],
        "bounds": [bound.value for bound in (*found.bounds, *marched)],
        "holds": [[bound.holds, bound.needs_layers, bound.needs_nodes, bound.most_nodes] for bound in found.bounds],
        "layers": [lipschitz(flow).tolist(), layer_lipschitz(flow).tolist(), layer_determinants(flow).tolist()],
        "bends": accelerations(flow).tolist(),
        "modes": [slowest(domain), fastest(domain), threshold.local, threshold.finite_depth, threshold.discrete],
    }


def eigenvalues(scheme: str, smoothness: float) -> dict[str, Any]:
    domain = hd.Domain.box([-1, -1], [1, 1.2], 7)
    rho = hd.mixture([hd.Gaussian([s, -s], 0.4, label=name) for s, name in ((0.4, "a"), (-0.4, "b"))], domain)
    physics = hd.Lagrangian(0.1, smoothness=smoothness)
    problem = hd.Problem(domain, hd.layers(3), rho, physics, hd.Classification(3.0), scheme)
    solution = hd.train(problem, options={"tao_gatol": 1e-10})
    functional = hd.ReducedFunctional(problem)
    functional.linearise(solution.velocity)
    found = spectrum(functional, 2)
    return {"smallest": found.smallest.tolist(), "largest": found.largest.tolist(), "small": max(found.residuals)}


def casimir() -> dict[str, Any]:
    domain = hd.Domain.box([-1, -1], [1, 1], [9, 21])
    y = domain.coordinates[: domain.owned, 1]
    base = Equilibrium(domain, GAS, np.full(domain.owned, 2.0), np.stack([np.cosh(y), 0 * y]) * 0.3)
    density = base.density[None] * (1 + 0.05 * np.cos(3 * y))
    run = a_priori(base, density, base.velocity[None] * 1.1)
    bounds = energy_casimir(base, 0.1)
    return {
        "values": [bound.value for bound in bounds] + [bound.bound for bound in bounds],
        "run": [*run.norms.tolist(), *run.functional.tolist()],
        "state": [run.inside, run.stable],
    }


DOMAINS: dict[str, dict[str, Any]] = {
    "line": {"lower": [-1], "upper": [1], "nodes": 9},
    "box": {"lower": [0, 0], "upper": [1, 2], "nodes": [5, 7]},
    "cube": {"lower": [0, 0, 0], "upper": [1, 1, 1], "nodes": 4},
    "simplex": {"lower": [0, 0], "upper": [1, 1], "nodes": 6, "cells": "simplex"},
    "P2": {"lower": [0, 0], "upper": [1, 1], "nodes": 4, "cells": "simplex", "degree": 2},
}

if __name__ == "__main__":
    report: dict[str, Any] = {name: numbers(hd.Domain.box(**how)) for name, how in DOMAINS.items()}
    report["spectrum"] = [eigenvalues("euler-box", 0.0), eigenvalues("midpoint", 0.2)]
    report["casimir"] = casimir()
    alike = len(set(MPI.COMM_WORLD.allgather(json.dumps(report)))) == 1
    if MPI.COMM_WORLD.rank == 0:
        print(json.dumps(report | {"alike": alike}))
