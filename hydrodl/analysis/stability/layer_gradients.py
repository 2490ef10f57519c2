"""What the gradients of a flow's velocity say of its layers: how far they stretch, whether they fold, how they turn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hydrodl.analysis.stability.element_gradients import Elements
from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import largest, smallest
from hydrodl.mesh.ghosts import with_ghosts
from hydrodl.problem.flow import Flow


def lipschitz(flow: Flow) -> Floats:
    """Lip(u_k) of each slab, (N,): the largest spectral norm of grad u_k over all elements; collective.

    Exact for P1, P2 and for Q1 on parallelepipeds, else an upper bound: see ``element_gradients``. On a domain
    that is not convex it is the Lipschitz constant along paths inside the domain.

    Example:
        >>> bool((hd.analysis.lipschitz(flow) > 0).all())
        True
    """
    return largest(flow.domain.comm, _of_layers(flow, lambda elements, u, _: elements.lipschitz(u)))


def layer_lipschitz(flow: Flow) -> Floats:
    """Lip(id + Delta_k u_k) of each layer, (N,), as exact as :func:`lipschitz`; below 1 where the layer contracts.

    Example:
        >>> hd.analysis.layer_lipschitz(flow).shape
        (16,)
    """
    return largest(flow.domain.comm, _of_layers(flow, Elements.layer_lipschitz))


def layer_determinants(flow: Flow) -> Floats:
    """The smallest det(I + Delta_k grad u_k) of each slab, (N,): not positive where layer k folds; collective.

    Exact for P1, and for Q1 on boxes with d <= 2; elsewhere sampled.

    Example:
        >>> bool((hd.analysis.layer_determinants(flow) > 0).all())  # no layer folds
        True
    """
    return smallest(flow.domain.comm, _of_layers(flow, Elements.determinant))


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


def _of_layers(flow: Flow, measure: Callable[[Elements, Floats, float], float]) -> Floats:
    """Of each slab's velocity and step, over the elements of this rank."""
    elements, velocity = Elements(flow.domain), with_ghosts(flow.domain, flow.velocity)
    return np.array([measure(elements, u, float(step)) for u, step in zip(velocity, flow.layers.steps, strict=True)])
