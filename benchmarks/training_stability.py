"""Stability of training, predicted and observed: steps of descent, Newton's ball, changes of the data.

    python benchmarks/training_stability.py            # all four tables; --problems, --balls, --each set how many

Random problems in one and two dimensions, every scheme, classification and target densities, with and without
congestion, velocities at the nodes, neurons and neurons trained whole in turn. Predictions are those of
``hd.analysis.training_stability``; what is observed is computed without them: by ``hd.descend`` with its moving inner
product, by Newton steps without line search, by training anew with the changed data.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple, TextIO

import numpy as np

import hydrodl as hd
from hydrodl.analysis.stability.training_stability import KNOTS, TrainingStability

# isort: split
from mpi4py import MPI

SCHEMES = ("strang", "residual", "euler-box", "midpoint", "strang-cubic")
TIGHT = {"tao_gatol": 1e-11}
MODES = 20  # of the data
FLOOR = 1e-9  # errors of Newton's method below it are rounding


def say(*words: object, file: TextIO | None = None) -> None:
    """Print on the first rank."""
    if MPI.COMM_WORLD.rank == 0:
        print(*words, file=file, flush=True)


def span(values: list[float], digits: int = 2) -> str:
    """From the smallest to the largest."""
    return f"{min(values):.{digits}g} .. {max(values):.{digits}g}"


def row(*cells: object) -> None:
    """A row of a table."""
    say("| " + " | ".join(map(str, cells)) + " |")


def head(*cells: str) -> None:
    """The head of one."""
    row(*cells)
    say("|" + "---|" * len(cells))


def draw(seed: int, **fixed: object) -> hd.Problem:
    """A random problem.

    Every scheme once in five seeds, two of six in two dimensions, one of three with neurons, half of them trained
    whole, one of four with target densities, one of seven with congestion.
    """
    rng = np.random.default_rng(seed)
    d = 2 if seed % 6 in (1, 4) else 1
    nodes = int(rng.integers(7, 12)) if d == 2 else int(rng.integers(15, 34))
    domain = hd.Domain.box([-2] * d, [2] * d, nodes)
    components = [hd.Gaussian(rng.uniform(-0.9, 0.9, d), rng.uniform(0.3, 0.6), label=c) for c in range(2 + seed % 2)]
    physics = hd.Lagrangian(
        noise=float(rng.uniform(0.05, 0.3)),
        decay=float(rng.choice([0.02, 0.05, 0.2])),
        smoothness=float(rng.choice([0.0, 0.1, 0.3])),
    )
    rho, weight = hd.mixture(components, domain), float(np.exp(rng.uniform(0, 3.4)))
    loss: hd.Classification | hd.Density
    if seed % 4 == 2:
        goals = [hd.Gaussian(rng.uniform(-0.9, 0.9, d), 0.5, label=c) for c in range(len(components))]
        loss = hd.Density(weight, hd.mixture(goals, domain), divergence="l2" if seed % 8 == 2 else "kl")
    else:
        loss = hd.Classification(weight, trained=seed % 7 == 3, decay=0.05)
    if seed % 7 == 5:
        physics = replace(physics, energy=hd.Power(0.3, 2.0))
    hidden = "trained" if seed % 6 == 5 else "fixed"
    neurons = hd.Neurons(int(rng.integers(4, 20)), decay=1e-2, hidden_weights=hidden) if seed % 3 == 2 else None
    layers = hd.layers(int(rng.integers(2, 9)))
    return hd.Problem(domain, layers, rho, physics, loss, SCHEMES[seed % 5], neurons)


class Case(NamedTuple):
    """A trained problem and what is predicted of it."""

    seed: int
    problem: hd.Problem
    near: hd.Neighbourhood
    stability: TrainingStability

    @property
    def kind(self) -> str:
        """Scheme, and what is trained."""
        control = self.problem.control
        return f"{self.problem.scheme}{'' if control is None else ', whole neurons' if control.whole else ', neurons'}"


def trained(problem: hd.Problem, initial: hd.Controls | None = None) -> hd.Solution:
    """To rounding."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return hd.train(problem, options=TIGHT, initial=initial)


