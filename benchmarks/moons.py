"""The problem that all benchmarks share: two moons, as in the README's shortest script but for more decay."""

from __future__ import annotations

import hydrodl as hd

DECAY = 0.02  # of all that is timed, here and by other packages; the README's script has the default


def two_moons(layers: int, nodes: int, scheme: str = "euler-box", decay: float = DECAY) -> hd.Problem:
    """Two moons, 400 samples, d = 2, two classes, on nodes x nodes."""
    samples = hd.load_dataset("two_moons", n=400, seed=0)
    domain = hd.Domain.around(samples, nodes=nodes)
    rho = hd.densities(samples, domain, bandwidth=0.2)
    physics = hd.Lagrangian(0.02, decay, 0.1)
    return hd.Problem(domain, hd.layers(layers), rho, physics, hd.Classification(10.0), scheme)
