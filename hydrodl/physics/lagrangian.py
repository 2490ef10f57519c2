"""The physics: running cost and transport of the flow, as frozen dataclasses whose methods return UFL densities.

    l(u, rho) = 1/2 (w R + eps) |u|^2 + 1/2 alpha^2 |grad u|^2 + sum_c rho_c V_c + U(R)
    <L(u) rho, psi> = sum_e w_e [ u_e |e| (rho_i + rho_j) / 2 - nu D(p_e) (rho_j - rho_i) ] (psi_j - psi_i)

The sum is over the edges e from i to j of the cells, u_e the mean of u over both ends along e, p_e = |u_e| |e| / (2 nu)
and D(p) = (1 + p^4)^(1/4). Without fitted diffusion <L(u) rho, psi> = rho u . grad psi - nu grad rho . grad psi.

This is the only place where either is stated; every form of the package is a derivative of these expressions.
All quantities are nondimensional. Source: N. Ganaba, arXiv 2207.12242 (2022), for the idea.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from math import isfinite
from numbers import Real
from typing import Any, Self

import numpy as np
import ufl
from dolfinx import fem
from dolfinx import mesh as dmesh

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parameters import Number
from hydrodl.mesh.cell_edges import Edges, GradientEdges
from hydrodl.physics.internal_energy import InternalEnergy, Scalar

Field = Callable[[Floats], Floats]
"""A scalar function of feature space: points (n, d) -> values (n,)."""


NOISE = Number(0.02, above=0, smallest=1e-16, most=1e6)


_MARGIN = 1 + 1e-12  # of p^4, so that D(p) > p in floating point too


DECAY, SMOOTHNESS = Number(1e-4, least=0, most=1e6), Number(0.1, least=0, most=1e3)


KINETIC = Number(1.0, least=0, most=1e6)


LEAST_COST = 1e-9
"""Of decay and kinetic together: a velocity that costs nothing has no best value."""


COSTS_NOTHING = f"the velocity would cost nothing; one must be positive, at least {LEAST_COST:g}"


@dataclass(frozen=True)
class Lagrangian:
    """Running cost and noise of the flow.

    Args:
        noise: nu > 0 in dX = u dt + sqrt(2 nu) dW.
        decay: eps >= 0, weight decay of the velocity where there is no data; the default costs about 0.1 percent of J.
        smoothness: alpha >= 0, smoothness length of a layer.
        kinetic: w >= 0, weight of the population's kinetic energy; w + eps > 0.
        energy: internal energy U(R), or None.
        potential: V: None, one function of feature space for all classes, or one per class.
        fitted: average over edges and spread along them with nu D(p) instead of nu, in box schemes, which alone have
            it: True, without a scheme, means "euler-box". None means: in box schemes where the domain is lumped.
        stream: s, (d,), the velocity of a medium that carries the population for nothing: w/2 R |u - s|^2 in place of
            w/2 R |u|^2, so that u = s + grad phi where eps = alpha = 0. For ``evolve``, along periodic directions.

    Raises:
        InputError: a number out of range, named with what is allowed.

    Example:
        >>> physics = hd.Lagrangian(noise=0.2, decay=0.01, energy=hd.Power(weight=0.1))
        >>> hd.train(replace(problem, lagrangian=physics, layers=hd.layers(4))).converged
        True
    """

    noise: Scalar = NOISE.default
    decay: Scalar = DECAY.default
    smoothness: Scalar = SMOOTHNESS.default
    kinetic: Scalar = KINETIC.default
    energy: InternalEnergy | None = None
    potential: Field | Sequence[Field] | None = None
    fitted: bool | None = None
    stream: Sequence[Scalar] | None = None

    def __post_init__(self) -> None:
        NOISE.check("noise", self.noise)
        DECAY.check("decay", self.decay)
        SMOOTHNESS.check("smoothness", self.smoothness)
        KINETIC.check("kinetic", self.kinetic)
        given = [float(x) for x in (self.decay, self.kinetic) if isinstance(x, Real)]
        if len(given) == 2 and sum(given) < LEAST_COST:
            raise InputError(f"decay and kinetic are {given[0]:g} and {given[1]:g}: {COSTS_NOTHING}")
        if self.stream is not None:
            object.__setattr__(self, "stream", tuple(self.stream))
            numbers = [x for x in self.stream if not isinstance(x, fem.Constant)]
            if not all(isinstance(x, Real) and isfinite(x) for x in numbers):
                raise InputError(f"stream is {self.stream}, must be finite numbers, one per feature direction")

    def running_cost(self, u: Any, total: Any) -> Any:
        """1/2 (w R + eps) |u|^2 + 1/2 alpha^2 |grad u|^2 + U(R), the part of l that classes share."""
        cost = 0.5 * (self.kinetic * total + self.decay) * ufl.inner(u, u)
        cost += 0.5 * self.smoothness**2 * ufl.inner(ufl.grad(u), ufl.grad(u))
        if self.stream is not None:
            stream = ufl.as_vector(list(self.stream))
            cost += self.kinetic * total * (0.5 * ufl.inner(stream, stream) - ufl.inner(u, stream))
        return cost if self.energy is None else cost + self.energy.density(total)

    @property
    def without_potentials(self) -> Self:
        """The same without V and U: what is left of the running cost depends on the velocity."""
        return replace(self, energy=None, potential=None)

    @property
    def has_potentials(self) -> bool:
        """Is there a V or a U?"""
        return self.energy is not None or self.potential is not None

    def resolved(self, lumped: bool) -> Self:
        """The same with ``fitted`` decided: as given, else where the domain is lumped."""
        return self if self.fitted is not None else replace(self, fitted=lumped)

    def edge_noise(self, flow: Any) -> Any:
        """nu D(p) of an edge, D(p) = (1 + p^4)^(1/4), p = |u_e| |e| / (2 nu).

        nu where the mesh resolves the flow, |u_e| |e| / 2 where it does not: D(p) > max(1, p) makes the flux along the
        edge one of a Markov chain. It is more by a part of 1e-13, so that rounding cannot turn the sign.

        Args:
            flow: u_e |e|, a UFL scalar or an array.

        Returns:
            an expression, or an array of the same shape.
        """
        arrays = isinstance(flow, np.ndarray)
        if not self.fitted:
            return np.full(flow.shape, float(self.noise)) if arrays else self.noise
        root: Any = np.sqrt if arrays else ufl.sqrt
        half = flow / (2 * (float(self.noise) if arrays else self.noise))
        square = half * half
        return self.noise * root(root(1 + _MARGIN * square * square))

    def transport(self, u: Any, rho: Any, psi: Any, edges: Edges) -> Any:
        """<L(u) rho, psi> = sum_e w_e [ u_e |e| (rho_i + rho_j) / 2 - nu D(p) (rho_j - rho_i) ] (psi_j - psi_i).

        Not fitted: rho u . grad psi - nu grad rho . grad psi.
        """
        if not self.fitted:
            return rho * ufl.dot(u, ufl.grad(psi)) - self.noise * ufl.dot(ufl.grad(rho), ufl.grad(psi))
        total = -self.noise * edges.remainder(rho, psi)
        for edge in edges:
            flow = edge.flow(u)
            flux = flow * edge.value(rho) - self.edge_noise(flow) * edge.difference(rho)
            total += edge.weight * flux * edge.difference(psi)
        return total

    def noise_tensor(self, u: Any, edges: GradientEdges) -> Any:
        """nu I + sum_e w_e nu (D(p) - 1) t_e t_e^T, what densities are spread with at a point, as a UFL tensor."""
        spread = self.noise * ufl.Identity(len(u))
        if not self.fitted:
            return spread
        extra = ((e, e.weight * (self.edge_noise(e.flow(u)) - self.noise)) for e in edges)
        return spread + sum(amount * ufl.outer(e.tangent, e.tangent) for e, amount in extra)

    def hamiltonian(
        self, u: Any, rho: Sequence[Any], phi: Sequence[Any], potential: Sequence[Any], edges: Edges
    ) -> Any:
        """H_h(u, rho, phi) = cost(u, R) + sum_c [ V_c rho_c - <L(u) rho_c, phi_c> ], V as given by ``potential``."""
        total = self.running_cost(u, sum(rho))
        for density, adjoint, cost in zip(rho, phi, potential, strict=True):
            total += cost * density - self.transport(u, density, adjoint, edges)
        return total

    def potentials(self, points: Floats, classes: int) -> Floats:
        """V_c at points (n, d), shape (C, n)."""
        if self.potential is None:
            return np.zeros((classes, len(points)))
        given = [self.potential] * classes if callable(self.potential) else list(self.potential)
        if len(given) != classes:
            raise InputError(f"potential: {len(given)} functions for {classes} classes; give one, or one per class")
        return np.array([evaluate(f, points, "potential") for f in given])

    def on(self, mesh: dmesh.Mesh) -> Self:
        """The same physics with ``fem.Constant`` for every number, so that a new value needs no new compilation."""
        return _with_constants(self, mesh)


def evaluate(function: Field, points: Floats, name: str) -> Floats:
    """Values (n,) of a user's function at points (n, d).

    Raises:
        InputError: the function returns another shape, or values that are not finite.
    """
    values = np.asarray(function(points), dtype=float)
    if values.ndim == 0:
        values = np.full(len(points), float(values))
    if values.shape != (len(points),):
        raise InputError(f"{name}: the function must map points (n, d) to values (n,), got shape {values.shape}")
    if not np.isfinite(values).all():
        raise InputError(f"{name}: the function is not finite at {points[~np.isfinite(values)][0].tolist()}")
    return values


def _with_constants(item: Any, mesh: dmesh.Mesh) -> Any:
    changed: dict[str, Any] = {}
    for field in fields(item):
        value = getattr(item, field.name)
        if field.name == "exponent" and value == 2:
            changed[field.name] = 2.0
        elif isinstance(value, Real) and not isinstance(value, bool):
            changed[field.name] = fem.Constant(mesh, float(value))
        elif is_dataclass(value):
            changed[field.name] = _with_constants(value, mesh)
        elif field.name == "stream" and value is not None:
            changed[field.name] = tuple(fem.Constant(mesh, float(x)) for x in value)
    return replace(item, **changed)
