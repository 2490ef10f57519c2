"""What a problem will need, known from its sizes alone; one that cannot fit in memory is refused before it is built."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from mpi4py import MPI

from hydrodl.common.errors import InputError
from hydrodl.problem.problem import Problem
from hydrodl.problem_file.machine import available_bytes, gigabytes, seconds_per_solve

# Measured by benchmarks/memory.py, by dimension, for two classes of Q1 elements with the vertex rule. Bytes per node
# whatever the layers (mesh, patterns, sums over corners); per layer and node; what every class beyond the second and
# every doubling of the nodes beyond FEW (the fill of the factors) adds to that.
_MESH_BYTES = {1: 2000.0, 2: 7500.0, 3: 24000.0}


_BYTES = {1: 800.0, 2: 1750.0, 3: 2100.0}


_CLASS_BYTES = {1: 155.0, 2: 275.0, 3: 460.0}


_FILL_BYTES = {1: 0.0, 2: 90.0, 3: 50.0}


_FEW = 2000


# The same for the layer maps, which have no matrices: numbers at nodes alone.
_MAP_BYTES = {1: 510.0, 2: 820.0, 3: 1050.0}


_MAP_CLASS_BYTES = {1: 125.0, 2: 110.0, 3: 200.0}


_MAP_MESH_BYTES = {1: 1300.0, 2: 1500.0, 3: 3000.0}


_OTHER_ELEMENTS = 1.2  # elements without the vertex rule keep a mass matrix and element matrices; times degree^(d/2)


_NEURON_BYTES = 16.0  # per layer, node and neuron: their values, and work of the same size
_WHOLE = 4.0  # times as much with derivatives in the hidden weights, at the point of the gradient and of the Hessian


_PROCESS = 350e6  # bytes of a rank before it has a problem


# Of the same runs, on a core where _machine.seconds_per_solve is _SOLVE: microseconds per layer and node of a Newton
# step, and per layer, node and class of a Hessian product.
_STEP, _PRODUCT = {1: 2.5, 2: 6.0, 3: 15.0}, {1: 0.08, 2: 0.12, 3: 0.3}


_MAP_STEP, _MAP_PRODUCT = {1: 0.35, 2: 0.3, 3: 0.55}, {1: 0.08, 2: 0.065, 3: 0.11}


_SOLVE = 3e-8


_STEPS, _PRODUCTS = 12, 100  # of a usual run


@dataclass(frozen=True)
class Sizes:
    """The sizes of a problem.

    Attributes:
        layers: N.
        nodes: vertices per direction of a box, or the number of nodes of a mesh file.
        dimension: d; classes: C.
        width: neurons of a layer, 0 for a value at every node.
        degree: of the elements; lumped: whether they carry the vertex rule.
        maps: does the scheme move points, without operators that are factored?
        whole: are neurons trained in their hidden weights too?
    """

    layers: int
    nodes: tuple[int, ...] | int
    dimension: int
    classes: int
    width: int = 0
    degree: int = 1
    lumped: bool = True
    maps: bool = False
    whole: bool = False

    @property
    def count(self) -> int:
        """Nodes of the whole mesh (degrees of freedom of one scalar field)."""
        return self.nodes if isinstance(self.nodes, int) else math.prod(self.degree * (n - 1) + 1 for n in self.nodes)

    @property
    def unknowns(self) -> int:
        """N (d + 2 C) nodes, or N (2 C nodes + d J) with J neurons, as ``Problem.unknowns``."""
        own = self.dimension * (self.width or self.count) + self.whole * self.width * (self.dimension + 1)
        return self.layers * (2 * self.classes * self.count + own)

    @property
    def neuron_bytes(self) -> float:
        """Memory that the neurons of a layer take at a node."""
        return _NEURON_BYTES * self.width * (_WHOLE if self.whole else 1.0)

    @property
    def grid(self) -> str:
        """The nodes for a person: 41 x 41."""
        return str(self.nodes) if isinstance(self.nodes, int) else " x ".join(map(str, self.nodes))


def memory_bytes(sizes: Sizes) -> float:
    """Memory of all ranks together beyond what their processes take before they have a problem."""
    d = sizes.dimension
    if sizes.maps:
        each = _MAP_BYTES[d] + _MAP_CLASS_BYTES[d] * (sizes.classes - 2) + sizes.neuron_bytes
        return sizes.count * (_MAP_MESH_BYTES[d] + sizes.layers * each)
    fill = _FILL_BYTES[d] * max(math.log2(sizes.count / _FEW), 0.0)
    each = _BYTES[d] + _CLASS_BYTES[d] * (sizes.classes - 2) + fill
    per_node = _MESH_BYTES[d] + sizes.layers * each
    if not sizes.lumped:
        per_node *= _OTHER_ELEMENTS * sizes.degree ** (d / 2)
    return sizes.count * (per_node + sizes.layers * sizes.neuron_bytes)


def seconds(sizes: Sizes, steps: int = _STEPS, products: int = _PRODUCTS, solve: float = _SOLVE) -> float:
    """Time of so many Newton steps and Hessian products on one core.

    Args:
        solve: what ``_machine.seconds_per_solve`` says of the core; by default the same everywhere.
    """
    d = sizes.dimension
    step, product = (_MAP_STEP[d], _MAP_PRODUCT[d]) if sizes.maps else (_STEP[d], _PRODUCT[d])
    each = 1e-6 * (steps * step + products * product * sizes.classes) * (solve / _SOLVE)
    if not sizes.lumped:
        each *= _OTHER_ELEMENTS * sizes.degree ** (d / 2)
    return each * sizes.layers * sizes.count


def sizes_of(problem: Problem) -> Sizes:
    """The sizes of a problem that has been built."""
    domain, width = problem.domain, 0 if problem.control is None else problem.control.width
    return Sizes(
        len(problem.layers),
        domain.nodes,
        domain.dimension,
        problem.classes,
        width,
        domain.degree,
        domain.lumped,
        problem.method.moves_points,
        problem.control is not None and problem.control.whole,
    )


def check_memory(sizes: Sizes, comm: MPI.Comm, available: float | None = None) -> None:
    """Refuse a problem that cannot fit; collective.

    Args:
        sizes: of the problem.
        comm: the ranks that share the work.
        available: bytes there are; None: what the machines say.

    Raises:
        InputError: the estimate exceeds the memory; the sizes that would fit are named.
    """
    room = available_bytes(comm) if available is None else available
    needed = memory_bytes(sizes)
    if needed <= room:
        return
    elsewhere = f"; or memory of {gigabytes(needed)}, with more machines under mpiexec"
    raise InputError(
        f"{sizes.layers} layers x {sizes.grid} nodes need about {gigabytes(needed)} of memory, there are "
        f"{gigabytes(room)} free; what would fit: {', or '.join(fitting(sizes, room)) or 'nothing'}{elsewhere}"
    )


def fitting(sizes: Sizes, room: float) -> list[str]:
    """The largest sizes that fit into ``room`` bytes: fewer nodes, where they can be chosen, or fewer layers."""

    def thinner(share: float) -> Sizes:
        assert not isinstance(sizes.nodes, int)
        return replace(sizes, nodes=tuple(max(2, 1 + int((n - 1) * share)) for n in sizes.nodes))

    def shallower(share: float) -> Sizes:
        return replace(sizes, layers=max(1, int(sizes.layers * share)))

    changes = [shallower] if isinstance(sizes.nodes, int) else [thinner, shallower]
    found = [_largest(change, room) for change in changes]
    return [f"{best.layers} layers x {best.grid} nodes" for best in found if best is not None]


def _largest(change: Callable[[float], Sizes], room: float) -> Sizes | None:
    """The sizes with the largest share that fit, by bisection; None if not even the smallest do."""
    low, high = 0.0, 1.0
    if memory_bytes(change(low)) > room:
        return None
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if memory_bytes(change(middle)) <= room else (low, middle)
    return change(low)


def lines(sizes: Sizes, comm: MPI.Comm) -> list[str]:
    """What a dry run prints; collective."""
    room, per_solve = available_bytes(comm), seconds_per_solve(comm)
    mesh = f" ({sizes.grid})" if not isinstance(sizes.nodes, int) and len(sizes.nodes) > 1 else ""
    ranks = f"{comm.size} rank{'s' * (comm.size > 1)}"
    span, program = duration(seconds(sizes, solve=per_solve) / comm.size), gigabytes(_PROCESS * comm.size)
    return [
        f"layers    {sizes.layers}",
        f"nodes     {sizes.count}{mesh}",
        f"unknowns  {sizes.unknowns}",
        f"memory    about {gigabytes(memory_bytes(sizes))}, beside {program} of the program on {ranks}; "
        f"{gigabytes(room)} free",
        f"time      about {span} on {ranks}, if it takes {_STEPS} Newton steps and {_PRODUCTS} Hessian products",
    ]


def numbers(sizes: Sizes, comm: MPI.Comm) -> dict[str, Any]:
    """The same for a program; collective."""
    return {
        "layers": sizes.layers,
        "nodes": sizes.count,
        "unknowns": sizes.unknowns,
        "memory_bytes": memory_bytes(sizes) + _PROCESS * comm.size,
        "free_bytes": available_bytes(comm),
        "time_s": seconds(sizes, solve=seconds_per_solve(comm)) / comm.size,
        "ranks": comm.size,
    }


def duration(span: float) -> str:
    """Seconds for a person."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if span >= 2 * length:
            return f"{span / length:.2g} {unit}"
    return f"{span:.2g} s"
