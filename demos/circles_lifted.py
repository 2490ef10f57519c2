"""Circles, lifted: what no flow of the plane can separate, a flow of space separates at once.

Run it with ``python demos/circles_lifted.py``, or under the environment's own mpiexec; ``--small`` takes fewer
nodes. It writes figures and fields of the lifted flow into runs/circles_lifted.
"""

# One class is a ring, the other lies inside it. A residual network with small layers, x <- x + Delta u(t, x), is a
# homeomorphism: it bends and stretches the plane and never tears it. So the image of the ring still surrounds the
# image of what was inside, and no straight line has one on its left and the other on its right. All that a flow of the
# plane can do is to push the inner class out through the ring at its thinnest place and to pay for the samples there.
#
# In space the ring surrounds nothing. We give every sample one more coordinate, x_3 = 0, and let the flow lift one
# class and lower the other. It is the oldest trick of neural differential equations: Dupont, Doucet and Teh,
# "Augmented Neural ODEs", NeurIPS 2019.

import sys
from pathlib import Path

import numpy as np

import hydrodl as hd

# isort: split
from mpi4py import MPI

from hydrodl.files.paraview import write_vtk
from hydrodl.pictures.figures import plot_all

small = "--small" in sys.argv[1:]
layers = 6
plane, space = (31, 13) if small else (41, 21)  # nodes per direction of the data

# The data, noise 0.1 and 0.5 between the radii, without and with the added coordinate; ``dimensions=3`` would say the
# same as ``lift=1``. In the file of a problem it is ``lift = 1`` below [data].

flat = hd.load_dataset("circles", n=400, noise=0.1, seed=0)
lifted = hd.load_dataset("circles", n=400, noise=0.1, seed=0, lift=1)
unseen = hd.load_dataset("circles", n=2000, noise=0.1, seed=7)

# The same two circles without noise: where a flow of the plane lets the inner one out, it loses some of the outer one.

angle = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
circle = np.column_stack([np.cos(angle), np.sin(angle)])


def say(*words: object) -> None:
    """Print on the first rank."""
    if MPI.COMM_WORLD.rank == 0:
        print(*words, flush=True)


def network_of(samples: hd.Samples, nodes: int) -> hd.Network:
    """The same physics and loss in the plane and in space.

    As all samples have x_3 = 0, the kernel that makes densities of them is the whole density in that direction, a thin
    Gaussian. One number of nodes is meant for the directions of the data: the added one, 2 units long, gets as many as
    their spacing takes. And the readout, which is turned towards the class means where they differ, looks along the
    added direction: z_1 - z_0 = 2 x_3.
    """
    domain = hd.Domain.around(samples, nodes=nodes, margin=[0.5, 0.5, 1.0][: samples.points.shape[1]])
    rho = hd.densities(samples, domain, bandwidth=0.25)
    physics = hd.Lagrangian(noise=0.02, decay=0.02, smoothness=0.1)
    problem = hd.Problem(domain, hd.layers(layers), rho, physics, hd.Classification(weight=10.0))
    say(f"d = {domain.dimension}: {layers} layers, {domain.nodes} nodes, {problem.unknowns} unknowns")
    solution = hd.train(problem, verbose=1)
    say(solution)
    assert solution.converged, solution.reason
    assert solution.min_density >= 0
    return hd.Network(solution)


def wrong(network: hd.Network) -> tuple[float, float]:
    """Shares of the outer circle (class 0) and of the inner one (class 1) on the wrong side."""
    return float(np.mean(network.predict(circle) != 0)), float(np.mean(network.predict(0.5 * circle) != 1))


in_plane, in_space = network_of(flat, plane), network_of(lifted, space)

folder = Path("runs/circles_lifted")
folder.mkdir(parents=True, exist_ok=True)
for path in [*plot_all(in_space.solution, in_space, lifted, folder), write_vtk(folder, in_space.solution)]:
    say("wrote", path)

outer, _ = wrong(in_plane)
accuracy = {network.domain.dimension: network.accuracy(unseen) for network in (in_plane, in_space)}
say(f"in the plane {outer:.3f} of the outer circle ends on the inner one's side, in space none of it")
say(f"test accuracy {accuracy[3]:.4f} lifted, {accuracy[2]:.4f} in the plane")
assert outer > 0
assert wrong(in_space) == (0.0, 0.0)
assert accuracy[3] >= 0.985
