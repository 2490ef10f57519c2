"""The linear readout z = W x + b that turns the last layer's features into class logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_softmax, softmax

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError


@dataclass(frozen=True, eq=False)
class Readout:
    """z(x) = W x + b.

    Attributes:
        weights: W, shape (C, d).
        offsets: b, shape (C,).

    Example:
        >>> readout = hd.Readout([[1.0], [-1.0]], [0.0, 0.0])
        >>> readout.probabilities(np.array([[0.0], [1.0]])).round(2)
        array([[0.5 , 0.5 ],
               [0.88, 0.12]])
    """

    weights: Floats
    offsets: Floats

    def __post_init__(self) -> None:
        weights, offsets = (
            np.atleast_2d(np.asarray(self.weights, float)),
            np.atleast_1d(np.asarray(self.offsets, float)),
        )
        if offsets.shape != (weights.shape[0],) or not (np.isfinite(weights).all() and np.isfinite(offsets).all()):
            raise InputError(
                f"readout: weights {weights.shape} and offsets {offsets.shape} must be (C, d), (C,), finite"
            )
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "offsets", offsets)

    @classmethod
    def spread(cls, classes: int, dimension: int) -> Readout:
        """Anchors spread evenly on the unit sphere (on the line for more than two classes in d = 1)."""
        anchors = _anchors(classes, dimension)
        # z_c = a.x - |a|^2/2 is, up to a common term, -|x - a|^2/2: the nearest anchor wins
        return cls(anchors, 0.5 * (1.0 - (anchors**2).sum(axis=1)))

    @classmethod
    def aligned(cls, means: ArrayLike, lift: int = 0) -> Readout:
        """The spread readout, its anchors turned and dealt out so that sum_c a_c . mean_c is large.

        Args:
            means: class means, shape (C, d).
            lift: number of added coordinates, the last ones. Up to lift + 1 classes have their anchors there, where
                no class is in the way of another.
        """
        from scipy.linalg import orthogonal_procrustes
        from scipy.optimize import linear_sum_assignment  # here: slow to import, and a given readout needs neither

        centres = np.atleast_2d(np.asarray(means, dtype=float))
        centres = centres - centres.mean(axis=0)
        classes, dimension = centres.shape
        if lift and classes <= lift + 1:
            flat = cls.spread(classes, lift)
            return cls(np.hstack([np.zeros((classes, dimension - lift)), flat.weights]), flat.offsets)
        anchors = _anchors(classes, dimension)
        best, best_score = anchors, -np.inf
        for start in _rotations(dimension):
            turned = anchors @ start.T
            for _ in range(20):  # alternate: who gets which anchor, then the best rotation for that dealing
                order = linear_sum_assignment(-centres @ turned.T)[1]
                rotation, _ = orthogonal_procrustes(turned[order], centres)
                improved = turned[order] @ rotation
                if np.allclose(improved, turned):
                    break
                turned = improved
            score = float((turned * centres).sum())
            if score > best_score + 1e-9:
                best, best_score = turned, score
        return cls(best, 0.5 * (1.0 - (best**2).sum(axis=1)))

    def logits(self, points: Floats) -> Floats:
        """z at points (n, d), shape (n, C)."""
        return points @ self.weights.T + self.offsets

    def probabilities(self, points: Floats) -> Floats:
        """softmax(z) at points (n, d), shape (n, C)."""
        return softmax(self.logits(points), axis=1)

    def cross_entropy(self, points: Floats) -> Floats:
        """Phi_c = logsumexp(z) - z_c at points (n, d), shape (n, C)."""
        return -log_softmax(self.logits(points), axis=1)


def _anchors(classes: int, dimension: int) -> Floats:
    if dimension == 1:
        return np.linspace(-1.0, 1.0, classes)[:, None] if classes > 1 else np.ones((1, 1))
    if dimension == 2:
        angle = 2 * np.pi * np.arange(classes) / classes
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _sphere(classes)


def _sphere(count: int) -> Floats:
    """Points on the unit sphere, spread by descending their Coulomb energy from a Fibonacci spiral."""
    i = np.arange(count) + 0.5
    height, angle = 1 - 2 * i / count, np.pi * (1 + 5**0.5) * i
    ring = np.sqrt(1 - height**2)
    x = np.stack([ring * np.cos(angle), ring * np.sin(angle), height], axis=1)
    for step in range(2000 if count > 1 else 0):
        gap = x[:, None] - x[None]
        distance = np.linalg.norm(gap, axis=2) + np.eye(count)
        force = (gap / distance[..., None] ** 3).sum(axis=1)
        x = x + 0.2 / count / (1 + step / 200) * force
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x


def _rotations(dimension: int) -> list[Floats]:
    """A fixed set of starting rotations for the alternating search."""
    if dimension == 1:
        return [np.eye(1), -np.eye(1)]
    if dimension == 2:
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        return [np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in angles]
    from scipy.spatial.transform import Rotation  # here: slow to import, and d = 3 alone needs it

    return list(Rotation.random(24, rng=np.random.default_rng(0)).as_matrix())
