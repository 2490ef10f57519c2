"""Layers and meshes that follow the flow, on any number of ranks: prints what must not depend on it, as JSON."""

from __future__ import annotations

import json
from typing import Any

import hydrodl as hd  # isort: skip  (before mpi4py: it loads the compiled stack in the order that needs)
import numpy as np
from mpi4py import MPI

from hydrodl.adaptivity.adaptive_training import adapt
from hydrodl.adaptivity.layer_placement import adapted_layers, layer_at, objective_errors
from hydrodl.adaptivity.mesh_refinement import cell_errors
from hydrodl.adaptivity.velocity_transfer import transfer

HALF = [[-4.0, 0.0], [4.0, 0.0]]


def problem_on(domain: hd.Domain, layers: hd.Layers) -> hd.Problem:
    """Two classes, sorted early and once more at the end."""
    rho = hd.mixture([hd.Gaussian([-0.5, 0.0], 0.4, label=0), hd.Gaussian([0.5, 0.2], 0.4, label=1)], domain)
    early = hd.Position(3.0, [[-1.0, 0.0], [1.0, 0.0]], layer=layer_at(layers, 0.25))
    losses = [early, hd.Classification(3.0, hd.Readout(HALF, [0.0, 0.0]))]
    return hd.Problem(domain, layers, rho, hd.Lagrangian(noise=0.1, smoothness=0.0), losses)


box = hd.Domain.box([-3.0, -3.0], [3.0, 3.0], 9, cells="simplex", lumped=True)
tight = {"tao_gatol": 1e-9}
found = adapt(problem_on, box, hd.layers(4), 3, bulk=0.5, growth=1.5, options=tight)
last = found[-1]
points = np.random.default_rng(0).uniform(-2.9, 2.9, (40, 2))
other = problem_on(hd.Domain.box([-3.5, -3.0], [3.0, 3.5], [8, 14]), hd.layers(8))
moved = hd.Network(hd.train(other, initial=transfer(last, other), monitor=lambda entry: True))
errors = cell_errors(last)
placed = adapted_layers(last, tolerance=0.05, goal="network")
shares = objective_errors(last)
try:
    adapt(problem_on, other.domain, hd.layers(4))
    refused = ""
except hd.InputError as error:
    refused = str(error)
result: dict[str, Any] = {
    "objectives": [s.objective for s in found],
    "nodes": [s.problem.domain.nodes for s in found],
    "layers": [len(s.problem.layers) for s in found],
    "times": last.problem.layers.times.tolist(),
    "placed": placed.times.tolist(),
    "shares": shares.tolist(),
    "refused": refused,
    "estimate": box.comm.allreduce(float(errors.sum())),
    "converged": all(s.converged for s in found),
    "moved": moved.velocity(3, np.vstack([points, [[-3.4, 3.4]]])).tolist(),
    "there": hd.Network(last).push(points)[-1].tolist(),
    "balance": box.comm.allreduce(len(errors), MPI.MAX) * box.comm.size / box.comm.allreduce(len(errors)),
}
everyone = box.comm.allgather(json.dumps(result))
if box.comm.rank == 0:
    print(json.dumps(result | {"same": len(set(everyone)) == 1}))
