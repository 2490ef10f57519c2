"""Placed layers against equal ones, refined meshes against uniform ones: error of J against unknowns.

    python benchmarks/adaptivity.py [--only layers|nodes] [--case NAME]

By the scheme "euler-box". Prints Markdown tables. The last column is how many equal layers, or uniform nodes, have the
same error, by interpolation in the logarithms; ">" where the largest number tried does not reach it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import hydrodl as hd
from hydrodl.adaptivity.adaptive_training import adapt
from hydrodl.adaptivity.layer_placement import adapted_layers, layer_at, objective_errors
from hydrodl.adaptivity.velocity_transfer import transfer

ProblemOn = Callable[[hd.Domain, hd.Layers], hd.Problem]
GAUSSIAN = [hd.Gaussian(-1.0, 0.3)]
SCHEME = "euler-box"  # nodes stay as they are: by layer maps more and thinner layers would bring more noise


def one_loss(domain: hd.Domain, layers: hd.Layers) -> hd.Problem:
    """A Gaussian moved by 2 with one loss at the end: a control, even in depth."""
    return hd.Problem(
        domain,
        layers,
        hd.mixture(GAUSSIAN, domain),
        hd.Lagrangian(0.05, smoothness=0.0),
        hd.Position(2.5, [[1.0]]),
        SCHEME,
    )


def early_loss(domain: hd.Domain, layers: hd.Layers) -> hd.Problem:
    """The same, to be there at a tenth of the depth already, and half-way back at the end."""
    losses = [hd.Position(20.0, [[1.0]], layer=layer_at(layers, 0.1)), hd.Position(0.5, [[0.5]])]
    return hd.Problem(domain, layers, hd.mixture(GAUSSIAN, domain), hd.Lagrangian(0.05, smoothness=0.0), losses, SCHEME)


def turnpike(domain: hd.Domain, layers: hd.Layers) -> hd.Problem:
    """The same in a potential, which pulls at once: fast at first, then at rest (a turnpike)."""
    physics = hd.Lagrangian(0.05, potential=lambda x: 12.5 * (x[:, 0] - 1) ** 2, smoothness=0.0)
    return hd.Problem(domain, layers, hd.mixture(GAUSSIAN, domain), physics, hd.Position(1.0, [[1.0]]), SCHEME)


def moons(domain: hd.Domain, layers: hd.Layers) -> hd.Problem:
    """Two moons, classified at the end."""
    samples = hd.load_dataset("two_moons", n=400, seed=0)
    rho, physics = hd.densities(samples, domain, bandwidth=0.2), hd.Lagrangian(0.02, smoothness=0.1)
    return hd.Problem(domain, layers, rho, physics, hd.Classification(10.0), SCHEME)


def moons_early(domain: hd.Domain, layers: hd.Layers) -> hd.Problem:
    """Two moons, classified at an eighth of the depth, and at the end once more."""
    losses = [hd.Classification(10.0, layer=layer_at(layers, 0.125)), hd.Classification(1.0)]
    problem = moons(domain, layers)
    return hd.Problem(domain, layers, problem.densities, problem.lagrangian, losses, SCHEME)


def narrow_line(domain: hd.Domain, layers: hd.Layers) -> hd.Problem:
    """Two narrow classes in a box of 80 standard deviations."""
    rho = hd.mixture([hd.Gaussian(-0.5, 0.2, label=0), hd.Gaussian(0.5, 0.2, label=1)], domain)
    loss = hd.Classification(2.0, hd.Readout([[-2.0], [2.0]], [0.0, 0.0]))
    return hd.Problem(domain, layers, rho, hd.Lagrangian(0.05, smoothness=0.0), loss)


def narrow_plane(domain: hd.Domain, layers: hd.Layers) -> hd.Problem:
    """Two narrow classes in a wide square."""
    rho = hd.mixture([hd.Gaussian([-0.5, 0.0], 0.3, label=0), hd.Gaussian([0.5, 0.0], 0.3, label=1)], domain)
    loss = hd.Classification(2.0, hd.Readout([[-2.0, 0.0], [2.0, 0.0]], [0.0, 0.0]))
    return hd.Problem(domain, layers, rho, hd.Lagrangian(0.05, smoothness=0.0), loss)


class Deep(NamedTuple):
    """Layers to compare: equal numbers of them, placed numbers of them, how many the reference has."""

    domain: hd.Domain
    equal: tuple[int, ...]
    placed: tuple[int, ...]
    most: int


class Wide(NamedTuple):
    """Meshes to compare: uniform vertex counts of a box, how often the coarsest is refined, and for the reference."""

    dimension: int
    half: float
    uniform: tuple[int, ...]
    rounds: int
    more: int


LINE = hd.Domain.interval(-2.5, 2.5, 41)
LAYERS: dict[str, tuple[ProblemOn, Callable[[], Deep]]] = {
    "one_loss": (one_loss, lambda: Deep(LINE, (10, 20, 40, 80), (10, 20, 40), 160)),
    "early_loss": (early_loss, lambda: Deep(LINE, (10, 20, 40, 80, 160), (5, 10, 20, 40), 160)),
    "turnpike": (turnpike, lambda: Deep(LINE, (10, 20, 40, 80, 160), (10, 20, 40), 160)),
    "moons": (moons, lambda: Deep(_around_moons(), (4, 8, 16, 32), (4, 8, 16), 32)),
    "moons_early": (moons_early, lambda: Deep(_around_moons(), (8, 16, 32, 64), (4, 8, 16), 32)),
}
NODES: dict[str, tuple[ProblemOn, Wide]] = {
    "narrow_line": (narrow_line, Wide(1, 8.0, (33, 65, 129, 257, 513, 1025), 9, 3)),
    "narrow_plane": (narrow_plane, Wide(2, 4.0, (17, 33, 65, 129), 6, 1)),
}


def _around_moons() -> hd.Domain:
    return hd.Domain.around(hd.load_dataset("two_moons", n=400, seed=0), nodes=25)


def same_error(numbers: list[int], errors: list[float], error: float) -> str:
    """How many equal layers or nodes have an error, interpolated."""
    if abs(error) < min(np.abs(errors)):
        return f"> {numbers[-1]}"
    falling = np.maximum.accumulate(np.abs(errors)[::-1])[::-1]
    return f"{np.exp(np.interp(-np.log(abs(error)), -np.log(falling), np.log(numbers))):.0f}"


def deepest(problem_on: ProblemOn, domain: hd.Domain, start: hd.Solution, count: int) -> tuple[float, float]:
    """J in infinitely many layers, from placed ones and their own estimate of the error; and how sure that is."""
    found, solution = [], start
    for n in (count // 2, count):
        problem = problem_on(domain, adapted_layers(solution, n, margin=None))
        solution = hd.train(problem, initial=transfer(solution, problem))
        found.append(solution.objective - float(objective_errors(solution).sum()))
    return found[1], abs(found[1] - found[0])


def compare_layers(name: str) -> None:
    """One table of placed against equal layers."""
    problem_on, plan = LAYERS[name]
    domain, equal, placed, most = plan()
    solutions = {n: hd.train(problem_on(domain, hd.layers(n))) for n in equal}
    reference, doubt = deepest(problem_on, domain, solutions[equal[-1]], most)
    errors = [s.objective - reference for s in solutions.values()]
    print(f"\n{name}: {problem_on.__doc__} J = {reference:.6f}, up to {doubt:.0e}; {domain.nodes} nodes.\n")
    print("| layers | error, equal | its estimate | error, placed | thinnest | thickest | equal layers of that error |")
    print("|---|---|---|---|---|---|---|")
    for n in sorted({*equal, *placed}):
        row = ["", "", "", "", "", ""]
        if n in equal:
            row[:2] = [f"{solutions[n].objective - reference:.2e}", f"{objective_errors(solutions[n]).sum():.2e}"]
        if n in placed:
            last = solutions[equal[0]]
            for _ in range(2):  # placed on the coarsest equal layers, then on itself
                problem = problem_on(domain, adapted_layers(last, n, margin=None))
                last = hd.train(problem, initial=transfer(last, problem))
            error, steps = last.objective - reference, problem.layers.steps
            row[2:] = [f"{error:.2e}", f"{steps.min():.4f}", f"{steps.max():.4f}", same_error([*equal], errors, error)]
        print("| " + " | ".join([str(n), *row]) + " |", flush=True)


def compare_nodes(name: str) -> None:
    """One table of refined against uniform meshes, three layers."""
    problem_on, (d, half, uniform, rounds, more) = NODES[name]
    layers = hd.layers(3)
    found = adapt(problem_on, _square(d, half, uniform[0]), layers, rounds + more, bulk=0.6, growth=None)
    fine = hd.Domain(found[-1].problem.domain.mesh, 2, False)
    problem = problem_on(fine, layers)
    reference = hd.train(problem, initial=transfer(found[-1], problem))
    assert reference.converged and all(solution.converged for solution in found)
    print(f"\n{name}: {problem_on.__doc__} J = {reference.objective:.6f} on {fine.nodes} nodes of degree 2 without")
    print(f"fitted diffusion (smallest density {reference.min_density:.0e}); {len(layers)} layers.\n")
    numbers, errors = [], []
    print("| uniform nodes | error |\n|---|---|")
    for n in uniform:
        solution = hd.train(problem_on(_square(d, half, n), layers))
        numbers.append(solution.problem.domain.nodes)
        errors.append(solution.objective - reference.objective)
        print(f"| {numbers[-1]} | {errors[-1]:.2e} |", flush=True)
    print("\n| refined nodes | error | uniform nodes of that error | ratio |\n|---|---|---|---|")
    for solution in found[:rounds]:
        nodes, error = solution.problem.domain.nodes, solution.objective - reference.objective
        same = same_error(numbers, errors, error)
        ratio = f"{float(same.removeprefix('> ')) / nodes:.1f}"
        print(f"| {nodes} | {error:.2e} | {same} | {'> ' * same.startswith('>')}{ratio} |", flush=True)


def _square(d: int, half: float, nodes: int) -> hd.Domain:
    return hd.Domain.box([-half] * d, [half] * d, nodes, cells="simplex", lumped=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["layers", "nodes"])
    parser.add_argument("--case", choices=[*LAYERS, *NODES])
    chosen = parser.parse_args()
    for name in LAYERS if chosen.only != "nodes" else ():
        if chosen.case in (None, name):
            compare_layers(name)
    for name in NODES if chosen.only != "layers" else ():
        if chosen.case in (None, name):
            compare_nodes(name)


if __name__ == "__main__":
    main()
