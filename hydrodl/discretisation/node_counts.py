"""How many nodes a box gets where nobody says: the fewest with which the scheme carries the noise exactly."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.discretisation.schemes import SCHEMES
from hydrodl.mesh.bounding_box import box_nodes, nodes_at
from hydrodl.mesh.layer_partition import Layers
from hydrodl.physics.lagrangian import NOISE

LEAST = 21
"""Nodes per direction that a box gets at least: fewer show no density."""


MOST = 2**20
"""Layers times nodes that nobody asked for are no more than these: one or two GiB."""


def spacing_for(noise: float, layers: Layers, scheme: str = "strang") -> float:
    """The largest spacing of nodes at which the scheme carries the noise nu exactly, and keeps its order.

    The splines of degree p bring nu_B = (p + 1) h^2 / (24 Delta), so that h = sqrt(24 Delta nu / (p + 1)) for
    "residual", and for "strang", of which half of the noise comes before the map, with nu/2 in the place of nu; Delta
    is the thinnest layer.

    Args:
        noise: nu, in the units of the mesh.
        layers: partition of depth.
        scheme: a layer-map scheme.

    Raises:
        InputError: a noise that is not positive, or a box scheme, which adds noise at any spacing.

    Example:
        >>> few = hd.layers(4)
        >>> fine = hd.Domain.around(samples, spacing=hd.spacing_for(0.1, few))
        >>> exact = replace(problem, domain=fine, layers=few, densities=hd.densities(samples, fine))
        >>> np.allclose(hd.train(exact).effective_noise, 0.1)
        True
    """
    NOISE.check("noise", noise)
    found = SCHEMES[scheme].exact_spacing(noise, float(layers.steps.min())) if scheme in SCHEMES else None
    if found is None:
        words = " or ".join(repr(name) for name, known in SCHEMES.items() if known.moves_points)
        raise InputError(f"scheme is {scheme!r}, must be {words}: others add noise at any spacing")
    return found


def nodes_left_out(
    scheme: str,
    noise: float,
    layers: Layers,
    corners: tuple[Floats, Floats],
    lift: int = 0,
    *,
    most: float = math.inf,
    warn: bool = True,
) -> Sequence[int]:
    """Nodes per direction of a box for a problem that leaves them out.

    As many as carry the noise exactly, at least ``LEAST`` and no more than fit; as many as ``bounding_box.NODES`` says
    where the scheme is a box scheme.

    Args:
        scheme, noise, layers: of the problem.
        corners: of the box, lower and upper, (d,) each.
        lift: directions, the last ones, that were added to the data.
        most: nodes in all that fit into memory.
        warn: say where they are fewer than carry the noise.

    Raises:
        InputError: a noise that is not positive.
    """
    NOISE.check("noise", noise)
    low, high = corners
    exact = SCHEMES[scheme].exact_spacing(noise, float(layers.steps.min()))
    if exact is None:
        counts = box_nodes(None, low, high, lift)
        return [counts] * len(low) if isinstance(counts, int) else counts
    extent = float((high - low).min())
    spacing = min(exact, extent / (LEAST - 1))
    wanted = nodes_at(spacing, low, high, lift)
    room = min(most, MOST / len(layers))
    if math.prod(wanted) <= room:
        return wanted
    found = _that_fit(spacing, low, high, lift, room)
    if warn and ((high - low) / (np.array(found) - 1) > exact * (1 + 1e-9)).any():
        warnings.warn(
            f"nodes were left out: {_words(found)} are taken, as many as fit with {len(layers)} layers; to carry the "
            f"noise {noise:g} exactly would take {_words(wanted)}, fewer layers or more noise",
            RuntimeWarning,
            stacklevel=2,
        )
    return found


def _that_fit(spacing: float, low: Floats, high: Floats, lift: int, room: float) -> Sequence[int]:
    """The most nodes at one spacing in all directions that are no more than ``room`` in all, by bisection."""
    small, large = spacing, float((high - low).max())
    for _ in range(60):
        middle = (small + large) / 2
        small, large = (small, middle) if math.prod(nodes_at(middle, low, high, lift)) <= room else (middle, large)
    return nodes_at(large, low, high, lift)


def _words(counts: Sequence[int]) -> str:
    return " x ".join(map(str, counts))
