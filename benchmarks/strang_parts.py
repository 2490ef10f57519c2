"""What keeps an error of first order in "strang": its parts switched off one by one, and two of them mended.

    python benchmarks/strang_parts.py [--small]

Gaussians away from the walls, d = 1 (the problem "inside" of benchmarks/modified_solved.py), 101 nodes. Differences of
J between 8, 16 and 32 layers, and their order. "implicit heat": (1 - Delta s L)^-1 in place of the heat steps, "exact
heat": exp(Delta s L), as dense matrices. "inside slabs": V and U after the noise before the map, in place of at layers
by the trapezoidal rule.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from modified_solved import MAP_OPTIONS, map_problem
from scipy.linalg import expm

import hydrodl as hd
from hydrodl.discretisation import layer_map_transport
from hydrodl.discretisation.heat_step import AxisHeat, HeatStep
from hydrodl.discretisation.layer_map_scheme import LayerMapScheme

COUNTS = (8, 16, 32)


class ExactHeat:
    """See ``HeatStep``, on an interval: exp(-Delta s M^-1 K) M^-1."""

    def __init__(self, matrix: np.ndarray) -> None:
        self._matrix = matrix

    @classmethod
    def of(cls, shape: Sequence[int], spacing: np.ndarray, step: float, noise: np.ndarray) -> ExactHeat:
        """See ``HeatStep``."""
        (n,), h = shape, float(spacing[0])
        mass = h * np.r_[0.5, np.ones(n - 2), 0.5]
        stiffness = (np.diag(np.r_[1, 2 * np.ones(n - 2), 1]) - np.eye(n, k=1) - np.eye(n, k=-1)) / h
        return cls(expm(-step * float(noise[0]) * stiffness / mass[:, None]) / mass)

    def smooth(self, duals: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """See ``HeatStep``."""
        found = duals @ self._matrix.T
        if out is None:
            return found
        out[...] = found
        return out


class ImplicitHeat:
    """See ``HeatStep``: all of the time by the implicit factor."""

    @classmethod
    def of(cls, shape: Sequence[int], spacing: np.ndarray, step: float, noise: np.ndarray) -> HeatStep:
        """See ``HeatStep``."""
        return HeatStep(
            shape, spacing, [AxisHeat(((1, 0.0),), step * s / h**2) for h, s in zip(spacing, noise, strict=True)]
        )


HEAT = {"": HeatStep, ", implicit heat": ImplicitHeat, ", exact heat": ExactHeat}


def trained(layers: int, decay: float, smoothness: float, V: float, U: float) -> float:
    """J of the problem with these parts of the running cost."""
    given = map_problem("inside", layers, "strang", 1)
    wave = given.lagrangian.potential
    assert callable(wave)

    def scaled(x: np.ndarray) -> np.ndarray:
        return np.asarray(10 * V * wave(x))

    physics = hd.Lagrangian(0.05, decay, smoothness, energy=hd.Power(U) if U else None, potential=scaled if V else None)
    return hd.train(replace(given, lagrangian=physics), options=MAP_OPTIONS).objective


NONE, KINETIC, AT_LAYERS = (1e-6, 0.0, 0.0, 0.0), "kinetic energy alone", LayerMapScheme.trapezoidal
ROWS = (
    ("all", (0.5, 0.1, 0.1, 0.1), True, HEAT),
    ("all, inside slabs", (0.5, 0.1, 0.1, 0.1), False, [""]),
    (KINETIC, NONE, True, HEAT),
    ("decay 0.5", (0.5, 0.0, 0.0, 0.0), True, [""]),
    ("decay 0.5, smoothness 0.1", (0.5, 0.1, 0.0, 0.0), True, [""]),
    ("V", (1e-6, 0.0, 0.1, 0.0), True, [""]),
    ("V, inside slabs", (1e-6, 0.0, 0.1, 0.0), False, [""]),
    ("U", (1e-6, 0.0, 0.0, 0.1), True, [""]),
    ("U, inside slabs", (1e-6, 0.0, 0.0, 0.1), False, [""]),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="for trying it out")
    rows = ROWS[2:3] if parser.parse_args().small else ROWS
    print("| parts | J(8) - J(16) | J(16) - J(32) | order |\n|---|---|---|---|")
    for name, parts, at_layers, heats in rows:
        for heat in heats:
            layer_map_transport.HeatStep = HEAT[heat]  # type: ignore
            LayerMapScheme.trapezoidal = AT_LAYERS if at_layers else False  # type: ignore
            found = [trained(n, *parts) for n in COUNTS]
            first, second = found[0] - found[1], found[1] - found[2]
            order = np.log2(abs(first / second))
            print(f"| {name}{heat} | {first:+.2e} | {second:+.2e} | {order:.2f} |", flush=True)


if __name__ == "__main__":
    main()
