"""Where the time of a training run goes: PETSc, DOLFINx, NumPy and SciPy, or interpreted Python; and its phases.

    python benchmarks/profile_run.py [--plane 32 128] [--space 8 24] [--coarse 8 41] [--small]

Cases: two moons on nodes^2 ("plane" and "coarse") and two classes crosswise on nodes^3 ("space"), layers and nodes as
given. Each is trained twice in a process of its own, after a small training that compiles forms: as it is, for the
phases, and watched by Python's ``sys.monitoring``, which tells of every call of a compiled function and every start of
an interpreted one, callbacks from PETSc included. The clock is handed from one to the next, so that every second counts
once, where it is spent. What petsc4py and nanobind wrap counts as PETSc's and DOLFINx's, less the cost of an empty
call, measured, for every call; that is added to Python. Arithmetic on arrays by operators (a + b, a[i] = b) is no call:
it stays with the Python function it is written in. How much of that is the interpreter itself is estimated from a run
with the same layers on the smallest mesh, whose arrays cost next to nothing: its time a call, by the number of calls.

Watching lengthens the run, all of it in Python; by how much is in the table, as a ratio of CPU times. So the share of
compiled code in the watched run is too small; the last lines also multiply it by that ratio: the same work's share of
the plain run. SciPy's sparse products are compiled code but neither PETSc nor DOLFINx, and not counted as such.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from time import perf_counter, process_time
from types import CodeType, FunctionType, MethodType
from typing import Any

PYTHON, FORMS = "Python, array operators", "forms (UFL, FFCx)"
PETSC = {
    "KSP.matSolve": "solves",
    "KSP.solve": "solves",
    "KSP.setUp": "factors",
    "Mat.mult": "sparse products",
    "Mat.matMult": "sparse products",
    "TAO.solve": "TAO and CG themselves",
}
DOLFINX = {"assemble_": "assembly", "pack_": "assembly", "tabulate_": "expressions", "scatter_": "ghosts"}
FORM_COMPILERS = ("ufl", "ffcx", "basix", "cffi")
WHERE = ("PETSc", "DOLFINx", "NumPy, SciPy", "MPI", FORMS, PYTHON)
PHASES = ("assembly", "sweeps", "optimiser")
SMALLEST = 5  # nodes a side


def compiled(function: Any) -> str | None:
    """What a compiled function does, as "package: kind"; None for one that belongs to whoever calls it."""
    owner = getattr(function, "__objclass__", None) or type(getattr(function, "__self__", function))
    module = str(getattr(function, "__module__", None) or owner.__module__)
    name = str(getattr(function, "__qualname__", ""))
    if module.startswith("petsc4py"):
        return "PETSc: " + _kind(name, PETSC)
    if module.startswith(("dolfinx.cpp", "basix._basixcpp")):
        return "DOLFINx: " + _kind(name, DOLFINX)
    if module.startswith("scipy.sparse"):
        return "NumPy, SciPy: sparse matrices"
    if module.startswith(("numpy", "scipy")):
        return "NumPy, SciPy: functions of arrays"
    return "MPI" if module.startswith("mpi4py") else None


def _kind(name: str, table: dict[str, str]) -> str:
    return next((kind for begin, kind in table.items() if name.startswith(begin)), "other")


class Watch:
    """Seconds by place, from ``start`` to ``stop``, and the number of calls."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.visits: Counter[str] = Counter()
        self.calls = 0
        self._stack = [(PYTHON, False)]  # place; is it a compiled function?
        self._since = 0.0
        self._places: dict[int, tuple[CodeType, str | None]] = {}

    def start(self) -> None:
        """Watch from now on."""
        monitoring, on = sys.monitoring, sys.monitoring.events
        monitoring.use_tool_id(monitoring.PROFILER_ID, "hydrodl")
        handlers = {
            on.CALL: self._call,
            on.C_RETURN: self._called,
            on.C_RAISE: self._called,
            on.PY_START: self._enter,
            on.PY_RESUME: self._enter,
            on.PY_THROW: self._enter,
            on.PY_RETURN: self._leave,
            on.PY_YIELD: self._leave,
            on.PY_UNWIND: self._leave,
        }
        for event, handler in handlers.items():
            monitoring.register_callback(monitoring.PROFILER_ID, event, handler)
        chosen = on.CALL | on.PY_START | on.PY_RESUME | on.PY_THROW | on.PY_RETURN | on.PY_YIELD | on.PY_UNWIND
        self._since = perf_counter()
        monitoring.set_events(monitoring.PROFILER_ID, chosen)  # C_RETURN and C_RAISE come with CALL

    def stop(self) -> None:
        """Watch no longer."""
        sys.monitoring.set_events(sys.monitoring.PROFILER_ID, 0)
        sys.monitoring.free_tool_id(sys.monitoring.PROFILER_ID)
        self._hand_on(PYTHON)
        if len(self._stack) != 3:  # the start, this function, its own first call
            raise RuntimeError(f"calls without their return: {self._stack}")

    def _hand_on(self, place: str) -> None:
        now = perf_counter()
        self.seconds[place] += now - self._since
        self._since = now

    def _call(self, code: CodeType, offset: int, function: Any, first: Any) -> None:
        inner = function.__func__ if isinstance(function, MethodType) else function
        if not isinstance(inner, FunctionType):  # the start of those is an event of its own
            self._push(compiled(inner), True)

    def _enter(self, code: CodeType, *anything: Any) -> None:
        known = self._places.get(id(code))
        if known is None:
            known = self._places[id(code)] = code, interpreted(code)
        self._push(known[1], False)

    def _push(self, place: str | None, is_compiled: bool) -> None:
        self.calls += 1
        here = self._stack[-1][0]
        if place is not None and place != here:
            self._hand_on(here)
            self.visits[place] += 1
        self._stack.append((place or here, is_compiled))

    def _called(self, *anything: Any) -> None:
        if self._stack[-1][1]:  # else it was an interpreted method called as __exit__ is: it has gone by itself
            self._leave()

    def _leave(self, *anything: Any) -> None:
        if len(self._stack) > 1:
            left, _ = self._stack.pop()
            if left != self._stack[-1][0]:
                self._hand_on(left)


