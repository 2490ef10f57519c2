"""Depth: the network of N layers converges to the infinitely deep one, at the rate that is predicted.

Its objective does too, and both the difference and what it becomes once the modified system is solved are known.

Run it with ``python demos/depth.py``, or under the environment's own mpiexec; ``--small`` takes fewer layers. It
writes a figure into runs/depth.
"""

# Take a velocity u(t, x) and cut depth into N layers. The network
#
#     x_{k+1} = x_k + Delta u(t_k, x_k),     Delta = T / N,
#
# is Euler's method for x' = u(t, x), the infinitely deep network. How far are the two apart at the last layer? With
# Lip >= |grad u| and x'' = u_t + (u . grad) u the error of a layer obeys
#
#     e_{k+1} <= (1 + Delta Lip) e_k + Delta^2/2 |x''|,   and so
#
#     e_N <= Delta/2 max |x''| (exp(Lip T) - 1) / Lip.
#
# It is a worst case over all of feature space and depth. Keeping Lip_k and |x''|_k of each layer is sharper:
#
#     e_N <= Delta/2 sum_k Delta max |x''|_k exp(sum_{j > k} Delta Lip_j).

import sys
from pathlib import Path

import numpy as np

import hydrodl as hd
from hydrodl.analysis.stability.layer_gradients import accelerations, lipschitz
from hydrodl.mesh.gathering import gather, gather_nodes, lexicographic

# isort: split
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.ndimage import map_coordinates

small = "--small" in sys.argv[1:]
deep, nodes = (32, 21) if small else (64, 31)
counts = np.array([4, 8, 16, 32, 64, 128, 256])
trained_counts = (4, 8) if small else (4, 8, 16)
samples = hd.load_dataset("two_moons", n=400, seed=0)
domain = hd.Domain.around(samples, nodes=nodes)


def say(*words: object) -> None:
    """Print on the first rank."""
    if domain.comm.rank == 0:
        print(*words, flush=True)


# One deep training gives the velocity: two moons pulled apart, as in two_moons.py, in many layers. The scheme is one
# whose noise does not depend on the layers, of which there are many here on one mesh; the default asks for more nodes.
# Between the middles of its layers u is linear in t, in features it is the finite-element function, so it is known
# everywhere.


def train(layers: int, start: np.ndarray | None = None) -> hd.Solution:
    """Two moons in some number of layers."""
    rho = hd.densities(samples, domain, bandwidth=0.2)
    physics = hd.Lagrangian(noise=0.02, decay=0.02, smoothness=0.3)
    problem = hd.Problem(domain, hd.layers(layers), rho, physics, hd.Classification(weight=5.0), "euler-box")
    solution = hd.train(problem, initial=start)
    assert solution.converged, solution.reason
    return solution


solution = train(deep)
flow = solution.flow
say(f"two moons: {deep} layers, {domain.nodes} nodes:", solution)


def on_grid(fields: np.ndarray) -> np.ndarray:
    """Nodal fields (..., owned) as tables over the grid of nodes, (..., nodes, nodes), on all ranks."""
    values, grid = gather(domain, fields), gather_nodes(domain)
    tables = None
    if values is not None and grid is not None:
        tables = values[..., lexicographic(grid)].reshape(*values.shape[:-1], nodes, nodes)
    return domain.comm.bcast(tables)


table = on_grid(flow.velocity)  # (deep, 2, nodes, nodes)
low, high = domain.bounds


def velocity(t: float, x: np.ndarray) -> np.ndarray:
    """u(t, x) at points (n, 2): linear in t and bilinear in x, which is what Q1 elements are on boxes."""
    at = np.vstack([np.full(len(x), t * deep - 0.5), ((x - low) / (high - low) * (nodes - 1)).T])
    return np.array([map_coordinates(table[:, i], at, order=1, mode="nearest") for i in range(2)]).T


def euler(x: np.ndarray, layers: int, shift: float = 0.0) -> np.ndarray:
    """The network of so many layers, each with u of its beginning (shift 0) or of its middle (shift 1/2)."""
    for k in range(layers):
        x = x + velocity((k + shift) / layers, x) / layers
    return x


def infinitely_deep(x: np.ndarray, steps: int) -> np.ndarray:
    """Runge and Kutta's method of order 4 in fine steps. Walls: no point comes near them, which is checked."""
    tau = 1.0 / steps
    for k in range(steps):
        a = velocity(k * tau, x)
        b = velocity((k + 0.5) * tau, x + tau / 2 * a)
        c = velocity((k + 0.5) * tau, x + tau / 2 * b)
        x = x + tau / 6 * (a + 2 * b + 2 * c + velocity((k + 1) * tau, x + tau * c))
        assert ((x > low) & (x < high)).all()
    return x


# Test points are samples that training has not seen. The error is the largest distance over them. With u from the
# middles of the deep layers, this is the trained network itself.

points = samples.preprocessing.apply(hd.load_dataset("two_moons", n=1000, seed=7).features)
exact = infinitely_deep(points, 2048)
doubt = float(np.abs(exact - infinitely_deep(points, 1024)).max())


assert np.abs(euler(points, deep, 0.5) - hd.Network(solution).push(points)[-1]).max() < 1e-10


def distance(x: np.ndarray, y: np.ndarray) -> float:
    """The largest distance of corresponding points."""
    return float(np.sqrt(((x - y) ** 2).sum(axis=1)).max())


measured = np.array([distance(euler(points, n), exact) for n in counts])

# Both bounds for every N, from Lip and |x''| of the deep flow. In each of the N layers count the largest values of all
# deep layers that touch it, and of their neighbours, which u borrows from.


