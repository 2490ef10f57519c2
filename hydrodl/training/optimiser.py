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
from hydrodl.common.petsc_options import OptionScope, told_unread
from hydrodl.common.progress import phase, say
from hydrodl.linear_algebra.shells import Shell
from hydrodl.linear_algebra.solver_choice import EXACT
from hydrodl.problem.solution import Solution
from hydrodl.solver.field_checks import measures
from hydrodl.training.controlled_functional import ControlledFunctional
from hydrodl.training.lower_bound import lower_bound
from hydrodl.training.saddles import way_down
from hydrodl.training.stopping import (
    AT_REST,
    GRADIENT,
    MASS,
    NO_FALL,
    NO_INNER_PRODUCT,
    forcing,
    gradient_limits,
    hopeless,
    in_words,
    little_fall,
    lost_mass,
)

Monitor = Callable[[dict[str, Any]], bool | None]


_Reason = PETSc.TAO.ConvergedReason


INADMISSIBLE = 1e300
"""Objective of a trial velocity at which J is not finite: TAO refuses infinity, but shrinks its step from this."""


WITHIN = 1e-3
"""Relative residual of Krylov solves in a Hessian product or preconditioner over the one asked of the CG around it."""


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
        self._before = 0  # steps before TAO last began
        self._left: dict[str, float] = {}  # the saddle just left, for the history
        self.saddles = 0
        self._began = perf_counter()
        self._asked = asked
        self._bound, self._words = lower_bound(functional.problem), ""
        self._own_forcing = "tao_ksp_rtol" not in settings
        self.inner_accuracy = EXACT
        size = int(np.prod(functional.shape))
        total = summed(self.comm, size)
        self._x = PETSc.Vec().createMPI((size, total), comm=self.comm)
        self._context = Shell(self._product)
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
        self._tolerances, self._most = tao.getTolerances(), int(tao.getMaximumIterations())
        tao.setTolerances(gatol=0.0, grtol=0.0, gttol=0.0)
        tao.setConvergenceTest(self._test)  # after the options: choosing the type resets it
        self._install_inner_product()

    def _install_inner_product(self) -> None:
        """Give TAO the control inner product: as preconditioner to Newton's KSP, as first metric to quasi-Newton."""
        tao, solver = self._tao, self._tao.getKSP()
        if tao.getType().startswith("bqn"):
            metric = PETSc.Mat().createPython(
                self._hessian.getSizes(), Shell(self.functional.metric_product), comm=self.comm
            )
            metric.setUp()
            self.inner_accuracy = WITHIN
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
            pc.setPythonContext(Shell(self._precondition))

    def array(self, vector: Any) -> Floats:
        """A copy of the local part of a vector of controls."""
        return vector.getArray(readonly=True).copy()

    def run(self, start: Floats, trusted: float = 0) -> Solution:
        """Solve from starting controls, a flat local vector.

        What is reached in fewer than ``trusted`` steps is taken for a minimum; else it is looked at whether it is one.

        Raises:
            SolverError: the objective is not finite at the start, or the fields are not finite at the end.
        """
        with phase("evaluating the objective for the first time"):
            value = self.functional.evaluate(start)
        if not np.isfinite(value):
            raise SolverError(
                f"the objective is {value} at the starting velocity; parts: {dict(self.functional.parts)}"
            )
        self._from_rest = not somewhere(self.comm, bool(self.functional.controls(start).velocity.any()))
        self._x.array[:] = start
        self._tao.setSolution(self._x)
        self._tao.solve()
        while self._may_be_saddle(trusted) and self._leave_saddle():
            self._tao.solve()
        reason = int(self._tao.getConvergedReason())
        return self._finish(reason, self._words or in_words(reason))

    def _may_be_saddle(self, trusted: float) -> bool:
        """Has the gradient of a Newton method, quasi-Newton ones aside, come to its end, with steps left to go on?"""
        tao, steps = self._tao, self._iterations()
        newton = bool(tao.getKSP().handle) and not tao.getType().startswith("bqn")
        return newton and tao.getConvergedReason() in GRADIENT and trusted <= steps < self._most - 1

    def _leave_saddle(self) -> bool:
        """Put the controls where J is lower, if this is a saddle; that is a step."""
        found = way_down(self.functional, self.array(self._x), self._tao.getObjectiveValue(), WITHIN)
        if found is None:
            return False
        say(f"a saddle, with curvature {found.curvature:.2g}: training goes on along it")
        self.saddles += 1
        self._before, self._exact = self._iterations() + 1, (-1, np.nan)
        self._left = {"curvature": found.curvature}
        self._x.array[:] = found.controls
        self._tao.setMaximumIterations(self._most - self._before)
        return True

    def _iterations(self) -> int:
        """Steps so far, those away from saddles among them."""
        return self._before + int(self._tao.getIterationNumber())

    def _product(self, direction: Floats) -> Floats:
        with self.functional.own.inexact(self.inner_accuracy):
            return self.functional.hessian_product(direction)

    def _precondition(self, dual: Floats) -> Floats:
        """The inverse of the control inner product."""
        with self.functional.own.inexact(self.inner_accuracy):
            return self.functional.precondition(dual)

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
            tao.getKSP().setTolerances(rtol=forcing(self.history, self._tolerances))
        self.inner_accuracy = WITHIN * float(tao.getKSP().getTolerances()[0])
        hessian.assemble()

    def _test(self, tao: Any) -> Any:
        """PETSc's tests of the gradient, in the control inner product instead of the Euclidean norm."""
        default = tao.getConvergedReason()
        gradient, value = self.array(tao.getGradient()[0]), tao.getObjectiveValue()
        norm = self.functional.norm(gradient, rough=bool(self.history))
        limits = gradient_limits(self._tolerances, value, self.history[0]["gradient_norm"] if self.history else norm)
        if norm <= 1.1 * max(limits):  # it decides
            norm = self.functional.norm(gradient)
            self._exact = self._iterations(), norm
        asked_to_stop = self._record(tao, norm, value)
        if not np.isfinite(norm):
            self._words = NO_INNER_PRODUCT
            return int(_Reason.DIVERGED_NAN)
        for limit, reason in zip(limits, GRADIENT, strict=True):
            if norm <= limit:
                return int(reason)
        if asked_to_stop:
            return int(_Reason.DIVERGED_USER)
        found, self._words = hopeless([entry["objective"] for entry in self.history], self._bound)
        return found or int(default)

    def _record(self, tao: Any, norm: float, value: float) -> bool:
        iteration = self._iterations()
        if self.history and iteration <= self.history[-1]["iteration"]:
            return False  # some types test twice at one iterate
        entry = {
            "iteration": iteration,
            "objective": float(value),
            "gradient_norm": norm,
            "cg_iterations": int(tao.getKSP().getIterationNumber()) if self.history and tao.getKSP().handle else 0,
            "seconds": perf_counter() - self._began,
        } | self._left
        self._left = {}
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
        if iteration != self._iterations():
            norm = functional.norm(functional.gradient(x))
        point, sweeps = functional.controls(x), functional.own.sweeps
        potential, jumps = sweeps.layer_potentials()
        seconds = perf_counter() - self._began
        timings = dict(sweeps.seconds)
        timings["optimiser"] = max(seconds - sum(timings.values()) + sweeps.set_up_seconds, 0.0)
        found = measures(sweeps)
        found["warnings"] += told_unread(self._scope.unread() + functional.own.unread_options(), self._asked)
        objective = functional.evaluate(x)
        density = sweeps.density[..., : sweeps.halo.owned].copy()
        if reason == _Reason.CONVERGED_GATOL and self._from_rest:
            found["warnings"] += little_fall(self.history[0]["gradient_norm"], norm, objective)
        stuck = reason == _Reason.DIVERGED_LS_FAILURE or words == NO_FALL
        if stuck and norm**2 / 2 <= max(AT_REST, found["mass_error"]) * abs(objective):
            reason, words = int(_Reason.CONVERGED_USER), "objective falls no further in relation to its size"
        if found["mass_error"] > MASS:
            reason, words = int(_Reason.DIVERGED_USER), lost_mass(found["mass_error"])
        return Solution(
            problem=functional.solved(point),
            flow=functional.problem.flow(point.velocity, density, potential, jumps),
            coefficients=point.coefficients,
            hidden=point.hidden,
            objective=objective,
            parts=dict(functional.parts),
            gradient_norm=norm,
            initial_gradient_norm=self.history[0]["gradient_norm"] if self.history else norm,
            converged=reason > 0,
            reason=words,
            iterations=self._iterations(),
            saddles=self.saddles,
            hessian_products=functional.own.products,
            operators_rebuilt=functional.own.restored,
            linear_solver=sweeps.transport.linear_solver,
            timings=timings,
            history=tuple(self.history),
            **found,
        )

    def destroy(self) -> None:
        """Free the PETSc objects; collective."""
        for item in (self._tao, self._hessian, self._x):
            item.destroy()
        self._scope.close()
