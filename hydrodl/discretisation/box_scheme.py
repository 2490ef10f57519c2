"""The box schemes: theta = 1 is the multisymplectic Euler box, theta = 1/2 the implicit midpoint box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hydrodl.common.arrays import Floats
from hydrodl.discretisation.box_transport import BoxTransport
from hydrodl.discretisation.box_walk import BoxWalk
from hydrodl.mesh.domain import Domain
from hydrodl.physics.lagrangian import Lagrangian


@dataclass(frozen=True)
class BoxScheme:
    """See :class:`~hydrodl.discretisation.scheme.Scheme`; for every mesh.

    Attributes:
        name: what problem files call it; theta: H_h sees theta R_{k+1} + (1 - theta) R_k and theta phi_k + (1 - theta)
            phi_{k+1}.
    """

    name: str
    theta: float

    @property
    def order(self) -> int:
        """1 for the Euler box, 2 for the midpoint box."""
        return 2 if self.theta == 0.5 else 1

    @property
    def moves_points(self) -> bool:
        """No: a slab is a step of the Fokker-Planck equation."""
        return False

    @property
    def positive(self) -> bool:
        """No: it takes fitted diffusion, a domain that is ``monotone``, and short layers where theta < 1."""
        return False

    @property
    def trapezoidal(self) -> bool:
        """No: H_h sees r_k, which for the midpoint box is as good."""
        return False

    def physics(self, domain: Domain, lagrangian: Lagrangian) -> Lagrangian:
        """The physics with fitted diffusion where the domain is lumped, unless it says otherwise."""
        return lagrangian.resolved(domain.lumped)

    def transport(
        self, domain: Domain, lagrangian: Lagrangian, slabs: int, classes: int, options: Mapping[str, Any]
    ) -> BoxTransport:
        """The slabs of a flow; collective."""
        return BoxTransport(domain, lagrangian, self.theta, slabs, classes, options)

    def slab_density(self, domain: Domain, lagrangian: Lagrangian, steps: Floats, density: Floats) -> Floats:
        """r_k = theta R_{k+1} + (1 - theta) R_k."""
        return self.theta * density[1:] + (1 - self.theta) * density[:-1]

    def slab_potential(
        self, domain: Domain, lagrangian: Lagrangian, steps: Floats, below: Floats, above: Floats
    ) -> Floats:
        """q_k = theta phi_k + (1 - theta) p_k, p_k the potential above the slab."""
        return self.theta * below + (1 - self.theta) * above

    def exact_spacing(self, noise: float, step: float) -> float | None:
        """None: fitted diffusion adds h |u|."""
        return None

    def map_noise(self, domain: Domain, steps: Floats) -> float:
        """0: fitted diffusion depends on the velocity."""
        return 0.0

    def walk(self, domain: Domain, lagrangian: Lagrangian) -> BoxWalk:
        """The chain with the generator L(u) on the nodes; collective."""
        return BoxWalk(domain, lagrangian, self.theta)
