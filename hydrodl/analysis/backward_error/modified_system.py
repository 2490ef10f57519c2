"""Backward error analysis: the modified system that a discrete flow solves, to the order said and no further.

In slab variables (u_k, r_k, q_k) every product of the scheme is taken at one point, so that the scheme in layers is

    D r + M^-1 dH_h/dphi(u, r, q) = 0,   D* q - M^-1 dH_h/drho(u, r, q) = 0,   dH_h/du(u, r, q) = 0

with D, D* = (2/Delta) tanh(Delta d_t/2) (theta = 1/2) or (1 - exp(-Delta d_t))/Delta, (exp(Delta d_t) - 1)/Delta
(theta = 1) on smooth r(t), q(t). Cutting their series after the first term gives the original system, after the
second and third the modified ones. In space, on uniform boxes with the vertex rule, the operators of H_h have such
series too (``difference_series``), the noise of the edges included. The two directions are kept apart: residuals in
layers hold the operators in space as they are, residuals in space hold the difference in layers as it is.

The layer maps have no operators in space that do not depend on the thickness of the layers: both directions meet in
the series of one slab (``map_residuals``), and their energies come from the layers alone (``map_energy``).

A residual that falls faster with more terms under refinement is the evidence that the modified system is the one
solved; it says nothing at one resolution alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydrodl.analysis.backward_error.layer_residuals import add_layer
from hydrodl.analysis.backward_error.map_energy import interpolated_energies
from hydrodl.analysis.backward_error.map_residuals import map_layer_residuals
from hydrodl.analysis.backward_error.residual_sums import ModifiedResiduals, ResidualSums
from hydrodl.analysis.backward_error.slab_samples import Derivatives, SlabStack, central, equal_step
from hydrodl.analysis.backward_error.space_residuals import SpaceModel
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.discretisation.layer_map_scheme import LayerMapScheme
from hydrodl.mesh.uniform_grid import GatheredGrid
from hydrodl.problem.flow import Flow

POINTS = 9
"""Points of the centred differences that give derivatives of the discrete fields: order 8 throughout."""


WINDOW = 0.5
"""Central share of depth and of each side of the box on which residuals are measured, away from both ends."""


@dataclass(frozen=True)
class ModifiedSystem:
    """Both directions of one flow; a part that does not apply is None, and ``note`` says why.

    ``note`` also names a direction in which residuals grow with the terms: the step there is too large for the series.

    Example:
        >>> hd.analysis.modified_system(flow, points=7).space.direction
        'space'
    """

    layers: ModifiedResiduals | None
    space: ModifiedResiduals | None
    note: str


@dataclass(frozen=True, eq=False)
class ModifiedEnergy:
    """H and the modified energy slab by slab.

    Attributes:
        slabs: indices k of the slabs below.
        energy: H_h(u_k, r_k, q_k); modified: the modified energy there.
        drift, modified_drift: largest minus smallest value, over stretches of layers without a loss inside.
        order: order in Delta to which the modified energy is conserved (H itself: one less for theta = 1, two less
            for theta = 1/2 and for the layer maps).

    Example:
        >>> found = hd.analysis.modified_energy(flow)
        >>> found.order, found.energy.shape == found.modified.shape
        (2, True)
    """

    slabs: NDArray[np.int64]
    energy: Floats
    modified: Floats
    drift: float
    modified_drift: float
    order: int


def modified_system(flow: Flow, *, points: int = POINTS, window: float = WINDOW) -> ModifiedSystem:
    """Residuals in layers, and in space where the mesh is a uniform box with the vertex rule; collective.

    Raises:
        InputError: points or a window that are not allowed.

    Example:
        >>> found = hd.analysis.modified_system(flow, points=7)
        >>> found.layers.direction, found.space.direction
        ('layers', 'space')
    """
    _check(points, window)
    layers, no_layers = _attempt(layer_residuals, flow, points, window)
    space, no_space = _attempt(space_residuals, flow, points, window)
    said = [f"{name}: {why}" for name, why in (("no layer part", no_layers), ("no space part", no_space)) if why]
    for part in (layers, space):
        if part is not None and not part.falls:
            said.append(f"residuals in {part.direction} grow with the terms: not resolved at step {part.step:.3g}")
    return ModifiedSystem(layers, space, "; ".join(said) or "layers and space")


def _attempt(
    part: Callable[..., ModifiedResiduals], flow: Flow, points: int, window: float
) -> tuple[ModifiedResiduals | None, str]:
    try:
        return part(flow, points=points, window=window), ""
    except InputError as error:  # the same on every rank
        return None, str(error)


def layer_residuals(flow: Flow, *, points: int = POINTS, window: float = WINDOW) -> ModifiedResiduals:
    """Residuals of the original and modified systems in layers; any mesh; collective.

    Box schemes: exact in space. Layer maps: the displacement is taken apart by differences in space, see
    ``map_residuals``, and there is no law of energy at a node. Under the vertex rule "energy" is, for the box schemes,
    the law of the energy H_i of each node's patch, F_i its exchange with neighbours:

        d_t [H_i - m_i sum_n b_n Delta^(n-1) sum_{0<j<n} (-1)^(j+1) rho_j phi_(n-j)] = F_i,   sum_i F_i = 0

    with b_n Delta^(n-1) d^n the terms of D*, subscripts of rho and phi counting derivatives in t, summed over classes:
    H_i + m_i Delta^2/12 (rho_t phi_tt - phi_t rho_tt) for theta = 1/2, H_i - m_i Delta/2 rho_t phi_t for theta = 1.

    Args:
        flow: a trained or marched flow of equal layers.
        points: odd number of points of the differences in t, at least 7; their order is ``points`` - 1.
        window: central share of each stretch of layers between losses; slabs in it that lack neighbours drop out,
            so keep more than 2 ``points`` layers where residuals of different N are compared.

    Raises:
        InputError: layers that differ, or too few of them, or of nodes, for the differences.

    Example:
        >>> found = hd.analysis.layer_residuals(flow, points=7)
        >>> sorted(found.equation_residual)
        ['density', 'energy', 'potential', 'velocity']
    """
    _check(points, window)
    step = equal_step(flow.layers.steps)
    inside = [
        k for part in flow.sections for k in central(range(part.start, part.stop), window, points, midpoints=True)
    ]
    if not inside:
        raise InputError(
            f"no slab has {points // 2} neighbours on either side inside the central {window:g} of depth; "
            f"use more than {len(flow.layers)} layers, or fewer points"
        )
    if isinstance(flow.scheme, LayerMapScheme):
        return map_layer_residuals(flow, flow.scheme, inside, window, points)
    slabs, sums, half = SlabStack(flow), ResidualSums(), points // 2
    near = {k + j for k in inside for j in range(-half, half + 1)} if slabs.mass.diagonal is not None else set()
    energies = {k: slabs.energies(k) for k in sorted(near)}
    for k in inside:
        add_layer(sums, slabs, energies, k, points)
    return sums.residuals("layers", flow.domain.comm, step, len(inside))


def space_residuals(flow: Flow, *, points: int = POINTS, window: float = WINDOW) -> ModifiedResiduals:
    """Residuals of the original and modified systems in space, exact in layers, on the central slabs; collective.

    "energy" is the local energy law: along the layer differences z_t the rate of the energy density, its order-2 and
    order-4 terms included (what the energy of a node's patch expands to), is a divergence.

    Args:
        flow: a flow on a uniform box with the vertex rule.
        points: odd number of points of the differences in x, at least 7; their order is ``points`` - 1.
        window: central share of each side of the box, and of depth; nodes in it that lack neighbours drop out.

    Raises:
        InputError: another mesh or rule, or too few nodes for the differences.

    Example:
        >>> found = hd.analysis.space_residuals(flow, points=7)
        >>> sorted(found.equation_residual)
        ['density', 'energy', 'potential', 'velocity']
    """
    _check(points, window)
    reason = _no_space_series(flow)
    if reason:
        raise InputError(f"no series in space: {reason}")
    slabs, grid = SlabStack(flow), GatheredGrid(flow.domain)
    ranges = [central(range(n), window, points, midpoints=False) for n in grid.shape]
    if not all(ranges):
        raise InputError(
            f"no node has {points // 2} neighbours on either side inside the central {window:g} of the box; "
            f"use more than {min(grid.shape)} nodes a side, or fewer points"
        )
    model = _model(flow, grid, ranges, points)
    depth = central(range(len(flow.layers)), window, 1, midpoints=True) or [len(flow.layers) // 2]
    sums = ResidualSums()
    for k in depth:
        fields = [grid.gather(values) for values in _slab_fields(slabs, k)]
        for name, found in model.residuals(*fields).items() if grid.here else ():
            sums.add(name, [float((values**2).sum()) for values in (*found[0], found[1])])
    places = len(depth) * int(np.prod([len(r) for r in ranges]))
    return sums.residuals("space", flow.domain.comm, float(grid.spacing.max()), places)


def modified_energy(flow: Flow, *, window: float = 1.0) -> ModifiedEnergy:
    """H and the energy of the modified system, on any mesh; collective.

        theta = 1:    H1 = H + Delta/2 (dH/drho, dH/dphi)_{M^-1}                       conserved to order 2
        theta = 1/2:  H2 = H + Delta^2/12 sum_c [(d_t rho_c, d_tt phi_c)_h - (d_t phi_c, d_tt rho_c)_h]    to order 4
        layer maps:   H~ = d_t a - sum_c (phi_c, d_t rho_c)_h from four layers around a slab               to order 4

    For theta = 1/2 the derivatives are central differences of the slab fields, so that the first and the last slab
    of each stretch drop out, as for the layer maps, whose H is H~ from the two layers of a slab (``map_energy``).
    Drifts are those of slabs, which move with Delta towards both ends of depth; where the energy's error is steep
    there, orders are cleaner on a window inside.

    Args:
        flow: a trained or marched flow of equal layers.
        window: central share of each stretch of layers between losses.

    Raises:
        InputError: layers that differ, or no slab (theta = 1/2: with two neighbours) between losses in the window.

    Example:
        >>> found = hd.analysis.modified_energy(flow, window=0.5)
        >>> found.energy.shape == found.slabs.shape
        True
    """
    _check(POINTS, window)
    equal_step(flow.layers.steps)
    maps = flow.scheme.moves_points
    points = 1 if flow.scheme.order == 1 and not maps else 3
    stretches = [
        s for s in (central(range(p.start, p.stop), window, points, midpoints=True) for p in flow.sections) if s
    ]
    if not stretches:
        raise InputError(f"no slab inside the window: use more than {len(flow.layers)} layers, or a wider window")
    if maps:
        values = [np.transpose([interpolated_energies(flow, s, points) for points in (2, 4)]) for s in stretches]
    else:
        slabs = SlabStack(flow)
        values = [slabs.sum([_energy_and_more(slabs, k) for k in stretch]) for stretch in stretches]
    drift, modified = np.max([np.ptp(v, axis=0) for v in values], axis=0)
    whole = np.concatenate(values)
    kept = np.array([k for stretch in stretches for k in stretch])
    order = 4 if maps else 2 * flow.scheme.order
    return ModifiedEnergy(kept, whole[:, 0], whole[:, 1], float(drift), float(modified), order)


def _energy_and_more(slabs: SlabStack, k: int) -> tuple[float, float]:
    """This rank's share of H and of the modified energy."""
    energy, mass, step = slabs.energies(k).sum(), slabs.mass, slabs.step
    if slabs.flow.scheme.order == 1:
        gradient = slabs.gradient(k)
        return energy, energy + step / 2 * (gradient.density * mass.solve(gradient.potential)).sum()
    r, q = (Derivatives(stack, k, step, 3) for stack in (slabs.density, slabs.potential))
    paired = (r(1) * mass.apply(q(2))).sum() - (q(1) * mass.apply(r(2))).sum()
    return energy, energy + step**2 / 12 * paired


def _slab_fields(slabs: SlabStack, k: int) -> list[Floats]:
    """u, r, q of slab k, the differences of all three across it, dl/drho_c + V_c; at owned nodes."""
    flow, step = slabs.flow, slabs.flow.layers.steps[k]
    r_t = (flow.density[k + 1] - flow.density[k]) / step
    q_t = (flow.upper_potential[k] - flow.potential[k]) / step
    low, high = max(k - 1, 0), min(k + 1, len(flow.layers) - 1)
    middles = flow.layers.times[:-1] + flow.layers.steps / 2
    u_t = (flow.velocity[high] - flow.velocity[low]) / (middles[high] - middles[low] if high > low else step)
    slope = slabs.mass.solve(slabs.gradient(k, np.zeros_like(slabs.potential[k])).density)
    return [slabs.velocity[k], slabs.density[k], slabs.potential[k], u_t, r_t, q_t, slope]


def _model(flow: Flow, grid: GatheredGrid, ranges: list[list[int]], points: int) -> SpaceModel:
    physics = flow.lagrangian
    window = tuple(slice(r[0], r[-1] + 1) for r in ranges)
    noise, decay, smoothness, kinetic = physics.noise, physics.decay, physics.smoothness, physics.kinetic
    numbers = (float(noise), float(decay), float(smoothness), float(kinetic))
    return SpaceModel(numbers, bool(physics.fitted), grid.spacing, points, window)


def _no_space_series(flow: Flow) -> str:
    domain = flow.domain
    if flow.scheme.moves_points:
        return "a layer map has no operators in space apart from its layers"
    if not domain.uniform_box:
        return "the mesh is not a uniform box of box cells"
    return "" if domain.lumped else "the box does not carry degree 1 with the vertex rule"


def _check(points: int, window: float) -> None:
    if points % 2 == 0 or points < 7:
        raise InputError(f"points is {points}, must be odd and at least 7")
    if not 0 < window <= 1:
        raise InputError(f"window is {window}, must be above 0 and at most 1")
