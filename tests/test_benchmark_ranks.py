"""The simulated waiting of benchmarks/ranks.py against cases worked out by hand, and multigrid in depth."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.builders.launch import AT_MOST

Modules = tuple[ModuleType, ModuleType, ModuleType]
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def modules() -> Iterator[Modules]:
    """pieces, waiting, ranks: scripts that import each other as neighbours."""
    before = set(sys.modules)
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import pieces
        import ranks
        import waiting

        yield pieces, waiting, ranks
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in {"pieces", "ranks", "waiting", "memory", "moons", "parallel"} - before:
            sys.modules.pop(name, None)


@pytest.mark.parametrize(("segments", "classes", "workers"), [(1, 1, 1), (8, 2, 2), (6, 3, 3), (5, 2, 5), (4, 1, 4)])
def test_pipeline_of_equal_segments(modules: Modules, segments: int, classes: int, workers: int) -> None:
    """Fill and drain: S + C - 1 segments' time where C <= P, each with one message but for the first segment's."""
    _, waiting, _ = modules
    dealt = [(number % workers, 3) for number in range(segments)]
    assert waiting.pipeline(dealt, classes, 2.0, 0.0) == pytest.approx(6.0 * (segments + classes - 1))
    if classes < workers:  # a worker then waits for each message
        expected = 6.0 * (segments + classes - 1) + 0.5 * (segments - 1)
        assert waiting.pipeline(dealt, classes, 2.0, 0.5) == pytest.approx(expected)


def test_more_classes_than_workers_keep_all_workers_busy(modules: Modules) -> None:
    _, waiting, _ = modules
    assert waiting.pipeline([(k % 2, 1) for k in range(8)], 6, 1.0, 0.0) == pytest.approx(8 * 6 / 2 + 1)


def test_segments_are_those_of_the_package(modules: Modules) -> None:
    _, waiting, _ = modules
    assert waiting.dealt(64, 2) == [(k % 2, 2) for k in range(32)]
    assert waiting.dealt(64, 8) == [(k % 8, 1) for k in range(64)]
    assert sum(length for _, length in waiting.dealt(50, 3)) == 50


def test_a_worker_does_one_thing_at_a_time(modules: Modules) -> None:
    line = modules[1].Timeline(2)
    assert line.run(0, 2.0) == 2.0
    assert line.run(0, 1.0, after=1.0) == 3.0
    assert line.run(1, 1.0, after=5.0) == 6.0
    assert line.busy == 4.0


@pytest.mark.parametrize("relax", [1, 2])
def test_depth_by_hand(modules: Modules, relax: int) -> None:
    """One class, a worker for each of I intervals of m steps: relaxation, then I coarse steps, then m steps more."""
    _, waiting, _ = modules
    plan = waiting.Plan(4, 2, relax, {})
    one = waiting.Depth(plan, 32, 8, 1, (1.0, 3.0), 0.0)
    assert one.run(1) == pytest.approx(4 * relax + 8 * 3.0 + 4)
    assert one.line.busy == pytest.approx(32 * relax + 8 * 3.0 + 32)
    late = waiting.Depth(plan, 32, 8, 1, (1.0, 3.0), 0.5)  # only the coarse steps wait for messages, 7 of them
    assert late.run(1) == pytest.approx(4 * relax + 8 * 3.0 + 7 * 0.5 + 4)


def test_depth_on_one_worker_is_the_sum_of_its_work(modules: Modules) -> None:
    _, waiting, _ = modules
    for levels in (2, 3):
        line = waiting.Depth(waiting.Plan(2, levels, 2, {}), 16, 1, 3, (1.0, 2.0, 4.0)[:levels], 0.7)
        assert line.run(3) == pytest.approx(line.line.busy)
    line = waiting.Depth(waiting.Plan(4, 2, 1, {}), 16, 1, 2, (1.0, 2.0), 0.7)
    assert line.run(2) == pytest.approx(2 * (2 * (16 + 4 * 2.0) + 16))


def units(modules: Modules, **changes: float) -> Any:
    pieces, _, _ = modules
    none = {1e-5: [1.0] * 5, 1e-12: [1.0] * 5}
    krylov = pieces.Solver(8, changes.get("set_up", 0.0), changes.get("solve", 0.0), none, (1.0,) * 5)
    direct = pieces.Solver(8, 3.0, 5.0)
    return pieces.Units(changes.get("assembly", 0.0), 0.0, changes.get("product", 0.0), 5.0, direct, krylov)


def test_one_rank_takes_the_sum_of_its_work(modules: Modules) -> None:
    pieces, _, ranks = modules
    case, work = pieces.Case(2, 2, 16, 8), units(modules, assembly=1.0, set_up=0.25, solve=0.5, product=0.125)
    points = 16 * 64
    evaluation, product = ranks.seconds(case, work, pieces.Machine(), ranks.Layout(1, 1))
    assert evaluation == pytest.approx(points * (1.0 + 0.25 + 2 * 2 * 0.5))
    assert product == pytest.approx(points * (0.125 + 2 * 2 * 0.5))
    evaluation, product = ranks.seconds(case, work, pieces.Machine(), ranks.Layout(1, 1, direct=True))
    assert evaluation == pytest.approx(points * (1.0 + 3.0 + 2 * 2 * 5.0))
    double = pieces.Case(2, 2, 16, 16)  # nested dissection: n^(3/2) to factor, n log n to solve
    evaluation, _ = ranks.seconds(double, work, pieces.Machine(), ranks.Layout(1, 1, direct=True))
    assert evaluation == pytest.approx(4 * points * (1.0 + 3.0 * 2 + 2 * 2 * 5.0 * 4 / 3))


def test_independent_work_scales_up_to_as_many_ranks_as_layers(modules: Modules) -> None:
    pieces, _, ranks = modules
    case, work, free = pieces.Case(2, 2, 16, 8), units(modules, set_up=1.0), pieces.Machine(0.0, np.inf)
    for count in (1, 2, 4, 8, 16):
        assert ranks.seconds(case, work, free, ranks.Layout(count, 1))[0] == pytest.approx(16 * 64 / count)
    assert ranks.seconds(case, work, free, ranks.Layout(64, 1))[0] == pytest.approx(64)  # nothing for rank 17


def test_sweeps_by_layers_gain_at_most_the_number_of_classes(modules: Modules) -> None:
    pieces, _, ranks = modules
    case, work, free = pieces.Case(2, 2, 16, 8), units(modules, solve=1.0), pieces.Machine(0.0, np.inf)
    one = ranks.seconds(case, work, free, ranks.Layout(1, 1))[1]
    for count in (2, 4, 64):
        assert ranks.seconds(case, work, free, ranks.Layout(count, 1))[1] == pytest.approx(one * (16 + 1) / (2 * 16))


def test_nodes_shared_pay_two_sums_and_a_halo_an_iteration(modules: Modules) -> None:
    pieces, _, _ = modules
    case, machine = pieces.Case(2, 2, 16, 8), pieces.Machine(1.0, 8.0)
    solver = pieces.Solver(8, 0.0, 1.0, {1e-5: [3.0] * 5}, (1.0, 2.0, 3.0, 4.0, 5.0))
    halo = 4 * (1.0 + 16**0.5)  # 16 nodes a rank
    assert solver.solving(case, 4, machine, 1e-5) == pytest.approx(3 * (16 + 2 * 2 * 1.0 + halo))
    assert solver.solving(case, 1, machine, 1e-5) == pytest.approx(3 * 64)
    assert solver.solving(case, 1, machine, 1e-5, stride=4) == pytest.approx(9 * 64)


@pytest.fixture(scope="module")
def steps(modules: Modules) -> Any:
    import hydrodl as hd

    problem = modules[2].gaussians(1, 16, 33, 2, "box", 1, "euler-box")
    return modules[1].SlabSteps(hd.train(problem))


@pytest.mark.parametrize("turned", [0, 1])
def test_fine_steps_are_the_package_s_own_sweep(modules: Modules, steps: Any, turned: int) -> None:
    solution, states = steps.solution, [steps.start[turned]]
    for step in steps.levels(4, 2)[turned][0]:
        states.append(step(states[-1]))
    if turned == 0:
        np.testing.assert_allclose(np.array(states), solution.density.transpose(0, 2, 1), rtol=1e-9, atol=1e-12)
    else:  # transposed steps: the pairing of both sweeps is the same at every layer
        forward = [steps.start[0]]
        for step in steps.levels(4, 2)[0][0]:
            forward.append(step(forward[-1]))
        pairings = [float((a * b).sum()) for a, b in zip(forward, states[::-1], strict=True)]
        np.testing.assert_allclose(pairings, pairings[0], rtol=1e-11)


@pytest.mark.parametrize("turned", [0, 1])
@pytest.mark.parametrize(("factor", "relax"), [(4, 1), (2, 1), (4, 2)])
def test_two_levels_are_exact_after_as_many_cycles_as_intervals(
    modules: Modules, steps: Any, turned: int, factor: int, relax: int
) -> None:
    levels, start = steps.levels(factor, 2)[turned], steps.start[turned]
    found = modules[1].errors(levels, start, relax, 16 // factor)
    assert found[-1] < 1e-13
    assert found[0] > 1e-4  # one cycle is not enough, so the last one says something
    assert all(after < before for before, after in pairwise(found) if before > 1e-13)


def test_three_levels_converge_to_the_serial_sweep(modules: Modules, steps: Any) -> None:
    found = modules[1].errors(steps.levels(2, 3)[0], steps.start[0], 2, 8)
    assert found[-1] < 1e-10


def test_a_perfect_coarse_step_needs_one_cycle(modules: Modules) -> None:
    def half(x: np.ndarray) -> np.ndarray:
        return 0.5 * x

    levels = [[half] * 8, [lambda x: 0.0625 * x] * 2]
    assert modules[1].errors(levels, np.ones(3), 1, 1)[0] < 1e-15


@pytest.mark.slow
def test_runs_small() -> None:
    command = [sys.executable, str(BENCHMARKS / "ranks.py"), "--small", "--latency", "1e-5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=AT_MOST, check=False)
    assert done.returncode == 0, done.stderr
    assert "10 us a message" in done.stdout
    assert done.stdout.count("\n| 16 | ") >= 5  # a row of 16 ranks in every table
