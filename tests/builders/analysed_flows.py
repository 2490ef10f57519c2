"""Flows of velocities that are given, on which bounds can be computed by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import hydrodl as hd
from hydrodl.discretisation.box_scheme import BoxScheme
from hydrodl.problem.flow import Flow

PLAIN = hd.Lagrangian(0.1, smoothness=0.0)
GAS = hd.Lagrangian(0.01, decay=0.0, energy=hd.Focusing(1.0), smoothness=0.0)
Velocity = Callable[[np.ndarray, float], np.ndarray]


def flow(
    domain: hd.Domain,
    velocity: Velocity,
    layers: int | list[float] = 4,
    lagrangian: hd.Lagrangian = PLAIN,
    theta: float = 1.0,
    depth: float = 1.0,
    density: float = 1.0,
) -> Flow:
    """A flow with velocity u(x (n, d), t) -> (n, d) at mid-depths and a uniform density."""
    partition = hd.layers(layers, depth)
    middle = (partition.times[1:] + partition.times[:-1]) / 2
    u = np.array([velocity(domain.coordinates[: domain.owned], t).T for t in middle])
    fields = np.zeros((len(partition) + 1, 1, domain.owned))
    return Flow(domain, partition, lagrangian, BoxScheme("box", theta), u, fields + density, fields, fields[1:])


def linear(matrix: np.ndarray) -> Velocity:
    return lambda x, t: x @ matrix.T


def rest(x: np.ndarray, t: float) -> np.ndarray:
    return np.zeros_like(x)


def scaled(a: float) -> Velocity:
    return lambda x, t: a * x


def box(d: int, **choices: Any) -> hd.Domain:
    return hd.Domain.box([-1, -2, 0][:d], [1, 1, 0.5][:d], [5, 4, 3][:d], **choices)
