from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hydrodl  # noqa: F401

# isort: split
import basix.ufl
import numpy as np
import pytest
import ufl
from dolfinx import fem
from dolfinx import mesh as dmesh
from mpi4py import MPI
from scipy.spatial import Delaunay

from hydrodl.common.errors import DataError, InputError
from hydrodl.data import diffusion_kernel as kernel
from hydrodl.data.class_densities import Densities, densities, densities_from_function, mixture, sample_mixture
from hydrodl.data.datasets import load_dataset
from hydrodl.data.gaussian import Gaussian
from hydrodl.data.preprocessing import Preprocessing
from hydrodl.data.samples import Samples
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.point_location import locate


def points_as_samples(points: object, labels: object = None, classes: int = 1) -> Samples:
    x = np.asarray(points, dtype=float)
    identity = Preprocessing.identity(x.shape[1])
    marks = np.zeros(len(x), dtype=np.int64) if labels is None else np.asarray(labels, dtype=np.int64)
    return Samples(x, marks, tuple("abc"[:classes]), identity.feature_names, identity)


def bad_mesh(seed: int = 0) -> Domain:
    """Random triangles, stretched five times: many obtuse angles, positive off-diagonal stiffness entries."""
    x = np.random.default_rng(seed).uniform(0, 1, (150, 2))
    x = np.vstack([x, [[0, 0], [1, 0], [0, 1], [1, 1]]])
    cells = Delaunay(x).simplices.astype(np.int64)
    element = ufl.Mesh(basix.ufl.element("Lagrange", "triangle", 1, shape=(2,)))
    return Domain(dmesh.create_mesh(MPI.COMM_WORLD, cells, element, x * [5.0, 1.0]))


def twisted_quadrilaterals() -> Domain:
    domain = Domain.box([0, 0], [1, 1], 9)
    x = domain.mesh.geometry.x
    x[:, 0] += 0.08 * np.sin(2 * np.pi * x[:, 0]) * np.sin(2 * np.pi * x[:, 1])
    x[:, 1] += 0.3 * x[:, 0] * x[:, 1]
    return Domain(domain.mesh, 1, False)


def integral(domain: Domain, values: np.ndarray, weight: Callable[..., Any] = lambda x: 1.0) -> float:
    """The integral by DOLFINx itself, independent of the weights the package uses."""
    field = fem.Function(domain.V)
    field.x.array[: domain.owned] = values
    field.x.scatter_forward()
    x = ufl.SpatialCoordinate(domain.mesh)
    return domain.comm.allreduce(fem.assemble_scalar(fem.form(weight(x) * field * domain.dx)))


DOMAINS = {
    "interval": lambda: Domain.interval(-3, 3, 31),
    "interval P3": lambda: Domain.interval(-3, 3, 11, degree=3),
    "box": lambda: Domain.box([-3, -4], [3, 4], [21, 33]),
    "box consistent": lambda: Domain.box([-3, -4], [3, 4], [21, 13], lumped=False),
    "triangles P2": lambda: Domain.box([-3, -3], [3, 3], 11, cells="simplex", degree=2),
    "quadrilaterals P2": lambda: Domain.box([-3, -3], [3, 3], 11, degree=2),
    "cube": lambda: Domain.box([-3] * 3, [3] * 3, [9, 8, 7]),
    "tetrahedra": lambda: Domain.box([-3] * 3, [3] * 3, [7, 8, 6], cells="simplex"),
}