def cases(count: int) -> Iterator[Case]:
    """So many problems with a strict minimum, trained; what has none is passed over and named."""
    seed = 0
    while count:
        problem = draw(seed)
        solution = trained(problem)
        with hd.Neighbourhood(solution) as near:
            case = Case(seed, problem, near, hd.analysis.training_stability(near))
            if solution.converged and case.stability.newton_radius > 0:
                count -= 1
                yield case
            else:
                say(f"(seed {seed} has no strict minimum: {case.kind}, {solution.reason})\n", file=sys.stderr)
        seed += 1


# Steps of descent. It starts so near the minimum that the linear theory decides, in a random direction with some of the
# top eigenvector in it.


class Steps(NamedTuple):
    """Distances from the minimum after descents with 1.95 and 2.05 / lambda_n, over that at the start."""

    below: float
    above: float
    along_top: float
    predicted: float


def descents(case: Case, steps: int = 120) -> Steps:
    """Observe both."""
    near, rng = case.near, np.random.default_rng(case.seed)
    found = hd.analysis.spectrum(near, comm=near.comm, tolerance=1e-8)
    top = found.largest_modes[0].ravel()
    noise = near.precondition(near.rough() * rng.choice([-1, 1]))
    start = top + noise / near.length(noise)
    start *= 1e-5 * case.stability.newton_radius / near.length(start)
    problem, limit = near.solution.problem, case.stability.descent
    ends = []
    for share in (0.975, 1.025):
        descent = hd.descend(problem, share * limit.limit, steps=steps, initial=near.controls(start), tolerance=0.0)
        ends.append(near.step_to(descent.controls))
    first = near.length(start)
    sizes = [near.length(end) / first for end in ends]
    share = abs(near.dot(near.metric_product(top), ends[1])) / near.length(ends[1])
    return Steps(*sizes, share, limit.contraction(0.975 * limit.limit) ** steps)


def show_descents(count: int) -> None:
    """One row for each kind of problem."""
    rows: dict[str, list[tuple[float, Steps]]] = {}
    for case in cases(count):
        rows.setdefault(case.kind, []).append((case.stability.descent.largest, descents(case)))
    head("problem", "number", "lambda_n", "1.95: error after 120 steps", "predicted, at most", "2.05: the same")
    good = 0
    for kind, found in sorted(rows.items()):
        seen = [steps for _, steps in found]
        largest = [value for value, _ in found]
        good += sum(s.below < 1 < s.above and s.along_top > 0.99 for s in seen)
        below, above = ([getattr(s, name) for s in seen] for name in ("below", "above"))
        most = max(s.predicted for s in seen)
        row(kind, len(found), span(largest, 3), span(below), f"{most:.2g}", span(above, 3))
    say(f"\n{good} of {count}: nearer with 1.95 / lambda_n, away along the top eigenvector with 2.05 / lambda_n")


# Newton's ball.


def direction(case: Case, rng: np.random.Generator) -> np.ndarray:
    """Random in one of four ways: rough, smooth, at one node alone, between the ends of the spectrum."""
    near, kind = case.near, rng.integers(4)
    if kind == 2:
        unit = np.zeros(near.shape)
        unit[rng.integers(unit.size)] = 1.0
        found = unit
    elif kind == 3:
        ends = hd.analysis.spectrum(near, 2, comm=near.comm, tolerance=1e-6)
        modes = np.concatenate([ends.largest_modes, ends.smallest_modes]).reshape(4, -1)
        found = rng.normal(size=4) @ modes
    else:
        found = near.precondition(rng.normal(size=near.shape))
        if kind == 1:
            for _ in range(3):  # what the compact part of the Hessian makes of it
                found = near.precondition(near.hessian_product(found)) - found
    return found / near.length(found)


