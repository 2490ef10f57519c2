"""Stability map: how far networks are from the limit, and how stable their training is, over (N, M) and over (N, J).

Run it with ``python demos/stability_map.py``; under the environment's own mpiexec the ranks share the networks.
``--small`` takes fewer numbers. It writes a figure and a table into runs/stability_map.
"""

# How many layers N, nodes M and neurons J does a network need? Enough to be within a tolerance of the infinitely deep,
# fine and wide one, and so that training is stable. Here both are looked at for every pair of numbers, and what
# ``hd.recommend`` advises is marked. On a line a class stands between the halves of another; the readout is the default
# one, along the line through the class means.

import csv
import sys
import warnings
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
from stability_picture import Cell, draw

import hydrodl as hd
from hydrodl.adaptivity.output_error import data_points
from hydrodl.adaptivity.refined_problem import velocity_on
from hydrodl.analysis.stability.algorithm_bounds import observed_descents
from hydrodl.analysis.stability.layer_gradients import layer_determinants
from hydrodl.physics.neurons import neuron_gradients

# isort: split
from mpi4py import MPI

small = "--small" in sys.argv[1:]
LAYERS = (2, 8, 24) if small else (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64)
NODES = (17, 41) if small else (13, 17, 25, 33, 49, 65)
WIDTHS = (4, 16) if small else (2, 4, 6, 8, 12, 16, 24)
FINE = 49  # nodes of the map over layers and neurons
LIMIT = (128, 257)  # layers and nodes that stand for infinitely many
CLUMPS = [hd.Gaussian(mean, std=0.4, label=label) for mean, label in ((-1.0, 0), (0.2, 1), (1.0, 0))]
TOLERANCE = 0.01  # root mean square over the data, feature units
TIGHT = {"tao_gatol": 1e-10}
WITHIN = 0.9  # of the radii: where a start, or a change of the data, is taken
COMM = MPI.COMM_WORLD


def say(*words: object) -> None:
    """Print on the first rank."""
    if COMM.rank == 0:
        print(*words, flush=True)


def problem(layers: int, nodes: int, width: int | None = None) -> hd.Problem:
    """One point of the map; every rank has its own, hence its own domain."""
    domain = hd.Domain.interval(-2.5, 2.5, nodes, comm=MPI.COMM_SELF)
    physics = hd.Lagrangian(noise=0.1, decay=0.05, smoothness=0.2)
    control = None if width is None else hd.Neurons(width)
    rho = hd.mixture(CLUMPS, domain)
    return hd.Problem(domain, hd.layers(layers), rho, physics, hd.Classification(10.0), control=control)


def trained(given: hd.Problem, start: hd.Controls | None = None) -> hd.Solution:
    """To rounding; what a coarse mesh says of its noise is part of the map."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return hd.train(given, options=TIGHT, initial=start)


# Descent, x <- x - s P^-1 g, is predicted to converge near the minimum exactly for s < 2 / lambda_n; Newton's method
# without line search from everywhere in its ball; and a minimum to stay, and to move by less than a bound, for data
# within their radius. All three are tried. Newton starts in a rough direction.


def newton(near: hd.Neighbourhood, stability: hd.analysis.TrainingStability) -> float:
    """The largest error over its bound, down to rounding."""
    error = near.precondition(near.rough())
    error *= WITHIN * stability.newton_radius / near.length(error)
    sizes = [near.length(error)]
    while sizes[-1] > 1e-8 and len(sizes) < 10:
        error = near.newton_step(error)
        sizes.append(near.length(error))
    pairs = zip(sizes[1:], sizes[:-1], strict=True)
    return max(after / max(stability.newton_error(before), 1e-8) for after, before in pairs)


def other_labels(near: hd.Neighbourhood, stability: hd.analysis.TrainingStability) -> float:
    """Samples of the first class near a place get the other label: how far training anew goes, over the bound."""
    given = near.solution.problem
    rho, x = given.densities.values, given.domain.coordinates[: given.domain.owned, 0]
    taken = rho[0] * np.exp(-((x - 0.8) ** 2) / 0.18)
    delta = np.array([-taken, taken])
    delta *= WITHIN * stability.data_radius / near.data_length(delta)
    changed = hd.Densities(given.domain, rho + delta, given.densities.class_names)
    moved = trained(
        hd.Problem(given.domain, given.layers, changed, given.lagrangian, given.losses, given.scheme, given.control),
        near.controls(np.zeros(near.shape)),
    )
    return near.length(near.step_to(moved.controls)) / hd.analysis.data_change(near, stability, delta).bound


def least_slope(solution: hd.Solution) -> float:
    """The least slope of a layer: of all its pieces, or of neurons at many points."""
    control, steps = solution.coefficients, solution.problem.layers.steps
    if control is None or solution.neurons is None:
        return float(layer_determinants(solution.flow).min())
    x = np.linspace(-2.5, 2.5, 2001)[:, None]
    slopes = [neuron_gradients(solution.neurons, A, k, x)[:, 0, 0] for k, A in enumerate(control)]
    return float(min((1 + step * slope).min() for step, slope in zip(steps, slopes, strict=True)))


def look(size: tuple[int, int, int], points: np.ndarray, weights: np.ndarray, there: np.ndarray) -> Cell:
    """Train a network and try what is predicted of it."""
    layers, nodes, width = size
    solution = trained(problem(layers, nodes, width or None))
    apart = hd.Network(solution).push(points)[-1] - there
    distance = float(np.sqrt(weights @ (apart**2).sum(axis=1)))
    with hd.Neighbourhood(solution) as near:
        ends = hd.analysis.spectrum(near, comm=near.comm)
        stability = hd.analysis.training_stability(near, ends)
        radii = stability.descent.limit, stability.newton_radius, stability.data_radius
        if not stability.newton_radius > 0:  # no strict minimum: nothing is promised
            return Cell(*size, distance, least_slope(solution), *radii, *[float("nan")] * 5)
        shown = observed_descents(near, stability, ends.largest_modes[0].ravel())
        below, above = (float("nan"),) * 2 if shown is None else (line[-1] for line in shown.distances)
        halved = float("nan")
        if layers % 2 == 0 and not width:
            coarse = trained(problem(layers // 2, nodes))
            start = velocity_on(coarse.flow, solution.problem.layers, solution.problem.domain)
            halved = near.length(near.step_to(hd.Controls(start))) / stability.newton_radius
        tried = newton(near, stability), other_labels(near, stability)
    return Cell(*size, distance, least_slope(solution), *radii, below, above, *tried, halved)


def sweep() -> list[Cell]:
    """All networks, on all ranks."""
    limit = trained(problem(*LIMIT))
    points, weights = data_points(limit.flow)
    there = hd.Network(limit).push(points)[-1]
    sizes = [(n, m, 0) for m in NODES for n in LAYERS] + [(n, FINE, j) for j in WIDTHS for n in LAYERS]
    cells = [look(size, points, weights, there) for size in sizes[COMM.rank :: COMM.size]]
    every = [cell for part in COMM.allgather(cells) for cell in part]
    return sorted(every, key=lambda cell: sizes.index((cell.layers, cell.nodes, cell.width)))


def write_table(cells: list[Cell], path: Path) -> Path:
    """Every network."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Cell)])
        writer.writeheader()
        writer.writerows(asdict(cell) for cell in cells)
    return path


