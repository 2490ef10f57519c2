"""What a scheme is: how densities get from layer to layer, behind one protocol that everything else asks.

A slab of any scheme is a linear map of the density below it, for a given velocity, with its exact transpose for the
potential above it. In between stand the slab's own density r_k, which the running cost sees, and its own potential
q_k. The carried part of the action is a function of (u_k, r_k, q_k) alone, and all that training needs beside the two
sweeps are its derivatives. ``Problem`` resolves a name once; nothing above this room asks for it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from hydrodl.common.arrays import Floats, Ints
from hydrodl.discretisation.layer_recursion import March
from hydrodl.discretisation.running_cost import RunningCost
from hydrodl.discretisation.slab_action import SlabAction
from hydrodl.discretisation.stacks import Stacks
from hydrodl.linear_algebra.mass_matrix import Mass
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.ghosts import Halo
from hydrodl.physics.lagrangian import Lagrangian

Walk = Callable[[int, Floats, float, Ints, np.random.Generator], Ints]
"""(slab, velocity (d, owned), thickness, counts of paths (n, nodes), random numbers) -> counts above the slab."""


class NodeOperator(Protocol):
    """One operator a slab."""

    def apply(self, x: Floats, y: Floats) -> None:
        """y = A x for whole stacks (slabs here, 1, local); y is to be accumulated."""


class SlabCoupling(Protocol):
    """``apply`` and ``transposed`` of a coupling for the slab at place k of stacks."""

    def apply_at(self, k: int, direction: Floats, out: Floats) -> None:
        """K direction."""

    def transposed_at(self, k: int, response: Floats, direction: Floats, out: Floats) -> None:
        """K^T response + B direction."""


class LayerCost(Protocol):
    """F(R) = sum_c (V_c, rho_c)_h + (U(R), 1)_h of layers, densities (n, C, nodes here)."""

    @property
    def curved(self) -> bool:
        """Is there an internal energy?"""

    def values(self, density: Floats) -> Floats:
        """F, (n,), this rank's part."""

    def slopes(self, density: Floats) -> Floats:
        """dF/drho_c, dual vectors (n, C, nodes here), a new array."""

    def curvatures(self, density: Floats) -> Floats:
        """M U''(R), (n, nodes here)."""


class Coupling(Protocol):
    """Second derivatives of H_h at one point: what a change of the velocity does to both sweeps, and they to it.

    K has the rows (phi_c, rho_c) of every class and the columns u; B is d2H/du2.
    """

    @property
    def energy(self) -> NodeOperator | None:
        """U''(R) as operators on R, None where it vanishes."""

    @property
    def alone(self) -> SlabCoupling | None:
        """The same slab by slab, where every slab has all that it needs on its rank."""

    def assemble(self, velocity: Floats, density: Floats, potential: Floats) -> None:
        """Take the point u (slabs here, d, local), r and q (slabs here, C, local), ghosts valid."""

    def apply(self, direction: Floats, out: Floats) -> None:
        """K direction: stacks of d fields with valid ghosts -> dH/dphi, then dH/drho, 2 C fields to be accumulated."""

    def transposed(self, response: Floats, direction: Floats, out: Floats) -> None:
        """K^T response + B direction: stacks of 2 C and of d fields -> of d, to be accumulated."""


class EffectiveNoise(NamedTuple):
    """The noise that densities feel.

    Attributes:
        mean: per axis, weighted by mass, (d,); largest: over nu, anywhere; note: how to bring it to nu, "" if it is.
    """

    mean: Floats
    largest: float
    note: str = ""


