"""The page of results, and that what it is made of measures what it says. No test asserts a time."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import ot
import pytest

import hydrodl as hd
from hydrodl.mesh.quadrature import moment
from tests.builders.launch import AT_MOST

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = ROOT / "benchmarks"


def load(name: str) -> ModuleType:
    """A benchmark script as a module of its own."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(script: str, *arguments: object, code: int = 0) -> str:
    command = [sys.executable, str(BENCHMARKS / f"{script}.py"), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=AT_MOST)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def table(said: str, first: str) -> dict[str, list[str]]:
    """Rows below the first table head that starts with a cell: first cell -> the others."""
    lines = iter(said.splitlines())
    next(line for line in lines if line.startswith(f"| {first} |"))
    rows = {}
    for line in list(lines)[1:]:
        if not line.startswith("|"):
            break
        name, *cells = (cell.strip() for cell in line.split("|")[1:-1])
        rows[name] = cells
    return rows


# The page


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The page's module with three sections that are quick; "third" fails until there is a file "mended"."""
    module = load("results")
    names = ("first", "second", "third", "against_it")
    monkeypatch.setattr(module, "SCRIPTS", tmp_path)
    monkeypatch.setattr(module, "SECTIONS", {n: module.Section(f"The {n}", f"Shows {n}.", "--large") for n in names})
    module.SECTIONS["second"] = module.SECTIONS["second"]._replace(small="--tiny")
    for name in names:
        (tmp_path / f"{name}.py").write_text(
            f"import sys\nprint('| {name} | x |\\n|---|---|\\n| 1 | 2 |\\n\\nwords * of', *sys.argv[1:])\n"
        )
    third = tmp_path / "third.py"
    mended = str(tmp_path / "mended")
    third.write_text(f"{third.read_text()}import os\nassert os.path.exists({mended!r}), 'not mended'\n")
    return module


