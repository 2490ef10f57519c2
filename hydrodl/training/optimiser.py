"""TAO and the callbacks that connect it to a reduced functional."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from time import perf_counter
from typing import Any

import numpy as np
from petsc4py import PETSc

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import SolverError
from hydrodl.common.parallel import somewhere, summed
from hydrodl.common.petsc_options import OptionScope
from hydrodl.common.progress import phase
from hydrodl.linear_algebra.solver_choice import EXACT
from hydrodl.problem.solution import Solution
from hydrodl.solver.field_checks import measures
from hydrodl.training.controlled_functional import ControlledFunctional
from hydrodl.training.lower_bound import lower_bound

Monitor = Callable[[dict[str, Any]], bool | None]


INADMISSIBLE = 1e300
"""Objective of a trial velocity at which J is not finite: TAO refuses infinity, but shrinks its step from this."""


RUNAWAY = 1e5
"""A fall of J by this many times (1 + |J|) at the start means that it has no lower bound: training stops."""


WITHIN = 1e-3
"""Relative residual of Krylov solves in a Hessian product or preconditioner over the one asked of the CG around it."""


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


_NO_FALL = f"objective falls by less than {STALL:g} of its size in {STEPS} steps"


STOPPED = "stopped by the monitor"
"""The reason where the caller's monitor asked to stop."""


_Reason = PETSc.TAO.ConvergedReason


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


