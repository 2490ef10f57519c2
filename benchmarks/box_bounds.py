"""What the bounds of the box schemes predict, and what happens, over layers and nodes.

    python benchmarks/box_bounds.py [--small]

165 trainings on a line where two classes must run into each other and pass, so that few layers fold feature space, long
layers cost the midpoint scheme its positive densities, and coarse meshes need the fitted diffusion. Under mpiexec the
ranks share the runs.
"""

import sys
import warnings
from dataclasses import dataclass

import numpy as np

import hydrodl as hd
from hydrodl.analysis.stability.bounds import Bound
from hydrodl.analysis.stability.layer_gradients import layer_determinants
from hydrodl.analysis.stability.positivity import cell_peclet, maximum_principle
from hydrodl.analysis.stability.training_bounds import depth_convergence, layer_invertibility
from hydrodl.discretisation.slab_action import SlabAction
from hydrodl.problem.flow import Flow

# isort: split
from dolfinx import fem
from mpi4py import MPI

small = "--small" in sys.argv[1:]
LAYERS = (1, 3, 6, 12) if small else (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
NODES = (9, 17, 33, 65) if small else (9, 17, 33, 65, 129)
SERIES = (("euler-box", True), ("midpoint", True), ("euler-box", False))
CLUMPS = [hd.Gaussian(mean, std=0.15, label=label) for mean, label in ((-1.5, 0), (-0.5, 1), (0.5, 0), (1.5, 1))]
READOUT = hd.Readout(np.array([[-2.0], [2.0]]), np.zeros(2))
TOLERANCE = 0.1  # wanted distance, in feature units, between the network and the infinitely deep one
ROUNDING = 1e-12  # a density above minus this is not negative
OUTCOMES = ("well", "some density would turn negative", "this density turned negative", "training runs away")
COMM = MPI.COMM_WORLD


def say(*words: object) -> None:
    """Print on the first rank."""
    if COMM.rank == 0:
        print(*words, flush=True)


def pick(runs: "list[Run]", scheme: str, fitted: bool) -> "list[Run]":
    """The runs of one series."""
    return [run for run in runs if (run.scheme, run.fitted) == (scheme, fitted)]


def problem(scheme: str, fitted: bool, nodes: int, layers: int, clumps: list[hd.Gaussian] = CLUMPS) -> hd.Problem:
    """One point of the map; every rank has its own runs, hence its own domain."""
    domain = hd.Domain.interval(-3.0, 3.0, nodes, comm=MPI.COMM_SELF)
    physics = hd.Lagrangian(noise=0.05, decay=0.02, smoothness=0.1, fitted=fitted)
    loss = hd.Classification(10.0, READOUT)
    return hd.Problem(domain, hd.layers(layers), hd.mixture(clumps, domain), physics, loss, scheme)


# What is observed is computed without the bounds. One slab takes the density R to P R with
#
#     P_k = (M - theta Delta L_k)^-1 (M + (1 - theta) Delta L_k);
#
# densities stay non-negative, whatever they are, if and only if no entry of P_k is negative. The data at hand may be
# luckier: their own smallest density is recorded too. Growth is the norm of P_{N-1} ... P_0 on int |rho| dx: 1 if all
# P_k are non-negative, and then nothing can blow up; else more.


def operators(flow: Flow) -> tuple[np.ndarray, list[np.ndarray]]:
    """M and the L_k of all slabs, dense."""
    action, generators = SlabAction(flow.domain, flow.lagrangian), []
    for u in flow.velocity:
        action.set_slab(u)
        generators.append(fem.assemble_matrix(action.generator).to_dense())
    return fem.assemble_matrix(action.mass).to_dense(), generators


def slab_map(M: np.ndarray, L: np.ndarray, theta: float, step: float) -> np.ndarray:
    """P_k, scaled to act on the masses of nodes."""
    P = np.linalg.solve(M - theta * step * L, M + (1 - theta) * step * L)
    return np.diag(M)[:, None] * P / np.diag(M)


def positivity(flow: Flow) -> tuple[float, float]:
    """The smallest entry of all P_k, and the growth."""
    least, product = np.inf, np.eye(flow.domain.owned)
    M, generators = operators(flow)
    for L, step in zip(generators, flow.layers.steps, strict=True):
        P = slab_map(M, L, flow.theta, step)
        least, product = min(least, float(P.min())), P @ product
    return least, float(np.abs(product).sum(axis=0).max())


# The network is x <- x + Delta u_k(x). The infinitely deep network with the same velocity is x' = u(t, x), with u
# linear in t between the middles of layers; a fine Runge-Kutta solution stands for it. A layer folds feature space
# where its slope 1 + Delta u_k'(x) is not positive: u_k is piecewise linear, so the slopes of all elements are all.


def velocity_at(flow: Flow, t: float) -> np.ndarray:
    """u(t, .) at the nodes."""
    middle = (flow.layers.times[1:] + flow.layers.times[:-1]) / 2
    at = np.interp(t, middle, np.arange(len(middle)))
    k = min(int(at), max(len(middle) - 2, 0))
    return flow.velocity[k, 0] + (at - k) * (flow.velocity[min(k + 1, len(middle) - 1), 0] - flow.velocity[k, 0])


def depth_error(flow: Flow, points: np.ndarray, steps: int = 256) -> float:
    """The largest distance between the network and the infinitely deep one at the last layer."""
    order = np.argsort(flow.domain.coordinates[:, 0])
    nodes, low, high = flow.domain.coordinates[order, 0], *(float(end[0]) for end in flow.domain.bounds)
    network, deep, tau = points.copy(), points.copy(), flow.layers.depth / steps
    for u, step in zip(flow.velocity, flow.layers.steps, strict=True):
        network = np.clip(network + step * np.interp(network, nodes, u[0, order]), low, high)
    for k in range(steps):
        u = [velocity_at(flow, (k + shift) * tau)[order] for shift in (0.0, 0.5, 0.5, 1.0)]
        a = np.interp(deep, nodes, u[0])
        b = np.interp(deep + tau / 2 * a, nodes, u[1])
        c = np.interp(deep + tau / 2 * b, nodes, u[2])
        d = np.interp(deep + tau * c, nodes, u[3])
        deep = np.clip(deep + tau / 6 * (a + 2 * b + 2 * c + d), low, high)
    return float(np.abs(network - deep).max())


@dataclass(frozen=True)
class Run:
    """One run: what was trained, what was observed, what was predicted."""

    scheme: str
    fitted: bool
    nodes: int
    layers: int
    converged: bool
    objective: float
    min_density: float
    least_entry: float
    growth: float
    determinant: float
    depth_error: float
    positive: Bound
    peclet: Bound
    invertible: Bound
    deep: Bound

    @property
    def folds(self) -> bool:
        """Some layer is not one to one."""
        return self.determinant <= 0

    @property
    def signs(self) -> bool:
        """Some density would turn negative."""
        return self.least_entry < -ROUNDING

    @property
    def blown(self) -> bool:
        """Training did not converge, or found less than the least that J can be, 0."""
        return not self.converged or self.objective < 0

    @property
    def outcome(self) -> str:
        """What became of the densities."""
        if self.blown:
            return "training runs away"
        if self.min_density < -ROUNDING:
            return "this density turned negative"
        return "some density would turn negative" if self.signs else "well"


def train(scheme: str, fitted: bool, nodes: int, layers: int, points: np.ndarray) -> tuple[Run, Flow]:
    """Train and measure."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # negative densities are what is looked for
        solution = hd.train(problem(scheme, fitted, nodes, layers), options={"tao_max_it": 60})
    flow = solution.flow
    return Run(
        scheme,
        fitted,
        nodes,
        layers,
        solution.converged,
        solution.objective,
        solution.min_density,
        *positivity(flow),
        float(layer_determinants(flow).min()),
        depth_error(flow, points),
        maximum_principle(flow),
        cell_peclet(flow),
        layer_invertibility(flow),
        depth_convergence(flow, TOLERANCE, by_layer=True),
    ), flow


# A trained velocity changes with N, and whole numbers of layers are coarse where one or two are enough. So the velocity
# of the deepest run on every mesh is also kept as it is, and its layers are made longer until one of them folds, or
# loses a sign: the step at which that happens, over the step up to which the bound says that it does not, is exact.


def longest_signs(flow: Flow, ratio: float = 1.01) -> float:
    """The step at which a slab first loses a sign, over the predicted one, within one percent; 1 if it never does."""
    M, generators = operators(flow)
    step, slack = float(flow.layers.steps.max()) / max(maximum_principle(flow).value, 1e-300), 1.0
    while flow.theta < 1 and slack < 100:
        if any(slab_map(M, L, flow.theta, step * slack * ratio).min() < -ROUNDING for L in generators):
            break
        slack *= ratio
    return slack


def longest_one_to_one(flow: Flow) -> float:
    """The step at which a layer first folds, over the predicted one; infinite if none ever does."""
    step = float(flow.layers.steps.max())
    steepest = (1 - float(layer_determinants(flow).min())) / step  # the slope is 1 - Delta (-u'), in d = 1
    return layer_invertibility(flow).value / step / steepest if steepest > 0 else float("inf")


# That layer invertibility is sharp here is owed to the collision: the steepest slope of u is one that compresses. Two
# clumps that only have to move apart are the opposite case, and there the bound is sufficient only.


def apart(layers: int = 16) -> float:
    """``longest_one_to_one`` where each class stands on its own side already."""
    sides = [hd.Gaussian(-0.3, std=0.15, label=0), hd.Gaussian(0.3, std=0.15, label=1)]
    return longest_one_to_one(hd.train(problem("euler-box", True, 65, layers, sides)).flow)


def sweep() -> tuple[list[Run], dict[tuple[str, bool, int], dict[str, float]]]:
    """All runs, and the slack of the bounds at the deepest ones, on all ranks."""
    points = np.concatenate([c.center[0] + c.matrix[0, 0] ** 0.5 * np.linspace(-2.5, 2.5, 51) for c in CLUMPS])
    every = [(*kind, m, n) for kind in SERIES for m in NODES for n in LAYERS]
    runs, slack = [], {}
    for scheme, fitted, nodes, layers in every[COMM.rank :: COMM.size]:
        run, flow = train(scheme, fitted, nodes, layers, points)
        runs.append(run)
        if layers == max(LAYERS) and fitted:
            slack[scheme, fitted, nodes] = {"invertible": longest_one_to_one(flow), "positive": longest_signs(flow)}
    runs = [run for part in COMM.allgather(runs) for run in part]
    merged = {key: value for part in COMM.allgather(slack) for key, value in part.items()}
    return sorted(runs, key=lambda run: every.index((run.scheme, run.fitted, run.nodes, run.layers))), merged


# Sound: no run fails whose own bound holds. Lines promise more than bounds do, namely that the velocity of the deepest
# run is that of all; broken promises are counted. Sharp: the fewest layers of trained runs, predicted over observed, up
# to the next number that was tried; and the longest steps, observed over predicted.


def failures(run: Run) -> dict[str, bool]:
    """What went wrong, by the bound that is meant to exclude it."""
    signs = run.signs or run.growth > 1 + 1e-9 or run.min_density < -ROUNDING or run.blown
    return {"invertible": run.folds, "positive": signs, "deep": run.depth_error > TOLERANCE}


def unsound(runs: list[Run]) -> list[str]:
    """Runs that failed although their bound holds; none, if the bounds are right."""
    found = [f"{run.depth_error:.3g} away: {run.deep}" for run in runs if run.depth_error > run.deep.value]
    for run in runs:
        for name, failed in failures(run).items():
            if failed and getattr(run, name).holds:
                found.append(f"{run.scheme}, {run.nodes} nodes, {run.layers} layers: {getattr(run, name)}")
    return found


def broken(runs: list[Run]) -> tuple[list[str], int]:
    """Runs on or above the line of a bound that fail what it promises, and the number of all there."""
    found, count = [], 0
    for run in runs:
        deepest = {r.nodes: r for r in pick(runs, run.scheme, run.fitted) if r.layers == max(LAYERS)}[run.nodes]
        for name, failed in failures(run).items():
            needed = getattr(deepest, name).needs_layers
            if needed is not None and run.layers >= needed:
                count += 1
                if failed:
                    found.append(f"{name}: {run.scheme}, fitted {run.fitted}, {run.nodes} nodes, {run.layers} layers")
    return found, count


def first_well(runs: list[Run], fails: list[bool]) -> int | None:
    """The fewest layers from which on no run fails; None if the deepest does."""
    bad = max((run.layers for run, failed in zip(runs, fails, strict=True) if failed), default=0)
    return next((run.layers for run in runs if run.layers > bad), None)


def ladder(runs: list[Run], name: str) -> list[tuple[int, int | None, int | None]]:
    """(nodes, predicted, observed) fewest layers of trained runs, on every mesh."""
    found = []
    for nodes in NODES:
        here = [run for run in runs if run.nodes == nodes]
        holds = [not getattr(run, name).holds for run in here]
        found.append((nodes, first_well(here, holds), first_well(here, [failures(run)[name] for run in here])))
    return found


def table(runs: list[Run], slack: dict[tuple[str, bool, int], dict[str, float]]) -> None:
    """A row a series and mesh."""
    say("\nfewest layers, predicted / observed, and longest step, observed / predicted")
    say("scheme     fitted nodes   invertible     step    max. principle  step    within 0.1   needed by bound")
    for scheme, fitted in SERIES:
        here = pick(runs, scheme, fitted)
        for i, nodes in enumerate(NODES):
            found = slack.get((scheme, fitted, nodes), {})
            words = [[n or "-" for n in ladder(here, name)[i][1:]] for name in ("invertible", "positive", "deep")]
            one, two, three = (f"{p:>4} / {o:<4}" for p, o in words)
            step = [f"{found[name]:.2f}" if fitted else "" for name in ("invertible", "positive")]
            step[1] = step[1] if scheme == "midpoint" else ""  # nothing is asked of the steps of euler-box
            needed = next(r.deep.needs_layers for r in here if (r.nodes, r.layers) == (nodes, max(LAYERS)))
            far = "-" if needed is None else f"{needed:.1e}"
            say(f"{scheme:10} {fitted!s:6} {nodes:5}   {one}  {step[0]:6}  {two}     {step[1]:6}  {three}  {far:>8}")


def main() -> None:
    """The map, and what it says of the bounds."""
    say(f"bounds of the box schemes: {len(SERIES)} schemes x {len(NODES)} meshes x {len(LAYERS)} numbers of layers")
    runs, slack = sweep()
    counts = {word: sum(run.outcome == word for run in runs) for word in OUTCOMES}
    say(
        f"{len(runs)} runs: {sum(run.folds for run in runs)} fold a layer;",
        ", ".join(f"{n}: {w}" for w, n in counts.items()),
    )

    table(runs, slack)

    wrong, (promises, count) = unsound(runs), broken(runs)
    say("\nsoundness:", "\n".join(wrong) or "no run fails whose own bound holds")
    say(f"promises of the deepest runs: {count}, broken: {len(promises)}", *promises)
    worst = {}
    for name, words in (("positive", "maximum principle"), ("invertible", "layer invertibility")):
        pairs = [pair for kind in SERIES if kind[1] for pair in ladder(pick(runs, *kind), name)]
        layers, steps = max(p / o for _, p, o in pairs if p and o), max(found[name] for found in slack.values())
        worst[name] = (layers, steps)
        say(f"sharpness of {words}: {steps:.2f} in the longest step, {layers:.2f} in the fewest layers")
    say(f"the same for two clumps that only move apart: {apart():.2f}; there layer invertibility is sufficient only")
    plain = pick(runs, "euler-box", False)
    enough = max(plain, key=lambda run: (run.nodes, run.layers)).peclet.needs_nodes
    bad = [m for m in NODES if all(failures(run)["positive"] for run in plain if run.nodes == m)]
    say(
        f"cell Peclet, not fitted: {enough} nodes needed, by the deepest run of the finest mesh; no run is well with",
        bad,
    )
    assert not wrong
    assert all(steps <= 2 for _, steps in worst.values())
    assert small or all(layers <= 2 for layers, _ in worst.values())


if __name__ == "__main__":
    main()
