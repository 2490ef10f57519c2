"""Why training stops, in numbers and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from petsc4py import PETSc

LOOSEST, TIGHTEST, SPARE = 0.1, 1e-4, 0.1
"""Relative residual asked of the linear solve of a Newton step: the most, the least, and the least over the part of the
gradient that may stay."""


RUNAWAY = 1e5
"""A fall of J by this many times (1 + |J|) at the start means that it has no lower bound: training stops."""


BELOW = 0.1
"""How far J may be below its least value for positive densities, relative to 1 + |J| at the start: with a scheme that
does not keep signs densities are a little negative on the way, and recover."""


_BELOW_BOUND = "objective below {:.3g}, its least value for any velocity, as only negative densities let it"


STALL, STEPS = 1e-6, 200
"""J no longer falls if it falls by less than this of its size in so many steps."""


AT_REST = 1e-10
"""What Newton's method promises yet, g^2/2, relative to J: below it a J that no longer falls is the least one."""


LITTLE = 0.01
"""A gradient norm that is still more than this part of its first one is small by its tolerance only."""


MASS = 1e-6
"""How far a class may gain or lose mass, of a total of 1: rounding of linear solves, which grows with the noise."""


NO_FALL = f"objective falls by less than {STALL:g} of its size in {STEPS} steps"


NO_INNER_PRODUCT = "the control inner product is not positive here: refine the mesh, or raise decay or smoothness"


STOPPED = "stopped by the monitor"
"""The reason where the caller's monitor asked to stop."""


_Reason = PETSc.TAO.ConvergedReason


GRADIENT = (_Reason.CONVERGED_GATOL, _Reason.CONVERGED_GRTOL, _Reason.CONVERGED_GTTOL)
"""The reasons that say that the gradient is small."""


_WORDS = {
    _Reason.CONVERGED_GATOL: "gradient norm below tao_gatol",
    _Reason.CONVERGED_GRTOL: "gradient norm over |J| below tao_grtol",
    _Reason.CONVERGED_GTTOL: "gradient norm reduced below tao_gttol",
    _Reason.CONVERGED_STEPTOL: "step below tao_steptol",
    _Reason.CONVERGED_MINF: "objective below tao_fmin",
    _Reason.CONVERGED_USER: "converged",
    _Reason.DIVERGED_MAXITS: "iteration limit tao_max_it reached",
    _Reason.DIVERGED_NAN: "objective is not a number, or runs away to minus infinity",
    _Reason.DIVERGED_MAXFCN: "limit of objective evaluations tao_max_funcs reached",
    _Reason.DIVERGED_LS_FAILURE: "line search failed",
    _Reason.DIVERGED_TR_REDUCTION: "trust region shrank to nothing",
    _Reason.DIVERGED_USER: STOPPED,
}


def forcing(history: Sequence[Mapping[str, Any]], tolerances: tuple[float, float, float]) -> float:
    """Relative residual asked of the next Newton step's linear solve, from the steps so far and PETSc's tolerances.

    Loose far away and tight near the optimum, so that convergence is superlinear; but no tighter than the end needs.
    """
    first, norm = history[0]["gradient_norm"], max(history[-1]["gradient_norm"], 1e-300)
    end = max(gradient_limits(tolerances, history[-1]["objective"], first))
    return float(np.clip(max(np.sqrt(norm / max(first, 1e-300)), SPARE * end / norm), TIGHTEST, LOOSEST))


def in_words(reason: int) -> str:
    """TAO's reason as a user reads it."""
    return _WORDS.get(reason, f"TAO reason {reason}")


def lost_mass(error: float) -> str:
    """Where masses change by more than ``MASS``."""
    return (
        f"masses change by {error:.1g} in linear solves of the noise, which is large for these layers and cells; lower "
        "the noise, or take thinner layers or larger cells"
    )


def gradient_limits(tolerances: Sequence[float], value: float, first: float) -> tuple[float, float, float]:
    """What PETSc's tolerances ask of the gradient norm at J = value, in the order of ``GRADIENT``."""
    absolute, relative, reduction = tolerances[:3]
    return absolute, relative * abs(value), reduction * first


def hopeless(objectives: Sequence[float], bound: float) -> tuple[int, str]:
    """TAO's reason to give up after these values of J, and the words for it if it needs others; 0: none."""
    start, value = objectives[0], objectives[-1]
    if value < start - RUNAWAY * (1 + abs(start)):
        return int(_Reason.DIVERGED_NAN), ""
    if value < bound - BELOW * (1 + abs(start)):
        return int(_Reason.DIVERGED_USER), _BELOW_BOUND.format(bound)
    if len(objectives) > STEPS and objectives[-1 - STEPS] - value < STALL * abs(value):
        return int(_Reason.DIVERGED_USER), NO_FALL
    return 0, ""


def little_fall(first: float, norm: float, value: float) -> tuple[str, ...]:
    """A warning where training from rest met tao_gatol because J is small, not because it came near an optimum."""
    if norm <= LITTLE * first or norm**2 / 2 <= AT_REST * abs(value):
        return ()
    return (
        f"the gradient norm is {norm:.2g} and was {first:.2g} at the start: J is small beside this tao_gatol, and "
        "training hardly began; tao_gatol = 0 and tao_gttol = 1e-6 ask for a fall in relation to the start",
    )
