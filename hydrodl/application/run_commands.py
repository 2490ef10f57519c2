"""The commands that work on a run: train, analyze, predict, view, export, plot; and evolve."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from mpi4py import MPI

from hydrodl.application.defaults import SAVE_EVERY, TOLERANCE
from hydrodl.application.output import unfailing
from hydrodl.application.speech import complain, lost, mended, say, speaking
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import on_root
from hydrodl.common.patience import SILENCE
from hydrodl.common.progress import phase
from hydrodl.common.start_folder import elsewhere

if TYPE_CHECKING:
    from hydrodl.problem_file.reading import Config

NOT_CONVERGED = 3


Directory = Annotated[Path, typer.Argument(metavar="DIR", help="Directory of a finished run.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but warnings and errors.")]
Verbose = Annotated[int, typer.Option("--verbose", "-v", count=True, show_default=False, help="Tell every phase.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="One JSON document on standard output, all else on standard error.")
]


@contextmanager
def importing() -> Iterator[None]:
    """Import what a command runs, and let the compilers of forms read their settings, which they keep."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # a cache of its own that it cannot write is not our news
    with elsewhere(), phase("loading libraries", after=SILENCE):
        yield
        import ffcx
        from dolfinx import jit

        ffcx.get_options()
        jit.get_options()
    from hydrodl.application import form_cache

    mended(form_cache.mend(form_cache.folder()) if MPI.COMM_WORLD.rank == 0 else [])


