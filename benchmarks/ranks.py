"""How long one evaluation and one Hessian product would take on up to 1024 ranks: measured pieces, simulated waiting.

    python benchmarks/ranks.py [--small] [--latency 2e-6] [--bandwidth 1e10] [--largest 1024] [--speed 2]

Measured here, on one core (CPU time): assembly, set-up and solves with slab operators and sparse products, on a few
layers of a small mesh with the same Delta / h as the large one; and the cycles that multigrid in depth needs, on the
slab operators of trained problems. Assumed: latency and bandwidth; ranks that are equal and share nothing else.
Simulated (benchmarks/waiting.py): who waits for whom in a sweep. docs/parallel.md says what comes out of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from memory import gaussians
from moons import two_moons
from parallel import in_space
from pieces import BLOCKS, LOOSE, STRIDES, Case, Machine, Units, measured
from waiting import Depth, Plan, SlabSteps, dealt, errors, pipeline

import hydrodl as hd
from hydrodl.linear_algebra.solver_choice import EXACT
from hydrodl.problem_file.size_estimate import _PRODUCTS, _STEPS, Sizes, gigabytes, memory_bytes

PLANS = ((4, 2, 1), (8, 2, 1), (16, 2, 1), (4, 2, 2), (4, 3, 2))
CYCLES = 40  # at most; two levels are exact to rounding after as many as there are coarse steps
SHOWN = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16)
PER_STEP = round(_PRODUCTS / _STEPS)  # Hessian products of a Newton step


@dataclass(frozen=True)
class Layout:
    """Groups of ranks: a group shares nodes; groups share layers, in a pipeline over classes or by a plan in depth.

    direct: complete factors instead of GMRES, for groups of one rank in d = 2; apart: every class has groups, and
    factors, of its own; otherwise the classes pass through the same groups.
    """

    groups: int
    ranks: int
    direct: bool = False
    plan: Plan | None = None
    apart: bool = False

    def __str__(self) -> str:
        words = [f"{self.groups} x {self.ranks}"] + ["LU"] * self.direct + ["classes apart"] * self.apart
        return ", ".join(words) + (f": {self.plan}" if self.plan else "")

    def segments(self, case: Case) -> list[tuple[int, int]]:
        """(group, layers) in the order of layers: dealt out like the package's, or in one block a group."""
        workers = self.groups // (case.classes if self.apart else 1)
        if self.plan is None:
            return dealt(case.layers, workers)
        return [(worker, case.layers // workers) for worker in range(workers)]


def sweeps(case: Case, units: Units, machine: Machine, layout: Layout, accuracy: float) -> float:
    """Forward and backward sweep; an exact one in depth only where that is faster than layer after layer."""
    message, segments = machine.message(8 * case.nodes / layout.ranks), layout.segments(case)
    solving = partial(units.solver(layout.direct).solving, case, layout.ranks, machine, accuracy)
    classes, plan = 1 if layout.apart else case.classes, layout.plan
    serial = pipeline(segments, classes, solving(), message)
    if plan is None:
        return 2 * serial
    solves = [solving(plan.factor**level) for level in range(plan.levels)]
    depth = [Depth(plan, case.layers, len(segments), classes, solves, message) for _ in range(2)]
    found = [line.run(k) for line, k in zip(depth, plan.cycles[accuracy], strict=True)]
    return sum(min(own, serial) for own in found) if accuracy == EXACT else sum(found)


def seconds(case: Case, units: Units, machine: Machine, layout: Layout) -> tuple[float, float]:
    """One evaluation of J with its backward sweep, and one Hessian product."""
    groups, ranks, d, layers = layout.groups, layout.groups * layout.ranks, case.dimension, case.layers
    own = case.nodes / ranks
    local = own if ranks == 1 else (own ** (1 / d) + 1) ** d  # with the nodes on its edge
    extra = 1 + (layout.plan.coarse if layout.plan else 0.0)  # operators of coarse levels

    def moved(values: float) -> float:
        """From nodes to layers or back: a message to every group."""
        return groups * machine.latency + 8 * values / machine.bandwidth if groups > 1 else 0.0

    both = 4 * moved(layers * case.classes * own) + 2 * moved(case.classes * case.nodes / layout.ranks)
    both += 5 * machine.halo(d, own, layers * case.classes) if ranks > 1 else 0.0
    evaluation = (extra * units.assembly + units.evaluation) * layers * local + moved(extra * layers * units.row * own)
    share = [0] * groups
    for group, length in layout.segments(case):
        share[group] += length
    evaluation += max(share) * extra * units.solver(layout.direct).factoring(case, layout.ranks)
    first, second = (sweeps(case, units, machine, layout, accuracy) for accuracy in (EXACT, LOOSE))
    return both + evaluation + first, both + units.product * layers * local + second


def best(case: Case, units: Units, machine: Machine, ranks: int, plans: list[Plan]) -> tuple[Layout, float, float]:
    """The layout of so many ranks with the fastest Newton step, by the plans or (none) in a pipeline; its seconds."""
    layouts = [
        Layout(groups, ranks // groups, direct, plan, apart)
        for groups in powers(min(ranks, case.classes * case.layers))
        for direct in ((False, True) if units.direct and groups == ranks else (False,))
        for plan in plans or [None]
        for apart in ((False, True) if groups >= case.classes else (False,))
        if groups // (case.classes if apart else 1) <= case.layers // (plan.factor if plan else 1)
    ]
    timed = [(layout, *seconds(case, units, machine, layout)) for layout in layouts]
    return min(timed, key=lambda found: step(*found))


def step(layout: Layout | None, evaluation: float, product: float) -> float:
    """Seconds of a Newton step: one evaluation and the Hessian products of a usual run."""
    return evaluation + PER_STEP * product


def powers(largest: int) -> list[int]:
    """1, 2, 4, .. up to the largest."""
    return [2**i for i in range(largest.bit_length())]


def plans_of(solution: hd.Solution) -> list[Plan]:
    """Plans with the cycles that they need on the slab operators of a trained problem."""
    steps, layers, found = SlabSteps(solution), len(solution.velocity), []
    for factor, levels, relax in PLANS:
        if layers % factor ** (levels - 1) == 0 and layers > factor ** (levels - 1):
            both = zip(steps.levels(factor, levels), steps.start, strict=True)
            histories = [errors(own, start, relax, min(layers // factor, CYCLES)) for own, start in both]
            cycles = {bound: tuple(needed(own, bound) for own in histories) for bound in (LOOSE, EXACT)}
            found.append(Plan(factor, levels, relax, cycles, histories))
    return found


def needed(found: list[float], bound: float) -> int:
    """Cycles to a relative error."""
    for number, error in enumerate(found, 1):
        if error <= bound:
            return number
    raise SystemExit(f"multigrid in depth is at {found[-1]:.0e} after {len(found)} cycles, not at {bound:.0e}")


def table(*columns: object) -> Callable[..., None]:
    """Print the head of a Markdown table; returns what prints a row."""
    print("\n| " + " | ".join(map(str, columns)) + " |\n" + "|---" * len(columns) + "|")
    return lambda *cells: print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def show_plans(row: Callable[..., None], name: str, layers: int, classes: int, plans: list[Plan]) -> None:
    """Cycles, and what both sweeps gain with a worker for every interval and class where messages cost nothing."""
    for plan in plans:
        cells, workers = [], layers // plan.factor
        for accuracy in (LOOSE, EXACT):
            lines = [Depth(plan, layers, workers, 1, [1.0] * plan.levels, 0.0) for _ in range(2)]
            ends = [line.run(k) for line, k in zip(lines, plan.cycles[accuracy], strict=True)]
            work = sum(line.line.busy for line in lines) / (2 * layers)
            gain = 2 * (layers + classes - 1) / sum(ends)
            cells += ["{} + {}".format(*plan.cycles[accuracy]), f"{gain:.2f}", f"{work:.1f}"]
        row(name, layers, plan, *cells)


def show_errors(name: str, layers: int, plans: list[Plan]) -> None:
    """The convergence behind the cycles, forward and backward."""
    row = table(f"error after cycles, {name}, {layers} layers", *SHOWN)
    for plan in plans:
        for way, found in zip(("forward", "backward"), plan.errors, strict=True):
            row(f"{plan}, {way}", *(f"{found[k - 1]:.0e}" if k <= len(found) else "" for k in SHOWN))


def show_units(case: Case, units: Units) -> None:
    """Times of the pieces, iterations, and whether the pieces make up the whole, all for the size measured."""
    krylov = units.krylov
    row = table("piece, one core", "ns per layer and node")
    row("L(u) of a slab", f"{1e9 * units.assembly:.0f}")
    row("rest of an evaluation (J, right-hand sides, sums)", f"{1e9 * units.evaluation:.0f}")
    row("Hessian product without solves", f"{1e9 * units.product:.0f}")
    if units.direct:
        row("LU, complete", f"{1e9 * units.direct.set_up:.0f}")
        row("triangular solves of a class", f"{1e9 * units.direct.each:.0f}")
    row("ILU(0)", f"{1e9 * krylov.set_up:.0f}")
    row("GMRES, an iteration of a class", f"{1e9 * krylov.each:.1f}")
    made_up = seconds(case, units, Machine(), Layout(1, 1, direct=units.direct is not None))
    for name, whole, sum_of_pieces in zip(("evaluation", "product"), units.whole, made_up, strict=True):
        row(f"whole {name}, from its pieces", f"{1e9 * sum_of_pieces / (case.layers * case.nodes):.0f}")
        row(f"whole {name}, measured", f"{1e9 * whole:.0f}")
    for accuracy, counts in krylov.iterations.items():
        print(f"\niterations to {accuracy:.0e} with {BLOCKS} blocks: {[round(own, 1) for own in counts]}")
    print(f"\nfactor on iterations for {STRIDES} Delta: {[round(factor, 2) for factor in krylov.coarser]}")


def show_case(case: Case, units: Units, machine: Machine, plans: list[Plan], largest: int) -> None:
    """Seconds of every arrangement, and the speed-up of a Newton step over one rank."""
    ways = ("by layers", "by nodes", "mixed", "in depth")
    times = table("ranks", *(f"{way}: evaluation, product [s]" for way in ways))
    rows = []
    for ranks in powers(largest):
        alone, together = Layout(ranks, 1, direct=units.direct is not None), Layout(1, ranks)
        found = [(layout, *seconds(case, units, machine, layout)) for layout in (alone, together)]
        found += [best(case, units, machine, ranks, own) for own in ([], plans)]
        times(ranks, *(f"{evaluation:.3g}, {product:.3g}" for _, evaluation, product in found))
        rows.append((ranks, found))
    speed_up = table(
        "ranks", *(f"{way}: speed-up" for way in ways), "mixed: groups x ranks", "in depth: groups x ranks"
    )
    one = step(*rows[0][1][2])
    for ranks, found in rows:
        speed_up(ranks, *(f"{one / step(*own):.1f}" for own in found), found[2][0], found[3][0])


def show_weak(case: Case, units: Units, machine: Machine, plans: list[Plan], largest: int) -> None:
    """Time of a Newton step over that of one rank, work growing with the ranks."""
    head = ("by layers", "by nodes", "in depth")
    row = table("ranks", *(f"layers grow, {way}" for way in head), "nodes grow, by nodes")
    one = step(None, *seconds(case, units, machine, Layout(1, 1)))
    for ranks in powers(largest)[::2]:
        deeper = replace(case, layers=case.layers * ranks)
        wider = replace(case, side=case.side * ranks ** (1 / case.dimension))
        layouts = [(deeper, Layout(ranks, 1)), (deeper, Layout(1, ranks)), (wider, Layout(1, ranks))]
        found = [step(None, *seconds(grown, units, machine, layout)) for grown, layout in layouts]
        in_depth = min(step(None, *seconds(deeper, units, machine, Layout(ranks, 1, plan=plan))) for plan in plans)
        found.insert(2, in_depth)
        row(ranks, *(f"{own / one:.1f}" for own in found))


def trained(small: bool) -> Iterator[tuple[str, int, hd.Problem]]:
    """What multigrid in depth is tried on, with its layers: as many as the cases have, and more."""
    for layers, line in ((16, 33),) if small else ((64, 1025), (64, 257), (256, 257), (1024, 257)):
        yield f"d = 1, {line} nodes", layers, gaussians(1, layers, line, 2, "box", 1, "euler-box")
    for layers, side in ((16, 9),) if small else ((64, 33), (128, 33)):
        yield f"d = 2, {side} x {side} nodes", layers, two_moons(layers, side, "euler-box")


def cases(small: bool) -> list[tuple[Case, Callable[[int, int], hd.Problem], int]]:
    """What is asked about, a problem like it, and the nodes a direction on which the pieces are measured."""
    if small:
        return [(Case(3, 2, 16, 24), in_space, 8), (Case(2, 2, 16, 64), two_moons, 17)]
    plane = [(Case(2, 2, 128, 512), two_moons, 129), (Case(2, 2, 64, 129), two_moons, 129)]
    return [(Case(3, 2, 64, 96), in_space, 24), *plane]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="tiny meshes and few ranks: does it run?")
    parser.add_argument("--latency", type=float, default=2e-6, help="seconds a message, assumed")
    parser.add_argument("--bandwidth", type=float, default=1e10, help="bytes a second and rank, assumed")
    parser.add_argument("--speed", type=float, default=2.0, help="largest velocity where pieces are timed")
    parser.add_argument("--largest", type=int, default=1024, help="number of ranks")
    given = parser.parse_args()
    small, machine = given.small, Machine(given.latency, given.bandwidth)
    largest = min(given.largest, 16) if small else given.largest
    print(f"Assumed: {1e6 * machine.latency:g} us a message, {1e-9 * machine.bandwidth:g} GB/s a rank.\n")
    print(
        "Multigrid in depth: cycles forward + backward, gain over a pipeline of 2 classes, work over the serial sweep."
    )
    head = [f"{what} {bound:.0e}" for bound in (LOOSE, EXACT) for what in ("cycles to", "gain", "work")]
    row = table("trained problem", "layers", "multigrid", *head)
    plans: dict[tuple[int, int], list[Plan]] = {}
    for name, layers, problem in trained(small):
        plans[problem.domain.dimension, layers] = own = plans_of(hd.train(problem))
        show_plans(row, name, layers, problem.classes, own)
    for (d, N), own in plans.items():
        if d == 2:
            show_errors(f"d = {d}", N, own)
    for case, make, side in cases(small):
        d, N, layers = case.dimension, case.layers, 4
        delta = (case.side - 1) / (side - 1) / N  # the same Delta / h as in the case
        units = measured(
            replace(make(1, side), layers=hd.layers(layers, depth=layers * delta), scheme="euler-box"), given.speed
        )
        memory = gigabytes(memory_bytes(Sizes(N, (case.side,) * d, d, case.classes)))
        print(f"\nd = {d}, {case.classes} classes, {N} layers, {case.side}^{d} nodes, {memory} of memory in all.")
        print(f"\nMeasured on {layers} layers, {side}^{d} nodes:")
        show_units(Case(d, case.classes, layers, side), units)
        show_case(case, units, machine, plans[2, N], largest)
        if d == 3:
            grown = Case(3, case.classes, 16, side)
            print(f"\nWeak scaling from 16 layers, {side}^3 nodes on one rank; time of a Newton step over that:")
            show_weak(grown, units, machine, plans[max(key for key in plans if key[0] == 1)], min(largest, 1024))


if __name__ == "__main__":
    main()
