"""Training that meets a saddle goes on to a minimum."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from mpi4py import MPI
from scipy.optimize import brentq
from sklearn.exceptions import ConvergenceWarning

import hydrodl as hd
from hydrodl.linear_algebra.conjugate_gradients import negative_direction
from hydrodl.training import optimiser

NOISE, DECAY, SMOOTHNESS, WEIGHT = 0.05, 0.02, 0.1, 0.01


def clumping(strength: float, scheme: str) -> hd.Problem:
    """Uniform between walls, where crowding pays: rest is stationary, and training ends where it starts."""
    domain = hd.Domain.interval(0.0, 1.0, 25)
    rho = hd.mixture([hd.Gaussian([0.5], 1.0)], domain)
    rho = replace(rho, values=np.ones_like(rho.values))
    physics = hd.Lagrangian(NOISE, decay=DECAY, smoothness=SMOOTHNESS, energy=hd.Focusing(strength))
    return hd.Problem(domain, hd.layers(12), rho, physics, hd.Density(WEIGHT, rho), scheme)


def threshold() -> float:
    """The strength from which rest is a saddle.

    b of cos kx in the density, k = pi, has b' = -k a - nu k^2 b for a sin kx in the velocity, and the second variation
    is int c a^2 - s b^2 dt + weight b(T)^2, c = 1 + eps + alpha^2 k^2. Its conjugate point: b = sin wt with
    w^2 = s k^2/c - nu^2 k^4 and c/k^2 b' + (c nu + weight) b = 0 at T = 1.
    """
    k, cost = np.pi, 1 + DECAY + (SMOOTHNESS * np.pi) ** 2
    w = brentq(lambda w: cost / k**2 * w * np.cos(w) + (cost * NOISE + WEIGHT) * np.sin(w), 0.1, 3.1)
    return float(cost / k**2 * (w**2 + NOISE**2 * k**4))


@pytest.mark.parametrize("scheme", ["strang", "euler-box"])
def test_rest_is_left_from_the_strength_on_at_which_it_is_a_saddle(scheme: str) -> None:
    stays = hd.train(clumping(0.9 * threshold(), scheme))
    assert stays.converged and stays.saddles == stays.iterations == 0
    found = hd.train(clumping(1.1 * threshold(), scheme))
    assert found.converged and found.saddles >= 1
    with hd.Neighbourhood(found) as near:
        assert hd.analysis.spectrum(near, comm=near.comm, largest=False).smallest > 0


def spreading() -> hd.Problem:
    """A goal less spread than noise alone makes it: nodes at the walls should go inward, and feel no force there, as
    what comes from beyond a wall mirrors what is before it."""
    domain = hd.Domain.interval(-2.0, 2.0, 17)
    start, goal = (hd.mixture([hd.Gaussian([0.0], std)], domain) for std in (0.5, 0.4))
    physics = hd.Lagrangian(0.5, decay=0.02, smoothness=0.0)
    return hd.Problem(domain, hd.layers(4), start, physics, hd.Density(2.0, goal, divergence="kl"))


def test_nodes_that_stay_at_walls_are_moved_and_the_history_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    found = hd.train(spreading(), options={"tao_gatol": 1e-10})
    with monkeypatch.context() as patch:
        patch.setattr(optimiser, "way_down", lambda *given: None)
        before = hd.train(spreading(), options={"tao_gatol": 1e-10})
    for solution, saddle in ((before, True), (found, False)):
        with hd.Neighbourhood(solution) as near:
            smallest = hd.analysis.spectrum(near, comm=near.comm, largest=False).smallest[0]
        assert solution.converged and (smallest < -1 if saddle else smallest > 0)
    assert np.abs(before.velocity[..., [0, -1]]).max() == 0.0 and found.objective < 0.97 * before.objective
    assert found.saddles == 1 and not before.saddles and "1, left along" in found.facts()["saddles"]
    assert [entry["iteration"] for entry in found.history] == list(range(found.iterations + 1))
    (left,) = [k for k, entry in enumerate(found.history) if "curvature" in entry]
    assert left == before.iterations + 1 and found.history[left]["curvature"] < 0
    assert found.history[left]["objective"] < found.history[left - 1]["objective"]


def test_no_more_steps_than_asked_for() -> None:
    left = next(k for k, entry in enumerate(hd.train(spreading()).history) if "curvature" in entry)
    for most, steps in ((left, left - 1), (left + 1, left + 1)):
        with pytest.warns(ConvergenceWarning, match="tao_max_it") if most > left else nullcontext():
            found = hd.train(spreading(), options={"tao_max_it": most})
        assert found.iterations == steps and found.saddles == (most > left)


def test_directions_of_negative_curvature() -> None:
    rng = np.random.default_rng(0)
    turned = np.linalg.qr(rng.normal(size=(30, 30)))[0]
    metric = np.diag(np.linspace(1.0, 4.0, 30))
    inverse = np.linalg.inv(metric)
    for least, found in ((0.2, False), (-0.2, True)):
        matrix = (
            metric + turned @ np.diag([least - 4.0 if least < 0 else -0.8, *np.zeros(24), 1, 2, 3, 4, 5]) @ turned.T
        )
        way = negative_direction(
            MPI.COMM_SELF, lambda v, a=matrix: a @ v, lambda v: inverse @ v, rng.normal(size=30), steps=12
        )
        assert (way is not None) is found and (way is None or way @ matrix @ way <= 0)
    assert negative_direction(MPI.COMM_SELF, lambda v: v, lambda v: v, np.ones(3), steps=9) is None
