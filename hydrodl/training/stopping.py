"""Why training stops, in numbers and in words."""

from __future__ import annotations

from petsc4py import PETSc

RUNAWAY = 1e5
"""A fall of J by this many times (1 + |J|) at the start means that it has no lower bound: training stops."""


BELOW = 0.1
"""How far J may be below its least value for positive densities, relative to 1 + |J| at the start: with a scheme that
does not keep signs densities are a little negative on the way, and recover."""


BELOW_BOUND = "objective below {:.3g}, its least value for any velocity, as only negative densities let it"


STALL, STEPS = 1e-6, 200
"""J no longer falls if it falls by less than this of its size in so many steps."""


AT_REST = 1e-10
"""What Newton's method promises yet, g^2/2, relative to J: below it a J that no longer falls is the least one."""


MASS = 1e-6
"""How far a class may gain or lose mass, of a total of 1: rounding of linear solves, which grows with the noise."""


NO_FALL = f"objective falls by less than {STALL:g} of its size in {STEPS} steps"


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


def in_words(reason: int) -> str:
    """TAO's reason as a user reads it."""
    return _WORDS.get(reason, f"TAO reason {reason}")


def lost_mass(error: float) -> str:
    """Where masses change by more than ``MASS``."""
    return (
        f"masses change by {error:.1g} in linear solves of the noise, which is large for these layers and cells; lower "
        "the noise, or take thinner layers or larger cells"
    )
