"""How many layers and how many nodes to use: the smallest numbers with which every stability bound that applies
holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hydrodl.analysis.stability.bounds import Bound
from hydrodl.analysis.stability.hessian_spectrum import Quadratic
from hydrodl.analysis.stability.marching_bounds import marching_bounds
from hydrodl.analysis.stability.neuron_bounds import NeuronLayers
from hydrodl.analysis.stability.positivity import cell_peclet, maximum_principle
from hydrodl.analysis.stability.training_bounds import training_bounds
from hydrodl.common.cards import Card, plural
from hydrodl.problem.flow import Flow
from hydrodl.problem.solution import Solution


@dataclass(frozen=True, repr=False)
class Recommendation(Card):
    """The smallest network for which all bounds that apply hold.

    Attributes:
        layers: N, equal layers of the same depth; nodes: M, mesh nodes in the feature direction with most of them.
        binding: the names of the bounds that ask for most layers and for most nodes, and of those that fail for every
            N and M, separated by "; "; empty if a single layer on a single cell would do.
        feasible: is there an (N, M) at all for which they hold.
        bounds: every bound that applies, as evaluated on the flow given.
        width: J, neurons a layer; None where the network is none of neurons.
        error: the distance to the infinitely deep, fine and wide network that is to be expected of this size; None
            where it was not measured.
        binds: the bounds that ask for "layers", "nodes" and "neurons", for those of which the least would not do.

    Example:
        >>> needed = hd.analysis.recommend(flow, tolerance=0.5)
        >>> needed.layers >= 1, needed.nodes >= 2
        (True, True)
    """

    layers: int
    nodes: int
    binding: str
    feasible: bool
    bounds: tuple[Bound, ...]
    width: int | None = None
    error: float | None = None
    binds: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        found = f"at least {plural(self.layers, 'layer')} and {self.nodes} nodes per direction"
        found += "" if self.width is None else f", {plural(self.width, 'neuron')} a layer"
        found += f" ({self.binding})" if self.binding else ""
        return found if self.feasible else f"{found}; no numbers are known with which every bound holds"

    def facts(self) -> Mapping[str, Any]:
        """For a notebook."""
        needs = {bound.name: f"{'holds' if bound.holds else 'FAILS'}: {bound.inequality}" for bound in self.bounds}
        return {"layers": self.layers, "nodes per direction": self.nodes, "binding": self.binding} | needs

    def to_dict(self) -> dict[str, Any]:
        """layers, nodes, width, binding, feasible, error, binds, as JSON values."""
        names = ("layers", "nodes", "width", "binding", "feasible", "error")
        return {name: getattr(self, name) for name in names} | {"binds": dict(self.binds)}


def recommend(
    given: Solution | Flow, tolerance: float = 0.1, *, functional: Quadratic | None = None, marched: bool = False
) -> Recommendation:
    """The smallest (N, M) for which every bound that applies holds; collective.

    The velocity, as a function of depth and features, is taken to stay what it is: train again with the numbers found
    and ask again.

    Args:
        given: a solution or a flow; a solution's neurons are looked at themselves, of a flow the nodal values.
        tolerance: how far, in feature space, the network may be from the infinitely deep one; positive.
        functional: linearised at the solution's velocity; adds the second variation.
        marched: the flow was marched as an initial value problem: the bounds are those of waves.

    Raises:
        InputError: the tolerance is not positive.

    Example:
        >>> needed = hd.analysis.recommend(solution, tolerance=0.5)
        >>> needed.layers >= 1, needed.binding in needed.to_dict().values()
        (True, True)
    """
    flow = given.flow if isinstance(given, Solution) else given
    if marched:
        bounds = (maximum_principle(flow), cell_peclet(flow), *marching_bounds(flow))
    else:
        neurons = NeuronLayers.of(given) if isinstance(given, Solution) else None
        bounds = training_bounds(flow, tolerance, functional, neurons)
    return weigh(bounds)


def weigh(bounds: tuple[Bound, ...]) -> Recommendation:
    """The recommendation that follows from evaluated bounds; those that do not apply are left out.

    Where the nodes needed depend on the number of layers, those for the layers recommended count.
    """
    counted = tuple(bound for bound in bounds if bound.applies)
    deep = max(counted, key=lambda bound: bound.needs_layers or 0, default=None)
    layers = (deep and deep.needs_layers) or 1
    wide = max((b.with_layers(layers) for b in counted), key=lambda bound: bound.needs_nodes or 0, default=None)
    nodes = (wide and wide.needs_nodes) or 2
    many = max(counted, key=lambda bound: bound.needs_width or 0, default=None)
    width = None if many is None else many.needs_width
    asking = {
        "layers": deep if layers > 1 else None,
        "nodes": wide if nodes > 2 else None,
        "neurons": many if width is not None else None,
    }
    binds = {what: bound.name for what, bound in asking.items() if bound is not None}
    lost = [bound.name for bound in counted if _lost(bound, nodes)]
    names = "; ".join(dict.fromkeys([*lost, *binds.values()]))
    return Recommendation(layers, nodes, names, not lost, counted, width, binds=binds)


def combined(measured: Recommendation | None, bounds: tuple[Bound, ...]) -> Recommendation | None:
    """A measured recommendation with all bounds beside it; by the bounds alone without one, None without either.

    Bounds that are no part of the measured one do not raise its numbers: they are sufficient for what it measured.
    """
    proven = weigh(bounds) if bounds else None
    if measured is None or proven is None:
        return measured or proven
    known = {bound.name for bound in measured.bounds}
    others = tuple(bound for bound in proven.bounds if bound.name not in known)
    return replace(measured, feasible=measured.feasible and proven.feasible, bounds=(*measured.bounds, *others))


def _lost(bound: Bound, nodes: int) -> bool:
    """Does the bound fail whatever N is, with this M?"""
    if bound.most_nodes is not None:
        return nodes > bound.most_nodes
    return not bound.holds and all(
        needed is None for needed in (bound.needs_layers, bound.needs_nodes, bound.needs_width)
    )
