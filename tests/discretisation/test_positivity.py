"""Positivity and mass: what no velocity can break, and what it takes to break it elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import meshio
import numpy as np
import pytest
import ufl
from dolfinx import fem
from hypothesis import given, settings
from hypothesis import strategies as st

import hydrodl as hd
from hydrodl.adaptivity.mesh_refinement import refine_cells
from hydrodl.problem.flow import peclet
from hydrodl.solver.field_checks import measures
from hydrodl.solver.sweeps import Sweeps

NODES = {1: 21, 2: 9, 3: 5}
NOISE = 0.02
MESHES = Path(__file__).resolve().parents[2] / "meshes"


def problem(
    d: int,
    scheme: str = "euler-box",
    times: int | list[float] = 3,
    fitted: bool | None = None,
    lumped: bool | None = None,
    domain: hd.Domain | None = None,
) -> hd.Problem:
    """Two narrow classes, whose tails underflow to next to nothing on most of the box."""
    domain = domain or hd.Domain.box([-1.0] * d, [1.0] * d, NODES[d], lumped=lumped)
    means = [np.full(d, -0.5), np.full(d, 0.4)]
    rho = hd.mixture([hd.Gaussian(m, 0.1 + 0.1 * c, weight=1 + c, label=c) for c, m in enumerate(means)], domain)
    lagrangian = hd.Lagrangian(NOISE, fitted=fitted, smoothness=0.0)
    return hd.Problem(domain, hd.layers(times), rho, lagrangian, hd.Classification(5.0), scheme)


def at_peclet(sweeps: Sweeps, velocity: np.ndarray, number: float) -> np.ndarray:
    """The velocity scaled so that its cell Peclet number is the given one."""
    found = peclet(sweeps.problem.domain, velocity, NOISE)
    return velocity * (number / found)


def run(sweeps: Sweeps, velocity: np.ndarray) -> dict[str, Any]:
    sweeps.set_velocity(velocity)
    sweeps.forward()
    return measures(sweeps)


def random(sweeps: Sweeps, seed: int) -> np.ndarray:
    shape = (len(sweeps.steps), sweeps.problem.domain.dimension, sweeps.problem.domain.owned)
    return np.random.default_rng(seed).standard_normal(shape)


class Bound:
    """(1 - theta) max_k Delta_k max_i |L_ii| / M_ii at a velocity, with forms of its own."""

    def __init__(self, given: hd.Problem) -> None:
        self.given, domain = given, given.domain
        self.u = fem.Function(domain.space(domain.dimension))
        v, w = ufl.TestFunction(domain.V), ufl.TrialFunction(domain.V)
        fitted = replace(given.lagrangian, fitted=True)
        self.generator = fem.form(fitted.transport(self.u, w, v, domain.edges) * domain.dx)
        self.mass = fem.assemble_matrix(fem.form(w * v * domain.dx)).to_scipy().diagonal()

    def __call__(self, velocity: np.ndarray) -> float:
        rates = []
        for u, step in zip(velocity, self.given.layers.steps, strict=True):
            self.u.x.array[:] = u.T.ravel()
            diagonal = fem.assemble_matrix(self.generator).to_scipy().diagonal()
            rates.append(step * float(np.abs(diagonal / self.mass).max()))
        return (1 - self.given.method.theta) * max(rates)


EULER = {d: Sweeps(problem(d), {}) for d in NODES}
UNEVEN = Sweeps(problem(2, times=[0.0, 1e-3, 0.4, 10.0]), {})
MIDPOINT = {d: Sweeps(problem(d, "midpoint"), {}) for d in NODES}
BOUNDS = {d: Bound(sweeps.problem) for d, sweeps in MIDPOINT.items()}
seeds = st.integers(0, 2**32 - 1)


def of_signs(notes: Sequence[str]) -> list[str]:
    """Warnings that say more than that the mesh is coarse."""
    return [note for note in notes if not note.startswith("the mesh brings the noise")]


@pytest.mark.parametrize("d", NODES)
@settings(max_examples=40, deadline=None)
@given(seed=seeds, power=st.floats(-3, 3))
def test_no_velocity_breaks_positivity_or_mass(d: int, seed: int, power: float) -> None:
    sweeps = EULER[d]
    found = run(sweeps, at_peclet(sweeps, random(sweeps, seed), 10.0**power))
    assert found["min_density"] >= 0
    assert found["mass_error"] <= 1e-12
    assert found["negative_mass"] == 0 and not of_signs(found["warnings"])


SIMPLICES = {
    "interval": lambda: hd.Domain(refine_cells(hd.Domain.interval(-1, 1, 9), [1, 2, 5]).mesh, lumped=True),
    "triangles": lambda: hd.Domain.box([-1, -1], [1, 1], 8, cells="simplex", lumped=True),
    "disc": lambda: hd.Domain.from_file(MESHES / "disc.msh", lumped=True),
    "tetrahedra": lambda: hd.Domain.box([-1, -1, -1], [1, 1, 1], 5, cells="simplex", lumped=True),
}


@pytest.mark.parametrize("mesh", SIMPLICES)
def test_nor_does_any_on_simplices_without_obtuse_edges(mesh: str) -> None:
    domain = SIMPLICES[mesh]()
    assert domain.monotone and not domain.edge_weights.note
    sweeps = Sweeps(problem(domain.dimension, domain=domain), {})
    for seed, power in enumerate([-1, 0, 1, 2, 3.5, 6]):
        found = run(sweeps, 10.0**power * random(sweeps, seed))
        assert found["min_density"] >= 0 and not of_signs(found["warnings"]), power
        assert found["mass_error"] <= 1e-12 * max(1.0, 10.0 ** (power - 3))  # rounding of the rates


def test_what_is_wrong_with_a_mesh_is_counted_and_told(tmp_path: Path) -> None:
    # two triangles over a diagonal whose opposite angles add up to more than pi, and beside them a good one
    points = np.array([[0.0, 0, 0], [2, 0, 0], [1, 0.3, 0], [1, -0.3, 0], [2.2, 1.2, 0]])
    meshio.write(tmp_path / "flat.vtu", meshio.Mesh(points, [("triangle", [[0, 1, 2], [0, 3, 1], [1, 4, 2]])]))
    flat = hd.Domain.from_file(tmp_path / "flat.vtu", lumped=True)
    assert not flat.monotone
    assert flat.edge_weights.note == "1 of 7 edges have negative weights (the mesh is not Delaunay)"
    cube, quads = (hd.Domain.from_file(MESHES / name, lumped=True) for name in ("cube.msh", "quads.vtu"))
    assert "725 of 3767 edges have negative weights (dihedral" in cube.edge_weights.note
    assert quads.edge_weights.note == "432 of 432 cells have other than right angles"
    made = problem(2, domain=flat)
    with pytest.warns(RuntimeWarning, match="1 of 7 edges have negative weights") as told:
        solution = hd.train(made, monitor=lambda entry: True)
    assert sum("edges" in str(one.message) for one in told) == 1
    assert "nothing keeps densities from turning negative" in solution.warnings[0]
    assert not hd.train(replace(made, lagrangian=hd.Lagrangian(1.0, fitted=False)), monitor=lambda _: True).warnings


@settings(max_examples=30, deadline=None)
@given(seed=seeds, power=st.floats(-3, 3))
def test_nor_do_uneven_and_very_long_layers(seed: int, power: float) -> None:
    found = run(UNEVEN, at_peclet(UNEVEN, random(UNEVEN, seed), 10.0**power))
    assert found["min_density"] >= 0
    assert found["mass_error"] <= 1e-12


@pytest.mark.parametrize("d", NODES)
def test_three_layers_at_cell_peclet_50(d: int) -> None:
    sweeps = EULER[d]
    x = sweeps.problem.domain.coordinates.T
    into_corners = np.repeat(np.sign(x + 1e-9)[None] * (1 + 0.3 * np.cos(5 * x[::-1])), 3, axis=0)
    found = run(sweeps, at_peclet(sweeps, into_corners, 50.0))
    assert found["peclet"] == pytest.approx(50, rel=1e-12)
    assert found["min_density"] >= 0
    owned = sweeps.problem.domain.owned
    masses = sweeps.density[..., :owned] @ sweeps.mass.ones
    assert masses.shape == (4, 2)
    np.testing.assert_allclose(masses, np.tile([1 / 3, 2 / 3], (4, 1)), rtol=0, atol=1e-12)
    assert np.abs(sweeps.density[-1] - sweeps.density[0]).max() > 0.1  # and something moved


@pytest.mark.parametrize("d", NODES)
def test_a_trained_flow_is_positive_and_keeps_mass(d: int) -> None:
    solution = hd.train(problem(d))
    assert solution.converged and not of_signs(solution.warnings)
    coarse = [note for note in solution.warnings if note.startswith("the mesh brings the noise")]
    assert len(coarse) == (max(solution.effective_noise) > 2 * NOISE) == (d > 1)
    assert solution.min_density >= 0 and solution.density.min() >= 0
    assert solution.mass_error <= 1e-12


@pytest.mark.parametrize("d", NODES)
@settings(max_examples=15, deadline=None)
@given(seed=seeds, share=st.floats(0.7, 0.9999))
def test_midpoint_is_positive_under_its_bound(d: int, seed: int, share: float) -> None:
    sweeps, bound = MIDPOINT[d], BOUNDS[d]
    velocity = random(sweeps, seed)
    low, high = 0.0, 10.0
    for _ in range(15):  # the bound grows with the velocity: go up to the given share of it
        middle = (low + high) / 2
        low, high = (middle, high) if bound(middle * velocity) <= share else (low, middle)
    assert 0.98 * share < bound(low * velocity) <= share
    found = run(sweeps, low * velocity)
    # rho' = (r - rho / 2) / (1/2) subtracts: a zero may come out as minus a rounding error
    assert found["min_density"] >= -1e-15 * sweeps.density.max()
    assert found["mass_error"] <= 1e-12


def test_midpoint_far_beyond_its_bound_goes_negative_and_keeps_mass() -> None:
    sweeps = MIDPOINT[1]
    velocity = at_peclet(sweeps, np.ones((3, 1, 21)), 50.0)
    assert BOUNDS[1](velocity) > 5
    found = run(sweeps, velocity)
    assert found["min_density"] < -0.01
    assert found["mass_error"] <= 1e-12
    assert "densities are negative" in str(found["warnings"])


@pytest.mark.parametrize("d", NODES)
def test_without_fitted_diffusion_densities_turn_negative(d: int) -> None:
    """So the fitted diffusion is needed: the same flow with it stays positive."""
    unfitted = Sweeps(problem(d, fitted=False), {})
    velocity = at_peclet(unfitted, random(unfitted, 0), 20.0)
    found = run(unfitted, velocity)
    assert found["min_density"] < -1e-3
    assert found["negative_mass"] > 1e-4
    assert run(EULER[d], velocity)["min_density"] >= 0


@pytest.mark.parametrize("kind", [{"fitted": False}, {"lumped": False}], ids=str)
def test_a_negative_density_is_warned_of(kind: dict[str, Any]) -> None:
    bad = problem(2, **kind)
    sweeps = Sweeps(bad, {})
    start = at_peclet(sweeps, random(sweeps, 0), 20.0)
    solution = hd.train(bad, initial=start, monitor=lambda entry: True)
    assert solution.min_density < 0 < solution.negative_mass
    (warning,) = solution.warnings
    assert warning.startswith("densities are negative somewhere (min -") and "cell Peclet number 20;" in warning
    assert solution.peclet == pytest.approx(20, rel=1e-10)


def test_without_fitted_diffusion_training_leaves_the_densities() -> None:
    """With a strong loss the optimiser finds the negative densities by itself."""
    strong = replace(problem(1, fitted=False), losses=hd.Classification(200.0))
    solution = hd.train(strong, options={"tao_max_it": 20})
    assert solution.peclet > 1
    assert solution.min_density < -1e-3 and solution.warnings
    robust = hd.train(replace(strong, lagrangian=hd.Lagrangian(NOISE, smoothness=0.0)), options={"tao_max_it": 20})
    assert robust.min_density >= 0 and not of_signs(robust.warnings)


@pytest.mark.parametrize("cells", ["box", "simplex"])
def test_cell_peclet_number(cells: str) -> None:
    domain = hd.Domain.box([0, 0], [4, 2], 5, cells=cells)
    velocity = np.zeros((2, 2, domain.owned))
    velocity[1] = [[3.0], [4.0]]
    h = np.hypot(1, 0.5) if cells == "simplex" else 1.0
    assert peclet(domain, velocity, 0.1) == pytest.approx(5 * h / 0.2, rel=1e-12)
    assert peclet(domain, 0 * velocity, 0.1) == 0
