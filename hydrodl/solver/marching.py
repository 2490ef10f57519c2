"""The slab equations marched as an initial value problem, one SNES solve a slab.

With z = (u, rho, phi) at the upper layer, r = theta rho_{k+1} + (1 - theta) rho_k and
q = theta phi_k + (1 - theta) phi_{k+1}, the stationary points of the discrete action satisfy in every slab

    dH_h/du(u, r, q) = 0
    M (rho_{k+1} - rho_k) + Delta dH_h/dphi(u, r, q) = 0
    M (phi_{k+1} - phi_k) - Delta dH_h/drho(u, r, q) = 0

which training solves as a boundary value problem in depth. Marching makes sense where the flow is hyperbolic: a
compressible fluid (kinetic = 1, a concave internal energy, k nu below the sound speed), or the EPDiff/Camassa-Holm
equation (kinetic = 0, decay = 1, smoothness > 0): then m = u - alpha^2 Laplace u = rho grad phi is a one-form carried
by u. In d = 1 every momentum m is the pair rho = m, phi = x, of either sign.

Where it does not (``wave_growth`` has the linear theory), some wave grows like exp(s t) whatever the layers, and
:func:`evolve` refuses. The Euler box, explicit in phi, also needs layers shorter than about two cells over the sound
speed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import ufl
from dolfinx import fem, la
from dolfinx.fem import petsc as fem_petsc
from numpy.typing import ArrayLike
from petsc4py import PETSc

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError, SolverError
from hydrodl.common.parallel import raise_together, summed
from hydrodl.common.petsc_options import OptionScope
from hydrodl.discretisation.schemes import box_scheme_named
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.layer_partition import Layers
from hydrodl.physics.lagrangian import Lagrangian
from hydrodl.physics.wave_growth import fastest_growth
from hydrodl.problem.flow import Flow

TOLERATED_GROWTH = 1.0
"""Largest s T that is marched without ``force``: no linear wave then grows by more than a factor e over the depth."""


def evolve(
    domain: Domain,
    layers: Layers,
    lagrangian: Lagrangian,
    density0: ArrayLike,
    potential0: ArrayLike,
    scheme: str = "euler-box",
    options: Mapping[str, Any] | None = None,
    force: bool = False,
) -> Flow:
    """March the slab equations from (rho_0, phi_0); collective.

    Args:
        domain, layers, lagrangian: what the flow lives on and obeys. ``fitted=None`` means unfitted here: the fitted
            diffusion, which training needs for positivity, runs backwards in phi when marched. The noise is positive by
            ``Lagrangian``'s own rule; 1e-12 stands for none.
        density0, potential0: rho_c and phi_c at t_0, shape (C, owned). Densities may be negative, masses are free.
        scheme: "euler-box" or "midpoint"; the layer-map schemes do not march.
        options: PETSc options of the SNES ("snes_...", "ksp_...", "pc_..."); a direct solver otherwise.
        force: march even where ``growth.fastest_growth`` says that the problem is elliptic.

    Returns:
        the flow, with ``lagrangian.fitted`` as it was used and no jumps. ``hd.analysis.march_estimate`` says how far
        it can get from the uniform gas, ``hd.analysis.marching_bounds`` which layers and nodes keep its waves neutral.

    Raises:
        InputError: an unknown scheme, arrays of a wrong shape or not finite, a stream against walls, an option that
            PETSc did not read, or an elliptic problem: some wave grows like exp(s t) with s T > ``TOLERATED_GROWTH``.
        SolverError: SNES did not converge; the slab, PETSc's reason and the residual are named.

    Example:
        >>> line = hd.Domain.interval(0.0, 1.0, nodes=11)
        >>> x = line.coordinates[: line.owned, 0]
        >>> physics = hd.Lagrangian(noise=1e-3, decay=0.0, smoothness=0.0, energy=hd.Focusing(weight=1.0))
        >>> wave = hd.evolve(line, hd.layers(4, depth=0.1), physics, [1 + 0.01 * np.cos(np.pi * x)], [0 * x])
        >>> wave.density.shape
        (5, 1, 11)
    """
    method = box_scheme_named(scheme)
    density, potential = np.asarray(density0, dtype=float), np.asarray(potential0, dtype=float)
    raise_together(domain.comm, _wrong_fields(domain, density, potential))
    _check_stream(domain, lagrangian)
    physics = lagrangian.resolved(lumped=False)
    if not force:
        _refuse_elliptic(domain, layers, physics, density)
    march = _March(domain, physics, method.theta, density, potential, options or {})
    try:
        states = [march.state()]
        for k, step in enumerate(layers.steps):
            march.advance(k, step)
            states.append(march.state())
        march.check_options()
    finally:
        march.destroy()
    d, classes = domain.dimension, len(density)
    velocity, rho, phi = np.split(np.array(states), [d, d + classes], axis=1)
    jumps = np.zeros((len(layers), classes, domain.owned))
    return Flow(domain, layers, physics, method, velocity[1:].copy(), rho.copy(), phi.copy(), jumps)


def _check_stream(domain: Domain, lagrangian: Lagrangian) -> None:
    """Raise InputError unless the stream, if any, flows along directions without walls."""
    stream = lagrangian.stream
    if stream is None:
        return
    if len(stream) != domain.dimension:
        raise InputError(f"stream has {len(stream)} numbers, must have {domain.dimension}, one per feature direction")
    blocked = [a + 1 for a, speed in enumerate(stream) if speed and a not in domain.periodic]
    if blocked:
        raise InputError(
            f"the stream flows along direction {blocked[0]}, where there are walls: it needs a box that is periodic "
            "there, see Domain.box"
        )


def _wrong_fields(domain: Domain, density: Floats, potential: Floats) -> InputError | None:
    for name, values in (("density0", density), ("potential0", potential)):
        if values.ndim != 2 or not len(values) or values.shape[1] != domain.owned or values.shape != density.shape:
            return InputError(f"{name} has shape {values.shape}, must be (classes, {domain.owned}) on this rank")
        if not np.isfinite(values).all():
            return InputError(f"{name} is not finite")
    return None


class _March:
    """The nonlinear problem of one slab, reused for all of them.

    Components of every blocked function: u_0 .. u_{d-1}, then the C densities, then the C potentials.
    """

    def __init__(
        self,
        domain: Domain,
        physics: Lagrangian,
        theta: float,
        density: Floats,
        potential: Floats,
        options: Mapping[str, Any],
    ) -> None:
        self.domain, self.classes = domain, len(density)
        self.size = domain.dimension + 2 * self.classes
        space = domain.space(self.size)
        if not np.array_equal(space.dofmap.list, domain.V.dofmap.list):
            raise SolverError("blocked and scalar spaces number their nodes differently; please report this")
        self._old, self._new, self._static = (fem.Function(space) for _ in range(3))
        self._step = fem.Constant(domain.mesh, 1.0)
        zeros = np.zeros((domain.dimension, domain.owned))
        self._load(self._new, np.concatenate([zeros, density, potential]))
        points = domain.coordinates[: domain.owned]
        costs = physics.potentials(points, self.classes)
        self._load(self._static, np.concatenate([zeros, costs, 0 * costs]))
        residual = self._residual(physics.on(domain.mesh), fem.Constant(domain.mesh, float(theta)))
        self._problem = fem_petsc.NonlinearProblem(residual, self._new, petsc_options_prefix="hydrodl_evolve_")
        own: dict[str, Any] = {"snes_rtol": 1e-12, "snes_stol": 1e-10, "snes_max_it": 30}
        # the Jacobian is indefinite: MUMPS pivots, PETSc's own factorisation does not
        if "pc_type" not in options:
            own |= {"ksp_type": "preonly", "pc_type": "lu", "pc_factor_mat_solver_type": "mumps"}
        self._asked = options
        self._scope = OptionScope("evolve", own | dict(options))
        try:
            self._scope.apply(self._problem.solver)
        except PETSc.Error as error:
            given = ", ".join(f"{key} = {value}" for key, value in options.items())
            raise InputError(f"PETSc refused the solver options {given}: {_last_line(error)}") from error
        self._scaled = "snes_atol" in options

    def _load(self, function: fem.Function, values: Floats) -> None:
        function.x.array[: values.size] = values.T.ravel()
        function.x.scatter_forward()

    def _parts(self, function: Any) -> tuple[list[Any], list[Any], list[Any]]:
        parts, d, upper = list(ufl.split(function)), self.domain.dimension, self.domain.dimension + self.classes
        return parts[:d], parts[d:upper], parts[upper:]

    def _residual(self, physics: Lagrangian, theta: fem.Constant) -> Any:
        """The three equations of the module's docstring, tested with v, s_c and t_c, from the one H_h."""
        domain, step = self.domain, self._step
        slab = fem.Function(self._new.function_space)
        (u, r, q), (v, s, t) = self._parts(slab), self._parts(ufl.TestFunction(self._new.function_space))
        H = physics.hamiltonian(ufl.as_vector(u), r, q, self._parts(self._static)[1], domain.edges)
        H, none_u, none = H * domain.dx, [ufl.zero()] * len(u), [ufl.zero()] * self.classes
        # s meets dH/dphi and t meets dH/drho, so that M stands on the diagonal of both evolution equations
        slope = ufl.derivative(H, slab, ufl.as_vector([*v, *none, *none]))
        slope += step * ufl.derivative(H, slab, ufl.as_vector([*none_u, *none, *s]))
        slope -= step * ufl.derivative(H, slab, ufl.as_vector([*none_u, *t, *none]))
        (_, rho, phi), (velocity, rho_up, phi_up) = self._parts(self._old), self._parts(self._new)
        between = [theta * b + (1 - theta) * a for a, b in zip(rho, rho_up, strict=True)]
        between += [theta * a + (1 - theta) * b for a, b in zip(phi, phi_up, strict=True)]
        rates = zip([*rho_up, *phi_up], [*rho, *phi], [*s, *t], strict=True)
        change = sum((b - a) * test for b, a, test in rates) * domain.dx
        return change + ufl.replace(slope, {slab: ufl.as_vector([*velocity, *between])})

    def state(self) -> Floats:
        """u, rho and phi, shape (d + 2 C, owned)."""
        return self._new.x.array.reshape(-1, self.size)[: self.domain.owned].T.copy()

    def advance(self, k: int, step: float) -> None:
        """Solve slab k; the last state is the first guess.

        Raises:
            SolverError: SNES did not converge.
        """
        solver = self._problem.solver
        self._old.x.array[:] = self._new.x.array
        self._step.value = step
        if not self._scaled:  # rounding in the residual is that of its terms M rho and M phi
            self._scaled = True
            solver.setTolerances(atol=1e-14 * max(self._magnitude(), 1e-30))
        try:
            self._problem.solve()
        except PETSc.Error as error:
            raise SolverError(f"slab {k}: PETSc failed: {_last_line(error)}") from error
        reason = solver.getConvergedReason()
        if reason <= 0:
            raise SolverError(
                f"slab {k}: SNES did not converge ({_name(reason)}) in {solver.getIterationNumber()} steps, residual "
                f"{solver.getFunctionNorm():.3g}; shorter layers may help"
            )

    def _magnitude(self) -> float:
        """Norm of the residual's terms M rho and M phi."""
        test = ufl.TestFunction(self._new.function_space)
        vector = fem.assemble_vector(fem.form(ufl.inner(self._new, test) * self.domain.dx))
        vector.scatter_reverse(la.InsertMode.add)
        return float(
            np.sqrt(summed(self.domain.comm, float((vector.array[: self.size * self.domain.owned] ** 2).sum())))
        )

    def check_options(self) -> None:
        """Raise InputError for an option of the caller's that PETSc has not asked for."""
        for key in self._scope.unread():
            if key in self._asked:
                raise InputError(f"PETSc did not read the solver option {key!r}: misspelt, or without meaning here")

    def destroy(self) -> None:
        """Take the options out of PETSc's database; collective."""
        self._scope.close()


def _last_line(error: Exception) -> str:
    return str(error).splitlines()[-1].split("] ", 1)[-1]


def _name(reason: int) -> str:
    names = [name for name, value in vars(PETSc.SNES.ConvergedReason).items() if value == reason]
    return max(names, key=len, default=f"reason {int(reason)}")


def _refuse_elliptic(domain: Domain, layers: Layers, physics: Lagrangian, density: Floats) -> None:
    rate, number = fastest_growth(domain, physics, density)
    if rate * layers.depth > TOLERATED_GROWTH:
        raise InputError(
            f"marching an elliptic problem: the wave number k = {number:.3g} has s^2 = k^2 (R U'' + nu^2 k^2) > 0, on "
            f"this mesh {rate**2:.3g}: it grows like exp({rate:.3g} t), by exp({rate * layers.depth:.3g}) in all; "
            f"train instead, lower the noise or use fewer nodes, or pass force=True"
        )
