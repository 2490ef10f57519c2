"""The slab action: on boxes the generator is a Markov chain, as sparse as a stencil, and mass is lumped."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import hydrodl as hd
from hydrodl.common.errors import SolverError
from hydrodl.discretisation.slab_action import SlabAction
from hydrodl.linear_algebra.sparsity import Pattern

NODES: dict[int, list[int]] = {1: [9], 2: [6, 5], 3: [4, 3, 5]}
UPPER = [1.0, 0.7, 1.6]
NOISE = 0.03


def box(d: int, **choices: object) -> hd.Domain:
    return hd.Domain.box([-0.5] * d, UPPER[:d], NODES[d], **choices)  # type: ignore[arg-type]


def matrix(action: SlabAction, form: object, *fields: np.ndarray) -> sp.csr_array:
    """A form on V x V at a velocity and a total density, without its structural zeros."""
    if form not in PATTERNS:  # found with generic fields, so before the given ones are loaded
        PATTERNS[form] = action.pattern(action.nonzeros(form, reduce=True), reduce=True)
    if fields:
        action.set_slab(*fields)
    pattern, size = PATTERNS[form], action.domain.nodes
    values = pattern.values(action.assemble(form, reduce=True)).copy()
    return sp.csr_array((values, pattern.columns, pattern.pointers), shape=(size, size))


def generator(action: SlabAction, velocity: np.ndarray) -> np.ndarray:
    return matrix(action, action.generator, velocity).toarray()


PATTERNS: dict[object, Pattern] = {}
ACTIONS = {d: SlabAction(box(d), hd.Lagrangian(NOISE, smoothness=0.0)) for d in NODES}
UNFITTED = {d: SlabAction(box(d), hd.Lagrangian(NOISE, fitted=False, smoothness=0.0)) for d in NODES}


def random_velocity(domain: hd.Domain, seed: int, log_speed: float) -> np.ndarray:
    """Random directions; the magnitudes at nodes spread over two decades below the largest."""
    rng = np.random.default_rng(seed)
    size = 10.0 ** (log_speed - 2 * rng.random(domain.owned))
    return size * rng.standard_normal((domain.dimension, domain.owned))


speeds = st.floats(-6, 12)
seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("d", NODES)
@settings(max_examples=40, deadline=None)
@given(seed=seeds, log_speed=speeds)
def test_the_fitted_generator_is_a_markov_chain(d: int, seed: int, log_speed: float) -> None:
    L = generator(ACTIONS[d], random_velocity(ACTIONS[d].domain, seed, log_speed))
    largest = np.abs(L).max()
    np.testing.assert_allclose(L.sum(axis=0), 0.0, atol=1e-13 * largest)  # mass is kept
    off = L - np.diag(np.diag(L))
    # nodes of a cube that share no edge get the rounding of a sum over cells; sweeps sum over edges (edge_slots.py)
    assert off.min() >= -1e-15 * largest
    assert np.diag(L).max() <= 0


def edge_noise(p: np.ndarray | float) -> np.ndarray:
    """nu D(p), p = |u_e| |e| / (2 nu)."""
    return NOISE * (1 + np.asarray(p) ** 4) ** 0.25


def test_a_rate_against_the_flow_falls_with_the_cube_of_the_peclet_number() -> None:
    # what is left of the noise is nu (D - p) / h, and D^4 - p^4 = 1 = (D - p)(D + p)(D^2 + p^2)
    action, h, p = ACTIONS[1], 1.5 / 8, 10.0
    L = generator(action, np.full((1, 9), 2 * NOISE * p / h))
    D = float(edge_noise(p)) / NOISE
    assert L[3, 4] == pytest.approx(NOISE / h / ((D + p) * (D**2 + p**2)), rel=1e-6)  # from node 4 to node 3
    assert L[4, 3] == pytest.approx(NOISE / h * (D + p), rel=1e-12)


@pytest.mark.parametrize("d", NODES)
def test_without_fitted_diffusion_it_is_not_a_markov_chain_beyond_peclet_1(d: int) -> None:
    action = UNFITTED[d]
    L = generator(action, np.full((d, action.domain.owned), 2.0))
    np.testing.assert_allclose(L.sum(axis=0), 0.0, atol=1e-13 * np.abs(L).max())
    assert (L - np.diag(np.diag(L))).min() < -0.01 * np.abs(L).max()


def test_generator_in_one_dimension_is_the_stencil_worked_out_by_hand() -> None:
    action = ACTIONS[1]
    x = action.domain.coordinates[:, 0]
    u = np.sin(3 * x) + 0.4
    h = 1.5 / 8
    expected = np.zeros((9, 9))
    order = np.argsort(x)
    for i, j in pairwise(order):
        along = (u[i] + u[j]) / 2
        spread = edge_noise(along * h / (2 * NOISE)) / h
        flux = np.array([[-along / 2 - spread, -along / 2 + spread], [along / 2 + spread, along / 2 - spread]])
        expected[np.ix_([i, j], [i, j])] += flux
    np.testing.assert_allclose(generator(action, u[None]), expected, atol=1e-13)


@pytest.mark.parametrize(("d", "points"), [(1, 3), (2, 5), (3, 7)])
def test_the_generator_is_as_sparse_as_a_stencil(d: int, points: int) -> None:
    L = matrix(ACTIONS[d], ACTIONS[d].generator)
    counts = np.diff(L.indptr)
    assert counts.max() == points
    shape = np.array(NODES[d])
    edges = sum(int(np.prod(shape) // n * (n - 1)) for n in shape)
    assert L.nnz == np.prod(shape) + 2 * edges  # the lattice, nothing more


@pytest.mark.parametrize("d", NODES)
def test_mass_is_lumped_on_boxes(d: int) -> None:
    action = ACTIONS[d]
    M = matrix(action, action.mass)
    assert M.nnz == action.domain.nodes
    low, high = action.domain.bounds
    widths = (high - low) / (np.array(NODES[d]) - 1)
    x = action.domain.coordinates
    on_walls = (np.isclose(x, low) | np.isclose(x, high)).sum(axis=1)
    np.testing.assert_allclose(M.diagonal(), np.prod(widths) * 0.5**on_walls, rtol=1e-12)


CONSISTENT = {"cells": "simplex", "lumped": False}, {"cells": "simplex", "degree": 2}, {"lumped": False}


@pytest.mark.parametrize("choices", CONSISTENT)
@pytest.mark.parametrize("d", [2, 3])
def test_consistent_family_keeps_mass_too(d: int, choices: dict[str, object]) -> None:
    action = SlabAction(box(d, **choices), hd.Lagrangian(NOISE, smoothness=0.0))
    M, V = matrix(action, action.mass), np.prod(np.array(UPPER[:d]) + 0.5)
    assert M.nnz > action.domain.nodes
    assert M.sum() == pytest.approx(V, rel=1e-12)
    np.testing.assert_allclose(M.toarray(), M.toarray().T, atol=1e-15)
    L = generator(action, random_velocity(action.domain, 1, 0.5))
    np.testing.assert_allclose(L.sum(axis=0), 0.0, atol=1e-12 * np.abs(L).max())


@pytest.mark.parametrize(
    ("fitted", "lumped", "expected"), [(None, True, True), (None, False, False), (True, False, True)]
)
def test_fitted_diffusion_follows_the_quadrature_unless_told(fitted: bool | None, lumped: bool, expected: bool) -> None:
    domain = hd.Domain.interval(0, 1, 5, lumped=lumped)
    L = generator(SlabAction(domain, hd.Lagrangian(NOISE, fitted=fitted, smoothness=0.0)), np.full((1, 5), 3.0))
    diffusion = -(L + L.T)[1, 1] / 2  # drift of a constant velocity is antisymmetric inside
    nu = edge_noise(0.25 * 3.0 / (2 * NOISE)) if expected else NOISE
    assert diffusion == pytest.approx(2 * nu / 0.25, rel=1e-10)


def test_an_entry_outside_the_pattern_is_an_error() -> None:
    action = ACTIONS[2]
    pattern = action.pattern(action.nonzeros(action.mass, reduce=True), reduce=True)
    action.set_slab(np.ones((2, action.domain.owned)))
    with pytest.raises(SolverError, match="outside the sparsity pattern"):
        pattern.values(action.assemble(action.generator, reduce=True))


@pytest.mark.parametrize("d", NODES)
def test_metric_is_the_kinetic_and_smoothness_inner_product(d: int) -> None:
    def quadratic(smoothness: float, u: np.ndarray, R: np.ndarray) -> float:
        action = SlabAction(box(d), hd.Lagrangian(NOISE, decay=0.5, smoothness=smoothness, kinetic=2.0))
        return float(u @ (matrix(action, action.metric, np.zeros((d, action.domain.owned)), R) @ u))

    x = ACTIONS[d].domain.coordinates
    volume = np.prod(np.array(UPPER[:d]) + 0.5)
    # (w R + eps) |u|^2 for constants, alpha^2 |grad u|^2 for a linear u
    assert quadratic(0.0, np.full(len(x), 3.0), np.full(len(x), 0.25)) == pytest.approx(9 * volume, rel=1e-12)
    linear, empty = 2 * x[:, 0], np.zeros(len(x))
    slope = quadratic(0.3, linear, empty) - quadratic(0.0, linear, empty)
    assert slope == pytest.approx(0.09 * 4 * volume, rel=1e-12)
