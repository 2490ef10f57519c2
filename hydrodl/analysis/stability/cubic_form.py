"""How fast second derivatives change: the largest value of a cubic form, by the symmetric higher-order power method.

(L. De Lathauwer, B. De Moor, J. Vandewalle, "On the best rank-1 and rank-(R1, ..., RN) approximation of higher-order
tensors", SIAM J. Matrix Anal. Appl. 21, 2000; convergence: T. Kolda and J. Mayo, ibid. 32, 2011.)
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, sqrt

from hydrodl.analysis.stability.data_sensitivity import Near
from hydrodl.common.arrays import Floats

Pair = tuple[Floats, Floats]
"""Controls and data together, or their dual vectors."""


ROUNDS, SWEEPS = 5, 4
"""Of widening or narrowing the secants, and of power iterations between."""


AGREES = 0.1
"""The width of the secants agrees with what it should be to this share."""


FIRST = 0.1
"""The first width, of the scale 1 + |x*| of the controls."""


def largest_change(near: Near, smallest: float, sensitivity: float, starts: Sequence[Pair], share: float) -> float:
    """The largest |g(z* + r e) - 2 g(z*) + g(z* - r e)| / r^2 found over |e| = 1; collective.

    Args:
        near: the functional around the minimum.
        smallest: lambda_1.
        sensitivity: sigma, the weight of data beside controls in |e|^2 = |x|^2 + sigma^2 |delta|^2.
        starts: directions to begin with, of any length; data in units of 1/sigma.
        share: r = share * lambda_1 / Lambda, to ``AGREES``.

    Raises:
        SolverError: a density is not finite at a point z* +- r e.
    """
    form = _Secants(near, sensitivity)
    directions = [form.unit(*start) for start in starts]
    width, most = FIRST, 0.0
    for turn in range(ROUNDS):
        most = 0.0
        for n, direction in enumerate(directions):
            for _ in range(SWEEPS if turn else 2 * SWEEPS):
                value, direction = form.power(direction, width)
                most = max(most, value)
                if value == 0:
                    break
            directions[n] = direction
        if most == 0:
            return 0.0
        wanted = share * smallest / most
        if abs(wanted - width) <= AGREES * wanted:
            return most
        width = wanted
    return most


class _Secants:
    """Second differences of the gradient in controls and data."""

    def __init__(self, near: Near, sensitivity: float) -> None:
        self._near = near
        self._sigma = sensitivity if 0 < sensitivity < inf else 1.0
        self._middle = near.gradients()

    def unit(self, step: Floats, change: Floats) -> Pair:
        """The direction at unit length, its data in units of 1/sigma."""
        size = sqrt(self._near.length(step) ** 2 + self._near.data_length(change) ** 2)
        return (step / size, change / size) if size > 0 else (step, change)

    def power(self, direction: Pair, width: float) -> tuple[float, Pair]:
        """|T(e, e, .)| and the unit direction that it stands for."""
        near, (step, change) = self._near, direction
        ahead, behind = (near.gradients(s * width * step, s * width / self._sigma * change) for s in (1, -1))
        by_step, by_change = ((a - 2 * m + b) / width**2 for a, m, b in zip(ahead, self._middle, behind, strict=True))
        found = near.precondition(by_step), near.data_direction(by_change) / self._sigma
        value = sqrt(near.length(found[0]) ** 2 + near.data_length(found[1]) ** 2)
        return value, self.unit(*found) if value > 0 else direction