class Optimiser:
    """One TAO solve of the reduced functional of flat controls.

    Args:
        functional: J_h and its derivatives.
        settings: PETSc options, "tao_..." among them; asked: those of them that the caller gave.
        show: called after every step with what is known of it.
        monitor: called after every step, see ``train``.
    """

    def __init__(
        self,
        functional: ControlledFunctional,
        settings: Mapping[str, Any],
        asked: Collection[str],
        show: Callable[[dict[str, Any]], None],
        monitor: Monitor | None,
    ) -> None:
        self.functional, self.show, self.monitor = functional, show, monitor
        self.comm = functional.problem.domain.comm
        self.history: list[dict[str, Any]] = []
        self._exact = -1, np.nan  # the step after which the norm of the gradient was last taken exactly, and it
        self._began = perf_counter()
        self._asked = asked
        self._bound, self._words = lower_bound(functional.problem), ""
        self._own_forcing = "tao_ksp_rtol" not in settings
        self.inner_accuracy = EXACT
        size = int(np.prod(functional.shape))
        total = summed(self.comm, size)
        self._x = PETSc.Vec().createMPI((size, total), comm=self.comm)
        self._context = _Hessian(self)
        self._hessian = PETSc.Mat().createPython(((size, total), (size, total)), self._context, comm=self.comm)
        self._hessian.setUp()
        self._tao = tao = PETSc.TAO().create(self.comm)
        tao.setObjective(self._objective)
        tao.setGradient(self._gradient, None)
        tao.setObjectiveGradient(self._objective_gradient, None)
        tao.setHessian(self._linearise, self._hessian)
        own = {key: value for key, value in settings.items() if key.startswith("tao_")}
        self._scope = OptionScope("optimiser", own)
        self._scope.apply(tao)
        # PETSc's own tests see the Euclidean norm and would stop before the limits are looked at: ours take over
        self._tolerances = tao.getTolerances()
        tao.setTolerances(gatol=0.0, grtol=0.0, gttol=0.0)
        tao.setConvergenceTest(self._test)  # after the options: choosing the type resets it
        self._install_inner_product()

    def _install_inner_product(self) -> None:
        """Give TAO the control inner product: as preconditioner to Newton's KSP, as first metric to quasi-Newton."""
        tao, solver = self._tao, self._tao.getKSP()
        if tao.getType().startswith("bqn"):
            metric = PETSc.Mat().createPython(self._hessian.getSizes(), _Metric(self), comm=self.comm)
            metric.setUp()
            solver = PETSc.KSP().create(self.comm)
            solver.setType("preonly")
            solver.setOperators(metric)
            approximation = tao.getLMVMMat()
            approximation.setLMVMJ0(metric)
            approximation.setLMVMJ0KSP(solver)
        elif solver.handle:  # under one name for every type, instead of PETSc's tao_bnk_ksp_, tao_nls_ksp_, ...
            solver.setOptionsPrefix(self._scope.prefix + "tao_")
            solver.setFromOptions()
        if solver.handle:
            pc = solver.getPC()
            pc.setType("python")
            pc.setPythonContext(_Preconditioner(self))

    def array(self, vector: Any) -> Floats:
        """A copy of the local part of a vector of controls."""
        return vector.getArray(readonly=True).copy()

    def run(self, start: Floats) -> Solution:
        """Solve from starting controls, a flat local vector.

        Raises:
            SolverError: the objective is not finite at the start, or the fields are not finite at the end.
        """
        with phase("evaluating the objective for the first time"):
            value = self.functional.evaluate(start)
        if not np.isfinite(value):
            raise SolverError(
                f"the objective is {value} at the starting velocity; parts: {dict(self.functional.parts)}"
            )
        self._x.array[:] = start
        self._tao.setSolution(self._x)
        self._tao.solve()
        reason = self._tao.getConvergedReason()
        return self._finish(int(reason), self._words or _WORDS.get(reason, f"TAO reason {int(reason)}"))

    def _objective(self, tao: Any, x: Any) -> float:
        try:
            value = self.functional.evaluate(self.array(x))
        except SolverError:
            return INADMISSIBLE
        return value if np.isfinite(value) else INADMISSIBLE

    def _gradient(self, tao: Any, x: Any, g: Any) -> None:
        g.array[:] = self.functional.gradient(self.array(x))

    def _objective_gradient(self, tao: Any, x: Any, g: Any) -> float:
        value = self._objective(tao, x)
        if value < INADMISSIBLE:
            self._gradient(tao, x, g)
        else:
            g.set(0.0)
        return value

    def _linearise(self, tao: Any, x: Any, hessian: Any, preconditioner: Any) -> None:
        self.functional.linearise(self.array(x))
        self._context.shift_by = 0.0
        if self._own_forcing and self.history:
            # inexact Newton: loose far away, tight near the optimum, so that convergence stays superlinear
            norm = self.history[-1]["gradient_norm"] / max(self.history[0]["gradient_norm"], 1e-300)
            tao.getKSP().setTolerances(rtol=float(np.clip(np.sqrt(norm), 1e-4, 0.1)))
        self.inner_accuracy = WITHIN * float(tao.getKSP().getTolerances()[0])
        hessian.assemble()

    def _test(self, tao: Any) -> Any:
        """PETSc's tests of the gradient, in the control inner product instead of the Euclidean norm."""
        default = tao.getConvergedReason()
        gradient, value = self.array(tao.getGradient()[0]), tao.getObjectiveValue()
        absolute, relative, reduction = self._tolerances
        norm = self.functional.norm(gradient, rough=bool(self.history))
        first = self.history[0]["gradient_norm"] if self.history else norm
        if norm <= 1.1 * max(absolute, relative * abs(value), reduction * first):  # it decides
            norm = self.functional.norm(gradient)
            self._exact = int(tao.getIterationNumber()), norm
        asked_to_stop = self._record(tao, norm, value)
        if not np.isfinite(norm):
            self._words = (
                "the control inner product is not positive here: refine the mesh, or raise decay or smoothness"
            )
            return int(_Reason.DIVERGED_NAN)
        if norm <= absolute:
            return int(_Reason.CONVERGED_GATOL)
        if norm <= relative * abs(value):
            return int(_Reason.CONVERGED_GRTOL)
        if norm <= reduction * self.history[0]["gradient_norm"]:
            return int(_Reason.CONVERGED_GTTOL)
        start = self.history[0]["objective"]
        if value < start - RUNAWAY * (1 + abs(start)):
            return int(_Reason.DIVERGED_NAN)
        if value < self._bound - BELOW * (1 + abs(start)):
            self._words = BELOW_BOUND.format(self._bound)
            return int(_Reason.DIVERGED_USER)
        if asked_to_stop:
            return int(_Reason.DIVERGED_USER)
        if len(self.history) > STEPS and self.history[-1 - STEPS]["objective"] - value < STALL * abs(value):
            self._words = _NO_FALL
            return int(_Reason.DIVERGED_USER)
        return int(default)

    def _record(self, tao: Any, norm: float, value: float) -> bool:
        iteration = int(tao.getIterationNumber())
        if self.history and iteration <= self.history[-1]["iteration"]:
            return False  # some types test twice at one iterate
        entry = {
            "iteration": iteration,
            "objective": float(value),
            "gradient_norm": norm,
            "cg_iterations": int(tao.getKSP().getIterationNumber()) if self.history and tao.getKSP().handle else 0,
            "seconds": perf_counter() - self._began,
        }
        self.history.append(entry)
        self.show(entry)
        if self.monitor is None:
            return False
        point = self.functional.controls(self.array(tao.getSolution()))
        wish = self.monitor(entry | {"velocity": point.velocity, "controls": point})
        # any rank may ask (a signal reaches one process first); all must agree
        return somewhere(self.comm, bool(wish))

    def _finish(self, reason: int, words: str) -> Solution:
        functional = self.functional
        x = self.array(self._x)
        iteration, norm = self._exact
        if iteration != int(self._tao.getIterationNumber()):
            norm = functional.norm(functional.gradient(x))
        point, sweeps = functional.controls(x), functional.reduced.sweeps
        potential, jumps = sweeps.layer_potentials()
        seconds = perf_counter() - self._began
        timings = dict(sweeps.seconds)
        timings["optimiser"] = max(seconds - sum(timings.values()) + sweeps.set_up_seconds, 0.0)
        owned = sweeps.halo.owned
        found = measures(sweeps)
        found["warnings"] += self._unread_options()
        objective = functional.evaluate(x)
        stuck = reason == _Reason.DIVERGED_LS_FAILURE or words == _NO_FALL
        if stuck and norm**2 / 2 <= max(AT_REST, found["mass_error"]) * abs(objective):
            reason, words = int(_Reason.CONVERGED_USER), "objective falls no further in relation to its size"
        if found["mass_error"] > MASS:
            reason, words = int(_Reason.DIVERGED_USER), _lost_mass(found["mass_error"])
        return Solution(
            problem=functional.solved(point),
            flow=self.functional.problem.flow(point.velocity, sweeps.density[..., :owned].copy(), potential, jumps),
            coefficients=point.coefficients,
            hidden=point.hidden,
            objective=objective,
            parts=dict(functional.parts),
            gradient_norm=norm,
            initial_gradient_norm=self.history[0]["gradient_norm"] if self.history else norm,
            converged=reason > 0,
            reason=words,
            iterations=int(self._tao.getIterationNumber()),
            hessian_products=functional.reduced.products,
            operators_rebuilt=functional.reduced.restored,
            linear_solver=sweeps.transport.linear_solver,
            timings=timings,
            history=tuple(self.history),
            **found,
        )

    def _unread_options(self) -> tuple[str, ...]:
        unread = self._scope.unread() + self.functional.reduced.unread_options()
        return tuple(
            f"PETSc did not read the solver option {key!r}: misspelt, or without meaning for the solver chosen"
            for key in unread
            if key in self._asked
        )

    def destroy(self) -> None:
        """Free the PETSc objects; collective."""
        for item in (self._tao, self._hessian, self._x):
            item.destroy()
        self._scope.close()