@pytest.mark.parametrize("name", DOMAINS)
def test_mass_prior_and_positivity_on_every_family(name: str) -> None:
    domain = DOMAINS[name]()
    rng = np.random.default_rng(1)
    samples = points_as_samples(rng.uniform(-2, 2, (30, domain.dimension)), rng.permutation([0] * 20 + [1] * 10), 2)
    rho = densities(samples, domain, bandwidth=0.4)
    masses = [integral(domain, values) for values in rho.values]
    np.testing.assert_allclose(masses, [2 / 3, 1 / 3], rtol=1e-12)
    np.testing.assert_allclose(rho.masses, masses, rtol=1e-12)
    assert abs(sum(masses) - 1) < 1e-12
    assert rho.values.min() >= 0 and (domain.degree > 1 or rho.values.min() > 0)
    means = [[integral(domain, v, lambda x, i=i: x[i]) for i in range(domain.dimension)] for v in rho.values]
    np.testing.assert_allclose(rho.means, np.divide(means, np.array(masses)[:, None]), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("steps", [1, 10])
def test_variance_of_a_point_mass_is_bandwidth_squared(d: int, steps: int) -> None:
    """Exactly bandwidth^2 plus the variance (x - x_i)(x_{i+1} - x) <= h^2/4 of the two hats around the point."""
    h, bandwidth = 0.25, 0.3
    domain = Domain.box([-3.5] * d, [3.5] * d, 29)
    at = np.array([0.1, 0.0, -0.2])[:d]
    rho = densities(points_as_samples([at]), domain, bandwidth, steps)
    x, weights = domain.coordinates[: domain.owned], rho.values[0] * kernel.moment(domain)
    spread = (x - at).T @ (weights[:, None] * (x - at))
    left = np.floor(at / h) * h
    expected = np.diag(bandwidth**2 + (at - left) * (left + h - at))
    # one step has the long tails of an exponential kernel: what the walls reflect is then visible
    np.testing.assert_allclose(spread, expected, atol=1e-9 if steps == 10 else 1e-4)
    np.testing.assert_allclose(rho.means, [at], atol=1e-9 if steps == 10 else 1e-4)


def test_kernel_tends_to_the_heat_kernel_at_first_order_in_the_steps() -> None:
    domain = Domain.interval(-2, 2, 801)
    x = domain.coordinates[: domain.owned, 0]
    exact = np.exp(-0.5 * (x / 0.3) ** 2) / np.sqrt(2 * np.pi) / 0.3
    errors = [
        np.abs(densities(points_as_samples([[0.0]]), domain, 0.3, steps).values[0] - exact).max() / exact.max()
        for steps in (10, 20, 40)
    ]
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert errors[0] < 0.05 and (orders > 0.9).all() and (orders < 1.1).all()


def test_kernel_tends_to_the_heat_kernel_at_second_order_in_the_mesh() -> None:
    def value(nodes: int) -> float:
        return densities(points_as_samples([[0.0]]), Domain.interval(-2, 2, nodes), 0.3).values[0].max()

    finest = value(3201)
    errors = [abs(value(nodes) - finest) for nodes in (51, 101, 201)]
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert (orders > 1.9).all() and (orders < 2.1).all()


def test_walls_reflect() -> None:
    """A point at the wall keeps its mass inside, with twice the density: the even mirror image."""
    half = densities(points_as_samples([[0.0]]), Domain.interval(0, 3, 61), 0.4).values[0]
    whole = densities(points_as_samples([[0.0]]), Domain.interval(-3, 3, 121), 0.4).values[0]
    np.testing.assert_allclose(half.max(), 2 * whole.max(), rtol=1e-9)


def test_positive_on_a_bad_mesh_where_the_plain_stiffness_is_not() -> None:
    domain = bad_mesh()
    x = domain.coordinates
    at = x[np.argmin(np.abs(x - [2.5, 0.5]).sum(axis=1))]
    rho = densities(points_as_samples([at]), domain, 0.2)
    assert rho.values.min() > 0
    np.testing.assert_allclose(integral(domain, rho.values[0]), 1, rtol=1e-12)
    # the same steps with the stiffness as assembled: this mesh does need the correction
    trial, test = ufl.TrialFunction(domain.V), ufl.TestFunction(domain.V)
    plain = fem.assemble_matrix(fem.form(ufl.inner(ufl.grad(trial), ufl.grad(test)) * ufl.dx)).to_dense()
    assert (plain - np.diag(np.diag(plain))).max() > 0.1
    mass = np.diag(kernel.moment(domain))
    charge = (np.abs(x - at).sum(axis=1) < 1e-12).astype(float)
    assert np.linalg.solve(mass + 0.002 * plain, charge).min() < -1e-6


def test_long_quadrilaterals_keep_the_bandwidth_in_both_directions() -> None:
    domain = Domain.box([-5, -5], [5, 5], [21, 201], lumped=False)  # wide: nothing reaches the walls
    rho = densities(points_as_samples([[0.0, 0.0]]), domain, 0.4)
    x, weights = domain.coordinates[: domain.owned], rho.values[0] * kernel.moment(domain)
    np.testing.assert_allclose(weights @ x**2, [0.16, 0.16], rtol=1e-8)


def test_conjugate_gradients_agree_with_the_factorisation(monkeypatch: pytest.MonkeyPatch) -> None:
    domain = Domain.box([-3] * 3, [3] * 3, 9)
    samples = points_as_samples(np.random.default_rng(0).uniform(-2, 2, (20, 3)))
    direct = densities(samples, domain, 0.5).values
    monkeypatch.setattr(kernel, "_DIRECT_NODES", 0)
    iterative = densities(samples, domain, 0.5).values
    np.testing.assert_allclose(iterative, direct, atol=1e-12 * direct.max())
    assert not np.array_equal(iterative, direct) and iterative.min() > 0


def test_higher_degree_is_the_linear_estimate_exactly() -> None:
    samples = load_dataset("two_moons", n=60)
    linear = Domain.box([-4, -4], [4, 4], 15, cells="simplex", lumped=False)
    quadratic = Domain(linear.mesh, 2)
    coarse, fine = densities(samples, linear), densities(samples, quadratic)
    for c in range(2):
        for weight in (lambda x: x[0], lambda x: x[0] * x[1]):
            assert np.isclose(integral(linear, coarse.values[c], weight), integral(quadratic, fine.values[c], weight))


def test_density_follows_the_samples_of_its_class() -> None:
    samples = load_dataset("gaussians", n=300)
    rho = densities(samples, Domain.around(samples, 31))
    expected = [samples.points[samples.labels == c].mean(axis=0) for c in range(3)]
    np.testing.assert_allclose(rho.means, expected, atol=1e-5)
    np.testing.assert_allclose(rho.masses, samples.counts / 300, rtol=1e-12)
    assert rho.preprocessing is samples.preprocessing and rho.class_names == samples.class_names


@pytest.mark.parametrize("make", [bad_mesh, twisted_quadrilaterals, *DOMAINS.values()])
def test_locate_maps_back_to_the_points(make: Callable[[], Domain]) -> None:
    domain = make()
    kind = domain.mesh.ufl_domain().ufl_coordinate_element()
    rng = np.random.default_rng(0)
    cells = rng.integers(0, len(domain.mesh.geometry.dofmaps[0]), 200)
    inside = rng.dirichlet(np.ones(kind.reference_geometry.shape[0]), 200) @ kind.reference_geometry
    inside[:20] = kind.reference_geometry[rng.integers(0, len(kind.reference_geometry), 20)]  # vertices too
    corners = domain.mesh.geometry.x[domain.mesh.geometry.dofmaps[0][:], : domain.dimension]

    def push(cells: np.ndarray, reference: np.ndarray) -> np.ndarray:
        table = kind.sub_elements[0].basix_element.tabulate(0, reference)[0, :, :, 0]
        return np.einsum("ki,kij->kj", table, corners[cells])

    points = push(cells, inside)
    found = locate(domain, points)
    assert np.array_equal(found.rows, np.arange(200)) and not len(found.outside)
    np.testing.assert_allclose(push(found.cells, found.reference), points, atol=1e-12)
    strictly = np.arange(20, 200)
    assert np.array_equal(found.cells[strictly], cells[strictly])
    assert locate(domain, points[:3] + 100).outside.tolist() == [0, 1, 2]


def test_points_on_the_walls_are_inside_and_points_beyond_are_named() -> None:
    samples = load_dataset("two_moons", n=30)
    domain = Domain.around(samples, 7, margin=0.0)
    assert abs(densities(samples, domain).masses.sum() - 1) < 1e-12
    with pytest.raises(DataError, match=r"row 2 of the samples lies outside the mesh, at \(0.5, 1.001\).*\(0, 0\) and"):
        densities(points_as_samples([[0.5, 0.5], [0.5, 1.001]]), Domain.box([0, 0], [1, 1], 5))


def test_a_hole_in_the_mesh_is_outside() -> None:
    domain = Domain.box([0, 0], [3, 3], 4)
    middle = dmesh.compute_midpoints(domain.mesh, 2, np.arange(9, dtype=np.int32))[:, :2]
    ring = np.flatnonzero(np.abs(middle - 1.5).max(axis=1) > 0.5).astype(np.int32)
    holed = Domain(dmesh.create_submesh(domain.mesh, 2, ring)[0])
    with pytest.raises(DataError, match="row 1 of the samples"):
        densities(points_as_samples([[1.5, 1.5]]), holed)
    assert abs(densities(points_as_samples([[1.5, 0.5]]), holed).masses.sum() - 1) < 1e-12


@pytest.mark.parametrize("bandwidth", [0.0, -1.0, float("nan"), float("inf")])
def test_bandwidth_must_be_positive(bandwidth: float) -> None:
    with pytest.raises(InputError, match="bandwidth is"):
        densities(points_as_samples([[0.5]]), Domain.interval(0, 1, 5), bandwidth)


def test_bad_sample_sets() -> None:
    line = Domain.interval(0, 1, 5)
    with pytest.raises(DataError, match="samples have dimension 2, the mesh has dimension 1"):
        densities(points_as_samples([[0.5, 0.5]]), line)
    with pytest.raises(DataError, match="class 'b' has no samples"):
        densities(points_as_samples([[0.5]], [0], 2), line)
    with pytest.raises(InputError, match="steps is 0"):
        densities(points_as_samples([[0.5]]), line, steps=0)
    with pytest.raises(InputError, match="must be \\(classes, owned\\)"):
        Densities(line, np.zeros((1, 3)), ("a",))


@pytest.mark.parametrize("degree", [1, 2])
def test_functions_keep_their_ratios_or_take_the_masses_given(degree: int) -> None:
    domain = Domain.interval(0, 2, 9, degree=degree)
    functions = [lambda x: np.ones(len(x)), lambda x: 3 * x[:, 0] / 2]
    free = densities_from_function(functions, domain)
    assert [integral(domain, v) for v in free.values] == pytest.approx([0.4, 0.6], rel=1e-12)
    np.testing.assert_allclose(free.values[0], 0.2)
    fixed = densities_from_function(functions, domain, masses=[3, 1], class_names=["p", "q"])
    assert [integral(domain, v) for v in fixed.values] == pytest.approx([0.75, 0.25], rel=1e-12)
    np.testing.assert_allclose(fixed.means[1], [4 / 3], rtol=1e-2 if degree == 1 else 1e-12)
    assert free.class_names == ("0", "1") and fixed.class_names == ("p", "q") and free.preprocessing is None


def test_bad_functions() -> None:
    domain = Domain.interval(-1, 1, 5)
    with pytest.raises(InputError, match=r"density of class 0 is -1 at \(-1\), must be finite and not negative"):
        densities_from_function([lambda x: x[:, 0]], domain)
    with pytest.raises(InputError, match="class 1 is nan"):
        densities_from_function([lambda x: x[:, 0] ** 2, lambda x: np.full(len(x), np.nan)], domain)
    with pytest.raises(InputError, match=r"returned shape \(5, 1\) for 5 points"):
        densities_from_function([lambda x: x**2], domain)
    with pytest.raises(InputError, match="class 0 has no mass"):
        densities_from_function([lambda x: 0 * x[:, 0]], domain)
    for masses in ([1.0, 2.0], [0.0], [-1.0], [np.nan]):
        with pytest.raises(InputError, match="masses is"):
            densities_from_function([lambda x: x[:, 0] ** 2], domain, masses)
    with pytest.raises(InputError, match="at least one function"):
        densities_from_function([], domain)


def test_mixture_has_the_moments_of_its_components() -> None:
    parts = [
        Gaussian([-1, 0], std=0.5, weight=2, label="left"),
        Gaussian([1, 1], covariance=[[0.3, 0.1], [0.1, 0.2]], label="right"),
        Gaussian([1, -1], std=[0.4, 0.6], label="right"),
    ]
    domain = Domain.box([-5, -5], [5, 5], 61)
    rho = mixture(parts, domain)
    assert rho.class_names == ("left", "right")
    np.testing.assert_allclose(rho.masses, [0.5, 0.5], rtol=1e-12)
    np.testing.assert_allclose(rho.means, [[-1, 0], [1, 0]], atol=1e-7)
    second = [[0.25, 0, 0.25], [(0.3 + 0.16) / 2, 0.05, (0.2 + 0.36) / 2 + 1]]  # xx, xy, yy about the class mean
    for c, (mx, my) in enumerate(rho.means):
        xx = integral(domain, rho.values[c], lambda x, m=mx: (x[0] - m) ** 2)
        xy = integral(domain, rho.values[c], lambda x, m=mx, k=my: (x[0] - m) * (x[1] - k))
        yy = integral(domain, rho.values[c], lambda x, k=my: (x[1] - k) ** 2)
        np.testing.assert_allclose(np.array([xx, xy, yy]) / rho.masses[c], second[c], atol=1e-5)
    at = np.array([[0.3, -0.4]])
    matrix = np.array([[0.3, 0.1], [0.1, 0.2]])
    offset = at[0] - 1
    exact = np.exp(-0.5 * offset @ np.linalg.inv(matrix) @ offset) / (2 * np.pi * np.sqrt(np.linalg.det(matrix)))
    np.testing.assert_allclose(parts[1].density(at), [exact], rtol=1e-13)


def test_samples_of_a_mixture_follow_it() -> None:
    parts = [Gaussian([0, 1], covariance=[[0.3, 0.1], [0.1, 0.2]], weight=3, label=1), Gaussian([4, 4], 0.1, label=0)]
    samples = sample_mixture(parts, 20_000, seed=5)
    assert samples.class_names == ("1", "0") and np.array_equal(samples.points, samples.features)
    assert abs(samples.counts[0] / 20_000 - 0.75) < 0.01
    mine = samples.points[samples.labels == 0]
    np.testing.assert_allclose(mine.mean(axis=0), [0, 1], atol=0.02)
    np.testing.assert_allclose(np.cov(mine.T), [[0.3, 0.1], [0.1, 0.2]], atol=0.02)
    assert np.array_equal(sample_mixture(parts, 10, seed=1).points, sample_mixture(parts, 10, seed=1).points)
    assert sample_mixture([Gaussian(0.0, 1.0)], 3).points.shape == (3, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mean": [0, 0]}, "either std or covariance"),
        ({"mean": 0, "std": 1, "covariance": [[1]]}, "either std or covariance"),
        ({"mean": 0, "std": 0}, "std of a Gaussian is 0, must be a positive number"),
        ({"mean": [0, 0], "std": [1, -1]}, "must be a positive number"),
        ({"mean": [0, 0], "std": [1, 1, 1]}, "do not fit"),
        ({"mean": "here", "std": 1}, "do not fit"),
        ({"mean": [0, np.inf], "std": 1}, "must be 1, 2 or 3 numbers, each a number from"),
        ({"mean": [0, 0, 0, 0], "std": 1}, "must be 1, 2 or 3 numbers, each a number from"),
        ({"mean": [0, 0], "covariance": [[1, 2], [2, 1]]}, "symmetric positive definite 2 x 2"),
        ({"mean": [0, 0], "covariance": [[1, 0.5], [0, 1]]}, "symmetric positive definite 2 x 2"),
        ({"mean": [0, 0], "covariance": [[1]]}, "symmetric positive definite 2 x 2"),
        ({"mean": 0, "std": 1, "weight": 0}, "weight of a Gaussian is 0, must be a positive number"),
    ],
)
def test_bad_gaussians(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Gaussian(**arguments)  # type: ignore[arg-type]


def test_bad_mixtures() -> None:
    domain = Domain.interval(0, 1, 5)
    with pytest.raises(InputError, match="at least one Gaussian"):
        mixture([], domain)
    with pytest.raises(InputError, match="at least one Gaussian"):
        sample_mixture([], 3)
    with pytest.raises(InputError, match="Gaussian 1 has dimension 2, needed is 1"):
        mixture([Gaussian(0, 1), Gaussian([0, 0], 1)], domain)
    with pytest.raises(InputError, match="no mass on the nodes"):
        mixture([Gaussian(100, 0.1)], domain)
    with pytest.raises(InputError, match="n is 0"):
        sample_mixture([Gaussian(0, 1)], 0)