def test_a_page_is_made_section_by_section(results: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    assert results.main(["--out", str(page), "--only", "second"]) == 0
    text = page.read_text()
    assert "## The second\n\nShows second.\n\n```sh\npython benchmarks/second.py --large\n```" in text
    assert "\n| second | x |\n|---|---|\n| 1 | 2 |\n\n```text\nwords * of --large\n```\n" in text
    assert "The first" not in text
    kept = text[text.index("## The second") : text.index("## The against_it")]
    assert results.main(["--out", str(page), "--only", "first"]) == 0
    again = page.read_text()
    assert kept in again and again.index("## The first") < again.index("## The second")
    assert results.main(["--out", str(page), "--only", "first"]) == 0
    assert page.read_text().count("## The first\n") == 1
    assert not list(tmp_path.glob(".*.partial"))


def test_a_failure_is_told_and_the_others_run(
    results: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    (tmp_path / "first.py").unlink()
    assert results.main(["--out", str(page)]) == 1
    text = page.read_text()
    assert text.count("**Failed** with exit code") == 2
    assert "```text\nAssertionError: not mended\n```" in text and "| third | x |" in text and "| second | x |" in text
    assert "failed: first, third" in capsys.readouterr().out
    (tmp_path / "mended").touch()
    assert results.main(["--out", str(page), "--only", "third"]) == 0
    assert page.read_text().count("**Failed**") == 1


def test_other_packages_are_installed_on_request_only(
    results: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    (tmp_path / "mended").touch()
    results.main(["--out", str(page)])
    assert "--rivals --only against_it`" in page.read_text() and "| against_it |" not in page.read_text()
    with pytest.raises(SystemExit):
        results.main(["--out", str(page), "--only", "against_it"])
    assert "against_it installs another package: add --rivals" in capsys.readouterr().err
    results.main(["--out", str(page), "--rivals", "--only", "against_it"])
    results.main(["--out", str(page), "--only", "first"])
    assert "| against_it | x |" in page.read_text() and "--rivals" not in page.read_text()


def test_small_figures_keep_off_the_page(
    results: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        results.main(["--small"])
    assert "name another page with --out" in capsys.readouterr().err
    assert results.main(["--small", "--out", str(tmp_path / "page.md")]) == 0
    text = (tmp_path / "page.md").read_text()
    assert "second.py --tiny" in text and "first.py" not in text
    assert "first: no small size, left out" in capsys.readouterr().out


def test_what_is_kept_from_another_machine_says_so(
    results: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    machines = {number: f"Machine: number {number}." for number in (1, 2, 3)}
    for number, name in ((1, "first"), (2, "second"), (3, "second")):
        monkeypatch.setattr(results, "machine", lambda n=number: machines[n])
        results.main(["--out", str(page), "--only", name])
    head, first, second, _ = page.read_text().split("\n## ")
    assert machines[3] in head and machines[1] in first and machines[2] not in first
    assert "Machine:" not in second


def test_every_script_has_its_section() -> None:
    scripts = {path.stem for path in BENCHMARKS.glob("*.py") if "\nif __name__ ==" in path.read_text()}
    assert set(load("results").SECTIONS) == scripts - {"results"}


@pytest.mark.slow
def test_the_page_of_real_scripts(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    run("results", "--small", "--out", page, "--only", "hessian_product")
    run("results", "--small", "--out", page, "--only", "optimisers")
    text = page.read_text()
    assert re.search(r"^Machine: \d+ cores?, .*PETSc 3\.\d+", text, re.MULTILINE)
    assert float(re.search(r"^ratio ([\d.]+)$", text, re.MULTILINE).group(1)) > 0.5  # type: ignore[union-attr]
    assert len(table(text, "optimiser")) == 4
    assert str(ROOT) not in text


# What it is made of


@pytest.mark.slow
def test_scaling_in_all_dimensions() -> None:
    said = run("scaling", "--small")
    lines = re.findall(r"^d = (\d), .*: Newton step (\S+), pair of sweeps (\S+), product (\S+)$", said, re.MULTILINE)
    assert [line[0] for line in lines] == ["1", "2", "3"]
    for _, *exponents in lines:
        assert all(abs(float(value)) < 3 for value in exponents)  # and so not nan
    for part in said.split("### ")[1:]:
        for cells in table(part, "layers").values():
            products, evaluations, newton = int(cells[5]), int(cells[6]), int(cells[4])
            assert evaluations > newton > 1 and products >= newton
            assert 0.2 < float(cells[-1]) < 100  # kB a layer and node


@pytest.mark.slow
def test_imports_are_timed_old_against_new(tmp_path: Path) -> None:
    old = tmp_path / "hydrodl"
    old.mkdir()
    (old / "__init__.py").touch()
    said = run("import_time", tmp_path, "--repeat", 1, "--only", "import hydrodl")
    before, now, ratio = map(float, table(said, "case")["import hydrodl"])
    assert 0 < before < now and ratio > 1
    assert "neither a folder nor a revision" in run("import_time", tmp_path / "none", code=1)


@pytest.mark.slow
def test_shares_of_a_profile_add_up() -> None:
    said = run("profile_run", "--small")
    shares = table(said.partition("percent")[2], "where")
    interpreter = shares.pop("of which the interpreter, about")
    for case in range(2):
        assert sum(float(cells[case]) for cells in shares.values()) == pytest.approx(100, abs=0.4)
        assert float(shares["PETSc"][case]) > 0 and float(shares["DOLFINx"][case]) > 0
        assert 0 < float(interpreter[case]) <= float(shares["Python, array operators"][case])
    seconds = table(said.partition("Compiled code")[2], "where")
    assert {"PETSc: solves", "PETSc: factors", "PETSc: TAO and CG themselves", "DOLFINx: assembly"} <= set(seconds)


def test_the_watch_follows_calls_back_and_forth() -> None:
    """Generators, exceptions, context managers and callbacks leave it where they found it."""
    script = """
import sys
sys.path.insert(0, sys.argv[1])
import hydrodl, profile_run
import contextlib
from petsc4py import PETSc
import numpy as np

class Doubled:
    def mult(self, mat, x, y):
        with contextlib.suppress(ValueError), contextlib.ExitStack():
            assert watch._stack[-1][0] == profile_run.PYTHON, watch._stack
            y.array[:] = 2 * np.sort(x.getArray(readonly=True))
            raise ValueError

def counted():
    yield from range(3)

matrix = PETSc.Mat().createPython(((5, 5), (5, 5)), Doubled(), comm=PETSc.COMM_SELF)
matrix.setUp()
x, y = matrix.createVecs()
x.set(1.0)
watch = profile_run.Watch()
watch._places[id(Doubled.mult.__code__)] = Doubled.mult.__code__, profile_run.PYTHON
watch.start()
for _ in counted():
    matrix.mult(x, y)
    depth = len(watch._stack)
watch.stop()
print(depth, y.array.sum(), sorted(watch.seconds), watch.visits["PETSc: sparse products"])
"""
    command = [sys.executable, "-c", script, str(BENCHMARKS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=AT_MOST)
    assert done.returncode == 0, done.stderr
    depth, total, rest = done.stdout.strip().split(" ", 2)
    assert (depth, total) == ("2", "10.0") and rest.endswith("] 3")
    for place in ("Python, array operators", "NumPy, SciPy: functions of arrays", "PETSc: sparse products"):
        assert place in rest


# What they compare with


def test_sinkhorn_by_axes_is_that_of_pot() -> None:
    """On a coarse grid, with the kernel of reflected Brownian motion as a sum of cosines and the plan in full."""
    references = load("references")
    references.TRUTH[2], half, noise = 13, 1.5, 0.1
    ends = [[hd.Gaussian([-0.5, 0.3], 0.4), hd.Gaussian([0.6, 0.0], 0.3)], [hd.Gaussian([0.2, -0.4], 0.5)]]
    domain = hd.Domain.box([-half] * 2, [half] * 2, 13)
    x, mass = domain.coordinates[: domain.owned], moment(domain)
    work, (middle,) = references.sinkhorn(ends, half, noise, x)

    def kernel(time: float) -> np.ndarray:
        n, found = np.arange(1, 40)[:, None, None], np.ones((len(x), len(x)))
        for along in (x.T + half) / (2 * half):
            waves = np.cos(np.pi * n * along[:, None]) * np.cos(np.pi * n * along)
            found *= (1 + 2 * (np.exp(-((np.pi * n / (2 * half)) ** 2) * noise * time) * waves).sum(axis=0)) / (
                2 * half
            )
        return found

    a, b = (mass * hd.mixture(parts, domain).values.sum(axis=0) for parts in ends)
    whole, e = kernel(1.0), 2 * noise
    plan, log = ot.bregman.sinkhorn_log(a, b, -e * np.log(whole), e, numItermax=5000, stopThr=1e-12, log=True)
    assert work == pytest.approx(e * (plan * np.log(plan / (a[:, None] * mass * whole))).sum(), rel=1e-8)
    first, last = (kernel(0.5) @ np.exp(log[key].ravel()) for key in ("log_u", "log_v"))
    np.testing.assert_allclose(middle, first * last, atol=1e-8)
