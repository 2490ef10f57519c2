"""Untrained networks with a velocity of choice, for the tests of what is computed from a network."""

from __future__ import annotations

from typing import Any

import numpy as np

import hydrodl as hd

TIMES = [0.0, 0.3, 0.5, 1.0]


def network(scheme: str, layers: Any = TIMES, *, d: int, nodes: Any, noise: float = 0.1, **choices: Any) -> hd.Network:
    """An untrained network whose velocity is zero so far."""
    domain = hd.Domain.box([-2.0] * d, [2.0] * d, nodes, **choices)
    rho = hd.mixture([hd.Gaussian([m] * d, 0.6, label=c) for c, m in enumerate((-0.5, 0.6, 0.1))], domain)
    readout = hd.Readout(np.array([[-3.0], [2.0], [0.5]]) * np.ones(d) / d, [0.2, -0.1, 0.4])
    loss = hd.Classification(1.0, readout)
    problem = hd.Problem(domain, hd.layers(layers), rho, hd.Lagrangian(noise, smoothness=0.0), loss, scheme)
    return hd.Network(hd.train(problem, monitor=lambda entry: True))


def rough(net: hd.Network, size: float = 0.6) -> hd.Network:
    """The same network with a random velocity."""
    velocity = size * np.random.default_rng(7).standard_normal(net.solution.velocity.shape)
    return hd.Network(net.solution.with_velocity(velocity))


def waves(net: hd.Network) -> hd.Network:
    """The same network with a smooth velocity, the same in every layer."""
    x = net.domain.coordinates[: net.domain.owned]
    velocity = (np.sin(2 * x + np.arange(x.shape[1])) * (1 - x**2 / 4)).T
    return hd.Network(net.solution.with_velocity(np.repeat(velocity[None], len(net.solution.velocity), axis=0)))
