"""Two moons: a deep network trained as a fluid.

Run it with ``make demo``, ``python demos/two_moons.py`` or, on two processes, ``.venv/bin/mpiexec -n 2 .venv/bin/python
demos/two_moons.py``; ``--small`` takes fewer layers. It writes figures and fields into runs/two_moons.
"""

# A residual network moves a feature vector x a little in every layer, x <- x + Delta u(t, x). In the limit of many
# layers the layers become a time t in [0, 1], the residual functions one velocity u(t, x), and the samples of a class
# c a density rho_c(t, x) that the velocity carries and a little noise nu spreads:
#
#     d rho_c / dt + div(rho_c u) = nu Laplace rho_c,     no flux through the walls of feature space.
#
# Training is the choice of u. Over all velocities we minimise
#
#     J[u] = int_0^1 int  (R + eps) |u|^2 / 2 + alpha^2 |grad u|^2 / 2  dx dt  +  lambda sum_c int Phi_c rho_c(1) dx,
#
# with R = sum_c rho_c: the work of moving the samples, weight decay eps where there are none, smoothness alpha, and
# the cross-entropy Phi_c(x) = log sum_j exp z_j(x) - z_c(x) of a fixed linear readout z = W x + b after the last
# layer.

import sys
from pathlib import Path

import hydrodl as hd
from hydrodl.files.paraview import write_vtk
from hydrodl.pictures.figures import plot_all

small = "--small" in sys.argv[1:]
layers, nodes = (8, 41) if small else (16, 61)

# Two interleaving half circles, 200 noisy samples each. Standardised, they lie in a box with a margin of one unit
# around them; the box carries Q1 elements, the layers are equal steps. The nodes are as many as layers and noise ask
# for (``hd.spacing_for``); training says so where they are too few. Each class becomes a density by a few implicit
# heat steps from its point masses: a kernel estimator with the given bandwidth, positive, and of exact mass.

samples = hd.load_dataset("two_moons", n=400, seed=0)
domain = hd.Domain.around(samples, nodes=nodes)
rho = hd.densities(samples, domain, bandwidth=0.2)

# The two sums above, in code. The readout is not trained: it is turned towards the class means once, and the flow
# does the rest.

physics = hd.Lagrangian(noise=0.02, smoothness=0.1)
problem = hd.Problem(domain, hd.layers(layers), rho, physics, hd.Classification(weight=10.0))


# Newton's method on J, its linear systems solved by conjugate gradients: each step costs a few sweeps forward (the
# densities) and backward (their adjoints) through the layers. The gradient norm is the one that belongs to J, so it
# says the same on every mesh; at the end it falls quadratically. Under mpiexec the first rank speaks for all.


def say(*words: object) -> None:
    """Print on the first rank."""
    if domain.comm.rank == 0:
        print(*words, flush=True)


solution = hd.train(problem, verbose=1)
say(solution)

# The velocity is a network: N layers x <- x + Delta_k u_k(x), then the readout. It has never seen these 2000 points.

network = hd.Network(solution)
accuracy = network.accuracy(hd.load_dataset("two_moons", n=2000, seed=7))

# What remains: the moons before and after with the grid that the flow carries along, the densities and the velocity
# by layer, the convergence; and a time series for ParaView or PyVista.

folder = Path("runs/two_moons")
folder.mkdir(parents=True, exist_ok=True)
for path in [*plot_all(solution, network, samples, folder), write_vtk(folder, solution)]:
    say("wrote", path)

# The scheme guarantees a positive density and exact masses whatever the velocity; the accuracy is what was learnt.

say(f"test accuracy {accuracy:.4f}, smallest density {solution.min_density:.1e}, mass error {solution.mass_error:.1e}")
assert solution.converged, solution.reason
assert accuracy >= 0.99
assert solution.min_density > 0
assert solution.mass_error < 1e-12