# What ``hd.recommend`` advises from one network that is far too small, by training others around it. It ends with the
# conditions of training at the size that it advises.


def advised(width: int | None) -> hd.analysis.Recommendation:
    """From 4 layers on 25 nodes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return hd.recommend(trained(problem(4, 25, width)), TOLERANCE, options=TIGHT)


say(f"stability map: {len(LAYERS)} numbers of layers x ({len(NODES)} of nodes + {len(WIDTHS)} of neurons)")
cells = sweep()
advice = {"nodes": advised(None), "neurons": advised(4)}
if COMM.rank == 0:
    folder = Path("runs/stability_map")
    folder.mkdir(parents=True, exist_ok=True)
    say("wrote", draw(cells, advice, TOLERANCE, folder / "map.png"))
    say("wrote", write_table(cells, folder / "cells.csv"))

strict = [cell for cell in cells if cell.newton_radius > 0]
kept = [sum(each) for each in zip(*(cell.as_predicted for cell in strict), strict=True)]
names = ("descent on both sides of its limit", "Newton's method within its ball", "other data within their radius")
for name, count in zip(names, kept, strict=True):
    say(f"{name}: {count} of {len(strict)} as predicted")
say(f"{sum(cell.slope <= 0 for cell in cells)} of {len(cells)} networks fold a layer")
halves = [cell for cell in strict if np.isfinite(cell.halved)]
inside = [cell.layers for cell in halves if cell.halved <= 1]
say(
    f"from the network of half the layers Newton's method needs no line search in {len(inside)} of {len(halves)}"
    + (f", the fewest {min(inside)} layers" if inside else "")
)

limit = trained(problem(*LIMIT))
points, weights = data_points(limit.flow)
for name, found in advice.items():
    size = (found.layers, found.nodes, found.width)
    apart = hd.Network(trained(problem(*size))).push(points)[-1] - hd.Network(limit).push(points)[-1]
    away = float(np.sqrt(weights @ (apart**2).sum(axis=1)))
    stable = [bound for bound in found.bounds if bound.note.startswith("with ")]
    failing = [bound.name for bound in stable if not bound.holds and not bound.sufficient_only]
    assert len(stable) >= 4 and not failing, failing
    say(f"recommended over {name}: {found}")
    say(f"{away:.4f} from the limit, allowed {TOLERANCE}; its training is stable: {', '.join(b.name for b in stable)}")
    assert away <= TOLERANCE, away
assert kept == [len(strict)] * 3 and len(strict) >= 0.9 * len(cells), (kept, len(strict), len(cells))
say(f"stability map: {sum(kept)} of {3 * len(strict)} predictions kept")
