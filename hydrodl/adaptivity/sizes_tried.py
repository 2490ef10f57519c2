"""What number of layers, nodes or neurons to look at next, after those that were looked at."""

from __future__ import annotations

import math

_NONE = 2**31
"""Layers that nobody has."""


SETTLED = 0.1
"""A size that asks for itself, within this share."""


class Tried:
    """Numbers of layers, of nodes or of neurons that were looked at.

    Networks that fold change from one kind to another: what is measured among many layers says nothing of those.

    Attributes:
        few: the most that need more; enough: the fewest that do not.
    """

    def __init__(self) -> None:
        self.few, self.enough = 0, _NONE

    def number(self, had: int, needed: int) -> int:
        """How many to look at next, after a network that has so many and asks for so many."""
        if needed <= had * (1 + SETTLED):
            self.enough = min(self.enough, had)
            if needed >= had:
                return needed
        else:
            self.few = max(self.few, had)
        if self.few > 0 and needed <= had <= max(needed + 1, needed * (1 + SETTLED)):
            return had  # known to do, unlike the few that could be saved
        if self.few >= self.enough:
            self.enough = _NONE
        if self.enough <= (1 + 2 * SETTLED) * self.few:
            return self.enough
        if self.few < needed <= self.enough or self.enough == _NONE:
            return max(needed, self.few + 1)
        return max(self.few + 1, round(math.sqrt(self.few * self.enough)))