def train(
    problem: Annotated[Path, typer.Argument(metavar="PROBLEM.toml", help="The problem file.")],
    out: Annotated[Path | None, typer.Option(help="Output directory (default: PROBLEM-run here).")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override a key of the file.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the checkpoint in the directory.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print sizes and estimates only.")] = False,
    time_limit: Annotated[float | None, typer.Option(metavar="MIN", help="Stop after this many minutes.")] = None,
    checkpoint_every: Annotated[
        float, typer.Option(metavar="MIN", help="Minutes between checkpoints; 0: at every Newton step.")
    ] = SAVE_EVERY,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Train on what PROBLEM.toml describes; runs unchanged under mpiexec.

    \b
    Examples:
      hydrodl train moons.toml --out moons
      hydrodl train moons.toml --dry-run
      hydrodl train moons.toml --set network.layers=32 --set physics.noise=0.05
      hydrodl train moons.toml --out moons --resume --time-limit 60
      mpiexec -n 4 hydrodl train moons.toml --quiet --json > report.json
    """
    with unfailing(lost), speaking(quiet, verbose, as_json):
        with importing():
            from hydrodl.application.train_run import train_into
            from hydrodl.problem_file.reading import load

        if time_limit is not None and not 0 < time_limit < float("inf"):
            raise InputError(f"--time-limit is {time_limit:g}, must be a positive number of minutes")
        if not 0 <= checkpoint_every < float("inf"):
            raise InputError(f"--checkpoint-every is {checkpoint_every:g}, must be minutes, 0 for every step")
        wanted = load(problem, assignments or [])
        folder = out or Path(f"{problem.stem}-run")
        if not dry_run:
            report = train_into(folder, wanted, resume=resume, minutes=time_limit, every=checkpoint_every)
            _tell(report | {"directory": str(folder)}, _report_lines(folder, report), as_json, quiet)
    if dry_run:
        return _dry_run(wanted, as_json)
    if not report["converged"]:
        complain(f"not converged: {report['reason']}; the best iterate is in {folder}")
        raise typer.Exit(NOT_CONVERGED)
    return None


def _tell(content: Any, lines: list[str], as_json: bool, quiet: bool) -> None:
    """The result for a program, or for a person."""
    if as_json:
        from hydrodl.files.text_files import json_text, plain

        print(json_text(plain(content)), end="")
    elif not quiet:
        say(*lines)


def _report_lines(folder: Path, report: dict[str, Any]) -> list[str]:
    accuracies = {name: report[f"{name}_accuracy"] for name in ("train", "test")}
    known = "".join(f"  {name} accuracy {value:.4f}" for name, value in accuracies.items() if value is not None)
    error = report.get("objective_error")
    bar = f" +- {error['total']:.1e}" if error else ""
    state = "converged" if report["converged"] else "not converged"
    return [
        f"{state} ({report['reason']}) in {report['iterations']} steps, {report['wall_time_s']:.1f} s",
        f"objective {report['objective']:.8e}{bar}{known}",
        f"files are in {folder}; one page of them: hydrodl view {folder}",
    ]


def _dry_run(wanted: Config, as_json: bool) -> None:
    """Print what the problem needs, also if that is more than there is; collective."""
    from hydrodl.problem_file import size_estimate
    from hydrodl.problem_file.building import sizes

    found, comm = sizes(wanted), MPI.COMM_WORLD
    _tell(size_estimate.numbers(found, comm), size_estimate.lines(found, comm), as_json, quiet=False)
    sys.stdout.flush()
    size_estimate.check_memory(found, comm)


def analyze(
    folder: Directory,
    tolerance: Annotated[
        float, typer.Option(metavar="DISTANCE", help="How far the network may be from the infinitely deep one.")
    ] = TOLERANCE,
    full: Annotated[bool, typer.Option("--full", help="Spare no memory and no time on large runs.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """What a run conserves and really solves, how stable it is, how many layers and nodes to use.

    \b
    Examples:
      hydrodl analyze moons
      hydrodl analyze moons --tolerance 0.02 --full
      hydrodl analyze moons --quiet --json | jq .recommended
    """
    with speaking(quiet, verbose, as_json):
        with importing():
            from hydrodl.application.analysis_page import PAGE
            from hydrodl.application.analysis_summary import ANALYSIS, summary
            from hydrodl.application.analyze_run import analyze_run

        found = analyze_run(folder, tolerance=tolerance, full=full)
    _tell(found, [*summary(found), f"files are in {folder}: {PAGE}, {ANALYSIS}, figures"], as_json, quiet)


def evolve(
    march: Annotated[Path, typer.Argument(metavar="WAVE.toml", help="Box, layers, gas and first state.")],
    out: Annotated[Path | None, typer.Option(help="Output directory (default: WAVE-march here).")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override a key of the file.")
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            metavar="DISTANCE",
            help="How far paths may be from those of infinitely many layers and nodes (default: 5% of their way).",
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """March a flow from its first state, and say whether it is certified to stay near the uniform gas, and its needs.

    \b
    Examples:
      hydrodl evolve wave.toml --out wave
      hydrodl evolve wave.toml --tolerance 1e-4
      hydrodl evolve wave.toml --set network.layers=400 --json | jq .certified
    """
    with speaking(quiet, verbose, as_json):
        with importing():
            from hydrodl.application.evolve_run import ARRAYS, MARCH, PICTURE, evolve_into, summary
            from hydrodl.problem_file.reading import load_march

        folder = out or Path(f"{march.stem}-march")
        found = evolve_into(folder, load_march(march, assignments or []), tolerance)
    _tell(found, [*summary(found), f"files are in {folder}: {MARCH}, {ARRAYS}, {PICTURE}"], as_json, quiet)


def predict(
    folder: Directory,
    points: Annotated[
        Path, typer.Argument(metavar="POINTS.csv", help="Rows with the columns of the training data; -: from stdin.")
    ],
    out: Annotated[Path | None, typer.Option(help="File to write (default: standard output).")] = None,
    posterior: Annotated[
        bool, typer.Option("--posterior", help="Average the probabilities over the noise of the flow.")
    ] = False,
    certify: Annotated[
        bool,
        typer.Option("--certify", help="Add how far features may move before the label can change (radius); proven."),
    ] = False,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", "--id", metavar="COLUMN", help="Column to carry into the result, such as a row's id."),
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Between cells (default: comma, semicolon or tab, whichever fits).")
    ] = None,
    decimal: Annotated[
        str | None, typer.Option(help="Decimal point or comma (default: as in the training data).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON document in place of a table.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Label and class probabilities of each row of a table.

    \b
    Examples:
      hydrodl predict moons points.csv --out labels.csv
      hydrodl predict moons points.csv --id name
      cat points.csv | hydrodl predict moons - --json
    """
    with speaking(quiet, verbose, aside=True):
        with importing():
            from hydrodl.application import predict_run

        found = predict_run.predict(
            folder, points, averaged=posterior, certified=certify, kept=keep or [], delimiter=delimiter, decimal=decimal
        )
    on_root(MPI.COMM_WORLD, lambda: predict_run.write(found, out, as_json))


def view(
    folder: Directory,
    out: Annotated[Path | None, typer.Option(help="File to write (default: view.html in DIR).")] = None,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """One HTML page of a run: figures, the flow layer by layer, report, analysis. It opens without a network.

    \b
    Examples:
      hydrodl view moons
      hydrodl view moons --out moons.html && xdg-open moons.html
    """
    with speaking(quiet, verbose):
        with importing():
            from hydrodl.application.view_run import view_run

        page = view_run(folder, out)
    _tell(None, [f"the page is {page}"], False, quiet)


def export(
    folder: Directory,
    formats: Annotated[
        str | None,
        typer.Option("--format", metavar="LIST", help="paraview, vtk, onnx, npz or several: vtk,npz (default: all)."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Directory to write to (default: DIR).")] = None,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Write a run's solution for other programs.

    \b
    Examples:
      hydrodl export moons
      hydrodl export moons --format onnx,npz --out deployed
      hydrodl export moons --format paraview
    """
    with speaking(quiet, verbose):
        with importing():
            from hydrodl.application import export_run

        kinds = None if formats is None else [kind.strip() for kind in formats.split(",")]
        written = export_run.export(folder, kinds, out or folder)
    _tell(None, [f"files are in {out or folder}: {', '.join(written)}"], False, quiet)


def plot(folder: Directory, quiet: Quiet = False, verbose: Verbose = 0) -> None:
    """Draw the figures of a run again.

    \b
    Example:
      hydrodl plot moons
    """
    with speaking(quiet, verbose):
        with importing():
            from hydrodl.application.plot_run import redraw

        redraw(folder)
    _tell(None, [f"figures are in {folder}"], False, quiet)


COMMANDS = (train, analyze, evolve, predict, view, export, plot)
