"""Class densities on the feature mesh: from samples, from functions, from Gaussian mixtures.

Samples become densities by diffusion: point masses deposited on the nodes, then a few implicit heat steps. That is a
kernel density estimator whose kernel respects the walls of the domain, is positive, keeps the mass and costs the same
on any mesh (Botev, Grotowski and Kroese, "Kernel density estimation via diffusion", Annals of Statistics 38, 2010).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from dolfinx import fem

from hydrodl.common.arrays import Floats
from hydrodl.common.cards import Card, names, plural
from hydrodl.common.errors import DataError, InputError
from hydrodl.common.notices import warn_runtime
from hydrodl.common.parallel import raise_together
from hydrodl.common.parameters import COUNT, Number
from hydrodl.data.diffusion_kernel import deposit, diffuse
from hydrodl.data.gaussian import Gaussian
from hydrodl.data.preprocessing import Preprocessing
from hydrodl.data.resolution import resolution_notes
from hydrodl.data.samples import Samples
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.periodic import images
from hydrodl.mesh.quadrature import integrals, moment, point_text

BANDWIDTH = Number(0.2, above=0, smallest=1e-6, most=1e3)


@dataclass(frozen=True, eq=False, repr=False)
class Densities(Card):
    """Densities rho_c >= 0 of C classes, whose masses are their priors and sum to 1.

    Attributes:
        domain: the feature domain.
        values: nodal values on the nodes this rank owns, shape (C, owned).
        class_names: C names.
        preprocessing: from raw features to mesh coordinates, where the densities come from samples.
        notes: what the mesh does not show of the samples, in words.

    Raises:
        InputError: shapes that do not belong together.

    Example:
        >>> rho = hd.densities(samples, domain)
        >>> rho.values.shape, round(float(rho.masses.sum()), 12)
        ((3, 169), 1.0)
    """

    domain: Domain
    values: Floats
    class_names: tuple[str, ...]
    preprocessing: Preprocessing | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        needed = (len(self.class_names), self.domain.owned)
        if np.shape(self.values) != needed:
            raise InputError(f"density values have shape {np.shape(self.values)}, must be (classes, owned) = {needed}")

    def __str__(self) -> str:
        return f"{self.classes} on {plural(self.domain.nodes, 'node')}: {names(self.class_names)}"

    def facts(self) -> Mapping[str, Any]:
        """For a notebook."""
        return {"classes": names(self.class_names), "domain": self.domain} | dict.fromkeys(self.notes, "")

    @property
    def classes(self) -> int:
        """Number C of classes."""
        return len(self.class_names)

    @property
    def lift(self) -> int:
        """Number of added coordinates, the last ones, in which all samples are 0."""
        return 0 if self.preprocessing is None else self.preprocessing.lift

    @cached_property
    def masses(self) -> Floats:
        """(rho_c, 1)_h, shape (C,); collective the first time."""
        return integrals(self.domain, moment(self.domain), self.values)

    @cached_property
    def means(self) -> Floats:
        """Class means (rho_c, x)_h / (rho_c, 1)_h, shape (C, d); collective the first time."""
        moments = [integrals(self.domain, moment(self.domain, i), self.values) for i in range(self.domain.dimension)]
        return np.column_stack(moments) / self.masses[:, None]


def densities(samples: Samples, domain: Domain, bandwidth: float = BANDWIDTH.default, steps: int = 10) -> Densities:
    """Kernel density of each class: point masses, then ``steps`` implicit heat steps; collective.

    b_i = sum_s psi_i(x_s) / n with the hat functions psi_i, then (M + tau K) rho = b or M rho_old with lumped mass M
    and 2 * steps * tau = bandwidth^2. Positive off-diagonal entries of K (obtuse simplices) are moved to the diagonal,
    which adds diffusion there and makes M + tau K an M-matrix: rho > 0 on any mesh. The mass of class c is n_c / n.
    Where samples have weights (``Samples.weights``) they count by these.

    In an added coordinate (``Preprocessing.lift``), where all points are 0, the kernel is the whole density: nearly a
    Gaussian of standard deviation ``bandwidth``.

    On elements of degree > 1 the estimate is made with degree 1 on the same mesh and then interpolated, exactly.

    Args:
        samples: their standardised ``points`` are used, shape (n, d).
        domain: the feature domain.
        bandwidth: standard deviation of the kernel, in the units of the mesh.
        steps: number of heat steps; the kernel approaches a Gaussian as they grow.

    A RuntimeWarning says where the mesh is too coarse for the samples or the bandwidth (``Densities.notes``).

    Raises:
        InputError: bandwidth not positive, fewer than one step.
        DataError: samples of another dimension than the mesh, outside the mesh (row named), or a class without any.

    Example:
        >>> rho = hd.densities(samples, domain, bandwidth=0.3)
        >>> rho.masses.round(2)
        array([0.33, 0.33, 0.33])
    """
    BANDWIDTH.check("bandwidth", bandwidth)
    COUNT.check("steps", steps)
    if (samples.counts == 0).any():
        empty = samples.class_names[int(np.argmin(samples.counts))]
        raise DataError(f"class {empty!r} has no samples; a density needs at least one")
    linear = domain if domain.degree == 1 else Domain(domain.mesh, 1, False, domain.uniform_box, domain.periodic)
    charges, cells = deposit(linear, samples)
    notes = resolution_notes(linear, samples, bandwidth, cells)
    smoothed = diffuse(linear, charges, bandwidth**2 / (2 * steps), int(steps))
    values = smoothed if linear is domain else _interpolate(linear, domain, smoothed)
    values *= (samples.shares / integrals(domain, moment(domain), values))[:, None]
    for note in notes:
        warn_runtime(note, domain.comm)
    return Densities(domain, values, samples.class_names, samples.preprocessing, notes)


def densities_from_function(
    functions: Sequence[Callable[[Floats], Floats]],
    domain: Domain,
    masses: Sequence[float] | None = None,
    class_names: Sequence[str] | None = None,
) -> Densities:
    """Densities with the nodal values of functions x (n, d) -> (n,), one per class, of total mass 1; collective.

    Args:
        functions: nonnegative; their scale does not matter where masses are given.
        domain: the feature domain.
        masses: relative masses of the classes; None keeps the ratios of the functions' own integrals.
        class_names: "0", "1", ... by default.

    Raises:
        InputError: no function, values negative, not finite or of the wrong shape, a class without mass, masses of
            another number or not positive.

    Example:
        >>> line = hd.Domain.interval(0.0, 1.0, nodes=11)
        >>> rho = hd.densities_from_function([lambda x: 1 - x[:, 0], lambda x: x[:, 0]], line)
        >>> rho.masses.round(12)
        array([0.5, 0.5])
    """
    if not len(functions):
        raise InputError("densities need at least one function")
    x = domain.coordinates[: domain.owned]
    values = np.stack([_evaluate(domain, function, c, x) for c, function in enumerate(functions)])
    found = integrals(domain, moment(domain), values)
    if not found.min() > 0:
        raise InputError(f"density of class {int(np.argmin(found))} has no mass on the nodes of the mesh")
    wanted = found if masses is None else np.asarray(masses, dtype=float)
    if wanted.shape != found.shape or not (np.isfinite(wanted).all() and (wanted > 0).all()):
        raise InputError(f"masses is {masses}, must be {found.size} positive number{'s' * (found.size > 1)}")
    values *= (wanted / wanted.sum() / found)[:, None]
    names = [str(c) for c in range(len(functions))] if class_names is None else class_names
    return Densities(domain, values, tuple(names))


def mixture(components: Sequence[Gaussian], domain: Domain) -> Densities:
    """Gaussian mixture: components of one label form one class, classes in the order of first appearance; collective.

    The mass of a class is its share of the weights, whatever part of its tails lies outside the domain. Without walls
    tails that leave come in again on the other side.

    Raises:
        InputError: no component, or one of another dimension than the domain.

    Example:
        >>> rho = hd.mixture([hd.Gaussian([0, 0], 0.5, label="in"), hd.Gaussian([1, 1], 0.3, label="out")], domain)
        >>> rho.class_names, rho.masses.round(2)
        (('in', 'out'), array([0.5, 0.5]))
    """
    classes = _by_label(components, domain.dimension)

    def summed(group: list[Gaussian], x: Floats) -> Floats:
        places = images(x, *domain.bounds, domain.periodic)
        return np.asarray(sum(g.weight * g.density(place) for place in places for g in group))

    functions = [partial(summed, group) for group in classes.values()]
    masses = [sum(g.weight for g in group) for group in classes.values()]
    return densities_from_function(functions, domain, masses, list(classes))


def sample_mixture(components: Sequence[Gaussian], n: int, seed: int = 0) -> Samples:
    """n independent samples of a Gaussian mixture, in mesh coordinates (identity preprocessing), the same on all ranks.

    Raises:
        InputError: no component, components of different dimensions, n < 1.

    Example:
        >>> drawn = hd.sample_mixture([hd.Gaussian(-1.0, std=0.5, label=0), hd.Gaussian(1.0, std=0.5, label=1)], n=20)
        >>> drawn.features.shape, drawn.classes
        ((20, 1), 2)
    """
    COUNT.check("n", n)
    names = list(_by_label(components, components[0].center.size if components else 0))
    rng = np.random.default_rng(seed)
    weights = np.array([g.weight for g in components])
    chosen = rng.choice(len(components), size=n, p=weights / weights.sum())
    unit = rng.standard_normal((n, components[0].center.size))
    roots = np.stack([np.linalg.cholesky(g.matrix) for g in components])
    points = np.stack([g.center for g in components])[chosen] + np.einsum("nij,nj->ni", roots[chosen], unit)
    labels = np.array([names.index(str(g.label)) for g in components], dtype=np.int64)[chosen]
    identity = Preprocessing.identity(points.shape[1])
    return Samples(points, labels, tuple(names), identity.feature_names, identity)


def _by_label(components: Sequence[Gaussian], d: int) -> dict[str, list[Gaussian]]:
    if not len(components):
        raise InputError("a mixture needs at least one Gaussian")
    classes: dict[str, list[Gaussian]] = {}
    for number, component in enumerate(components):
        if component.center.size != d:
            raise InputError(f"Gaussian {number} has dimension {component.center.size}, needed is {d}")
        classes.setdefault(str(component.label), []).append(component)
    return classes


def _evaluate(domain: Domain, function: Callable[[Floats], Floats], c: int, x: Floats) -> Floats:
    """Checked nodal values; what is wrong on one rank is raised on all."""
    values = np.asarray(function(x), dtype=float)
    error: InputError | None = None
    if values.shape != (len(x),):
        error = InputError(f"density of class {c} returned shape {values.shape} for {len(x)} points, not ({len(x)},)")
    elif not (good := np.isfinite(values) & (values >= 0)).all():
        at = int(np.argmin(good))
        error = InputError(
            f"density of class {c} is {values[at]:g} at {point_text(x[at])}, must be finite and not negative"
        )
    raise_together(domain.comm, error)
    return values


def _interpolate(source: Domain, target: Domain, values: Floats) -> Floats:
    """Nodal values, shape (C, owned), of degree-1 fields on the nodes of another degree on the same mesh."""
    coarse, fine = fem.Function(source.V), fem.Function(target.V)
    result = np.empty((len(values), target.owned))
    for row, nodal in zip(result, values, strict=True):
        coarse.x.array[: source.owned] = nodal
        coarse.x.scatter_forward()
        fine.interpolate(coarse)
        row[:] = fine.x.array[: target.owned]
    return result
