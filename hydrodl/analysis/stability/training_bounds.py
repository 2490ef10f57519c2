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

from hydrodl.analysis.stability.bounds import SPECIFICATION, Bound, at_least, more_than, within
from hydrodl.analysis.stability.hessian_spectrum import Quadratic, Spectrum, spectrum
from hydrodl.analysis.stability.layer_gradients import accelerations, layer_lipschitz, lipschitz
from hydrodl.analysis.stability.map_bounds import map_bounds
from hydrodl.analysis.stability.neuron_bounds import NeuronLayers
from hydrodl.analysis.stability.positivity import cell_peclet, maximum_principle
from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import smallest, summed
from hydrodl.common.parameters import POSITIVE
from hydrodl.mesh.laplacian_spectrum import smallest_eigenvalue
from hydrodl.physics.energy_derivative import energy_derivative
from hydrodl.problem.flow import Flow

HOMEOMORPHISM = "Behrmann, Grathwohl, Chen, Duvenaud, Jacobsen, Invertible Residual Networks, ICML 2019"


EULER = "Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I, section I.7"


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
        inequality="Delta_k Lip(u_k) < 1",
        sufficient_only=True,
        source=HOMEOMORPHISM,
    )


def depth_convergence(
    flow: Flow, tolerance: float, *, by_layer: bool = False, neurons: NeuronLayers | None = None
) -> Bound:
    """Delta/2 max |x''| (e^{Lip T} - 1)/Lip <= tol: at every point within tol of the infinitely deep network.

    Euler's error obeys e_{k+1} <= Lip(id + Delta_k u_k) e_k + Delta_k^2/2 max |x''|_k. The formula takes the largest
    Lip and x'' of all layers, and the largest Delta; with ``by_layer`` each layer keeps its own,

        Delta/2 sum_k max |x''|_k w_k exp(sum_{j > k} Delta_j m_j),    m_j = (Lip(id + Delta_j u_j) - 1)/Delta_j,

    with m_j <= Lip(u_j) and w_k = (exp(Delta_k m_k) - 1)/m_k, at least Delta_k, so that it holds for every refinement
    of the layers. Never larger, and much smaller where layers contract. m_j falls when layers get thinner, so
    needs_layers is enough where it asks for more layers than there are, and an estimate where it asks for fewer.

    Layers of neurons are drawn apart, and no samples of one velocity in depth: their infinitely deep network is that of
    the same neurons in ever thinner layers, x' = u_k(x) at the depth of layer k, and x'' = (u_k . grad) u_k.

    Args:
        flow: the discrete flow.
        tolerance: tol > 0, a distance in feature space.
        by_layer: the sharper form.
        neurons: the layers of the network, where they are neurons: the bounds are then theirs.

    Raises:
        InputError: tol is not positive.

    Example:
        >>> bound = hd.analysis.depth_convergence(flow, tolerance=0.1)
        >>> bound.holds == (bound.value <= 0.1)
        True
    """
    POSITIVE.check("tolerance", tolerance)
    steps = flow.layers.steps
    bends = accelerations(flow) if neurons is None else neurons.accelerations()
    if by_layer:
        rates = ((layer_lipschitz(flow) if neurons is None else neurons.layer_lipschitz(steps)) - 1) / steps
        later = np.append(np.cumsum((steps * rates)[::-1])[::-1][1:], 0.0)
        widths = np.array([_exponential_mean(max(rate, 0.0), step) for rate, step in zip(rates, steps, strict=True)])
        with np.errstate(over="ignore"):
            slope = float((bends * widths * np.exp(later)).sum()) / 2
    else:
        norms = lipschitz(flow) if neurons is None else neurons.lipschitz()
        slope = float(bends.max()) * _exponential_mean(float(norms.max()), flow.layers.depth) / 2
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
        inequality=form,
        sufficient_only=True,
        source=EULER,
        note="the error is of first order in Delta; the constant is a worst case over all points and depths"
        + ("" if neurons is None else "; infinitely deep: the same neurons in ever thinner layers"),
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
    kappa = smallest_eigenvalue(flow.domain)
    margin = energy_derivative(lagrangian, total, 2) + float(lagrangian.noise) ** 2 * kappa * weight / total**2
    value = smallest(flow.domain.comm, margin.min(initial=inf))
    return Bound(
        name="focusing",
        value=value,
        bound=0.0,
        holds=value > 0,
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
        neurons: the layers of the network where they are neurons: invertibility and depth convergence are then those
            of these.

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
        depth_convergence(flow, tolerance, by_layer=True, neurons=neurons),
        focusing(flow),
    ]
    # the network of a midpoint flow is still made of Euler's residual blocks
    if flow.scheme.order == 2 and not flow.scheme.moves_points:
        place = [bound.name for bound in found].index("layer invertibility")
        found[place] = replace(found[place], note="it concerns the residual network, not the fields")
    if functional is not None:
        found.append(second_variation(functional, flow.domain.comm))
    return tuple(bound for bound in found if bound.applies)
