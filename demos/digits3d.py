"""Digits in three dimensions: ten classes of handwritten digits, sixty-four features, three components.

Run it with ``python demos/digits3d.py``, or under the environment's own mpiexec; ``--small`` takes fewer layers and
nodes. It writes figures and fields into runs/digits3d.
"""

# The images have 8 x 8 grey levels, 64 features in one unit. A mesh of feature space has at most three directions, so
# they are reduced to their three leading principal components, which keep 0.4 of their variance. That is little: no
# classifier of three numbers reads digits well. The same few lines as in the plane work in space with ten densities,
# and the third component is worth much. The flow is worth less: a linear readout alone does nearly as well, because on
# so coarse a mesh the noise of a layer is nearly as wide as what is left to pull apart.

import sys
from pathlib import Path

import hydrodl as hd  # isort: skip  (before mpi4py: it loads the compiled stack in the order that needs)
from mpi4py import MPI

from hydrodl.estimators.initial_readout import logistic_readout
from hydrodl.files.paraview import write_vtk
from hydrodl.pictures.figures import plot_all

small = "--small" in sys.argv[1:]
layers, plane, space = (3, 25, 11) if small else (4, 41, 15)


def say(*words: object) -> None:
    """Print on the first rank."""
    if MPI.COMM_WORLD.rank == 0:
        print(*words, flush=True)


def solve(dimensions: int, nodes: int) -> tuple[hd.Samples, hd.Solution, float, float]:
    """Half of the digits, the flow trained on them, and the accuracy on the other half: with it, and without."""
    train, test = hd.load_dataset("digits", dimensions=dimensions).split(0.5, seed=0)
    domain = hd.Domain.around(train, nodes=nodes, margin=0.7)
    rho = hd.densities(train, domain, bandwidth=0.2)
    physics = hd.Lagrangian(noise=0.01, decay=0.02, smoothness=0.1)
    # Ten anchors on a sphere would ask for long ways round each other; the readout starts from where the digits are.
    readout = logistic_readout(train)
    loss = hd.Classification(weight=20.0, readout=readout)
    problem = hd.Problem(domain, hd.layers(layers), rho, physics, loss)
    say(f"d = {dimensions}: {layers} layers, {domain.nodes} nodes, {problem.unknowns} unknowns")
    solution = hd.train(problem, options={"tao_gatol": 1e-2}, verbose=1)  # below that no prediction changes
    say(solution)
    assert solution.converged, solution.reason
    assert solution.min_density > 0
    still = float((readout.logits(test.points).argmax(axis=1) == test.labels).mean())
    return train, solution, hd.Network(solution).accuracy(test), still


_, _, two, _ = solve(2, plane)
samples, solution, three, still = solve(3, space)

folder = Path("runs/digits3d")
folder.mkdir(parents=True, exist_ok=True)
for path in [*plot_all(solution, hd.Network(solution), samples, folder), write_vtk(folder, solution)]:
    say("wrote", path)

say(f"test accuracy {three:.4f} with three components, {two:.4f} with two; {still:.4f} with three and no flow")
assert three >= 0.68
assert three > two + 0.05
