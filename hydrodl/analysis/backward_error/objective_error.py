"""What the layers, and a noise larger than asked for, add to J, to first order in Delta and in that noise.

The discrete action is the action of the modified energy H~ = H + Delta^p H_p + ... along smooth curves (``map_energy``,
``modified_system``), and J is stationary: so J_h - J = int Delta^p H_p dt along the discrete solution itself, whose
sum costs no other solution. J_h less that sum is the value of infinitely many layers, to the next order.

Box schemes. theta = 1: H_1 = 1/2 (d_t rho, d_t phi)_h;  theta = 1/2: H_2 = 1/24 sum_c [ (d_t phi_c, d_tt rho_c)_h -
(d_t rho_c, d_tt phi_c)_h ].

Layer maps. A slab is noise nu', the map x + Delta u, noise nu'' (that of the splines included). The map is the flow of
u - Delta/2 u . grad u; noise and map do not commute; heat steps and splines have the variance of their noise exactly,
and not always its fourth cumulant. The generating function S = ext_u { <M r, W q> - Delta l_h } to order Delta^2, less
half of (dH/drho, dH/dphi), as in the Baker-Campbell-Hausdorff series, then gives

    "velocity"             1/2 (u . grad u, sum_c rho_c grad phi_c - w R u)
    "running cost"       - 1/2 sum_c (rho_c u, grad (V_c + U'))                 nothing where V and U act at both ends
    "order of the noise" + (nu'' - nu')/2 sum_c [ (L rho_c, u . grad phi_c - dl/drho_c) + (div(rho_c u), L phi_c) ]
    "fourth cumulant"    - c_4 / Delta sum_c sum_a (d_aa rho_c, d_aa phi_c),
    c_4 = h^4/Delta [ c(t') + c(t'') - (p + 1)/2880 ],    c(t) = max(t/12 - t^2/2, 0),    t = Delta s/h^2,

with (u . grad u, eps u - alpha^2 Laplace u) in the first line at the optimum. Where the running cost is the kinetic
energy alone, straight lines are the optimal paths, the map is exact on them, and the first two lines vanish. For
nu' = nu'' the third vanishes, and V and U at both ends of a slab are in none of them. So "strang" is of second order in
layers where the velocity costs kinetic energy alone and phi is no more than quadratic, as in the linear-quadratic
problem; elsewhere its error of first order is what is left, which is small beside that of "residual"
(``docs/analysis/modified.md``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import ufl
from dolfinx import fem

from hydrodl.analysis.structure.map_conservation import momentum_exerted
from hydrodl.analysis.structure.slab_hamiltonian import Recovery
from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import summed
from hydrodl.discretisation.heat_step import axes_of, noise_split
from hydrodl.discretisation.layer_map_scheme import LayerMapScheme
from hydrodl.discretisation.stacks import placed
from hydrodl.mesh.ghosts import with_ghosts
from hydrodl.mesh.grid_nodes import GridNodes
from hydrodl.mesh.uniform_grid import Grid, spread
from hydrodl.physics.lagrangian import Lagrangian
from hydrodl.problem.flow import Flow, HasFlow

_ROUNDING = 1e-12


MAP_PARTS = ("velocity", "running cost", "order of the noise", "fourth cumulant")


@dataclass(frozen=True, eq=False)
class ObjectiveError:
    """J_h - J to leading order in the thickness of the layers, with sign.

    Attributes:
        parts: what each layer contributes, by cause, each (N,); order: a part is of order Delta_k^(order + 1).
        noise: what noise beyond nu adds, layer by layer, (N,): that of the splines, or that of the edges of box schemes
            with fitted diffusion.

    Example:
        >>> found = hd.analysis.objective_error(solution)
        >>> found.by_layer.shape, abs(found.layers) < abs(solution.objective)
        ((16,), True)
    """

    parts: Mapping[str, Floats]
    order: int
    noise: Floats

    @property
    def by_layer(self) -> Floats:
        """All that the layers add, without the larger noise, (N,)."""
        return np.sum(list(self.parts.values()), axis=0)

    @property
    def layers(self) -> float:
        """The sum over layers: J_h less it is the value of infinitely many, to the next order."""
        return float(self.by_layer.sum())


def objective_error(given: HasFlow | Flow, *, spacing: Floats | None = None) -> ObjectiveError:
    """The error that the layers make in J, from the discrete solution alone; collective.

    Args:
        given: a trained solution, or its flow. For a flow that is no stationary point it is that of its energy.
        spacing: of nodes, (d,), at which a layer map with the same fields would share out its noise; None: the flow's.

    Example:
        >>> found = hd.analysis.objective_error(solution)
        >>> deep = solution.objective - found.layers  # what infinitely many layers would reach, to the next order
    """
    flow = given if isinstance(given, Flow) else given.flow
    if isinstance(flow.scheme, LayerMapScheme):
        return _of_maps(flow, flow.scheme, GridNodes(flow.domain).spacing if spacing is None else spacing)
    steps, mass = flow.layers.steps, Recovery(flow).mass
    rho = np.diff(flow.density, axis=0) / steps[:, None, None]
    phi = (flow.upper_potential - flow.potential[:-1]) / steps[:, None, None]

    def products(left: Floats, right: Floats) -> Floats:
        local = [float((mass.apply(a) * b).sum()) for a, b in zip(left, right, strict=True)]
        return summed(flow.domain.comm, np.array(local))

    if flow.scheme.order == 1:
        found = 0.5 * steps**2 * products(rho, phi)
    else:
        found = steps**3 / 24 * (products(_rates(flow, rho), phi) - products(rho, _rates(flow, phi)))
    return ObjectiveError({"difference in layers": found}, flow.scheme.order, noise_error(flow))


def noise_error(given: HasFlow | Flow) -> Floats:
    """What noise beyond nu adds to J, layer by layer, to first order in it, (N,); collective.

    Layer maps: Delta_k sum_c sum_a (nu_a - nu) (d_a rho_c, d_a phi_c), nu_a that of the splines where it is larger. Box
    schemes with fitted diffusion: Delta_k sum_c (sum_e w_e nu (D(p_e) - 1) d_e r_c d_e q_c, 1)_h over edges.

    Example:
        >>> hd.analysis.noise_error(flow).shape
        (16,)
    """
    flow = given if isinstance(given, Flow) else given.flow
    scheme = flow.scheme
    return _noise_of_splines(flow, scheme) if isinstance(scheme, LayerMapScheme) else _noise_of_edges(flow)


def _noise_of_splines(flow: Flow, scheme: LayerMapScheme) -> Floats:
    spacing, nu, steps = GridNodes(flow.domain).spacing, float(flow.lagrangian.noise), flow.layers.steps
    beyond = [noise_split(nu, float(step), spacing, scheme.degree, scheme.before).effective - nu for step in steps]
    out = np.zeros(len(steps))
    if np.max(beyond) <= _ROUNDING * nu:
        return out
    (grid, order), mass = Grid.of(flow.domain), GridNodes(flow.domain).mass
    fields = (flow.density[:-1], flow.density[1:], flow.potential[:-1], flow.upper_potential)
    for k, slab in enumerate(zip(*fields, strict=True)):
        below, above, phi, upper = (grid.differences(spread(flow.domain, order, grid.size, x)) for x in slab)
        out[k] = steps[k] / 4 * float(mass @ np.einsum("a,can,can->n", beyond[k], below + above, phi + upper))
    return out


def _noise_of_edges(flow: Flow) -> Floats:
    domain, steps, physics = flow.domain, flow.layers.steps, flow.lagrangian
    if not physics.fitted:
        return np.zeros(len(steps))
    u = [fem.Function(domain.V) for _ in range(domain.dimension)]
    r, q = fem.Function(domain.V), fem.Function(domain.V)
    constants, total = physics.on(domain.mesh), ufl.zero()
    for edge in domain.edges:
        beyond = constants.edge_noise(edge.flow(ufl.as_vector(u))) - constants.noise
        total += edge.weight * beyond * edge.difference(r) * edge.difference(q)
    form, local = fem.form(total * domain.dx), np.zeros(len(steps))
    fields = (with_ghosts(domain, x) for x in (flow.velocity, flow.slab_density, flow.slab_potential))
    for k, (velocity, density, potential) in enumerate(zip(*fields, strict=True)):
        for function, values in zip(u, velocity, strict=True):
            function.x.array[:] = values
        for r.x.array[:], q.x.array[:] in zip(density, potential, strict=True):
            local[k] += steps[k] * float(fem.assemble_scalar(form))
    return summed(domain.comm, local)


def _rates(flow: Flow, field: Floats) -> Floats:
    """The derivative in depth of a field on slabs (N, C, owned), section by section; 0 where one slab is alone."""
    middle = (flow.layers.times[1:] + flow.layers.times[:-1]) / 2
    out = np.zeros_like(field)
    for part in flow.sections:
        if part.stop - part.start > 1:
            out[part] = np.gradient(field[part], middle[part], axis=0)
    return out


def _of_maps(flow: Flow, scheme: LayerMapScheme, spacing: Floats) -> ObjectiveError:
    recovery, nu = Recovery(flow), float(flow.lagrangian.noise)
    momentum, slopes = recovery.cost_slopes(flow)
    slabs, classes = flow.density[1:].shape[:2]
    transport = flow.scheme.transport(flow.domain, flow.lagrangian, slabs, classes, {})
    transport.set_velocity(placed(transport.stacks, flow.velocity), flow.layers.steps)
    unbalanced = momentum_exerted(flow, transport, recovery) - momentum
    transport.close()
    local = np.empty((len(MAP_PARTS), slabs))
    for k, step in enumerate(map(float, flow.layers.steps)):
        split = noise_split(nu, step, spacing, scheme.degree, scheme.before)
        after = split.effective - split.before
        fourth = fourth_cumulant(step, spacing, scheme.degree, split.before, split.after)
        rho = 0.5 * (flow.density[k] + flow.density[k + 1])
        phi = 0.5 * (flow.potential[k] + flow.upper_potential[k])
        found = _Slab(recovery, flow.lagrangian, flow.velocity[k], rho, phi, slopes[k])
        local[0, k] = step**2 / 2 * found.velocity(unbalanced[k])
        local[1, k] = -(step**2) / 2 * found.running_cost()
        local[2, k] = step**2 / 2 * found.noise_order(after - split.before)
        local[3, k] = -step * found.weighted(fourth, found.rho_curved, found.phi_curved)
    total = summed(flow.domain.comm, local)
    return ObjectiveError(dict(zip(MAP_PARTS, total, strict=True)), 1, _noise_of_splines(flow, scheme))


def fourth_cumulant(step: float, spacing: Floats, degree: int, before: Floats, after: Floats) -> Floats:
    """c_4 per axis, (d,): a layer's noise has the generator nu d^2 + c_4 d^4 + ..., to this order.

    From the logarithm of a layer's Fourier symbol, -Delta nu k^2 + Delta c_4 k^4 + ...: sinc(k h/2)^(p+1) of the
    splines times those of the heat steps, whose c_4 is nothing but where t = Delta s/h^2 is below 1/6.
    """
    h = np.asarray(spacing, dtype=float)
    parts = [[axis.cumulants()[0] for axis in axes_of(h, step, noise)] for noise in (before, after)]
    return h**4 / step * (np.sum(parts, axis=0) - (degree + 1) / 2880)


class _Slab:
    """Integrals over one slab's nodal fields, this rank's share: derivatives recovered, vertex rule."""

    def __init__(
        self, recovery: Recovery, physics: Lagrangian, u: Floats, rho: Floats, phi: Floats, slope: Floats
    ) -> None:
        self._recovery, self._physics, self._weight = recovery, physics, recovery.mass.ones
        self._u, self._rho, self._slope = u, rho, slope
        self._phi_slopes = recovery.gradients(phi)
        self.rho_curved, self.phi_curved = recovery.curvatures(rho), recovery.curvatures(phi)

    def _sum(self, density: Floats) -> float:
        return float((self._weight * density).sum())

    def velocity(self, unbalanced: Floats) -> float:
        """(u . grad u, eps u - alpha^2 Laplace u + sum_c rho_c grad phi_c - dl/du), the last two given."""
        physics, u = self._physics, self._u
        carried = np.einsum("in,jin->jn", u, self._recovery.gradients(u))
        rest = float(physics.decay) * u - float(physics.smoothness) ** 2 * self._recovery.laplacians(u)
        return self._sum((carried * (rest + unbalanced)).sum(axis=0))

    def running_cost(self) -> float:
        """sum_c (rho_c u, grad (V_c + U'))."""
        still = self._slope - 0.5 * float(self._physics.kinetic) * (self._u**2).sum(axis=0)
        return self._sum(np.einsum("cn,in,cin->n", self._rho, self._u, self._recovery.gradients(still)))

    def noise_order(self, difference: Floats) -> float:
        """sum_c [ (L rho_c, u . grad phi_c - dl/drho_c) + (div(rho_c u), L phi_c) ], L weighted axis by axis."""
        if not difference.any():
            return 0.0
        fluxes = self._rho[:, None] * self._u
        spread = np.array([np.trace(self._recovery.gradients(flux)) for flux in fluxes])
        pull = np.einsum("in,cin->cn", self._u, self._phi_slopes) - self._slope
        of_rho = np.einsum("a,can,cn->n", difference, self.rho_curved, pull)
        return self._sum(of_rho + np.einsum("a,can,cn->n", difference, self.phi_curved, spread))

    def weighted(self, weights: Floats, left: Floats, right: Floats) -> float:
        """sum_c sum_a weight_a (left_ca, right_ca)."""
        return self._sum(np.einsum("a,can,can->n", weights, left, right))
