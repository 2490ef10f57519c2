"""In d = 1 a flow of degree 1 is a stack of residual layers with one hidden layer of rectified neurons, exactly.

A piecewise linear u with nodes x_0 < ... < x_n, slopes s_i on [x_i, x_{i+1}] and any node x_c in the middle is

    u(x) = u_c + s_c relu(x - x_c) + sum_{i > c} (s_i - s_{i-1}) relu(x - x_i)
               - s_{c-1} relu(x_c - x) + sum_{0 < i < c} (s_i - s_{i-1}) relu(x_i - x),

the hat functions [relu(x - x_{i-1}) - 2 relu(x - x_i) + relu(x - x_{i+1})] / h added up, with one neuron a kink in
place of three. Neurons look away from the middle, so that fewer of them cancel each other where x is: u(x) is right to
some rounding units of sum_i |s_i - s_{i-1}| |x - x_i|. For smooth u that is a multiple of |u| however fine the mesh
(a sine on 401 nodes: 2e-15); for values without any order it grows with the nodes (41: 3e-14, 401: 8e-13 of |u|).
"""

from __future__ import annotations

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.mesh.gathering import whole
from hydrodl.mesh.interpolation import fills_box
from hydrodl.network import Network
from hydrodl.residual import ResidualNetwork


def relu_form(network: Network) -> ResidualNetwork:
    """The stack of rectified layers that a network in d = 1 is, equal to it to rounding. Collective.

    Any mesh of an interval will do; every layer has one hidden neuron less than the mesh has nodes.

    Raises:
        InputError: d > 1, elements of higher degree, neuron control, or a mesh of several intervals.
    """
    domain = network.domain
    if domain.dimension > 1:
        raise InputError(f"the rectified form needs d = 1, feature space has d = {domain.dimension}; use table_form")
    if network.solution.coefficients is not None:
        raise InputError("this network is made of neurons already: use neuron_form")
    if domain.degree > 1:
        raise InputError(f"the rectified form needs elements of degree 1, these have degree {domain.degree}")
    if not fills_box(domain):
        raise InputError("the rectified form needs a mesh of one interval, this one has gaps")
    nodes, velocity = whole(domain, network.solution.velocity)
    signs, kinks, outputs, constants = rectify(nodes[:, 0], velocity[:, 0])
    layers = len(velocity)
    return ResidualNetwork(
        weights=np.tile(signs[:, None], (layers, 1, 1)), offsets=np.tile(-signs * kinks, (layers, 1)),
        outputs=outputs[:, None, :], constants=constants[:, None],
        steps=network.solution.problem.layers.steps, lower=domain.bounds[0], upper=domain.bounds[1],
    )  # fmt: skip


def rectify(nodes: Floats, values: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Piecewise linear functions as sums of rectified neurons.

    Args:
        nodes: x, shape (n + 1,), increasing, n >= 1.
        values: m functions at the nodes, shape (m, n + 1).

    Returns:
        (signs (n,), kinks (n,), outputs (m, n), constants (m,)) such that
        u(x) = constants + outputs @ relu(signs * (x - kinks)) on [x_0, x_n].
    """
    slopes = np.diff(values, axis=1) / np.diff(nodes)
    middle = min(int(np.searchsorted(nodes, 0.5 * (nodes[0] + nodes[-1]))), len(nodes) - 2)
    jumps = np.diff(slopes, axis=1)  # at nodes 1 .. n-1
    right = np.hstack([slopes[:, middle : middle + 1], jumps[:, middle:]])
    left = np.hstack([jumps[:, : middle - 1], -slopes[:, middle - 1 : middle]]) if middle else slopes[:, :0]
    signs = np.repeat([-1.0, 1.0], [middle, len(nodes) - 1 - middle])
    kinks = np.concatenate([nodes[1 : middle + 1], nodes[middle:-1]])
    return signs, kinks, np.hstack([left, right]), values[:, middle]
