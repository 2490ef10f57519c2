"""The relation between layers and nodes of the layer-map schemes: the noise that splines bring.

nu_B = (p + 1) h^2 / (24 Delta) whatever the velocity is, so that more layers ask for more nodes, N h^2 <= const nu T.
"""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

from hydrodl.analysis.stability.bounds import SPECIFICATION, Bound, nodes_for, within
from hydrodl.discretisation.layer_map_scheme import LayerMapScheme
from hydrodl.problem.flow import Flow


def map_noise(flow: Flow) -> Bound:
    """The noise nu_B = (p + 1) h^2 / (24 Delta) of the splines is at most nu: N h^2 <= 24 nu T / (p + 1).

    More layers ask for more nodes. Elsewhere the flow is that of the larger noise, and nothing else is wrong with it.

    Example:
        >>> hd.analysis.map_noise(flow).value  # a box scheme has no splines
        0.0
    """
    return _noise(
        flow,
        "noise of the splines",
        1.0,
        "(p + 1) h^2/(24 Delta nu) <= 1",
        "the flow is that of the larger noise, and nothing else is wrong with it",
    )


def map_order(flow: Flow) -> Bound:
    """The splines leave room for the noise before the map: nu_B <= nu (1 - share before it), nu/2 for "strang".

    Only then is as much noise before the map as after it, and the scheme free of that error of first order in Delta.

    Example:
        >>> hd.analysis.map_order(flow).applies  # a box scheme has no splines
        False
    """
    before = flow.scheme.before if isinstance(flow.scheme, LayerMapScheme) else 0.0
    found = _noise(
        flow,
        "order of the noise",
        1.0 - before,
        "(p + 1) h^2/(24 Delta nu) <= 1/2",
        "the noise before the map is less than that after it, an error of first order in layers",
    )
    return replace(found, sufficient_only=True, applies=before > 0)


def map_bounds(flow: Flow) -> tuple[Bound, Bound]:
    """Both; those that do not concern the scheme do not apply."""
    return map_noise(flow), map_order(flow)


def _noise(flow: Flow, name: str, limit: float, inequality: str, note: str) -> Bound:
    value = flow.scheme.map_noise(flow.domain, flow.layers.steps) / float(flow.lagrangian.noise)
    layers = round(flow.layers.depth / float(flow.layers.steps.min()))  # equal ones as thin as the thinnest
    return Bound(
        name=name,
        value=value,
        bound=limit,
        holds=within(value, limit),
        needs_nodes=nodes_for(flow.domain, sqrt(value / limit)),
        inequality=inequality,
        sufficient_only=False,
        source=SPECIFICATION,
        for_layers=layers,
        applies=flow.scheme.moves_points,
        note=note,
    )
