"""A Schroedinger bridge in one dimension, against its closed form.

Run it with ``python demos/bridge_1d.py``, or under the environment's own mpiexec; ``--small`` takes fewer layers and
nodes. It writes figures and fields into runs/bridge_1d.
"""

# Which flow with noise nu carries a density a to a density b in unit time with the least work? Minimise
#
#     int_0^1 int rho |u|^2 / 2 dx dt,     d rho / dt + d(rho u) / dx = nu d^2 rho / dx^2,   rho(0) = a,   rho(1) = b.
#
# This is Schroedinger's bridge (1931), optimal transport with entropy. Training knows no condition at t = 1, but a
# loss: lambda KL(rho(1) || b) with growing weight lambda leaves rho(1) = b in the limit, with an error of order 1 /
# lambda.

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

import hydrodl as hd
from hydrodl.files.paraview import write_vtk
from hydrodl.pictures.figures import plot_convergence, plot_densities, plot_velocity

small = "--small" in sys.argv[1:]
layers, nodes, weights, tolerance = (8, 81, (1, 10, 100), 0.02) if small else (16, 121, (1, 10, 100, 1000), 0.002)

# Between two Gaussians a = N(m0, s0^2) and b = N(m1, s1^2) everything is Gaussian. The two ends X(0), X(1) of a path
# have the covariance c that maximises c + nu log(s0^2 s1^2 - c^2), that is c^2 + 2 nu c = s0^2 s1^2. A path between
# given ends is a Brownian bridge, X(t) = (1 - t) X(0) + t X(1) + sqrt(2 nu t (1 - t)) Z, which gives the mean and
# variance at t = 1/2. The work is 2 nu times the entropy of (X(0), X(1)) relative to the same with pure noise, X(1) -
# X(0) = N(0, 2 nu):
#
#     work = (v - 2 nu - 2 nu log(v / 2 nu) + (m1 - m0)^2 + (c - s0^2)^2 / s0^2) / 2,     v = s1^2 - c^2 / s0^2.

nu, (m0, s0), (m1, s1) = 0.1, (-1.0, 0.5), (1.0, 0.7)
c = np.sqrt(nu**2 + s0**2 * s1**2) - nu
v = s1**2 - c**2 / s0**2
exact_mean = (m0 + m1) / 2
exact_variance = (s0**2 + s1**2) / 4 + c / 2 + nu / 2
exact_work = (v - 2 * nu - 2 * nu * np.log(v / (2 * nu)) + (m1 - m0) ** 2 + (c - s0**2) ** 2 / s0**2) / 2

# Layers and nodes are in the relation that the scheme asks for: densities feel the noise nu and no more (checked at the
# end). Weight decay is all that is left of what is not rho |u|^2 / 2; it only keeps the velocity defined where
# there is no density.

domain = hd.Domain.interval(-4.0, 4.0, nodes)
start = hd.mixture([hd.Gaussian(m0, std=s0)], domain)
target = hd.mixture([hd.Gaussian(m1, std=s1)], domain)
physics = hd.Lagrangian(noise=nu, decay=1e-4, smoothness=0.0)

x = domain.coordinates[: domain.owned, 0]
spacing = 8.0 / (nodes - 1)


def say(*words: object) -> None:
    """Print on the first rank."""
    if domain.comm.rank == 0:
        print(*words, flush=True)


def integral(values: np.ndarray) -> float:
    """Of nodal values that vanish at the walls, over all ranks."""
    return domain.comm.allreduce(spacing * float(values.sum()))


def errors(solution: hd.Solution) -> tuple[float, float, float]:
    """Of the mean and variance at mid-time, and of the work."""
    middle = solution.density[layers // 2, 0]
    mean = integral(middle * x)
    variance = integral(middle * (x - mean) ** 2)
    # slab k carries u_k and the density that it moves, after the first half of the noise: there the work is counted
    slabs = zip(solution.flow.slab_density[:, 0], solution.velocity[:, 0], strict=True)
    work = sum(integral(r * u**2) / 2 for r, u in slabs)
    return abs(mean - exact_mean), abs(variance - exact_variance), abs(work / layers - exact_work)


# Each weight starts from the flow of the one before.

say(f"closed form: mean {exact_mean:.4f} and variance {exact_variance:.4f} at t = 1/2, work {exact_work:.4f}")
velocity, table = None, []
for weight in weights:
    say(f"weight {weight}: {layers} layers, {nodes} nodes")
    problem = hd.Problem(domain, hd.layers(layers), start, physics, hd.Density(weight, target, "kl"))
    solution = hd.train(problem, initial=velocity, verbose=1)
    assert solution.converged, solution.reason
    velocity = solution.velocity
    table.append((weight, solution.parts["density"] / weight, *errors(solution)))

folder = Path("runs/bridge_1d")
folder.mkdir(parents=True, exist_ok=True)
say("wrote", plot_densities(solution, folder / "densities.png"))
say("wrote", plot_velocity(solution, folder / "velocity.png"))
say("wrote", plot_convergence(solution, folder / "convergence.png"))
say("wrote", write_vtk(folder, solution))

# The distance to the target falls like 1 / lambda^2, the errors of mean and work like 1 / lambda; what stays in the
# variance is the scheme's own error, second order in the layer thickness.

say("weight   KL(rho(1) || b)   errors: mean      variance  work")
for weight, distance, mean, variance, work in table:
    say(f"{weight:6d}   {distance:15.1e}   {mean:12.1e}  {variance:8.1e}  {work:8.1e}")
assert all(later[1] < earlier[1] / 30 for earlier, later in pairwise(table))
assert np.allclose(solution.effective_noise, nu)
assert solution.min_density > 0
largest = max(table[-1][2:])
say(f"bridge: largest error {largest:.1e}, allowed {tolerance}")
assert largest <= tolerance
