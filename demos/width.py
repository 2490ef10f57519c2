"""Width: a network of J neurons a layer approaches the best network of any width as J grows.

Run it with ``python demos/width.py``, or under the environment's own mpiexec; ``--small`` takes fewer layers and
widths. It writes a figure and fields into runs/width.
"""

# In the other demos the velocity of a layer has a value of its own at every node of the mesh: as many hidden nodes as
# the mesh has vertices. Here it is what a layer of a residual network usually is,
#
#     u_k(x) = A_k sigma(W_k x + b_k),        A_k of d x J numbers trained, W_k and b_k random and fixed,
#
# and J is the width. It is the same reduced problem in the coefficients A_k: the gradient in u, pulled back by the
# values of the neurons at the nodes. The span of J neurons is part of all velocities, so the optimum over it lies above
# the optimum over all velocities of the mesh, and the gap says what the width costs.

import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

import hydrodl as hd
from hydrodl.files.paraview import write_vtk
from hydrodl.physics.neurons import Neurons
from hydrodl.pictures.figures import plot_all

# isort: split
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

small = "--small" in sys.argv[1:]
layers, nodes = (8, 25) if small else (12, 31)
widths = (4, 16, 64) if small else (4, 8, 16, 32, 64, 128)
seeds = range(2)

samples = hd.load_dataset("two_moons", n=400, seed=0)
test = hd.load_dataset("two_moons", n=2000, seed=7)
domain = hd.Domain.around(samples, nodes=nodes)
rho = hd.densities(samples, domain, bandwidth=0.2)
physics = hd.Lagrangian(noise=0.02, decay=0.02, smoothness=0.1)
problem = hd.Problem(domain, hd.layers(layers), rho, physics, hd.Classification(weight=10.0))


def say(*words: object) -> None:
    """Print on the first rank."""
    if domain.comm.rank == 0:
        print(*words, flush=True)


def solve(given: hd.Problem) -> hd.Solution:
    """The optimum, which must be one."""
    solution = hd.train(given)
    assert solution.converged, solution.reason
    return solution


field = solve(problem)
best = hd.Network(field).accuracy(test)
say(f"every velocity of the mesh, {layers} layers x {domain.nodes} nodes: J = {field.objective:.5f}, {best:.4f} right")

# Each width is tried with several draws of the random neurons: their spread is the luck of the draw.

say("activation  width   J - J(field), one per draw          test accuracy, median")
gaps, accuracies = {}, {}
for activation in ("tanh", "relu"):
    for width in widths:
        found = [solve(replace(problem, control=Neurons(width, activation, seed=seed))) for seed in seeds]
        gaps[activation, width] = np.array([solution.objective - field.objective for solution in found])
        accuracies[activation, width] = float(np.median([hd.Network(solution).accuracy(test) for solution in found]))
        shown = "  ".join(f"{gap:.4f}" for gap in gaps[activation, width])
        say(f"{activation:10s}  {width:5d}   {shown:34s}  {accuracies[activation, width]:.4f}")
        last = found[0]


def figure() -> Figure:
    """Gap and test error against the width."""
    made = Figure(figsize=(7.2, 3.2), layout="constrained")
    left, right = made.subplots(1, 2)
    for activation, colour, marker in (("tanh", "#0072B2", "o"), ("relu", "#D55E00", "s")):
        table = np.array([gaps[activation, width] for width in widths])
        left.plot(widths, np.median(table, axis=1), color=colour, marker=marker, label=activation)
        left.fill_between(widths, table.min(axis=1), table.max(axis=1), color=colour, alpha=0.2, linewidth=0)
        right.plot(widths, [accuracies[activation, w] for w in widths], color=colour, marker=marker, label=activation)
    right.axhline(best, color="0.4", linestyle="--", linewidth=1, label="every velocity of the mesh")
    left.set(xscale="log", yscale="log", xlabel="width $J$ (neurons a layer)", ylabel="$J$(width) $-$ $J$(field)")
    right.set(xscale="log", xlabel="width $J$ (neurons a layer)", ylabel="test accuracy")
    left.set_title("objective above the best; bands: draws")
    for ax in (left, right):
        ax.set_xticks(widths, [str(width) for width in widths])
        ax.minorticks_off()
    left.set_yticks([0.02, 0.05, 0.1, 0.2, 0.5, 1.0], ["0.02", "0.05", "0.1", "0.2", "0.5", "1"])
    right.legend(frameon=False, loc="lower right")
    return made


folder = Path("runs/width")
folder.mkdir(parents=True, exist_ok=True)
if domain.comm.rank == 0:
    with rc_context({"font.size": 9, "axes.titlesize": 9}):
        FigureCanvasAgg(figure()).print_figure(folder / "width.png", dpi=200)
say("wrote", folder / "width.png")
for path in [*plot_all(last, hd.Network(last), samples, folder), write_vtk(folder, last)]:
    say("wrote", path)

# Never below the field optimum, and nearer to it with every width; the largest closes nearly all of the gap.

closed = min(1 - np.median(gaps[a, widths[-1]]) / np.median(gaps[a, widths[0]]) for a in ("tanh", "relu"))
say(f"width {widths[-1]} closes {closed:.3f} of the gap of width {widths[0]}")
for activation in ("tanh", "relu"):
    assert all(gaps[activation, width].min() > 0 for width in widths)
    assert all(np.median(gaps[activation, b]) < np.median(gaps[activation, a]) for a, b in pairwise(widths))
assert closed >= (0.8 if small else 0.9)
