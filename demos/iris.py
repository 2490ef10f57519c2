"""Iris: three species from two principal components, tested on flowers that training never saw.

Run it with ``python demos/iris.py``, or under the environment's own mpiexec; ``--small`` takes fewer splits of the
table. It writes figures and fields into runs/iris.
"""

# A real table: 150 flowers, four lengths, three species. Two things are new compared with two_moons.py, the reduction
# of four features to two, and honest testing on so few flowers.

import sys
from pathlib import Path

import numpy as np

import hydrodl as hd
from hydrodl.files.paraview import write_vtk
from hydrodl.pictures.figures import plot_all

small = "--small" in sys.argv[1:]
splits = 3 if small else 5
flowers = hd.load_dataset("iris", dimensions=2)

# The flow lives in feature space, which has at most three dimensions here, so the four features are reduced by
# principal components. Where features have different units each is standardised first. These four are all lengths in
# centimetres, and scaling the narrow sepal width up to the size of the others would only add noise (on two
# standardised components logistic regression and support vectors stay near 0.91 on held-out flowers, on two
# components of the lengths they reach about 0.96). ``load_dataset`` knows that, for a table of one's own it is
# ``read_csv(..., one_unit=True)``.


def network_of(train: hd.Samples) -> hd.Network:
    """Train on some flowers: three densities, one velocity, a readout with three anchors on the unit circle."""
    domain = hd.Domain.around(train, nodes=41)
    rho = hd.densities(train, domain, bandwidth=0.15)
    physics = hd.Lagrangian(noise=0.02, decay=0.02, smoothness=0.1)
    problem = hd.Problem(domain, hd.layers(8), rho, physics, hd.Classification(weight=30.0))
    return hd.Network(hd.train(problem, verbose=1))


def say(network: hd.Network | hd.Problem, *words: object) -> None:
    """Print on the first rank."""
    if network.domain.comm.rank == 0:
        print(*words, flush=True)


# One split of 105 flowers to train on and 45 to test on says little: a flower more or less is 0.022. So we train on
# several, which also says how far the number depends on luck, and quote the median. Preprocessing, mesh and densities
# are made anew from the training part of every split; the test part takes no part in anything.

accuracies = []
for seed in range(splits):
    train, test = flowers.split(test_fraction=0.3, seed=seed)
    network = network_of(train)
    assert network.solution.converged, network.solution.reason
    assert network.solution.min_density > 0
    accuracies.append(network.accuracy(test))
    say(network, f"split {seed}: held-out accuracy {accuracies[-1]:.4f}   {network.solution}")

folder = Path("runs/iris")
folder.mkdir(parents=True, exist_ok=True)
for path in [*plot_all(network.solution, network, train, folder), write_vtk(folder, network.solution)]:
    say(network, "wrote", path)

median = float(np.median(accuracies))
say(network, f"held-out accuracy, median of {splits} splits: {median:.4f}, worst {min(accuracies):.4f}")
assert median >= 0.93
