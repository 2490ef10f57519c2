"""A bridge and a held-out snapshot on any number of ranks: prints what must not depend on it, as JSON."""

from __future__ import annotations

import json

import hydrodl as hd  # isort: skip  (before mpi4py: it loads the compiled stack in the order that needs)
import numpy as np
from mpi4py import MPI

from hydrodl.data.snapshot_sets import snapshots
from hydrodl.transport.held_out import leave_one_out
from hydrodl.transport.schroedinger_bridge import bridge

domain = hd.Domain.box([-2.5, -2.5], [2.5, 2.5], 15)
same = hd.Preprocessing(np.zeros(2), np.array([2.0, 3.0]))
start = hd.mixture([hd.Gaussian([-0.4, 0.0], 0.6)], domain)
start = hd.Densities(domain, start.values, start.class_names, same)
target = hd.mixture([hd.Gaussian([0.4, 0.2], 0.7)], domain)
found = bridge(start, target, hd.layers(3), 0.3, tolerance=0.1)
try:
    # a mass that only some ranks could see to be wrong must be refused by all
    bridge(start, hd.Densities(domain, 1.5 * target.values, target.class_names), hd.layers(3), 0.3)
    refused = ""
except hd.InputError as error:
    refused = str(error)
rng = np.random.default_rng(0)
sets = [rng.standard_normal((60, 2)) * 0.6 + [shift, 0.0] for shift in (0.0, 0.5, 1.0)]
few = {"max_rounds": 1, "floor": 1e-2, "options": {"tao_gatol": 1e-3}}  # the same on all ranks is all that is asked
held = leave_one_out(snapshots([0, 1, 2], sets), 1, 0.3, layers=2, nodes=13, bandwidth=0.5, draws=60, **few)
everyone = MPI.COMM_WORLD.allreduce(int(refused != ""), MPI.MIN)
if MPI.COMM_WORLD.rank == 0:
    result = {
        "converged": found.converged,
        "reason": found.reason,
        "rounds": found.rounds,
        "cost": found.cost,
        "raw_cost": found.raw_cost,
        "distance": found.distance,
        "refused": refused if everyone else "",
        "held": [held.distance, *held.baselines.values()],
    }
sinkhorn = found.sinkhorn_cost
if MPI.COMM_WORLD.rank == 0:
    print(json.dumps(result | {"sinkhorn": sinkhorn}))
