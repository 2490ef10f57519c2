"""Energy-Casimir stability of equilibria of the fluid (Arnold 1965; Holm, Marsden, Ratiu, Weinstein 1985), d = 1 and 2.

One class, w = 1, eps = alpha = 0, internal energy e(rho) = -U(rho). In the current velocity v = u - nu grad log rho
the flow is a barotropic fluid with energy int 1/2 rho |v|^2 + e(rho) - rho V - nu^2/2 |grad rho|^2/rho: noise acts
against pressure. Let C be the Casimirs (mass, flux on a line, int rho Phi(Omega) with Omega = curl v/rho in the plane)
for which energy + C is stationary at the equilibrium (rho_e, v_e). Its difference to the equilibrium is conserved, and
is exactly

    E = int 1/2 rho |dv|^2 + drho v_e.dv + [e(rho) - e(rho_e) - e'(rho_e) drho] - nu^2/2 rho |grad log(rho/rho_e)|^2
            + rho [Phi(Omega) - Phi(Omega_e) - Phi'(Omega_e) dOmega].

Where rho_min <= rho <= rho_max, with mu = min e'', mu_nu = mu - nu^2 lambda rho_max/rho_min^2 and a = min Phi'',

    Q = int 1/2 rho_min |dv|^2 + drho v_e.dv + 1/2 mu_nu drho^2 + 1/2 rho_min a dOmega^2  <=  E(t) = E(0),

and Q is a norm if mu_nu rho_min > max |v_e|^2 and a > 0, with Phi''(Omega) = B'(Omega)/Omega, B the Bernoulli
function. On the mesh noise sees kappa, pressure kappa - h^2 kappa^2/4 (one velocity a node: nothing of the wave of two
cells): lambda is the largest eigenvalue of the one squared against the other, walls included.

Between walls rest is the only equilibrium; streams need a periodic box. About a uniform gas, at rest or a stream,
``march_estimate`` has the theorem of the discrete system, layers included. About rest in a potential the estimate is
that of the discrete energy too (``along`` in ``casimir_estimate``):

    E = 1/2 (rho u, u)_h - nu (grad rho, grad phi)_h + [e(rho) - e(rho_e) - e'(rho_e) drho]_h
    Q = (1 - s) [1/2 rho_min (u, u)_h + 1/2 mu (drho, drho)_h]  <=  E,     s^2 = 1 - mu_nu/mu.

E is the energy H_h of the slabs less what is linear in drho, conserved as they conserve it, and Q <= E because
nu (grad drho, grad phi)_h <= s/2 rho_min (u, u)_h + nu^2 lambda/(2 s rho_min) (drho, drho)_h.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np

from hydrodl.analysis.stability.bounds import Bound
from hydrodl.analysis.stability.discrete_modes import noise_against_pressure
from hydrodl.analysis.stability.equilibrium import Equilibrium, State, on_grid
from hydrodl.common.parallel import attempt
from hydrodl.common.parameters import Number
from hydrodl.mesh.uniform_grid import GatheredGrid
from hydrodl.physics.energy_derivative import energy_derivative

MARGIN = Number(0.0, least=0, below=1)


SOURCE = "Holm, Marsden, Ratiu, Weinstein, Physics Reports 123 (1985); Arnold (1965)"


@dataclass(frozen=True)
class Convexity:
    """The numbers the criteria are made of, the same on every rank.

    Attributes:
        speed: max |v_e|; mach: max |v_e|/c_e; density: (rho_min, rho_max) of the region; pressure: mu; modulus: mu_nu;
        vortical: min of B'(Omega)/Omega, infinite without vorticity; rotational: is there any.

    Example:
        >>> still = hd.analysis.Equilibrium.of_functions(line, gas, lambda x: 1 + 0 * x[:, 0], lambda x: 0 * x)
        >>> hd.analysis.convexity(still).mach
        0.0
    """

    speed: float
    mach: float
    density: tuple[float, float]
    pressure: float
    modulus: float
    vortical: float
    rotational: bool


def convexity(equilibrium: Equilibrium, margin: float = MARGIN.default) -> Convexity:
    """The convexity numbers in the region (1 - margin) min rho_e <= rho <= (1 + margin) max rho_e; collective.

    Raises:
        InputError: margin is not in [0, 1).

    Example:
        >>> still = hd.analysis.Equilibrium.of_functions(line, gas, lambda x: 1 + 0 * x[:, 0], lambda x: 0 * x)
        >>> hd.analysis.convexity(still, margin=0.1).rotational
        False
    """
    MARGIN.check("margin", margin)
    domain, grid = equilibrium.domain, GatheredGrid(equilibrium.domain)
    ratio = noise_against_pressure(domain)
    state = on_grid(equilibrium, grid, equilibrium.density, equilibrium.velocity)

    def evaluate() -> Convexity | None:
        return None if state is None else _convexity(equilibrium, state, margin, ratio)

    found: Convexity = domain.comm.bcast(attempt(domain.comm, evaluate))
    return found


def _convexity(equilibrium: Equilibrium, state: State, margin: float, ratio: float) -> Convexity:
    low, high = (1 - margin) * float(state.density.min()), (1 + margin) * float(state.density.max())
    curvature = -energy_derivative(equilibrium.lagrangian, np.linspace(low, high, 201), 2)
    pressure = float(curvature.min())
    modulus = pressure - float(equilibrium.lagrangian.noise) ** 2 * ratio * high / low**2
    sound = np.sqrt(np.maximum(state.density * state.curvature, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        mach = float(np.where(state.speed > 0, state.speed / sound, np.where(sound > 0, 0.0, inf)).max())
    steepness = state.steepness()[1]
    least = float(steepness.min(initial=inf))
    return Convexity(float(state.speed.max()), mach, (low, high), pressure, modulus, least, bool(steepness.size))


def energy_casimir(equilibrium: Equilibrium, margin: float = MARGIN.default) -> tuple[Bound, ...]:
    """The criteria of an equilibrium: subsonic, convex, and with vorticity in the plane B'(Omega)/Omega > 0;
    collective.

    Args:
        equilibrium: the steady state.
        margin: how far the density may stray for the convexity bounds, see :func:`convexity`.

    Raises:
        InputError: margin is not in [0, 1).

    Example:
        >>> still = hd.analysis.Equilibrium.of_functions(line, gas, lambda x: 1 + 0 * x[:, 0], lambda x: 0 * x)
        >>> [bound.name for bound in hd.analysis.energy_casimir(still)]
        ['energy-Casimir, subsonic', 'energy-Casimir, convexity', 'energy-Casimir, vorticity']
    """
    found = convexity(equilibrium, margin)
    product = found.modulus * found.density[0]

    def bound(name: str, value: float, limit: float, holds: bool, inequality: str, applies: bool = True) -> Bound:
        return Bound(name, value, limit, holds, inequality, True, SOURCE, applies=applies)

    convex = found.modulus > 0 and found.speed**2 < product
    return (
        bound("energy-Casimir, subsonic", found.mach**2, 1.0, found.mach < 1, "|v_e|^2/c^2 < 1"),
        bound("energy-Casimir, convexity", found.speed**2, product, convex, "max |v_e|^2 < mu rho_min"),
        bound(
            "energy-Casimir, vorticity",
            found.vortical,
            0.0,
            found.vortical > 0,
            "B'(Omega)/Omega > 0",
            applies=found.rotational,
        ),
    )