def interpreted(code: CodeType) -> str | None:
    """Where the time of an interpreted function belongs; None: with its caller."""
    parts = Path(code.co_filename).parts
    if "site-packages" not in parts and "hydrodl" not in parts:
        return None  # the standard library, and the wrappers inside compiled modules
    return FORMS if any(name in parts for name in FORM_COMPILERS) or parts[-1] == "jit.py" else PYTHON


def problem(dimension: int, layers: int, nodes: int) -> Any:
    from moons import two_moons
    from parallel import in_space

    return two_moons(layers, nodes) if dimension == 2 else in_space(layers, nodes)


def watched(made: Any) -> tuple[Watch, float, Any]:
    """One training under watch: the watch, CPU seconds, solution."""
    import hydrodl as hd

    watch, cpu = Watch(), process_time()
    watch.start()
    try:
        found = hd.train(made)
    finally:
        watch.stop()
    return watch, process_time() - cpu, found


def empty_call(repeat: int = 20000) -> float:
    """Seconds that a watched call of a compiled function takes when there is nothing to do in it."""
    from petsc4py import PETSc  # after hydrodl

    watch = Watch()
    watch.start()
    for _ in range(repeat):
        PETSc.COMM_SELF.getSize()
    watch.stop()
    return watch.seconds["PETSc: other"] / repeat


def without_calls(watch: Watch, empty: float) -> dict[str, float]:
    """Seconds by place, where the cost of calling compiled code counts as Python."""
    seconds = dict(watch.seconds)
    for place in seconds.keys() - {PYTHON, FORMS}:
        calling = min(empty * watch.visits[place], seconds[place])
        seconds[place] -= calling
        seconds[PYTHON] += calling
    return seconds


