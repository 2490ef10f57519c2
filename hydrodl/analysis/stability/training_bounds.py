"""The stability bounds of a discrete flow: how many layers N and how many nodes M it takes.

Every function takes a ``Flow``, is collective, and returns a ``Bound`` that is the same on all ranks. The needed
numbers of layers and nodes assume that the velocity, as a function of depth and features, stays what it is.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
from mpi4py import MPI

from hydrodl.analysis.stability.bounds import SPECIFICATION, Bound, at_least, more_than, nodes_for, within
from hydrodl.analysis.stability.discrete_modes import slowest
from hydrodl.analysis.stability.element_gradients import Elements
from hydrodl.analysis.stability.hessian_spectrum import Quadratic, Spectrum, spectrum
from hydrodl.analysis.stability.map_bounds import map_bounds
from hydrodl.analysis.stability.neuron_bounds import NeuronLayers
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import largest, smallest, summed
from hydrodl.discretisation.slab_action import SlabAction
from hydrodl.mesh.ghosts import with_ghosts
from hydrodl.physics.energy_derivative import energy_derivative
from hydrodl.problem.flow import Flow, peclet

POSITIVE = "M-matrices: Berman and Plemmons, Nonnegative Matrices in the Mathematical Sciences, 1994, chapter 6"


HOMEOMORPHISM = "Behrmann, Grathwohl, Chen, Duvenaud, Jacobsen, Invertible Residual Networks, ICML 2019"


EULER = "Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I, section I.7"


def maximum_principle(flow: Flow) -> Bound:
    """(1 - theta) Delta_k max_i |L_ii| / M_ii <= 1, and no negative coupling between nodes.

    One slab maps R to R' with (M - theta Delta L) R' = (M + (1 - theta) Delta L) R. If the left matrix has no positive
    entry off its diagonal it is an M-matrix, because its column sums are those of M (L has none); if the right one has
    no negative entry either, densities stay non-negative, and so does what solves the backward equation without a
    source.

    Example:
        >>> hd.analysis.maximum_principle(flow).holds
        True
    """
    if flow.scheme.positive:
        return Bound(
            name="maximum principle",
            value=0.0,
            bound=1.0,
            holds=True,
            needs_layers=None,
            needs_nodes=None,
            inequality="splines and resolvents are not negative",
            sufficient_only=False,
            source=POSITIVE,
            note="densities stay non-negative for any velocity, layers and nodes",
        )
    rates, coupled = _generators(flow)
    value = (1 - flow.theta) * float((flow.layers.steps * rates).max())
    note = "" if coupled else "some nodes are coupled with the wrong sign: refine the mesh, or use box cells"
    unfitted = flow.domain.lumped and flow.lagrangian.fitted is False
    return Bound(
        name="maximum principle",
        value=value,
        bound=1.0,
        holds=coupled and within(value, 1.0),
        needs_layers=at_least((1 - flow.theta) * flow.layers.depth * float(rates.max())) if coupled else None,
        needs_nodes=cell_peclet(flow).needs_nodes if unfitted else None,
        inequality="(1 - theta) Delta_k max_i |L_ii|/M_ii <= 1",
        sufficient_only=True,
        source=POSITIVE,
        note=note,
    )


def _generators(flow: Flow) -> tuple[Floats, bool]:
    """max_i |L_ii|/M_ii of each slab, and: do both matrices of each slab have the right signs off the diagonal?"""
    action, owned, comm = SlabAction(flow.domain, flow.lagrangian), flow.domain.owned, flow.domain.comm
    every = np.ones(len(action.assemble(action.mass, reduce=True)), dtype=bool)
    pattern = action.pattern(every, reduce=True)
    rows = np.repeat(np.arange(owned), np.diff(pattern.pointers))
    diagonal = rows == pattern.columns
    mass = pattern.values(action.assemble(action.mass, reduce=True)).copy()
    velocity, theta = with_ghosts(flow.domain, flow.velocity), flow.theta
    rates, wrong = np.zeros(len(flow.layers)), 0.0
    for k, step in enumerate(flow.layers.steps):
        action.set_slab(velocity[k])
        generator = pattern.values(action.assemble(action.generator, reduce=True))
        rates[k] = np.abs(generator[diagonal] / mass[diagonal]).max(initial=0.0)
        left, right = mass - theta * step * generator, mass + (1 - theta) * step * generator
        scale = np.abs(left[diagonal]).max(initial=1e-300)
        wrong = max(wrong, float(np.maximum(left, -right)[~diagonal].max(initial=0.0)) / scale)
    rates = largest(comm, rates)
    return rates, largest(flow.domain.comm, wrong) <= 1e-13


def cell_peclet(flow: Flow) -> Bound:
    """max |u| h / (2 nu) <= 1 on every cell.

    Example:
        >>> bound = hd.analysis.cell_peclet(flow)
        >>> bound.holds == (bound.value <= 1)
        True
    """
    value = peclet(flow.domain, with_ghosts(flow.domain, flow.velocity), float(flow.lagrangian.noise))
    return Bound(
        name="cell Peclet",
        value=value,
        bound=1.0,
        holds=within(value, 1.0),
        needs_layers=None,
        needs_nodes=nodes_for(flow.domain, value),
        inequality="max |u| h/(2 nu) <= 1",
        sufficient_only=True,
        source="Roos, Stynes, Tobiska, Robust Numerical Methods for Singularly Perturbed Differential Equations, 2008",
        applies=not flow.scheme.positive,
        note="with fitted diffusion densities stay non-negative all the same; what is at stake is second order in h",
    )


def lipschitz(flow: Flow) -> Floats:
    """Lip(u_k) of each slab, (N,): the largest spectral norm of grad u_k over all elements; collective.

    Exact for P1, P2 and for Q1 on parallelepipeds, else an upper bound: see ``element_gradients``. On a domain
    that is not convex it is the Lipschitz constant along paths inside the domain.

    Example:
        >>> bool((hd.analysis.lipschitz(flow) > 0).all())
        True
    """
    elements, velocity = Elements(flow.domain), with_ghosts(flow.domain, flow.velocity)
    norms = np.array([elements.lipschitz(u) for u in velocity])
    return largest(flow.domain.comm, norms)


def layer_lipschitz(flow: Flow) -> Floats:
    """Lip(id + Delta_k u_k) of each layer, (N,), as exact as :func:`lipschitz`; below 1 where the layer contracts.

    Example:
        >>> hd.analysis.layer_lipschitz(flow).shape
        (16,)
    """
    elements, velocity = Elements(flow.domain), with_ghosts(flow.domain, flow.velocity)
    found = np.array([elements.layer_lipschitz(u, step) for u, step in zip(velocity, flow.layers.steps, strict=True)])
    return largest(flow.domain.comm, found)


def layer_determinants(flow: Flow) -> Floats:
    """The smallest det(I + Delta_k grad u_k) of each slab, (N,): not positive where layer k folds; collective.

    Exact for P1, and for Q1 on boxes with d <= 2; elsewhere sampled.

    Example:
        >>> bool((hd.analysis.layer_determinants(flow) > 0).all())  # no layer folds
        True
    """
    elements, velocity = Elements(flow.domain), with_ghosts(flow.domain, flow.velocity)
    found = np.array([elements.determinant(u, step) for u, step in zip(velocity, flow.layers.steps, strict=True)])
    return smallest(flow.domain.comm, found)


def layer_invertibility(flow: Flow, norms: Floats | None = None) -> Bound:
    """Delta_k Lip(u_k) < 1: x -> x + Delta_k u_k(x) is a homeomorphism onto its image, by the contraction principle.

    On a convex domain, and before points that left it are put back on its walls.

    Args:
        flow: the discrete flow.
        norms: Lip(u_k) of the network's layers, (N,), where they are no interpolants of nodal values; by default
            :func:`lipschitz`.

    Example:
        >>> hd.analysis.layer_invertibility(flow).holds
        True
    """
    norms = lipschitz(flow) if norms is None else norms
    value = float((flow.layers.steps * norms).max())
    return Bound(
        name="layer invertibility",
        value=value,
        bound=1.0,
        holds=value < 1.0,
        needs_layers=more_than(flow.layers.depth * float(norms.max())),
        needs_nodes=None,
        inequality="Delta_k Lip(u_k) < 1",
        sufficient_only=True,
        source=HOMEOMORPHISM,
    )


def accelerations(flow: Flow) -> Floats:
    """max |u_t + (u . grad) u| of each slab, (N,); collective.

    u_t is the difference quotient of neighbouring slabs, taken between their mid-depths; inside both its values count.
    With a single slab u_t is 0. An upper bound over each element, exact for P1 in d = 1.

    Example:
        >>> hd.analysis.accelerations(flow).shape
        (16,)
    """
    elements, velocity = Elements(flow.domain), with_ghosts(flow.domain, flow.velocity)
    middle = (flow.layers.times[1:] + flow.layers.times[:-1]) / 2
    rates = np.diff(velocity, axis=0) / np.diff(middle)[:, None, None]
    if not len(rates):
        rates = np.zeros_like(velocity)
    found = np.array([elements.acceleration(u, rates[max(k - 1, 0) : k + 1]) for k, u in enumerate(velocity)])
    return largest(flow.domain.comm, found)


def depth_convergence(flow: Flow, tolerance: float, *, by_layer: bool = False) -> Bound:
    """Delta/2 max |x''| (e^{Lip T} - 1)/Lip <= tol: at every point within tol of the infinitely deep network.

    Euler's error obeys e_{k+1} <= Lip(id + Delta_k u_k) e_k + Delta_k^2/2 max |x''|_k. The formula takes the largest
    Lip and x'' of all layers, and the largest Delta; with ``by_layer`` each layer keeps its own,

        Delta/2 sum_k max |x''|_k w_k exp(sum_{j > k} Delta_j m_j),    m_j = (Lip(id + Delta_j u_j) - 1)/Delta_j,

    with m_j <= Lip(u_j) and w_k = (exp(Delta_k m_k) - 1)/m_k, at least Delta_k, so that it holds for every refinement
    of the layers. Never larger, and much smaller where layers contract. m_j falls when layers get thinner, so
    needs_layers is enough where it asks for more layers than there are, and an estimate where it asks for fewer.

    Args:
        flow: the discrete flow.
        tolerance: tol > 0, a distance in feature space.
        by_layer: the sharper form.

    Raises:
        InputError: tol is not positive.

    Example:
        >>> bound = hd.analysis.depth_convergence(flow, tolerance=0.1)
        >>> bound.holds == (bound.value <= 0.1)
        True
    """
    if not (np.isfinite(tolerance) and tolerance > 0):
        raise InputError(f"tolerance is {tolerance}, must be a positive number")
    bends, steps = accelerations(flow), flow.layers.steps
    if by_layer:
        rates = (layer_lipschitz(flow) - 1) / steps
        later = np.append(np.cumsum((steps * rates)[::-1])[::-1][1:], 0.0)
        widths = np.array([_exponential_mean(max(rate, 0.0), step) for rate, step in zip(rates, steps, strict=True)])
        with np.errstate(over="ignore"):
            slope = float((bends * widths * np.exp(later)).sum()) / 2
    else:
        slope = float(bends.max()) * _exponential_mean(float(lipschitz(flow).max()), flow.layers.depth) / 2
    value = float(steps.max()) * slope
    form = (
        "Delta/2 sum_k Delta_k max|x''|_k exp(sum_j (Lip(id + Delta_j u_j) - 1)) <= tol"
        if by_layer
        else ("Delta/2 max|x''| (exp(Lip T) - 1)/Lip <= tol")
    )
    return Bound(
        name="depth convergence",
        value=value,
        bound=tolerance,
        holds=within(value, tolerance),
        needs_layers=at_least(flow.layers.depth * slope / tolerance),
        needs_nodes=None,
        inequality=form,
        sufficient_only=True,
        source=EULER,
        note="the error is of first order in Delta; the constant is a worst case over all points and depths",
    )


def _exponential_mean(rate: float, depth: float) -> float:
    """(e^{a T} - 1)/a, its limit T at a = 0, infinite when it overflows."""
    if rate * depth < 1e-12:
        return depth
    with np.errstate(over="ignore"):
        return float(np.expm1(np.float64(rate * depth)) / rate)


def focusing(flow: Flow) -> Bound:
    """U'' + nu^2 k^2 (w R + eps)/R^2 > 0 for every discrete k: training it is well posed at every depth.

    For w = 1, eps = 0 this is U'' + nu^2 k^2/R. k^2 runs over the eigenvalues of the discrete Laplacian, so the
    smallest one decides; R is the total density of slabs at every node where there is data (R > 1e-6 of its mean). A
    local criterion: sufficient about uniform states and exact at no finite depth, where ``focusing_threshold`` is.

    Example:
        >>> hd.analysis.focusing(flow).holds  # without internal energy nothing focuses
        True
    """
    total = np.abs(flow.slab_density.sum(axis=1)).ravel()
    count = summed(flow.domain.comm, np.array([total.sum(), total.size]))
    total = total[total > 1e-6 * count[0] / count[1]]
    lagrangian = flow.lagrangian
    weight = float(lagrangian.kinetic) * total + float(lagrangian.decay)
    kappa = slowest(flow.domain)
    margin = energy_derivative(lagrangian, total, 2) + float(lagrangian.noise) ** 2 * kappa * weight / total**2
    value = smallest(flow.domain.comm, margin.min(initial=inf))
    return Bound(
        name="focusing",
        value=value,
        bound=0.0,
        holds=value > 0,
        needs_layers=None,
        needs_nodes=None,
        inequality="U'' + nu^2 k^2 (w R + eps)/R^2 > 0 for all discrete k",
        sufficient_only=True,
        source=SPECIFICATION + "; Jeans, Phil. Trans. A 199 (1902)",
        applies=lagrangian.energy is not None,
        note="every depth is covered; a shallow network bears a stronger focusing, see focusing_threshold",
    )


def second_variation(functional: Quadratic, comm: Any = MPI.COMM_WORLD, found: Spectrum | None = None) -> Bound:
    """The smallest eigenvalue of the reduced Hessian in the control inner product is positive.

    Args:
        functional: linearised at the trained velocity.
        comm: the ranks that share the controls.
        found: its spectrum, when it is known already.

    Raises:
        SolverError: SLEPc did not converge.

    Example:
        >>> functional = hd.ReducedFunctional(problem)
        >>> _ = functional.linearise(solution.velocity)
        >>> hd.analysis.second_variation(functional).holds
        True
    """
    known = found if found is not None else spectrum(functional, comm=comm, largest=False)
    value = float(known.smallest[0])
    return Bound(
        name="second variation",
        value=value,
        bound=0.0,
        holds=value > known.residuals[0],
        needs_layers=None,
        needs_nodes=None,
        inequality="smallest eigenvalue of P^-1 H > 0",
        sufficient_only=False,
        source=SPECIFICATION,
        note="at a stationary velocity: a strict local minimum",
    )


def training_bounds(
    flow: Flow, tolerance: float, functional: Quadratic | None = None, neurons: NeuronLayers | None = None
) -> tuple[Bound, ...]:
    """Every bound that concerns a trained flow.

    Args:
        flow: the trained flow.
        tolerance: for :func:`depth_convergence`, in its form by layer.
        functional: linearised at the flow's velocity; without it there is no second variation.
        neurons: the layers of the network where they are neurons: invertibility is then that of these, and there is no
            depth convergence, since layers of neurons drawn apart are no samples of one velocity.

    Raises:
        InputError: the tolerance is not positive.

    Example:
        >>> [bound.name for bound in hd.analysis.training_bounds(flow, tolerance=0.1)][:2]
        ['maximum principle', 'cell Peclet']
    """
    found = [
        maximum_principle(flow),
        cell_peclet(flow),
        *map_bounds(flow),
        layer_invertibility(flow, None if neurons is None else neurons.lipschitz()),
        replace(depth_convergence(flow, tolerance, by_layer=True), applies=neurons is None),
        focusing(flow),
    ]
    # the network of a midpoint flow is still made of Euler's residual blocks
    if flow.scheme.order == 2 and not flow.scheme.moves_points:
        place = [bound.name for bound in found].index("layer invertibility")
        found[place] = replace(found[place], note="it concerns the residual network, not the fields")
    if functional is not None:
        found.append(second_variation(functional, flow.domain.comm))
    return tuple(bound for bound in found if bound.applies)
