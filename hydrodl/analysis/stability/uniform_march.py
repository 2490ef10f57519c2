"""A uniform gas, at rest between walls or a stream s without walls: what marching it conserves, and how convex that is.

One class, w = 1, eps = alpha = 0, e = -U, constant V, unfitted, vertex rule on boxes. With delta = rho - R, w = D phi
the nodal gradient, u = s + w, and B the discrete Laplacian, all products lumped,

    E = (rho, |w|^2)/2 + (delta, s.w) + [e(rho) - e(R) - e'(R) delta] - nu (B delta, phi)

is the energy -H_h less what is linear in delta. A step changes E, or with theta = 1 the modified energy of slabs

    E - Delta/2 (E_rho, E_phi),       E_rho = |w|^2/2 + s.w + e'(rho) - e'(R) - nu B phi,    E_phi = dE/dphi,

by no more than 1/8 (midpoint, from layer to layer) or 1/4 (Euler box, from slab to slab, equal layers) of
(|d rho|, |d w|^2) + K_3/3 (|d rho|, d rho^2), d being the change in the step, K_3 = max |e'''|: for a quadratic e the
identities are exact, and what is quadratic in the perturbation is conserved exactly, whatever the step.

With N = R |w|^2 + mu |delta|^2, mu = e''(R), c^2 = R mu, and for |delta| <= margin R, |w| <= margin c everywhere,

    share N/2 <= E,    share = 1 - y - O(margin),    y^2 = (|s|^2 + nu^2 lambda)/c^2   (theta = 1/2),

since (s.D)^T (s.D) + nu^2 B^2 <= (|s|^2 + nu^2 lambda) D^T D, lambda the sum over the axes of what
``noise_against_pressure`` is on a line, exact on one and by Cauchy's inequality enough in the plane and in space;
theta = 1 adds Delta/2 (c |D| + y |s.D - nu B|) to y: at rest Delta c |D| < 2, where the Euler box begins to grow waves.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite, sqrt
from typing import Self

import numpy as np

from hydrodl.analysis.stability.bounds import box_numbers
from hydrodl.analysis.stability.discrete_modes import drift_norm, pencil_top
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.mesh.domain import Domain
from hydrodl.physics.energy_derivative import energy_derivative
from hydrodl.physics.lagrangian import Lagrangian

FINE = 2000
"""Places a unit of rho/R at which e'' is looked at."""


OFFSETS = np.arange(1 - FINE, FINE) / FINE


@dataclass(frozen=True, eq=False)
class UniformMarch:
    """The numbers of the module's docstring.

    Attributes:
        total: R; pressure: mu; sound: c; speed: |s|; noise: nu.
        pencil: lambda; drift: |D|; carried: |s.D - nu B|; smallest: the least nodal mass.
        walls: are there any; theta, step: of the scheme, Delta.
        curvature: e'' at (1 + ``OFFSETS``) R.
    """

    total: float
    pressure: float
    sound: float
    speed: float
    noise: float
    pencil: float
    drift: float
    carried: float
    smallest: float
    walls: bool
    theta: float
    step: float
    curvature: Floats

    @classmethod
    def of(cls, domain: Domain, lagrangian: Lagrangian, total: float, theta: float, step: float) -> Self:
        """The numbers of a gas with the density R on a domain; collective.

        Raises:
            InputError: another domain or physics.
        """
        _check(domain, lagrangian)
        return cls.on_box(*box_numbers(domain), domain.periodic, lagrangian, total, theta, step)

    @classmethod
    def on_box(
        cls,
        lengths: tuple[float, ...],
        cells: tuple[int, ...],
        periodic: tuple[int, ...],
        lagrangian: Lagrangian,
        total: float,
        theta: float,
        step: float,
    ) -> Self:
        """The same for a box of given edge lengths and numbers of cells, and its axes without walls."""

        curvature = -energy_derivative(lagrangian, total * (1 + OFFSETS), 2)
        pressure = float(curvature[len(OFFSETS) // 2])
        stream = np.abs(np.array(lagrangian.stream or np.zeros(len(cells)), dtype=float))
        widths = np.array(lengths) / cells
        top, noise = float((4 / widths**2).sum()), float(lagrangian.noise)
        halved = 0.5 ** (len(cells) - len(periodic))
        return cls(
            total=total,
            pressure=pressure,
            sound=sqrt(max(total * pressure, 0.0)),
            speed=float(np.linalg.norm(stream)),
            noise=noise,
            pencil=noise_by_axis(lengths, cells, periodic),
            drift=drift_norm(lengths, cells, periodic),
            carried=sqrt(float((stream / widths).sum()) ** 2 + (noise * top) ** 2),
            smallest=float(np.prod(widths)) * halved,
            walls=len(periodic) < len(cells),
            theta=theta,
            step=step,
            curvature=curvature,
        )

    @property
    def tilt(self) -> float:
        """y with Delta = 0: the speed of stream and noise together over that of sound."""
        return sqrt(self.speed**2 + self.noise**2 * self.pencil) / self.sound if self.sound > 0 else inf

    @property
    def lean(self) -> float:
        """y: the criterion is that it is less than 1."""
        if self.theta != 1.0 or not isfinite(self.tilt):
            return self.tilt
        return self.tilt + self.step / 2 * (self.sound * self.drift + self.tilt * self.carried)

    def region(self, margin: float) -> Region:
        """What is known where |rho - R| <= margin R and |u - s| <= margin c."""
        if not self.lean < 1:
            return Region(margin, -inf, inf, self.total, self.sound, self.smallest)
        inside = np.abs(OFFSETS) <= margin + 1 / FINE
        curvature = self.curvature[inside]
        bend = float(np.abs(curvature / self.pressure - 1).max())
        third = float(np.abs(np.diff(curvature)).max()) * FINE / self.total
        share = self._share(margin, bend)
        return Region(margin, share, self._rate(margin, bend, third, share), self.total, self.sound, self.smallest)

    def _share(self, margin: float, bend: float) -> float:
        """The least eigenvalue of what E is at least, as a form in R^(1/2) |w| and mu^(1/2) |delta|."""
        matrix = np.array([[1.0 - margin, -self.lean], [-self.lean, 1.0 - bend]])
        if self.theta == 1.0:
            D, c, y, half = self.drift, self.sound, self.tilt, self.step / 2
            if self.walls:  # nu (B phi, D^T D phi) has no sign there
                matrix[0, 0] -= 2 * half * self.noise * sqrt(self.pencil) * D
            # |w|^2/2 + e' - mu delta against all of E_phi, then the rest of E_rho against D^T (delta w)
            own, whole = np.array([margin / 2, bend]), np.array([(1 + margin) * c * D, self.carried])
            rest, moved = np.array([y, 1.0]), np.array([margin * c * D, 0.0])
            extra = np.outer(own, whole) + np.outer(rest, moved)
            matrix -= half * (extra + extra.T)
        return float(np.linalg.eigvalsh(matrix)[0])

    def _rate(self, margin: float, bend: float, third: float, share: float) -> float:
        """C, from |d rho| <= Delta mass N^(1/2) and |d w| <= Delta |D| slope N^(1/2)."""
        if share <= 0:
            return inf
        c, D = self.sound, self.drift
        mass = sqrt(((1 + margin) * D) ** 2 * self.total + self.carried**2 / self.pressure)
        slope = sqrt((c * (margin / 2 + self.tilt)) ** 2 / self.total + self.pressure * (1 + bend) ** 2)
        cube = mass * (D * slope) ** 2 + third / 3 * mass**3
        part = 0.25 if self.theta == 1.0 else 0.125
        return part * self.step**3 * cube / sqrt(self.smallest) * (2 / share) ** 1.5


def noise_by_axis(lengths: tuple[float, ...], cells: tuple[int, ...], periodic: tuple[int, ...]) -> float:
    """lambda: B^2 <= lambda D^T D."""
    lines = zip(lengths, cells, strict=True)
    return sum(pencil_top((length,), (n,), (0,) if a in periodic else ()) for a, (length, n) in enumerate(lines))


@dataclass(frozen=True)
class Region:
    """A region around the uniform gas.

    Attributes:
        margin: its size; share: the least part of N/2 that E is, not positive where nothing is shown.
        rate: C with E after a step <= E before + C max(E)^(3/2).
        total, sound, smallest: R, c and the least nodal mass.
    """

    margin: float
    share: float
    rate: float
    total: float
    sound: float
    smallest: float

    def reach(self, energy: float) -> float:
        """How far from R and s a state with this E can be at a node, in parts of R and c; to be at most the margin."""
        if not self.share > 0:
            return inf
        return sqrt(2 * max(energy, 0.0) / (self.share * self.total * self.smallest)) / self.sound

    def limits(self, energy: float, steps: int) -> Floats:
        """What E cannot exceed at each of steps + 1 states; infinite from where nothing is known."""
        bounds = np.full(steps + 1, inf)
        bounds[0] = energy
        for k in range(steps):
            found = _next(float(bounds[k]), self.rate)
            if not (isfinite(found) and self.reach(found) <= self.margin):
                break
            bounds[k + 1] = found
        return bounds


def _next(energy: float, rate: float) -> float:
    """The smallest root of E' = energy + rate E'^(3/2), infinite if there is none."""
    found = max(energy, 0.0)
    for _ in range(200):
        latest = energy + rate * found**1.5
        if not latest < 9 * max(energy, 0.0) + 1e-300:  # the root is at most 3 times, if it is there
            return inf
        if latest <= found * (1 + 1e-14):
            return latest
        found = latest
    return inf


def _check(domain: Domain, lagrangian: Lagrangian) -> None:
    if not (domain.regular and domain.lumped):
        raise InputError("the estimate of a march needs a box of box cells, degree 1, with the vertex rule")
    numbers = float(lagrangian.kinetic), float(lagrangian.decay), float(lagrangian.smoothness)
    if lagrangian.energy is None or numbers != (1, 0, 0):
        raise InputError("the estimate of a march needs an internal energy, kinetic 1, decay 0, smoothness 0")
