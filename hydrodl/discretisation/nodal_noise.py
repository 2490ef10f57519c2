"""The noise tensor of the edge-averaged diffusion at the nodes, as whoever samples or reports it needs it."""

from __future__ import annotations

import numpy as np
import ufl
from dolfinx import fem

from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import largest
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.ghosts import Halo
from hydrodl.mesh.quadrature import moment
from hydrodl.physics.lagrangian import Lagrangian


class NodalNoise:
    """nu I + sum_e w_e nu (D(p_e) - 1) t_e t_e^T of the cells, averaged at the nodes; nu I where it is not fitted.

    Args:
        domain, lagrangian: of the flow, with ``fitted`` decided.
    """

    def __init__(self, domain: Domain, lagrangian: Lagrangian) -> None:
        self._domain, self._noise, d = domain, float(lagrangian.noise), domain.dimension
        self._fitted, self._halo = bool(lagrangian.fitted), Halo(domain)
        if not self._fitted:
            return
        self._velocity = fem.Function(domain.space(d))
        u, physics = ufl.as_vector(list(ufl.split(self._velocity))), lagrangian.on(domain.mesh)
        tensor, self._pairs = physics.noise_tensor(u, domain.edges), np.tril_indices(d)
        tests = ufl.TestFunction(domain.space(len(self._pairs[0])))
        entries = [tensor[int(i), int(j)] for i, j in zip(*self._pairs, strict=True)]
        self._form = fem.form(ufl.dot(ufl.as_vector(entries), tests) * domain.dx)
        self._weight = moment(domain)
        points = domain.V.element.basix_element.points
        self._edges = fem.Expression(ufl.as_vector([physics.edge_noise(e.flow(u)) for e in domain.edges]), points)

    def __call__(self, velocity: Floats) -> Floats:
        """The tensors (d, d, owned) for a velocity (d, owned); collective."""
        d, owned = velocity.shape
        if not self._fitted:
            return np.einsum("ij,n->ijn", self._noise * np.eye(d), np.ones(owned))
        self._load(velocity)
        count = len(self._pairs[0])
        rows = fem.assemble_vector(np.zeros(count * self._halo.local), self._form).reshape(-1, count).T.copy()
        self._halo.accumulate(rows)
        out = np.empty((d, d, owned))
        out[self._pairs] = rows[:, :owned] / self._weight
        out[self._pairs[::-1]] = out[self._pairs]
        return out

    def largest(self, velocity: Floats) -> float:
        """The largest nu D(p_e) of any edge; collective."""
        if not self._fitted:
            return self._noise
        self._load(velocity)
        mesh = self._domain.mesh
        cells = np.arange(mesh.topology.index_map(mesh.topology.dim).size_local, dtype=np.int32)
        return largest(self._domain.comm, float(self._edges.eval(mesh, cells).max(initial=0.0)))

    def _load(self, velocity: Floats) -> None:
        local = self._halo.stack(len(velocity))
        local[:, : self._halo.owned] = velocity
        self._halo.update(local)
        self._velocity.x.array[:] = local.T.ravel()
