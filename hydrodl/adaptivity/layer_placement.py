"""Where to cut depth into layers: thin ones where the flow bends, thick ones where it coasts.

The first-order error of a network is a sum over its layers, sum_k g(t_k) Delta_k^p, with p = 2 for the Euler box and
the layer maps, p = 3 for the midpoint box. Of all partitions with N layers the best one has Delta proportional to
g^(-1/p), so that every layer has the same share (equidistribution; de Boor, Good approximation by splines with
variable knots, 1974). Uniform layers lose the factor mean(g) / mean(g^(1/p))^p.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydrodl.analysis.backward_error.objective_error import objective_error
from hydrodl.analysis.stability.layer_gradients import accelerations, layer_lipschitz, lipschitz
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parameters import COUNT, POSITIVE, Choice
from hydrodl.mesh.layer_partition import Layers
from hydrodl.problem.flow import Flow
from hydrodl.problem.solution import Solution

GOAL = Choice("objective", ("objective", "network"))
"""What the layers are placed for: the error of J, or the distance to the infinitely deep network."""


MOST_LAYERS = 100_000


_FLOOR = 0.05  # of the mean of g^(1/p): a coarse flow may have missed what happens where it sees nothing


_SAMPLES = 64  # points a given layer at which the density of layers is sampled


def objective_errors(given: Solution | Flow) -> Floats:
    """What each layer contributes to J_h - J, to leading order, with sign, shape (N,); collective.

    See ``analysis.backward_error.objective_error``. The sum is an estimate of J_h - J that costs nothing.
    """
    return objective_error(given).by_layer


def adapted_layers(
    given: Solution | Flow,
    count: int | None = None,
    tolerance: float | None = None,
    *,
    goal: str = "objective",
    margin: float | None = 0.9,
) -> Layers:
    """Layers of the same depth, each with the same share of the error of the flow given; collective.

    Their density 1/Delta is proportional to g^(1/p), see the module, and nowhere below Lip(u)/margin: residual blocks
    stay homeomorphisms (Delta_k times the mean of Lip(u) over layer k is at most ``margin``). Depths at which a loss
    acts inside stay layers. The velocity, as a function of depth and features, is taken to stay what it is: train
    again, and place again, where it does not.

    Args:
        given: a solution or flow in few layers, or in any number.
        count: how many layers.
        tolerance: or else the error allowed, in units of J or of feature space, which then says how many.
        goal: "objective": g from :func:`objective_errors`; "network": g = |x''|/2 times what later layers make of it,
            the sum that ``depth_convergence`` by layer bounds the distance to the infinitely deep network with.
        margin: between 0 and 1; None: residual blocks may fold.

    Raises:
        InputError: not exactly one of count and tolerance, one that is out of range, too few layers for the margin or
            for the depths of losses, or an unknown goal.

    Example:
        >>> hd.adapted_layers(solution, count=6).depth
        1.0
    """
    flow = given.flow if isinstance(given, Solution) else given
    if (count is None) == (tolerance is None):
        raise InputError("adapted layers need either a count or a tolerance")
    if count is not None:
        COUNT.check("count", count)
    if tolerance is not None:
        POSITIVE.check("tolerance", tolerance)
    GOAL.check("goal", goal)
    if margin is not None and not 0 < margin < 1:
        raise InputError(f"margin is {margin}, must lie between 0 and 1, or be None")
    profile = _profile(flow, goal, margin)
    density = _with_count(profile, int(count)) if count is not None else _within(profile, float(tolerance or 0))
    return _cut(flow, density, round(float(density.sum())))


def layer_at(layers: Layers, time: float) -> int:
    """The number 1..N of the layer at a depth, for a loss that acts there.

    Raises:
        InputError: no layer is there.
    """
    found = int(np.abs(layers.times - time).argmin())
    if found == 0 or abs(layers.times[found] - time) > 1e-9 * layers.depth:
        raise InputError(f"no layer is at depth {time:g}; the nearest one is at {layers.times[max(found, 1)]:g}")
    return found


class _Profile(NamedTuple):
    """What the density of layers is made of, at the samples of depth.

    Attributes:
        width: of each sample, (s,); error: g; shape: g^(1/p) with a floor; least: Lip(u)/margin.
        parts: the section of each sample; power: p.
    """

    width: Floats
    error: Floats
    shape: Floats
    least: Floats
    parts: NDArray[np.int64]
    power: int


def _profile(flow: Flow, goal: str, margin: float | None) -> _Profile:
    found = objective_error(flow)
    power = 1 + found.order if goal == "objective" else 2
    error = np.abs(found.by_layer) / flow.layers.steps**power if goal == "objective" else _network(flow)
    times, steps, every = flow.layers.times, flow.layers.steps, flow.sections
    inside = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    t = (times[:-1, None] + steps[:, None] * inside).ravel()
    middle = (times[1:] + times[:-1]) / 2
    least = np.repeat(np.zeros(len(steps)) if margin is None else lipschitz(flow) / margin, _SAMPLES)
    small = 1e-12 * error.max(initial=0.0) + 1e-300
    logs = np.concatenate(
        [  # geometric between mid-depths: boundary layers decay like exponentials
            np.interp(t[part.start * _SAMPLES : part.stop * _SAMPLES], middle[part], np.log(error[part] + small))
            for part in every
        ]
    )
    parts = np.concatenate([np.full((p.stop - p.start) * _SAMPLES, i) for i, p in enumerate(every)])
    width, error = np.repeat(steps / _SAMPLES, _SAMPLES), np.exp(logs)
    shape = error ** (1 / power)
    shape = np.maximum(shape, _FLOOR * float(shape @ width) / flow.layers.depth)
    return _Profile(width, error, shape, least, parts, power)


def _network(flow: Flow) -> Floats:
    bends = np.concatenate([accelerations(flow.window(part.start, part.stop)) for part in flow.sections])
    grows = layer_lipschitz(flow) - 1
    later = np.append(np.cumsum(grows[::-1])[::-1][1:], 0.0)
    # of an overflow nobody learns where layers should be: the sum is cut where it says nothing
    return bends / 2 * np.exp(np.clip(later - later.max(), -200.0, None)) * np.exp(min(float(later.max()), 500.0))


def _within(profile: _Profile, tolerance: float) -> Floats:
    """Layers per sample, of the least scale with sum g Delta^p <= tolerance, rounded up to a whole number of them."""

    def error(scale: float) -> float:
        density = np.maximum(scale * profile.shape, profile.least)
        return float((profile.error * profile.width) @ density ** (1.0 - profile.power))

    scale = (_error_at_one(profile) / tolerance) ** (1 / (profile.power - 1))
    low, high = 0.0, scale
    for _ in range(60):  # where Lip asks for more layers anyway a smaller scale may do
        middle = (low + high) / 2
        low, high = (low, middle) if error(middle) <= tolerance else (middle, high)
    count = float(np.maximum(high * profile.shape, profile.least) @ profile.width)
    if not count <= MOST_LAYERS:
        raise InputError(f"tolerance is {tolerance:g}: that takes {count:.3g} layers, allowed are {MOST_LAYERS}")
    return _with_count(profile, max(int(np.ceil(count * (1 - 1e-9))), int(profile.parts[-1]) + 1))


def _error_at_one(profile: _Profile) -> float:
    """sum g Delta^p for the density g^(1/p) itself."""
    return float((profile.error * profile.width) @ profile.shape ** (1.0 - profile.power))


def _with_count(profile: _Profile, count: int) -> Floats:
    """Layers per sample, of the scale with which they are so many."""
    least = float(profile.least @ profile.width)
    if least > count * (1 + 1e-9):
        raise InputError(f"count is {count}: Delta_k Lip(u_k) < 1 takes {int(np.ceil(least))} layers with this margin")
    if count <= profile.parts[-1]:
        raise InputError(f"count is {count}: losses inside make {int(profile.parts[-1]) + 1} layers the fewest")
    low, high = 0.0, count / float(profile.shape @ profile.width)
    for _ in range(100):
        middle = (low + high) / 2
        total = float(np.maximum(middle * profile.shape, profile.least) @ profile.width)
        low, high = (low, middle) if total >= count else (middle, high)
    return np.maximum(high * profile.shape, profile.least) * profile.width


def _cut(flow: Flow, density: Floats, count: int) -> Layers:
    """The times at which the running sum of layers is whole, section by section."""
    every = flow.sections
    sums = [float(density[p.start * _SAMPLES : p.stop * _SAMPLES].sum()) for p in every]
    times = [np.zeros(1)]
    for part, share in zip(every, _whole(np.array(sums), count), strict=True):
        inside = density[part.start * _SAMPLES : part.stop * _SAMPLES]
        ends = flow.layers.times[part.start : part.stop + 1]
        t = np.append((ends[:-1, None] + np.diff(ends)[:, None] * np.arange(_SAMPLES) / _SAMPLES).ravel(), ends[-1])
        running = np.append(0.0, np.cumsum(inside))
        cuts = np.interp(running[-1] * np.arange(1, share) / share, running, t)
        times.append(np.append(cuts, ends[-1]))
    return Layers(np.concatenate(times))


def _whole(shares: Floats, count: int) -> list[int]:
    """Whole numbers of at least 1 with the given sum, nearest to the shares."""
    numbers = np.maximum(np.floor(shares * (1 + 1e-12)), 1).astype(int)
    while numbers.sum() < count:
        numbers[int(np.argmax(shares / numbers))] += 1
    while numbers.sum() > count:
        numbers[int(np.argmin(np.where(numbers > 1, shares / numbers, np.inf)))] -= 1
    return [int(n) for n in numbers]
