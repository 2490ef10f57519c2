"""Training: TAO minimises the reduced functional; PETSc's own option names choose how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from petsc4py import PETSc

from hydrodl.common import progress
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError, SolverError
from hydrodl.common.notices import warn_runtime, warn_unconverged
from hydrodl.common.parameters import check_kind
from hydrodl.common.patience import SILENCE
from hydrodl.problem.problem import Problem
from hydrodl.problem.solution import Controls, Solution
from hydrodl.training.continuation import easier, joined
from hydrodl.training.controlled_functional import ControlledFunctional
from hydrodl.training.optimiser import Monitor, Optimiser
from hydrodl.training.reduced_functional import ReducedFunctional
from hydrodl.training.stopping import STOPPED
from hydrodl.training.tao_types import check_types

DEFAULTS: dict[str, Any] = {
    "tao_type": "bntl",
    "tao_gatol": 1e-7,
    "tao_grtol": 0.0,
    "tao_gttol": 0.0,
    "tao_max_it": 1000,
    "tao_max_funcs": 100000,
    "tao_bnk_init_type": "direction",  # the first Newton step sets the trust radius
}
"""What hydrodl asks of PETSc unless the caller says otherwise. Norms are in the control inner product: an error of
gradient norm g in u changes J by about g^2 / 2."""


_OWN = ("tao_type", "tao_max_it")  # a caller who chooses other ones means one solve


PREFIXES = ("tao_", "slab_", "metric_")
"""The options' prefixes: the optimiser, the slab operators, the control inner product."""


def train(
    problem: Problem,
    *,
    options: Mapping[str, Any] | None = None,
    initial: Floats | Controls | None = None,
    monitor: Monitor | None = None,
    verbose: int = 0,
) -> Solution:
    """Minimise J_h over the velocities of all slabs.

    Where Newton's method has converged, a few more Hessian products look for negative curvature, and training goes on
    from a saddle; ``history`` and ``saddles`` of the solution say so.

    Args:
        problem: what to solve.
        options: PETSc options as a flat mapping: "tao_..." for the optimiser and its inner KSP ("tao_ksp_rtol"),
            "slab_..." for the slab operators' KSP and PC, "metric_..." for those of the control inner product; and
            "slab_share", "layers" or "nodes", to force how ranks share out layer maps.
        initial: starting velocity at this rank's owned nodes, shape (N, d, owned), or Controls with the coefficients
            of neurons and the readout where those are trained. Default 0, the identity network; from there a
            classification loss with weight >= 4000 nu (layer maps: 10000 times the noise that densities feel) is
            reached by way of three easier problems, unless options name another "tao_type" or "tao_max_it".
        monitor: called on every rank after every step with a mapping (iteration, objective, gradient_norm,
            cg_iterations, seconds, velocity, controls; stage and easier where easier problems come first); returning
            True stops the optimiser.
        verbose: 0: quiet; 1: a line a step and one for what takes more than two seconds, live on a terminal and in a
            notebook; 2: one for every phase. Rank 0 alone speaks. The same goes to the logger "hydrodl".

    Returns:
        The solution; ``converged`` is False when the tolerance was not reached, and ``reason`` says why.

    Warns:
        RuntimeWarning: negative densities, or options that PETSc did not read; also in ``Solution.warnings``.
        sklearn.exceptions.ConvergenceWarning: not converged, unless the monitor asked to stop.

    Raises:
        InputError: an option outside PETSc's three prefixes here, an optimiser or inner solver that cannot work, or an
            initial velocity of wrong shape or not finite.
        SolverError: densities or the objective are not finite at the starting point.

    Example:
        >>> solution = hd.train(problem, options={"tao_gatol": 1e-5}, initial=solution.velocity)
        >>> solution.converged, solution.readout is problem.readout
        (True, True)
    """
    with progress.shown(verbose):
        check_kind("problem", problem, Problem)
        progress.say(str(problem))
        solution = minimise(problem, options=options, initial=initial, monitor=monitor)
    if not solution.converged and solution.reason != STOPPED:
        warn_unconverged(f"the training did not converge: {solution.reason}", problem.domain.comm)
    return solution


