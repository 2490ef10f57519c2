"""The Schroedinger bridge between two Gaussians in closed form: where the training of a bridge may start.

With standard deviation s = sqrt(2 nu T) of the noise, tau = t / T and the roots of symmetric matrices

    D = (4 A^(1/2) B A^(1/2) + s^4)^(1/2),    C = (A^(1/2) D A^(-1/2) - s^2) / 2
    S(tau) = (1 - tau)^2 A + tau^2 B + tau (1 - tau) (C + C^T + s^2)
    u(t, x) = [ b - a + P(tau)^T S(tau)^(-1) (x - (1 - tau) a - tau b) ] / T
    P(tau) = tau (B - C^T - s^2) - (1 - tau) (A - C)

for N(a, A) at t = 0 and N(b, B) at t = T (Bunne, Hsieh, Cuturi, Krause, "The Schroedinger bridge between Gaussian
measures has a closed form", AISTATS 2023).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import sqrtm

from hydrodl.common.arrays import Floats
from hydrodl.mesh.layer_partition import Layers


def gaussian_velocity(
    points: Floats, start: tuple[Floats, Floats], goal: tuple[Floats, Floats], noise: float, layers: Layers
) -> Floats:
    """u in the middle of every slab at points (n, d), shape (N, d, n).

    Args:
        points: where.
        start, goal: mean (d,) and covariance (d, d), positive definite.
        noise: nu.
        layers: of depth T.
    """
    (a, A), (b, B) = start, goal
    d, s2 = len(a), 2 * noise * layers.depth
    one = np.eye(d)
    half = np.real(sqrtm(A))
    D = np.real(sqrtm(4 * half @ B @ half + s2**2 * one))
    C = (half @ D @ np.linalg.inv(half) - s2 * one) / 2
    found = []
    for tau in (layers.times[1:] + layers.times[:-1]) / (2 * layers.depth):
        S = (1 - tau) ** 2 * A + tau**2 * B + tau * (1 - tau) * (C + C.T + s2 * one)
        P = tau * (B - C.T - s2 * one) - (1 - tau) * (A - C)
        slope = np.linalg.solve(S, P)
        found.append(((b - a) + (points - (1 - tau) * a - tau * b) @ slope).T / layers.depth)
    return np.array(found)