def _lost_mass(error: float) -> str:
    return (
        f"masses change by {error:.1g} in linear solves of the noise, which is large for these layers and cells; lower "
        "the noise, or take thinner layers or larger cells"
    )


class _Hessian:
    """Python context of the Hessian Mat; TAO shifts it where it meets negative curvature."""

    def __init__(self, optimiser: Optimiser) -> None:
        self._optimiser = optimiser
        self.shift_by = 0.0

    def mult(self, mat: Any, x: Any, y: Any) -> None:
        optimiser = self._optimiser
        with optimiser.functional.reduced.inexact(optimiser.inner_accuracy):
            y.array[:] = optimiser.functional.hessian_product(optimiser.array(x))
        if self.shift_by:
            y.axpy(self.shift_by, x)

    def shift(self, mat: Any, by: float) -> None:
        self.shift_by += by


class _Metric:
    """Python context of the control inner product as a Mat."""

    def __init__(self, optimiser: Optimiser) -> None:
        self._optimiser = optimiser

    def mult(self, mat: Any, x: Any, y: Any) -> None:
        y.array[:] = self._optimiser.functional.metric_product(self._optimiser.array(x))


class _Preconditioner:
    """Python context of the preconditioner: the inverse of the control inner product."""

    def __init__(self, optimiser: Optimiser) -> None:
        self._optimiser = optimiser

    def apply(self, pc: Any, x: Any, y: Any) -> None:
        optimiser = self._optimiser
        with optimiser.functional.reduced.inexact(optimiser.inner_accuracy):
            y.array[:] = optimiser.functional.precondition(optimiser.array(x))
