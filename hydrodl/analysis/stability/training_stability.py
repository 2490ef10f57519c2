"""Stability of the training algorithm, from the ends of the spectrum of P^-1 H and from how fast H changes.

With lambda_1 and lambda_n the smallest and the largest eigenvalue of the Hessian H in the control inner product P, and
Lambda the largest change of H over a step of unit length, in P as well:

    descent    x <- x - s P^-1 g         converges near the minimum exactly for s < 2 / lambda_n
    Newton     x <- x - H^-1 g           from every start within r = 2 lambda_1 / (3 Lambda), quadratically
    data       rho(0) -> rho(0) + delta  a minimum persists for sigma |delta| <= 0.4 lambda_1 / Lambda, and is nearby

The first is linear algebra. The second is the ball of Rheinboldt and of Traub and Wozniakowski for a Hessian of
Lipschitz constant Lambda; the third the same contraction argument with the data as controls beside the others, sigma
being the norm of their first-order effect, and |x|^2 + sigma^2 |delta|^2 the length of both together.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import inf, sqrt
from typing import Any

import numpy as np

from hydrodl.analysis.stability.cubic_form import largest_change
from hydrodl.analysis.stability.data_sensitivity import DataModes, Near, data_sensitivity
from hydrodl.analysis.stability.hessian_spectrum import Spectrum, spectrum
from hydrodl.common.arrays import Floats

NEWTON = 2 / 3
"""Radius of the ball, in units of lambda_1 / Lambda."""


DATA = 0.4
"""sigma |delta| up to which a minimum persists, in units of lambda_1 / Lambda: the new one is within twice as far."""


KNOTS = 0.01
"""Share of the ball's radius below which convergence may be linear, and fast: splines of degree 2 have knots."""


@dataclass(frozen=True)
class DescentLimit:
    """What steps of descent in the control inner product may be.

    Attributes:
        smallest, largest: the ends of the spectrum of P^-1 H at the minimum.

    Example:
        >>> with hd.Neighbourhood(solution) as near:
        ...     found = hd.analysis.step_limit(near)
        >>> found.best < found.limit, found.contraction(0.9 * found.limit) < 1 < found.contraction(1.1 * found.limit)
        (True, True)
    """

    smallest: float
    largest: float

    @property
    def condition(self) -> float:
        """kappa = lambda_n / lambda_1, infinite where the minimum is not strict."""
        return self.largest / self.smallest if self.smallest > 0 else inf

    @property
    def limit(self) -> float:
        """2 / lambda_n: a step below it converges, a step above it leaves the minimum along the top eigenvector."""
        return 2 / self.largest

    @property
    def best(self) -> float:
        """2 / (lambda_1 + lambda_n), with which the error falls by the factor (kappa - 1)/(kappa + 1) a step."""
        return 2 / (self.smallest + self.largest)

    def contraction(self, step: float) -> float:
        """max |1 - s lambda|: the factor of the error in a step of descent, near the minimum."""
        return max(abs(1 - step * self.smallest), abs(1 - step * self.largest))


@dataclass(frozen=True)
class TrainingStability:
    """How stable training is around a minimum.

    Attributes:
        descent: the limit on steps of descent.
        change: Lambda, the largest change of the Hessian a unit of length, as :func:`training_stability` finds it.
        sensitivity: sigma, how far the minimum moves for a change of the data of unit length, to first order.
        distance: |H^-1 g| at the solution: how far it is from the exact minimum, to first order.

    Example:
        >>> with hd.Neighbourhood(solution) as near:
        ...     found = hd.analysis.training_stability(near)
        >>> found.distance < found.newton_radius, 0 < found.motion(found.data_radius / 2) < found.newton_radius
        (True, True)
    """

    descent: DescentLimit
    change: float
    sensitivity: float
    distance: float

    @property
    def scale(self) -> float:
        """lambda_1 / Lambda, 0 where the minimum is not strict: within it the Hessian stays positive."""
        if self.descent.smallest <= 0:
            return 0.0
        return self.descent.smallest / self.change if self.change > 0 else inf

    @property
    def newton_radius(self) -> float:
        """Distance in the control inner product from which Newton's method converges without line search."""
        return NEWTON * self.scale

    def newton_error(self, error: float) -> float:
        """Bound on the error e after a Newton step: q e^2 / (2 (1 - q e)) with q = Lambda/lambda_1.

        Below ``KNOTS`` of the radius e counts as that in one of its factors: second derivatives of splines of degree 2
        jump at their knots, and a path that crosses one ends quadratic convergence, at a factor of some thousandths.
        """
        share = error / self.scale if self.scale > 0 else inf
        return error * max(share, KNOTS * NEWTON) / (2 * (1 - share)) if share < 1 else inf

    @property
    def data_radius(self) -> float:
        """Length of a change of the data up to which a minimum persists."""
        return DATA * self.scale / self.sensitivity if self.sensitivity > 0 else inf

    def motion(self, size: float) -> float:
        """Bound on how far the minimum moves, in the control inner product, for a change of the data of this length.

        The smaller root of r = y + (r^2 + y^2)/(2 scale) with y = sigma size; infinite beyond the data radius.
        """
        y = self.sensitivity * size
        if size > self.data_radius:
            return inf
        return self.scale * (1 - sqrt(1 - 2 * y / self.scale - (y / self.scale) ** 2)) if self.scale < inf else y

    def to_dict(self) -> dict[str, Any]:
        """Numbers as JSON values."""
        limit = {"step_limit": self.descent.limit, "best_step": self.descent.best}
        limit["contraction"] = self.descent.contraction(self.descent.best)
        radii = {"newton_radius": self.newton_radius, "data_radius": self.data_radius}
        return asdict(self.descent) | limit | {k: v for k, v in asdict(self).items() if k != "descent"} | radii


