"""What a run must report of its fields: masses, signs, resolution. All reductions over ranks happen here."""

from __future__ import annotations

from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from hydrodl.mesh.domain import Domain
from hydrodl.sweeps import Sweeps

Floats = NDArray[np.float64]


def measures(sweeps: Sweeps) -> dict[str, Any]:
    """min_density, negative_mass, mass_error, peclet and warnings of the fields in the sweeps."""
    domain, owned = sweeps.problem.domain, sweeps.halo.owned
    layers, slabs = sweeps.density[..., :owned], sweeps.slab_density[..., :owned]
    smallest = min(float(layers.min(initial=np.inf)), float(slabs.min(initial=np.inf)))
    smallest = domain.comm.allreduce(smallest, MPI.MIN)
    masses = np.array([sweeps.mass.integrals(layer) for layer in layers])
    negative = max(float(sweeps.mass.integrals(np.maximum(-layer, 0.0)).sum()) for layer in layers)
    number = peclet(domain, sweeps.velocity, float(sweeps.problem.lagrangian.noise))
    notes = []
    if smallest < 0:
        notes.append(
            f"densities are negative somewhere (min {smallest:.2e}, negative mass {negative:.2e}) at cell Peclet "
            f"number {number:.3g}; refine the mesh, raise the noise, or use box cells with the euler-box scheme"
        )
    return {
        "min_density": smallest,
        "negative_mass": negative,
        "mass_error": float(np.abs(masses - masses[0]).max()),
        "peclet": number,
        "warnings": tuple(notes),
    }


def peclet(domain: Domain, velocity: Floats, noise: float) -> float:
    """Largest cell Peclet number |u| h / (2 nu); velocity (N, d, local nodes)."""
    speed = np.sqrt((velocity**2).sum(axis=1)).max(axis=0)
    cells = domain.V.dofmap.list[: domain.mesh.topology.index_map(domain.mesh.topology.dim).size_local]
    h = domain.edge_length.x.array[: len(cells)]
    largest = float((speed[cells].max(axis=1) * h).max()) if len(cells) else 0.0
    return domain.comm.allreduce(largest, MPI.MAX) / (2 * noise)
