"""Which of TAO's methods can train, with which inner solvers, and to which tolerances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydrodl.common.errors import InputError
from hydrodl.common.text import shown

TAO_TYPES = (
    *("blmvm", "bncg", "bnls", "bntl", "bntr", "bqnktl", "bqnktr", "bqnls", "cg", "lmvm", "nls", "ntl", "ntr", "tron"),
    "python",
)
"""PETSc's others are for constraints, sums of squares or small problems: they end the process, fail, or take the start
for the answer."""


TRUST_REGION = ("bnls", "bntl", "bntr", "ntl", "ntr")
"""Newton types whose inner solver must keep to a trust region."""


BOUNDED = ("nash", "stcg")
"""Inner solvers that do. PETSc's gltr does too, but writes beyond its arrays once a direction has negative curvature,
and ends the process; its qcg needs more of a preconditioner than there is."""


TOLERANCES = ("tao_gatol", "tao_grtol", "tao_gttol")


def check_types(asked: Mapping[str, Any], default: str) -> None:
    """Refuse an optimiser, or an inner solver of it, that cannot work, and tolerances that nothing can meet.

    Args:
        asked: options of the caller's; default: the tao_type where they name none.

    Raises:
        InputError: naming the option, and what may stand there.
    """
    kind = asked.get("tao_type", default)
    if kind not in TAO_TYPES:
        raise InputError(f"solver option tao_type is {shown(kind)}, which cannot train; use {_listed(TAO_TYPES)}")
    for key, value in asked.items():
        if key in TOLERANCES and isinstance(value, int | float) and not value >= 0:
            raise InputError(f"solver option {key} is {value}, must be at least 0")
        if not (key.startswith("tao_") and key.endswith("ksp_type")):
            continue
        if value == "gltr":
            raise InputError(
                f"solver option {key} is 'gltr', which damages memory in PETSc where the curvature is negative; use "
                f"{_listed(BOUNDED)}"
            )
        if value == "qcg" or (kind in TRUST_REGION and value not in BOUNDED):
            raise InputError(
                f"solver option {key} is {shown(value)}, which does not keep to the trust region of {kind}; use "
                f"{_listed(BOUNDED)}, or tao_type = nls with another one"
            )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:-1]) + f" or {names[-1]}"