def spread(values: np.ndarray) -> np.ndarray:
    """The largest of each value and its neighbours."""
    padded = np.pad(values, 1, mode="edge")
    return np.max([padded[:-2], padded[1:-1], padded[2:]], axis=0)


def over(values: np.ndarray, layers: int) -> np.ndarray:
    """The largest of the deep layers' values in each of some number of layers."""
    fine = np.repeat(values, max(1, layers // deep))
    return fine.reshape(layers, -1).max(axis=1)


lip, bend = spread(lipschitz(flow)), spread(accelerations(flow))
worst = bend.max() * np.expm1(lip.max()) / lip.max() / (2 * counts)
by_layer = []
for n in counts:
    grows = over(lip, n) / n
    after = np.cumsum(grows[::-1])[::-1] - grows
    by_layer.append(float((over(bend, n) * np.exp(after)).sum() / n) / (2 * n))

# And networks that are trained in few layers, each for itself. Their velocities differ from the deep one by the error
# of the scheme, of first order as well, so that they converge at the same rate, as long as the deep one counts as
# infinitely deep; no bound is claimed for them.

alone, shallow, start = [], [], None
for n in trained_counts:
    start = None if start is None else np.repeat(start, 2, axis=0)
    shallow.append(train(n, start))
    start = shallow[-1].velocity
    alone.append(distance(hd.Network(shallow[-1]).push(points)[-1], exact))

# What do those networks optimise? J of N layers differs from J of infinitely many by an integral over the discrete
# solution itself, to first order in Delta: the objective error, predicted without another training. And the discrete
# equations are those of a modified system, of which the layers are a discretisation of one order more: solved in finer
# layers, it has the objective of the N layers, not that of the infinitely deep network.

limit = solution.objective - hd.analysis.objective_error(solution).layers
apart = np.array([one.objective - limit for one in shallow])
predicted = np.array([hd.analysis.objective_error(one).layers for one in shallow])
left = np.array([abs(one.objective - hd.modified(one).objective) for one in shallow])

# The slope in the logarithmic picture is the order.

orders = np.log2(measured[:-1] / measured[1:])
order = float(-np.polyfit(np.log(counts), np.log(measured), 1)[0])


def paint() -> Figure:
    """Errors and bounds over the number of layers."""
    figure = Figure(figsize=(9.4, 4.4), layout="constrained")
    ax, below = figure.subplots(1, 2)
    ax.loglog(
        counts,
        worst,
        color="#7F7F7F",
        linestyle=":",
        label=r"$\Delta/2\,\max|x''|\,(e^{\mathrm{Lip}\,T}-1)/\mathrm{Lip}$",
    )
    ax.loglog(counts, by_layer, color="#009E73", label="the same, layer by layer")
    ax.loglog(counts, measured, color="#0072B2", marker="o", markersize=5, label="measured, same velocity")
    ax.loglog(
        trained_counts, alone, color="#D55E00", marker="^", linestyle="--", markersize=5, label="measured, trained anew"
    )
    ax.loglog(counts, 0.6 * measured[-1] * counts[-1] / counts, color="black", linewidth=0.7, label="order 1")
    ax.set(xlabel="layers $N$", ylabel="distance to the infinitely deep network (feature units)")
    ax.set_xticks(counts, [str(n) for n in counts])
    ax.set_xticks([], minor=True)
    below.loglog(trained_counts, apart, color="#D55E00", marker="^", label="$J_N - J$, trained")
    below.loglog(
        trained_counts, predicted, color="#0072B2", marker="o", markersize=4, label="predicted, from one network"
    )
    below.loglog(trained_counts, left, color="#009E73", marker="s", label="$|J_N - J|$ of the modified system")
    below.set(xlabel="layers $N$", ylabel="difference of objectives (nondimensional)")
    below.set_xticks(trained_counts, [str(n) for n in trained_counts])
    below.set_xticks([], minor=True)
    for axes, words in ((ax, "where the network takes points"), (below, "what it optimises")):
        axes.set_title(words, fontsize=10)
        axes.legend(loc="upper right" if axes is ax else "center", fontsize=7.5, frameon=False)
    return figure


if domain.comm.rank == 0:
    folder = Path("runs/depth")
    folder.mkdir(parents=True, exist_ok=True)
    with rc_context({"font.size": 9, "axes.linewidth": 0.7}):
        FigureCanvasAgg(paint()).print_figure(str(folder / "depth.png"), dpi=200, bbox_inches="tight", pad_inches=0.06)
    say("wrote", folder / "depth.png")

say(f"Lip {lip.max():.2f}, |x''| {bend.max():.2f}; the reference is good to {doubt:.1e}")
say("layers   measured  order   bound by layer   worst case   trained anew")
for i, n in enumerate(counts):
    rate = f"{orders[i - 1]:5.2f}" if i else "     "
    own = f"{alone[i]:12.4f}" if i < len(alone) else ""
    say(f"{n:6d}   {measured[i]:8.5f}  {rate}   {by_layer[i]:14.4f}   {worst[i]:10.4f}   {own}")
factors = by_layer[-1] / measured[-1], worst[-1] / measured[-1]
say(f"order {order:.3f}; error below the bounds by factors of {factors[0]:.1f} and {factors[1]:.1f}")
assert doubt < measured[-1] / 20
assert 0.9 <= order <= 1.1
assert (measured <= by_layer).all()
assert (by_layer <= worst * (1 + 1e-12)).all()
say("layers   J_N - J   predicted   to the modified system")
for row in zip(trained_counts, apart, predicted, left, strict=True):
    say("{:6d}   {:.5f}   {:9.5f}   {:22.1e}".format(*row))
assert (abs(predicted / apart - 1) < 0.2).all()
assert (left < apart / 100).all()
