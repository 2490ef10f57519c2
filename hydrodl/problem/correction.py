"""Slabs whose fields are moved a little: what turns a box scheme into that of a modified system."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError


@dataclass(frozen=True, eq=False)
class Correction:
    """What is added to slabs, at this rank's owned nodes, each (N, C, owned).

    With r_k and q_k of the box scheme, the corrected action is

        S = sum_k { (q_k, R_{k+1} - R_k + b_k)_h + Delta_k H_h(u_k, r_k + a_k, q_k + a*_k) + (b*_k, r_k)_h } + G(R_N),

    affine arguments of the same action: the same operators, the same second derivatives, the same two-form.

    Attributes:
        density, potential: a_k and a*_k; growth, decline: b_k and b*_k.

    Raises:
        InputError: shapes that differ.
    """

    density: Floats
    potential: Floats
    growth: Floats
    decline: Floats

    def __post_init__(self) -> None:
        shapes = {np.shape(field) for field in (self.density, self.potential, self.growth, self.decline)}
        if len(shapes) > 1 or len(next(iter(shapes))) != 3:
            raise InputError(f"correction has the shapes {shapes}, must be one shape (layers, classes, owned)")
