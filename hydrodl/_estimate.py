"""What a problem will need, before it is solved."""

from __future__ import annotations

from hydrodl.problem import Problem

# By feature dimension, from the growth of small two-class runs (2e4 to 1e5 layers x nodes), rounded up. Fill of the
# factors makes large runs in d = 3 cost more than this.
_BYTES = {1: 700, 2: 2500, 3: 8000}  # per layer and node
_SECONDS = {1: 1e-6, 2: 2e-6, 3: 2e-5}  # per layer, node and Hessian product, assembly included, on one core
_PRODUCTS = 100  # Hessian products of a usual run


def estimate(problem: Problem) -> dict[str, float]:
    """Sizes of a problem and a rough guess of its needs: layers, nodes, unknowns, bytes, seconds."""
    points = len(problem.layers) * problem.domain.nodes
    d, ranks = problem.domain.dimension, problem.domain.comm.size
    return {
        "layers": len(problem.layers), "nodes": problem.domain.nodes, "unknowns": problem.unknowns,
        "bytes": memory_bytes(points, d, problem.classes), "products": _PRODUCTS,
        "seconds": _SECONDS[d] * points * _PRODUCTS / ranks,
    }  # fmt: skip


def memory_bytes(points: int, dimension: int, classes: int) -> float:
    """Memory of all ranks for ``points`` = layers x nodes, beyond the few hundred MB a rank that any process takes."""
    vectors = 8 * 12 * (classes - 2)  # densities, potentials, their tangents and work vectors of further classes
    return float(points) * (_BYTES[dimension] + max(vectors, 0))