def newton(case: Case, rng: np.random.Generator) -> tuple[list[float], float]:
    """Errors of Newton's method from a start in the ball, and the largest of them over its bound."""
    near, stability = case.near, case.stability
    error = direction(case, rng) * stability.newton_radius * rng.uniform(0.3, 1.0)
    errors, worst = [near.length(error)], 0.0
    while errors[-1] > FLOOR and len(errors) < 12:
        error = near.newton_step(error)
        errors.append(near.length(error))
        if errors[-1] > FLOOR:
            worst = max(worst, errors[-1] / stability.newton_error(errors[-2]))
    return errors, worst


def show_newton(count: int, each: int) -> None:
    """One row for each kind."""
    rows: dict[str, list[tuple[list[float], float, float]]] = {}
    for case in cases(count):
        rng = np.random.default_rng(1000 + case.seed)
        found = [(*newton(case, rng), case.stability.newton_radius) for _ in range(each)]
        rows.setdefault(case.kind, []).extend(found)
    head("problem", "starts", "radius", "steps to 1e-9", "error / bound, at most")
    good = total = 0
    for kind, found in sorted(rows.items()):
        steps = [len(errors) - 1 for errors, _, _ in found]
        worst, radii = max(w for _, w, _ in found), [r for _, _, r in found]
        good += sum(errors[-1] <= FLOOR and w <= 1 for errors, w, _ in found)
        total += len(found)
        row(kind, len(found), span(radii), f"{min(steps)} .. {max(steps)}", f"{worst:.2g}")
    say(f"\n{good} of {total}: no line search, every error within its bound (floor: {KNOTS:g} of the radius)")


# Changes of the data.


def change(case: Case, rng: np.random.Generator) -> np.ndarray:
    """A change of random kind and of a random length within the radius; densities stay non-negative."""
    near, rho = case.near, case.problem.densities.values
    x, kind = case.problem.domain.coordinates[: case.problem.domain.owned], rng.integers(4)
    place = rng.uniform(-1, 1, x.shape[1])
    bump = np.exp(-((x - place) ** 2).sum(axis=1) / (2 * rng.uniform(0.2, 0.8) ** 2))
    a, b = rng.permutation(len(rho))[:2]
    delta = np.zeros_like(rho)
    if kind == 0:  # other labels near a place
        delta[a], delta[b] = -bump * rho[a], bump * rho[a]
    elif kind == 1:  # more samples there
        delta[a] = bump
    elif kind == 2:  # samples moved
        delta[a] = bump * rho.sum() / bump.sum() * 0.5 - rho[a]
    else:  # every value by itself
        delta = rho * rng.uniform(-1, 1, rho.shape)
    delta *= case.stability.data_radius * rng.uniform(0.2, 1.0) / near.data_length(delta)
    return delta if (rho + delta).min() >= 0 else np.maximum(rho + delta, 0) - rho


class Motion(NamedTuple):
    """How far training anew moves the network, and bounds: for this change, by the modes, for all of its length."""

    seen: float
    own: float
    by_modes: float
    every: float


def moved(case: Case, delta: np.ndarray, modes: hd.analysis.DataModes) -> Motion:
    """Train with other data, from the minimum."""
    near, given = case.near, case.near.solution.problem  # its readout as trained
    other = replace(given, densities=replace(given.densities, values=given.densities.values + delta))
    again = trained(other, near.controls(np.zeros(near.shape)))
    seen = near.length(near.step_to(again.controls))
    found = hd.analysis.data_change(near, case.stability, delta)
    before = hd.analysis.data_change(near, case.stability, delta, modes)
    return Motion(seen, found.bound, before.bound, case.stability.motion(found.size))


def sharpness(case: Case, worst: np.ndarray) -> list[float]:
    """The bound for all changes of a length over what the worst does, both ways, at half of the radius and at it.

    By x <- x - H^-1 g, which converges there, since densities may turn negative.
    """
    near, found = case.near, []
    for share in (-1.0, -0.5, 0.5, 1.0):
        size = share * case.stability.data_radius * (1 - 1e-9)
        error, last = np.zeros(near.shape), np.inf
        while last > 1e-6 * near.length(error):
            step = near.solve(near.gradients(error, size * worst)[0], 1e-8)
            error, last = error - step, near.length(step)
        found.append(case.stability.motion(abs(size)) / near.length(error))
    return found