class Transport(Protocol):
    """The slabs of one flow: both sweeps for a velocity, and the derivatives of what is carried.

    Stacks are (slabs here, classes or components, owned or local nodes), where ``stacks`` says; fields of one layer are
    by nodes. Sources are derivatives of H_h, dual vectors; the scheme knows with what weight they enter.

    Attributes:
        halo: ghosts of fields by nodes; action: forms of a slab; mass: M; linear_solver: what solves, in words.
    """

    halo: Halo
    action: SlabAction
    mass: Mass
    linear_solver: str

    @property
    def stacks(self) -> Stacks:
        """Where stacks are."""

    @property
    def march(self) -> March:
        """Both sweeps; sources are dH/dphi at r = 0 and dH/drho at q = 0."""

    @property
    def cost(self) -> RunningCost:
        """The running cost of slabs."""

    @property
    def layer_cost(self) -> LayerCost | None:
        """V and U where they act at layers, None where they are in the cost of slabs or there are none."""

    def set_velocity(self, velocity: Floats, steps: Floats) -> None:
        """Build all slabs for u, a stack with valid ghosts, and thicknesses (N,); collective."""

    def velocity_gradient(self, velocity: Floats, density: Floats, potential: Floats, out: Floats) -> None:
        """Add d/du of what slabs carry at u, r and q, stacks with valid ghosts, to ``out``, to be accumulated;
        collective."""

    def effective_noise(self, velocity: Floats, total: Floats) -> EffectiveNoise:
        """What the slabs spread densities with, at u, a stack, and R (slabs here, local); collective."""

    def coupling(self, slabs: int, classes: int) -> Coupling:
        """Room for the second derivatives of all slabs."""

    def solve_to(self, accuracy: float) -> None:
        """Relative residual of Krylov solves from now on, where there are any and their accuracy is ours."""

    def unread_options(self) -> list[str]:
        """Options that PETSc has not asked for so far."""

    def close(self) -> None:
        """Free the PETSc objects; collective."""


class Scheme(Protocol):
    """A discretisation of the flow in depth.

    Attributes:
        name: what problem files and callers call it;
        order: of the error in the thickness of layers, for every running cost: 1 or 2;
        moves_points: does slab k move mass from x to x + Delta u_k(x), so that u_k belongs to the points below it?
        positive: is every slab a Markov chain, for any velocity and thickness, on the domains it is for?
        trapezoidal: do V and U act at layers, half at either end of a slab, or on the slab's density r_k?
        theta: the box schemes' number, what H_h sees of the upper density and the lower potential.
    """

    @property
    def name(self) -> str:
        """The word for it."""

    @property
    def order(self) -> int:
        """Order in the thickness of layers, for every running cost."""

    @property
    def moves_points(self) -> bool:
        """Is a slab the map x + Delta u(x)?"""

    @property
    def positive(self) -> bool:
        """A Markov chain whatever the velocity?"""

    @property
    def trapezoidal(self) -> bool:
        """V and U by the trapezoidal rule in layers?"""

    @property
    def theta(self) -> float:
        """1 or 1/2."""

    def physics(self, domain: Domain, lagrangian: Lagrangian) -> Lagrangian:
        """The physics as the scheme solves it on the domain, ``fitted`` decided.

        Raises:
            InputError: the scheme is not for this domain; those that are, are named.
        """

    def transport(
        self, domain: Domain, lagrangian: Lagrangian, slabs: int, classes: int, options: Mapping[str, Any]
    ) -> Transport:
        """The slabs of a flow, yet without velocity; ``options`` are PETSc's for its linear solvers; collective."""

    def slab_density(self, domain: Domain, lagrangian: Lagrangian, steps: Floats, density: Floats) -> Floats:
        """r_k of every slab from R at all layers (N + 1, C, owned), shape (N, C, owned)."""

    def slab_potential(
        self, domain: Domain, lagrangian: Lagrangian, steps: Floats, below: Floats, above: Floats
    ) -> Floats:
        """q_k of every slab from the potentials at its lower and upper end, shape (N, C, owned)."""

    def exact_spacing(self, noise: float, step: float) -> float | None:
        """The largest spacing of nodes at which a layer as thin as ``step`` has the noise nu exactly and the scheme its
        order; None if there is none."""

    def map_noise(self, domain: Domain, steps: Floats) -> float:
        """The largest noise that carrying masses alone brings in a layer, whatever nu is; 0 if it brings none."""

    def walk(self, domain: Domain, lagrangian: Lagrangian) -> Walk:
        """The slabs as steps of a Markov chain on all nodes, which are sorted by coordinates; collective.

        Raises:
            InputError: on this domain a slab is no Markov chain.
        """