def one(dimension: int, layers: int, nodes: int) -> None:
    """Train one case without and with the watch, and print the measurements as JSON."""
    import hydrodl as hd

    hd.train(problem(dimension, 2, SMALLEST))  # imports and compiled forms
    made = problem(dimension, layers, nodes)
    wall, cpu = perf_counter(), process_time()
    plain = hd.train(made)
    wall, cpu = perf_counter() - wall, process_time() - cpu
    watch, slow, found = watched(made)
    least, _, _ = watched(problem(dimension, layers, SMALLEST))
    empty = empty_call()
    seconds, each = without_calls(watch, empty), without_calls(least, empty)[PYTHON] / least.calls
    print(
        json.dumps(
            {"unknowns": made.unknowns, "wall": wall, "cpu": cpu, "slower": slow / cpu, "newton": found.iterations}
            | {"seconds": seconds, "interpreter": min(each * watch.calls, seconds[PYTHON])}
            | {"products": found.hessian_products, "phases": {name: plain.timings[name] for name in PHASES}}
        )
    )


def measured(dimension: int, layers: int, nodes: int) -> dict[str, Any]:
    """The measurements of one case, from a process of its own."""
    command = [sys.executable, __file__, "--one", str(dimension), str(layers), str(nodes)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(json.loads(said.splitlines()[-1]))


def share(row: dict[str, Any], *packages: str) -> float:
    """Percent of the watched run's time in packages."""
    whole = sum(row["seconds"].values())
    return 100 * sum(seconds for place, seconds in row["seconds"].items() if place.startswith(packages)) / whole


def table(head: str, rows: list[list[str]]) -> None:
    print(f"\n| {head} |\n|{'---|' * (head.count('|') + 1)}")
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def show(rows: dict[str, dict[str, Any]]) -> None:
    """All tables; one column a case, or one row."""
    runs, phases = [], []
    for name, row in rows.items():
        counts = [str(row[key]) for key in ("unknowns", "newton", "products")]
        runs.append([name, *counts, f"{row['wall']:.2f}", f"{row['cpu']:.2f}", f"{row['slower']:.2f}"])
        whole = sum(row["phases"].values())
        phases.append([name, *(f"{s:.2f} ({100 * s / whole:.0f} %)" for s in row["phases"].values())])
    print("\n### Plain runs")
    table("case | unknowns | Newton steps | products | wall s | CPU s | watched over plain", runs)
    print("\n### Phases of the plain runs, s")
    table("case | " + " | ".join(PHASES), phases)
    cases = " | ".join(rows)
    print("\n### Watched runs, percent of the time")
    parts = [[place, *(f"{share(row, place):.1f}" for row in rows.values())] for place in WHERE]
    estimate = [f"{100 * row['interpreter'] / sum(row['seconds'].values()):.1f}" for row in rows.values()]
    table(f"where | {cases}", [*parts, ["of which the interpreter, about", *estimate]])
    print("\n### Compiled code in the watched runs, s")
    kinds = sorted({place for row in rows.values() for place in row["seconds"]} - {FORMS, PYTHON})
    table(f"where | {cases}", [[k, *(f"{r['seconds'].get(k, 0):.3f}" for r in rows.values())] for k in kinds])
    print()
    for name, row in rows.items():
        inside = share(row, "PETSc", "DOLFINx")
        print(f"{name}: {inside:.0f} % of the watched run inside PETSc and DOLFINx; ", end="")
        print(f"that is {inside * row['slower']:.0f} % of the plain run")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", nargs=3, type=int, metavar=("D", "LAYERS", "NODES"), help="one case only, as JSON")
    for name, size in (("plane", [32, 128]), ("space", [8, 24]), ("coarse", [8, 41])):
        parser.add_argument(f"--{name}", type=int, nargs=2, default=size, metavar=("LAYERS", "NODES"))
    parser.add_argument("--small", action="store_true", help="two tiny cases, to see that it works")
    given = parser.parse_args()
    if given.one:
        one(*given.one)
        return
    cases = [(2, *given.plane), (3, *given.space), (2, *given.coarse)]
    if given.small:
        cases = [(2, 4, 13), (3, 2, 6)]
    show({f"{layers} x {nodes}^{d}": measured(d, layers, nodes) for d, layers, nodes in cases})


if __name__ == "__main__":
    main()
