"""The slabs of the box schemes: a factored operator A = M - theta Delta L(u) each, and the derivatives of L.

    forward   A_k r_k = M R_k - theta Delta dH/dphi         R_{k+1} = (r_k - (1 - theta) R_k) / theta
    backward  A_k^T q_k = D_{k+1} - theta Delta dH/drho     D_k = (M q_k - (1 - theta) D_{k+1}) / theta

D is M times a potential, with the pulls of losses in it. Classes share the operators and do not meet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
from mpi4py import MPI
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import summed
from hydrodl.common.petsc_options import subset
from hydrodl.discretisation.box_coupling import BoxCoupling
from hydrodl.discretisation.layer_march import HandedOut, LayerMarch
from hydrodl.discretisation.layer_recursion import March, NodeMarch
from hydrodl.discretisation.nodal_noise import NodalNoise
from hydrodl.discretisation.running_cost import FormCost
from hydrodl.discretisation.scheme import EffectiveNoise
from hydrodl.discretisation.slab_action import OperatorEntries, SlabAction
from hydrodl.discretisation.stacks import NodeStacks
from hydrodl.linear_algebra.layered_family import LayeredFamily, operator_family
from hydrodl.linear_algebra.mass_matrix import Mass
from hydrodl.linear_algebra.operator_family import OperatorFamily
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.ghosts import Halo
from hydrodl.physics.lagrangian import Lagrangian

COARSE = 2.0
"""By so many times the noise that was asked for the mass feels more before a warning says so."""


class Generator:
    """Entries of <L(u) w, v> and of M over owned rows in one sparsity pattern; column w, row v.

    Attributes:
        domain: feature space; halo: for stacks of fields; action: the forms of a slab.
        pattern: of the owned rows, columns numbered locally; columns: global number of each local column.
        mass: products and solves with M; mass_values: its entries in the pattern.
    """

    def __init__(self, domain: Domain, lagrangian: Lagrangian) -> None:
        self.domain, self.halo = domain, Halo(domain)
        action = self.action = SlabAction(domain, lagrangian)
        self.entries = OperatorEntries(action, action.generator, also=action.nonzeros(action.mass, reduce=True))
        self.pattern, self.columns = self.entries.pattern, action.column_owners()
        self.mass_values = self.pattern.values(action.assemble(action.mass, reduce=True)).copy()
        self.mass = action.mass_matrix()

    def values(self, velocity: Floats) -> Floats:
        """Entries of L(u) for u (d, owned); collective."""
        local = self.halo.stack(len(velocity))
        local[:, : self.halo.owned] = velocity
        self.halo.update(local)
        self.action.set_slab(local)
        return self.entries().copy()


class BoxTransport:
    """See :class:`~hydrodl.discretisation.scheme.Transport`.

    Args:
        domain, lagrangian, theta: of the slabs; slabs: how many; classes: how many are carried at once.
        options: PETSc's, those for the slab operators with the prefix "slab_".
    """

    def __init__(
        self, domain: Domain, lagrangian: Lagrangian, theta: float, slabs: int, classes: int, options: Mapping[str, Any]
    ) -> None:
        self.layer_cost = None
        self.theta, self._steps = theta, np.ones(slabs)
        self._physics = lagrangian.resolved(domain.lumped)
        self._generator = generator = Generator(domain, lagrangian)
        self.halo, self.action, self.mass = generator.halo, generator.action, generator.mass
        self.cost, self.stacks = FormCost(self.action), NodeStacks(self.halo, slabs)
        own = subset(options, "slab_")
        self.operators, self.linear_solver = operator_family(
            domain, generator.pattern, generator.columns, slabs, classes, options=own, name="slab operator"
        )
        self._slabs = box_slabs(self.operators, self.mass, theta)
        self.march = march(self.operators, self._slabs, domain.comm)

    def set_velocity(self, velocity: Floats, steps: Floats) -> None:
        """Build and factor every slab operator M - theta Delta L(u)."""
        self._steps = steps
        self._slabs.set_steps(steps)
        for k, step in enumerate(steps):
            self.action.set_slab(velocity[k])
            self.operators.set(k, self._generator.mass_values - self.theta * step * self._generator.entries())
        self.operators.factor()

    def velocity_gradient(self, velocity: Floats, density: Floats, potential: Floats, out: Floats) -> None:
        """Add dH/du of the carried parts of all classes."""
        action = self.action
        for k, u in enumerate(velocity):
            action.set_slab(u)
            for rho, phi in zip(density[k], potential[k], strict=True):
                action.set_class(rho, phi)
                out[k] += action.blocked_vector(action.carried_1)[: action.dimension]

    def effective_noise(self, velocity: Floats, total: Floats) -> EffectiveNoise:
        """nu D(p) of the edges, averaged at the nodes, weighted by the mass there and by thickness."""
        domain, owned = self._generator.domain, self.halo.owned
        spread = NodalNoise(domain, self._physics)
        weight = self._steps[:, None] * np.maximum(total[:, :owned], 0.0) * self.mass.ones
        tensors = np.array([np.diagonal(spread(u), axis1=0, axis2=1) for u in velocity[..., :owned]])
        sums = summed(domain.comm, np.append((weight[..., None] * tensors).sum(axis=(0, 1)), weight.sum()))
        mean, noise = sums[:-1] / sums[-1], float(self._physics.noise)
        most = max(spread.largest(u) for u in velocity[..., :owned]) / noise
        return EffectiveNoise(mean, most, self._sign_note() or _coarse_note(float(mean.max()), noise))

    def _sign_note(self) -> str:
        """What of the mesh lets densities turn negative although the diffusion is fitted, in words."""
        domain = self._generator.domain
        if not (domain.lumped and self._physics.fitted) or domain.monotone:
            return ""
        return f"{domain.edge_weights.note}: nothing keeps densities from turning negative there; see docs/schemes.md"

    def coupling(self, slabs: int, classes: int) -> BoxCoupling:
        """Room for the second derivatives of all slabs."""
        return BoxCoupling(self.action, self.halo.local, slabs, classes)

    def solve_to(self, accuracy: float) -> None:
        """Relative residual of Krylov solves from now on; nothing where solves are direct."""
        self.operators.solve_to(accuracy)

    def unread_options(self) -> list[str]:
        """Options for the slab operators that PETSc has not asked for so far."""
        return ["slab_" + key for key in self.operators.scope.unread()]

    def close(self) -> None:
        """Free the PETSc solvers; collective."""
        self.operators.destroy()


def _coarse_note(felt: float, noise: float) -> str:
    """What to do about a mesh on which the fitted diffusion is most of the noise, in words."""
    if felt <= COARSE * noise:
        return ""
    return (
        f"the mesh brings the noise {felt:.3g} where {noise:.3g} was asked for, averaged over the mass: refine it, ask "
        "for more noise, or take the scheme 'strang' on a box"
    )


class BoxSlabs:
    """The steps of both recursions, for fields (m, nodes) on the nodes of a family's operators.

    Args:
        family: the operators; mass: M times fields; theta: of the scheme; layers: their numbers.
    """

    def __init__(
        self, family: OperatorFamily, mass: Callable[[Floats], Floats], theta: float, layers: NDArray[np.int64]
    ) -> None:
        self._family, self._mass, self._theta, self._layers = family, mass, theta, layers
        self._weights = np.full(len(layers), theta)

    def set_steps(self, steps: Floats) -> None:
        """Thicknesses of all layers, (N,): with theta times them sources enter."""
        self._weights = self._theta * steps[self._layers]

    def forward(self, k: int, layer: Floats, source: Floats | None) -> tuple[Floats, Floats]:
        """(r_k, R_{k+1}) of R_k and a source."""
        rhs = self._mass(layer)
        slab = self._family.solve(k, rhs if source is None else rhs - self._weights[k] * source).copy()
        return slab, slab if self._theta == 1.0 else (slab - (1 - self._theta) * layer) / self._theta

    def backward(self, k: int, dual: Floats, source: Floats | None) -> tuple[Floats, Floats]:
        """(q_k, D_k) of D_{k+1}, pulls included, and a source."""
        given = dual if source is None else dual - self._weights[k] * source
        slab = self._family.solve(k, given, transpose=True).copy()
        return slab, (self._mass(slab) - (1 - self._theta) * dual) / self._theta


def box_slabs(family: OperatorFamily | LayeredFamily, mass: Mass, theta: float) -> BoxSlabs:
    """The slabs that this rank solves with; collective."""
    if isinstance(family, OperatorFamily):
        return BoxSlabs(family, mass.apply, theta, np.arange(len(family.solvers)))
    return BoxSlabs(family.own, whole_mass(family, mass), theta, family.shares.layers)


def march(family: OperatorFamily | LayeredFamily, slabs: BoxSlabs, comm: MPI.Comm) -> March:
    """Both recursions, on the ranks that have the operators."""
    if isinstance(family, OperatorFamily):
        return NodeMarch(slabs)
    shares = family.shares
    by_layers = LayerMarch(
        slabs,
        shares,
        comm,
        family.name,
        everywhere=shares.everywhere,
        field=lambda own, k: shares.layer(own, k)[:, shares.here],
        together=False,
    )
    return HandedOut(by_layers, shares)


def whole_mass(family: LayeredFamily, mass: Mass) -> Callable[[Floats], Floats]:
    """M times fields (m, nodes) on all nodes; collective."""
    if mass.diagonal is not None:
        diagonal = family.shares.everywhere(mass.diagonal[None])[0]
        return lambda fields: fields * diagonal
    matrix = sp.vstack(mass.domain.comm.allgather(mass.rows), format="csr")
    return lambda fields: (matrix @ fields.T).T
