"""Conservation and multisymplecticity of small flows as JSON; run by test_analysis_parallel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import hydrodl as hd  # isort: skip  (before mpi4py: it loads the compiled stack in the order that needs)
import numpy as np
from mpi4py import MPI

from hydrodl.analysis.structure.conservation import conservation
from hydrodl.analysis.structure.euler_poincare import euler_poincare
from hydrodl.analysis.structure.multisymplectic_law import multisymplecticity, patch_sum, random_data, random_patches
from hydrodl.analysis.structure.space_time_action import SpaceTime
from hydrodl.problem.flow import Flow


def problem(d: int, scheme: str, nodes: int, **choices: Any) -> hd.Problem:
    domain = hd.Domain.box([-1.5] * d, [1.6] * d, nodes, **choices)
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
    return Flow(given.domain, given.layers, given.lagrangian, given.scheme, u, density, potential, jumps)


def cases() -> Iterator[tuple[str, Flow]]:
    yield "line, trained", hd.train(problem(1, "midpoint", 21), options={"tao_gatol": 1e-11}).flow
    yield "line", swept(problem(1, "euler-box", 21))
    yield "box euler-box", swept(problem(2, "euler-box", 13))
    yield "box midpoint", swept(problem(2, "midpoint", 13))
    yield "P2", swept(problem(2, "midpoint", 11, cells="simplex", degree=2))


def structure(flow: Flow) -> dict[str, Any]:
    found = multisymplecticity(flow, patches=4)
    system = SpaceTime(flow)
    V = system.tangents([random_data(flow, 5)])[0]
    shifted = [patch_sum(system, V, _half(V), patch) for patch in random_patches(flow, 3, 1)]
    return {
        "residual": found.residual,
        "drift": found.two_form_drift,
        "counts": [[patch.border, patch.interior, patch.pairs] for patch in found.patches],
        "sizes": [patch.size for patch in found.patches],
        "two_form": found.two_form.tolist(),
        "violated": [patch.value for patch in shifted],
    }


def _half(tangent: Any) -> Any:
    """No tangent solution: its velocity is halved."""
    return type(tangent)(0.5 * tangent.velocity, tangent.slab_density, tangent.density, tangent.potential)


def conserved(flow: Flow) -> dict[str, Any]:
    found, momentum = conservation(flow), euler_poincare(flow)
    names = ("masses", "energy", "energy_source", "momentum", "pairing", "momentum_balance")
    out = {name: np.nan_to_num(getattr(found, name), nan=-1.0).tolist() for name in names}
    out |= {"energy_drift": found.energy_drift, "relative": momentum.relative, "nodes": momentum.nodes}
    out["residuals"] = [found.duality_residual, float(found.mass_balance.max()), float(found.potential_balance.max())]
    out["circulation"] = None if found.circulation is None else found.circulation.tolist()
    return out


if __name__ == "__main__":
    report = {name: structure(flow) | conserved(flow) for name, flow in cases()}
    everyone = len(set(MPI.COMM_WORLD.allgather(json.dumps(report))))
    if MPI.COMM_WORLD.rank == 0:
        print(json.dumps(report | {"everyone": everyone}))