@dataclass(frozen=True)
class DataChange:
    """What other data do to a minimum.

    Attributes:
        size: |delta|; inside: is it within the data radius.
        first_order: |H^-1 g| with the changed data at the old minimum: how far it moves, to first order; or its bound.
        bound: on how far it moves, in the control inner product; infinite outside.

    Example:
        >>> with hd.Neighbourhood(solution) as near:
        ...     stability = hd.analysis.training_stability(near)
        ...     found = hd.analysis.data_change(near, stability, np.zeros(near.data_shape))
        >>> found.size, found.inside
        (0.0, True)
    """

    size: float
    inside: bool
    first_order: float
    bound: float


def step_limit(near: Near, *, tolerance: float = 1e-6) -> DescentLimit:
    """The limit on steps of descent alone; collective.

    Args:
        near: the functional around a minimum.
        tolerance: of the eigenvalues.

    Raises:
        SolverError: SLEPc did not converge.

    Example:
        >>> with hd.Neighbourhood(solution) as near:
        ...     found = hd.analysis.step_limit(near)
        >>> found.limit == 2 / found.largest
        True
    """
    found = spectrum(near, comm=near.comm, tolerance=tolerance)
    return DescentLimit(float(found.smallest[0]), float(found.largest[0]))


def training_stability(near: Near, found: Spectrum | None = None, *, tolerance: float = 1e-6) -> TrainingStability:
    """Limit on the steps of descent, Newton's ball, radius for changes of the data; collective.

    Lambda is measured, not proven: the largest

        |g(z* + r e) - 2 g(z*) + g(z* - r e)| / r^2,      |e| = 1,   r = 2 lambda_1 / (3 Lambda),

    g being the derivative in controls and data together, that a power iteration finds from the top and the bottom
    eigenvector, from a rough direction and from the change of the data that matters most. For a smooth J the largest
    value over all e is the Lipschitz constant of the Hessian, since the norm of a symmetric trilinear form is that of
    its cubic one (Banach 1938); taken over the width of the ball itself it also counts what a Hessian jumps where a
    layer map meets a wall or a knot of its splines.

    Args:
        near: the functional around a minimum.
        found: the spectrum there, both ends, when it is known.
        tolerance: of the eigenvalues otherwise.

    Raises:
        SolverError: SLEPc did not converge, or densities are not finite nearby.

    Example:
        >>> with hd.Neighbourhood(solution) as near:
        ...     found = hd.analysis.training_stability(near)
        >>> found.newton_error(found.newton_radius) <= 1.01 * found.newton_radius
        True
    """
    ends = found or spectrum(near, comm=near.comm, tolerance=tolerance)
    limit = DescentLimit(float(ends.smallest[0]), float(ends.largest[0]))
    if limit.smallest <= ends.residuals[0]:  # no strict minimum: no ball
        return TrainingStability(limit, inf, inf, inf)
    slope, _ = near.gradients()
    distance = near.length(near.solve(slope))
    top, bottom = ends.largest_modes[0].ravel(), ends.smallest_modes[0].ravel()
    sensitivity, moved, worst = data_sensitivity(near)
    rough = near.precondition(near.rough())
    still = np.zeros(near.data_shape)
    starts = [(top, still), (bottom, still), (rough, still), (moved, worst)]
    change = largest_change(near, limit.smallest, sensitivity, starts, NEWTON)
    return TrainingStability(limit, change, sensitivity, distance)


def data_change(near: Near, stability: TrainingStability, change: Floats, modes: DataModes | None = None) -> DataChange:
    """How far the minimum moves at most when the data become rho(0) + change; collective.

    Beside the bound for all changes of this length, the first-order motion of this one, which a gradient and a solve
    give, is bounded by what is left: |e| <= |H^-1 g| + (|e|^2/2 + |e| sigma |delta|) / scale.

    With the modes of the data |H^-1 g| is bounded from the change alone.

    Args:
        near: the functional around the minimum.
        stability: of the same.
        change: delta, (C, owned).
        modes: of ``data_modes``, of the same.

    Raises:
        SolverError: a density is not finite.

    Example:
        >>> with hd.Neighbourhood(solution) as near:
        ...     stability = hd.analysis.training_stability(near)
        ...     change = 0.1 * stability.data_radius * near.solution.density[0]
        ...     found = hd.analysis.data_change(near, stability, change)
        ...     before = hd.analysis.data_change(near, stability, change, hd.analysis.data_modes(near, 5))
        >>> found.inside, found.first_order < found.bound < 2 * found.first_order
        (True, True)
        >>> found.bound < before.bound <= stability.motion(found.size)
        True
    """
    size, scale = near.data_length(change), stability.scale
    y, bound = stability.sensitivity * size, stability.motion(size)
    if modes is None:
        first = near.length(near.solve(near.gradients(None, change)[0]))
    else:
        first = stability.distance + modes.first_order(near, change)
    if 0 < scale < inf and y < scale:
        rest = 1 - y / scale
        if rest**2 >= 2 * first / scale:
            bound = min(bound, scale * (rest - sqrt(rest**2 - 2 * first / scale)))
    return DataChange(size, size <= stability.data_radius, first, bound if size <= stability.data_radius else inf)