def show_changes(count: int, each: int) -> None:
    """One row for each kind."""
    rows: dict[str, list[Motion]] = {}
    radii: dict[str, list[float]] = {}
    sharp: dict[str, list[float]] = {}
    for case in cases(count):
        rng, modes = np.random.default_rng(2000 + case.seed), hd.analysis.data_modes(case.near, MODES)
        rows.setdefault(case.kind, []).extend(moved(case, change(case, rng), modes) for _ in range(each))
        radii.setdefault(case.kind, []).append(case.stability.data_radius)
        sharp.setdefault(case.kind, []).extend(sharpness(case, modes.changes[0]))
    head(
        "problem",
        "changes",
        "radius",
        "this change",
        f"by {MODES} modes",
        "by length alone",
        "by length, the worst change",
    )
    good = before = 0
    for kind, found in sorted(rows.items()):
        ratios = [[bound / motion.seen for motion in found for bound in motion[n : n + 1]] for n in (1, 2, 3)]
        good += sum(1 <= ratio <= 10 for ratio in ratios[0])
        before += sum(1 <= ratio <= 10 for ratio in ratios[1])
        row(kind, len(found), span(radii[kind]), *(span(values, 3) for values in (*ratios, sharp[kind])))
    say(f"\n{good} and {before} of {count * each} move less than both bounds, which are within 10 times")


# As a function of layers, nodes and width.


def parted(layers: int, nodes: int, width: int | None, scheme: str = "strang") -> hd.Problem:
    """Two clumps to be parted."""
    domain = hd.Domain.interval(-2.5, 2.5, nodes)
    clumps = [hd.Gaussian(mean, 0.4, label=label) for mean, label in ((-1.0, 0), (0.2, 1), (1.0, 0))]
    physics = hd.Lagrangian(noise=0.1, decay=0.05, smoothness=0.2)
    control = None if width is None else hd.Neurons(width)
    return hd.Problem(
        domain, hd.layers(layers), hd.mixture(clumps, domain), physics, hd.Classification(10.0), scheme, control
    )


def show_sizes() -> None:
    """Rows over N, M and J."""
    head("N", "M", "J", "lambda_1", "lambda_n", "step limit", "best factor a step", "Newton's ball", "data radius")
    sizes: list[tuple[int, int, int | None]] = [(n, 41, None) for n in (2, 4, 8, 16, 32)]
    sizes += [(8, m, None) for m in (21, 81, 161)] + [(8, 41, j) for j in (4, 8, 16, 32)]
    for n, m, j in sizes:
        with hd.Neighbourhood(trained(parted(n, m, j))) as near:
            found = hd.analysis.training_stability(near)
        limit = found.descent
        numbers = limit.smallest, limit.largest, limit.limit, limit.contraction(limit.best)
        row(n, m, j or "", *(f"{x:.4g}" for x in (*numbers, found.newton_radius, found.data_radius)))


def main() -> None:
    """All tables, or some."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("descent", "newton", "data", "sizes"), nargs="*", help="some of the tables")
    parser.add_argument("--problems", type=int, default=60, help="of descent")
    parser.add_argument("--balls", type=int, default=20, help="problems for Newton's ball and for changes of the data")
    parser.add_argument("--each", type=int, default=10, help="starts and changes on each of them")
    given = parser.parse_args()
    tables = {
        "descent": ("Steps of descent", lambda: show_descents(given.problems)),
        "newton": ("Newton's ball", lambda: show_newton(given.balls, given.each)),
        "data": ("Changes of the data", lambda: show_changes(given.balls, given.each)),
        "sizes": ("Layers, nodes, width", show_sizes),
    }
    for name in given.only or tables:
        title, show = tables[name]
        say(f"## {title}\n")
        show()
        say("")


if __name__ == "__main__":
    main()