def minimise(
    problem: Problem,
    *,
    options: Mapping[str, Any] | None = None,
    initial: Floats | Controls | None = None,
    monitor: Monitor | None = None,
    about: Mapping[str, Any] | None = None,
    saddles: bool | None = None,
) -> Solution:
    """As :func:`train`, for callers that say themselves what has not converged.

    Args:
        problem, options, initial, monitor: as there.
        about: what to tell of every step besides, such as the round of a bridge.
        saddles: look for negative curvature at the end; by default not where no step was made from a given start.
    """
    asked = dict(options or {})
    unknown = [key for key in asked if not key.startswith(PREFIXES)]
    if unknown:
        raise InputError(f"solver option {unknown[0]!r} is unknown; options start with {', '.join(PREFIXES)}")
    check_types(asked, DEFAULTS["tao_type"])
    start = _start(initial)
    done: list[Solution] = []
    staged = initial is None and all(asked.get(key, DEFAULTS[key]) == DEFAULTS[key] for key in _OWN)
    for stage, tolerance in easier(problem) if staged else ():
        goal = asked.get("tao_gatol", tolerance)  # what is no number is PETSc's to refuse
        near = {"tao_gatol": max(goal, tolerance) if isinstance(goal, int | float) else goal}
        done.append(_solve(stage, asked, near, start, _Told(monitor, tuple(done), True, about or {}), inf))
        start = Controls(done[-1].velocity, done[-1].coefficients, done[-1].readout)
    # what takes no step from a start that is given may be an optimum already
    trusted = (0 if start is None else 1) if saddles is None else 0 if saddles else inf
    solution = _solve(problem, asked, {}, start, _Told(monitor, tuple(done), False, about or {}), trusted)
    for note in solution.warnings:
        warn_runtime(note, problem.domain.comm)
    return joined(done, solution) if done else solution


def _solve(
    problem: Problem,
    asked: Mapping[str, Any],
    ours: Mapping[str, Any],
    initial: Controls | None,
    told: _Told,
    trusted: float,
) -> Solution:
    """One TAO solve with the options that the caller asked for, and ours over them; ``trusted`` as Optimiser.run's."""
    settings = DEFAULTS | dict(asked) | dict(ours)
    with _petsc_errors(asked), ExitStack() as stack:
        with progress.phase("compiling forms"):
            functional = ReducedFunctional(problem, settings)
            stack.callback(functional.close)
            controlled = ControlledFunctional(functional)
            optimiser = Optimiser(controlled, settings, set(asked), told.step, told.monitor and told.point)
            stack.callback(optimiser.destroy)
        with progress.phase("training", after=SILENCE):
            return optimiser.run(controlled.flat(initial), trusted)


@dataclass(frozen=True, eq=False)
class _Told:
    """Who is told of the steps of one stage: steps and seconds count from the start of the first.

    Attributes:
        monitor: the caller's.
        done: the stages before; easier: there are more.
        about: what else to tell.
    """

    monitor: Monitor | None
    done: tuple[Solution, ...]
    easier: bool
    about: Mapping[str, Any]

    def _entry(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        if not (self.done or self.easier):
            return {**entry, **self.about}
        steps, seconds = sum(s.iterations for s in self.done), sum(sum(s.timings.values()) for s in self.done)
        at = {"iteration": steps + entry["iteration"], "seconds": seconds + entry["seconds"]}
        return {**entry, **self.about, **at, "stage": len(self.done), "easier": self.easier}

    def step(self, entry: Mapping[str, Any]) -> None:
        """Those who look on."""
        progress.step(self._entry(entry))

    def point(self, entry: Mapping[str, Any]) -> bool | None:
        """The caller's monitor, with the controls of the step."""
        return None if self.monitor is None else self.monitor(self._entry(entry))


def _start(initial: Floats | Controls | None) -> Controls | None:
    return initial if initial is None or isinstance(initial, Controls) else Controls(np.asarray(initial, dtype=float))


@contextmanager
def _petsc_errors(options: Mapping[str, Any]) -> Iterator[None]:
    """PETSc's own errors in one line; with options of the caller's, those are the likely cause and are named.

    An error of ours that PETSc has only carried through its calls comes out as it was.
    """
    carried: BaseException | None = None
    try:
        yield
    except PETSc.Error as error:
        first, carried = error, error.__cause__
        while isinstance(carried, PETSc.Error):
            first, carried = carried, carried.__cause__
        if carried is None:
            own = {key: value for key, value in options.items() if DEFAULTS.get(key) != value}
            raise _explained(first, own) from error
    if carried is not None:
        raise carried


def _explained(error: Any, options: Mapping[str, Any]) -> Exception:
    last = [line.split("] ", 1)[-1] for line in str(error).splitlines()][-1]
    reason = last.partition(" at /")[0]  # without the place in PETSc's sources on the machine that built it
    if not options:
        return SolverError(f"PETSc failed: {reason}")
    given = ", ".join(f"{key} = {value}" for key, value in options.items())
    return InputError(f"PETSc refused the solver options {given}: {reason}")
