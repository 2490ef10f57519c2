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

Without walls the gas does not know that it moves: Q = (delta, s.D phi) is what its momentum adds to E, and in the frame
of the stream E - Q has y = nu lambda^(1/2)/c, whatever s is. s.D commutes with all that is quadratic in E, so that Q
changes in a step by Delta times what is cubic, at the middle of the step or in the slab, and no more:

    (delta, w.(s.D w) - s.D |w|^2/2) - (s.D delta, e'(rho) - e'(R) - mu delta),    sum_a |s_a|/h_a N^(3/2) (...),

the first because w (w+ - w-)/2h - (w+^2 - w-^2)/4h = (w+ - w-)/2h (w - (w+ + w-)/2). For theta = 1 it is the mean of Q
over the two layers of a slab that is left out: E - Delta/2 [(E_rho, E_phi) + (s.D phi, s.D delta)] with s = 0 in E,
which adds Delta/2 |s|^2 |D|/c to y. ``comoving`` says which of both is meant: the one changes by Delta^3, the other
is convex on finer meshes.
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
        pencil: lambda; drift: |D|; swept: sum_a |s_a|/h_a; spread: nu |B|; smallest: the least nodal mass.
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
    swept: float
    spread: float
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
            swept=float((stream / widths).sum()),
            spread=noise * top,
            smallest=float(np.prod(widths)) * halved,
            walls=len(periodic) < len(cells),
            theta=theta,
            step=step,
            curvature=curvature,
        )

    def tilt(self, comoving: bool = False) -> float:
        """y with Delta = 0: the speed of stream and noise together over that of sound."""
        speed = 0.0 if comoving else self.speed
        return sqrt(speed**2 + self.noise**2 * self.pencil) / self.sound if self.sound > 0 else inf

    def carried(self, comoving: bool = False) -> float:
        """|s.D - nu B|."""
        return self.spread if comoving else sqrt(self.swept**2 + self.spread**2)

    def lean(self, comoving: bool = False) -> float:
        """y: the criterion is that it is less than 1."""
        tilt = self.tilt(comoving)
        return tilt + self.step * self.thick(comoving) if self.theta == 1.0 and isfinite(tilt) else tilt

    def thick(self, comoving: bool = False) -> float:
        """What theta = 1 adds to y, over Delta."""
        moved = self.speed**2 * self.drift / self.sound if comoving else 0.0
        return (self.sound * self.drift + self.tilt(comoving) * self.carried(comoving) + moved) / 2

    def region(self, margin: float, comoving: bool = False) -> Region:
        """What is known where |rho - R| <= margin R and |u - s| <= margin c."""
        if not self.lean(comoving) < 1:
            return Region(margin, -inf, inf, self.total, self.sound, self.smallest)
        inside = np.abs(OFFSETS) <= margin + 1 / FINE
        curvature = self.curvature[inside]
        bend = float(np.abs(curvature / self.pressure - 1).max())
        third = float(np.abs(np.diff(curvature)).max()) * FINE / self.total
        share, rate = self._share(margin, bend, comoving), inf
        if share > 0:
            cube = self._step_cube(margin, bend, third) + (self._swept_cube(third) if comoving else 0.0)
            rate = cube / sqrt(self.smallest) * (2 / share) ** 1.5
        return Region(margin, share, rate, self.total, self.sound, self.smallest)

    def _share(self, margin: float, bend: float, comoving: bool) -> float:
        """The least eigenvalue of what E is at least, as a form in R^(1/2) |w| and mu^(1/2) |delta|."""
        y = self.lean(comoving)
        matrix = np.array([[1.0 - margin, -y], [-y, 1.0 - bend]])
        if self.theta == 1.0:
            D, c, half = self.drift, self.sound, self.step / 2
            if self.walls:  # nu (B phi, D^T D phi) has no sign there
                matrix[0, 0] -= 2 * half * self.noise * sqrt(self.pencil) * D
            # |w|^2/2 + e' - mu delta against all of E_phi, then the rest of E_rho against D^T (delta w)
            own, whole = np.array([margin / 2, bend]), np.array([(1 + margin) * c * D, self.carried(comoving)])
            rest, moved = np.array([self.tilt(comoving), 1.0]), np.array([margin * c * D, 0.0])
            extra = np.outer(own, whole) + np.outer(rest, moved)
            matrix -= half * (extra + extra.T)
        return float(np.linalg.eigvalsh(matrix)[0])

    def _step_cube(self, margin: float, bend: float, third: float) -> float:
        """Of a step in E, over N^(3/2) m^(-1/2): |d rho| <= Delta mass N^(1/2), |d w| <= Delta |D| slope N^(1/2)."""
        c, D = self.sound, self.drift
        mass = sqrt(((1 + margin) * D) ** 2 * self.total + self.carried() ** 2 / self.pressure)
        slope = sqrt((c * (margin / 2 + self.tilt())) ** 2 / self.total + self.pressure * (1 + bend) ** 2)
        part = 0.25 if self.theta == 1.0 else 0.125
        return part * self.step**3 * (mass * (D * slope) ** 2 + third / 3 * mass**3)

    def _swept_cube(self, third: float) -> float:
        """Of a step in Q, over the same: max |w|^2 <= N/(R m), max |delta|^2 <= N/(mu m), 2 c |delta| |w| <= N."""
        gas = 1 / (self.sound * sqrt(self.total)) + third / (2 * self.pressure**1.5)
        return self.step * self.swept * gas


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
