"""What a run must report of its fields: masses, signs, resolution. All reductions over ranks happen here."""

from __future__ import annotations

from typing import Any

import numpy as np

from hydrodl.common.parallel import smallest
from hydrodl.mesh.ghosts import with_ghosts
from hydrodl.problem.flow import peclet
from hydrodl.solver.sweeps import Sweeps


def measures(sweeps: Sweeps) -> dict[str, Any]:
    """min_density, negative_mass, mass_error, peclet, noise and warnings of the fields in the sweeps."""
    domain, stacks = sweeps.problem.domain, sweeps.stacks
    layers, slabs = sweeps.density[..., : sweeps.halo.owned], sweeps.slab_density[..., : stacks.owned]
    least = smallest(domain.comm, min(float(layers.min(initial=np.inf)), float(slabs.min(initial=np.inf))))
    masses = np.array([sweeps.mass.integrals(layer) for layer in layers])
    negative = max(float(sweeps.mass.integrals(np.maximum(-layer, 0.0)).sum()) for layer in layers)
    velocity = with_ghosts(domain, stacks.collect(sweeps.velocity[..., : stacks.owned]))
    number = peclet(domain, velocity, float(sweeps.problem.lagrangian.noise))
    noise = sweeps.transport.effective_noise(sweeps.velocity, sweeps.total)
    notes = [noise.note] if noise.note else []
    if least < 0:
        notes.append(
            f"densities are negative somewhere (min {least:.2e}, negative mass {negative:.2e}) at cell Peclet "
            f"number {number:.3g}; refine the mesh, raise the noise, or use the euler-box scheme with box "
            "cells or, lumped, Delaunay triangles"
        )
    return {
        "min_density": least,
        "negative_mass": negative,
        "mass_error": float(np.abs(masses - masses[0]).max()),
        "peclet": number,
        "effective_noise": tuple(float(x) for x in noise.mean),
        "largest_noise": noise.largest,
        "warnings": tuple(notes),
    }
