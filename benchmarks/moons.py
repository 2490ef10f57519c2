"""The problem that all benchmarks share: two moons, as in the README's shortest script."""

from __future__ import annotations

import hydrodl as hd


def two_moons(layers: int, nodes: int, scheme: str = "euler-box") -> hd.Problem:
    """Two moons, 400 samples, d = 2, two classes, on nodes x nodes."""
    samples = hd.load_dataset("two_moons", n=400, seed=0)
    domain = hd.Domain.around(samples, nodes=nodes)
    rho = hd.densities(samples, domain, bandwidth=0.2)
    physics = hd.Lagrangian(noise=0.02, decay=0.02, smoothness=0.1)
    return hd.Problem(domain, hd.layers(layers), rho, physics, hd.Classification(10.0), scheme)
