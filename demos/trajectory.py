"""Cells that branch: a population seen at five times, one of them held out and interpolated.

Run it with ``python demos/trajectory.py``, or under the environment's own mpiexec; ``--small`` takes fewer cells,
layers and nodes. It writes a figure and fields into runs/trajectory.
"""

# Measuring a cell destroys it: at every time there are other cells, and nobody sees a path. What can be asked is the
# least eventful story that explains all the snapshots,
#
#     minimise  int_0^1 int rho |u|^2 / 2 dx dt,     d rho / dt + div(rho u) = nu Laplace rho,
#     rho(t_j) = density of snapshot j,     j = 0, ..., 4,
#
# a Schroedinger bridge through several densities (with one snapshot left out, to have something to test it on). Its
# drift and noise then draw paths of single cells, its density is a guess at every time between.

import sys
from pathlib import Path

import hydrodl as hd  # isort: skip  (before mpi4py: it loads the compiled libraries in the order that they need)
import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from mpi4py import MPI

from hydrodl.data.snapshot_sets import snapshots
from hydrodl.files.paraview import write_vtk
from hydrodl.transport.held_out import leave_one_out
from hydrodl.transport.wasserstein_distance import wasserstein

small = "--small" in sys.argv[1:]
count, layers, nodes, bandwidth = (300, 8, 51, 0.15) if small else (600, 16, 91, 0.1)
tolerance, allowed = (0.2, 0.7) if small else (0.02, 0.4)

# Made-up cells in the landscape of Waddington: a valley that slopes along x and, past x = 0, forks in y.

NOISE, TIMES, HELD = 0.08, (0.0, 0.5, 1.0, 1.5, 2.0), 2


def cells(time: float, n: int, seed: int, step: float = 0.01) -> np.ndarray:
    """n new cells at a time, shape (n, 2): dx = 0.8 dt + noise, dy = (1.6 x y - 0.8 y^3) dt + noise."""
    rng = np.random.default_rng(seed)
    state = 0.4 * rng.standard_normal((n, 2))
    for _ in range(round(time / step)):
        x, y = state.T
        drift = np.stack([np.full(n, 0.8), 1.6 * np.clip(x, -0.5, 2.0) * y - 0.8 * y**3], axis=1)
        state = state + step * drift + np.sqrt(2 * NOISE * step) * rng.standard_normal((n, 2))
    return state


seen = snapshots(TIMES, [cells(time, count, seed) for seed, time in enumerate(TIMES)])

# Both features are lengths and are divided by the same number, so that the cheapest flow on the mesh is the cheapest in
# the user's units. The noise of the model is that of the cells, in mesh units: lengths over scale, time over 2.

noise = NOISE * (TIMES[-1] - TIMES[0]) / seen.preprocessing.scale[0] ** 2
physics = hd.Lagrangian(noise=float(noise), smoothness=0.0)


def say(*words: object) -> None:
    """Print on the first rank."""
    if MPI.COMM_WORLD.rank == 0:
        print(*words, flush=True)


say(f"trajectory: {len(TIMES)} snapshots of {count} cells, t = {TIMES[HELD]:g} held out")
say(f"{layers} layers, {nodes} x {nodes} nodes, noise {noise:.3f} in mesh units")
found = leave_one_out(
    seen,
    HELD,
    physics,
    layers=layers,
    nodes=nodes,
    margin=0.8,
    bandwidth=bandwidth,
    tolerance=tolerance,
    floor=1e-3,
    draws=count,
    verbose=1,
    options={"tao_gatol": 3e-3},
)
solution = found.bridge.solution
say(found.bridge)
assert found.bridge.converged, found.bridge.reason
assert solution.min_density > 0

# How good can a guess be? As near as other cells of the same time, which are not at distance 0 either. How bad? As far
# as the nearest snapshot. Displacement interpolation pairs the cells of the two neighbours by optimal transport and
# takes the middle of every pair: hard to beat on one gap, but it is no model, it has no noise, no paths through more
# than two snapshots and no density. The model itself, a bridge without drift, is not nearer: between the same two
# neighbours Sinkhorn's exact bridge has W2 0.16 (mean of several draws of 600 points, from 0.14 to 0.19), and the
# density found here is one percent (L1) from it.

fresh = wasserstein(cells(TIMES[HELD], count, seed=99), seen.features[HELD])
say(found)
say(f"fresh cells of that time: {fresh:.4f}")


def picture(path: Path) -> Path:
    """The snapshots, random paths through them, and the guess beside the truth."""
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    axes = figure.subplots(1, 3, sharex=True, sharey=True)
    back, mean = seen.raw_map(2).T, seen.preprocessing.mean
    late = colormaps["viridis"](np.linspace(0.0, 0.9, len(TIMES)))  # darker is earlier
    for time, table, colour in zip(TIMES, seen.features, late, strict=True):
        words = f"t = {time:g}" + " (held out)" * (time == TIMES[HELD])
        axes[0].scatter(*table.T, s=4, linewidths=0, color=colour, label=words)
    for one in (found.paths[:, :80] @ back + mean).transpose(1, 2, 0):
        axes[1].plot(*one, linewidth=0.6, alpha=0.5, color="0.2")
    guess = found.paths[found.layer] @ back + mean
    for points, words, colour, mark in (
        (seen.features[HELD], "held-out cells", "#0072b2", "o"),
        (guess, "paths at that time", "#d55e00", "^"),
    ):
        axes[2].scatter(*points.T, s=7, linewidths=0, marker=mark, color=colour, label=words)
    titles = ("five snapshots", "80 random paths of the bridge", f"t = {TIMES[HELD]:g}: W2 {found.distance:.3f}")
    for ax, title in zip(axes, titles, strict=True):
        ax.set(title=title, aspect="equal", xlabel="x (feature units)")
    axes[0].set_ylabel("y (feature units)")
    for ax in (axes[0], axes[2]):
        ax.legend(markerscale=3, fontsize="small", loc="upper left")
    figure.savefig(path, dpi=120, bbox_inches="tight")
    return path


folder = Path("runs/trajectory")
folder.mkdir(parents=True, exist_ok=True)
if solution.problem.domain.comm.rank == 0:
    picture(folder / "trajectory.png")
for path in (folder / "trajectory.png", write_vtk(folder, solution)):
    say("wrote", path)

nearest = min(found.baselines["previous"], found.baselines["next"])
say(f"trajectory: held-out W2 {found.distance / nearest:.3f} of the nearest snapshot's, allowed {allowed}")
assert found.distance <= allowed * nearest
