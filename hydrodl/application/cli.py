"""The command line: thin, everything behind it is in the files that end in ``_run``.

A command imports what it runs when it runs: --version, --help and a wrong command line wait for nothing else.

Exit codes: 0 done; 2 the input is wrong (one line on stderr); 3 not converged (everything is written all the same);
1 anything else, such as a signal that ends the command at once. Under MPI rank 0 speaks for all and every rank ends.
"""

from __future__ import annotations

import csv
import logging
import os
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from mpi4py import MPI

from hydrodl.application.defaults import SAVE_EVERY, TOLERANCE
from hydrodl.application.output import Closed, discard, unfailing
from hydrodl.application.signals import Stopped, caught, ending_at_once
from hydrodl.common.errors import InputError, SolverError
from hydrodl.common.parallel import attempt
from hydrodl.common.start_folder import elsewhere
from hydrodl.common.text import printable

if TYPE_CHECKING:
    from hydrodl.problem_file.reading import Config

DONE, FAILED, WRONG_INPUT, NOT_CONVERGED = 0, 1, 2, 3


_LONGEST = 2000  # characters of a message


PATIENCE = 10.0  # seconds in which the other ranks must come to the same end, else all are aborted


app = typer.Typer(name="hydrodl", add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


Directory = Annotated[Path, typer.Argument(metavar="DIR", help="Directory of a finished run.")]


@contextmanager
def _importing() -> Iterator[None]:
    """Import what a command runs, and let the compilers of forms read their settings, which they keep."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # a cache of its own that it cannot write is not our news
    with elsewhere():
        yield
        import ffcx
        from dolfinx import jit

        ffcx.get_options()
        jit.get_options()
    from hydrodl.application import form_cache

    _told(form_cache.mend(form_cache.folder()) if MPI.COMM_WORLD.rank == 0 else [])


def _told(mended: Sequence[str]) -> None:
    if mended:
        _complain(f"warning: {len(mended)} compiled forms were left unfinished by processes that were killed: mended")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"hydrodl {version('hydrodl')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Train a deep residual network as a compressible fluid."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
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
) -> None:
    """Train on what PROBLEM.toml describes; runs unchanged under mpiexec."""
    with _importing():
        from hydrodl.application.train_run import train_into
        from hydrodl.problem_file.reading import load

    if time_limit is not None and not 0 < time_limit < float("inf"):
        raise InputError(f"--time-limit is {time_limit:g}, must be a positive number of minutes")
    if not 0 <= checkpoint_every < float("inf"):
        raise InputError(f"--checkpoint-every is {checkpoint_every:g}, must be minutes, 0 for every step")
    wanted = load(problem, assignments or [])
    if dry_run:
        return _dry_run(wanted)
    folder = out or Path(f"{problem.stem}-run")
    with unfailing(_lost):
        report = train_into(folder, wanted, resume=resume, minutes=time_limit, every=checkpoint_every)
        _print_report(folder, report)
    if not report["converged"]:
        _complain(f"not converged: {report['reason']}; the best iterate is in {folder}")
        raise typer.Exit(NOT_CONVERGED)


@app.command()
def analyze(
    folder: Directory,
    tolerance: Annotated[
        float, typer.Option(metavar="DISTANCE", help="How far the network may be from the infinitely deep one.")
    ] = TOLERANCE,
    full: Annotated[bool, typer.Option("--full", help="Spare no memory and no time on large runs.")] = False,
) -> None:
    """What a run conserves and really solves, how stable it is, how many layers and nodes to use."""
    with _importing():
        from hydrodl.application.analysis_page import ANALYSIS, PAGE, summary
        from hydrodl.application.analyze_run import analyze_run

    found = analyze_run(folder, tolerance=tolerance, full=full)
    _say(*summary(found), f"files are in {folder}: {PAGE}, {ANALYSIS}, figures")


@app.command()
def predict(
    folder: Directory,
    points: Annotated[
        Path, typer.Argument(metavar="POINTS.csv", help="Rows with the columns of the training data; -: from stdin.")
    ],
    out: Annotated[Path | None, typer.Option(help="CSV file to write (default: standard output).")] = None,
    posterior: Annotated[
        bool, typer.Option("--posterior", help="Average the probabilities over the noise of the flow.")
    ] = False,
    keep: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Column to carry into the result; may be given again.")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Between cells (default: comma, semicolon or tab, whichever fits).")
    ] = None,
    decimal: Annotated[
        str | None, typer.Option(help="Decimal point or comma (default: as in the training data).")
    ] = None,
) -> None:
    """Label and class probabilities of each row of a table."""
    with _importing():
        from hydrodl.application import predict_run

    rows = predict_run.predict(
        folder, points, averaged=posterior, kept=keep or [], delimiter=delimiter, decimal=decimal
    )

    def write() -> None:
        if out is None:
            shown = [[printable(cell) for cell in row] for row in rows] if sys.stdout.isatty() else rows
            return csv.writer(sys.stdout, lineterminator="\n").writerows(shown)
        with out.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
        return None

    attempt(MPI.COMM_WORLD, lambda: write() if MPI.COMM_WORLD.rank == 0 else None)


@app.command()
def export(
    folder: Directory,
    formats: Annotated[
        str | None,
        typer.Option("--format", metavar="LIST", help="paraview, vtk, onnx, npz or several: vtk,npz (default: all)."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Directory to write to (default: DIR).")] = None,
) -> None:
    """Write a run's solution for other programs."""
    with _importing():
        from hydrodl.application import export_run

    kinds = None if formats is None else [kind.strip() for kind in formats.split(",")]
    export_run.export(folder, kinds, out or folder)


@app.command()
def plot(folder: Directory) -> None:
    """Draw the figures of a run again."""
    with _importing():
        from hydrodl.application.plot_run import redraw

    redraw(folder)


@app.command()
def schema(out: Annotated[Path | None, typer.Option(help="File to write (default: standard output).")] = None) -> None:
    """The JSON schema of PROBLEM.toml, for editors."""
    from hydrodl.files.text_files import json_text, write_text
    from hydrodl.problem_file.json_schema import json_schema

    text = json_text(json_schema())
    if out is None:
        print(text, end="")
    else:
        write_text(out, text, MPI.COMM_WORLD)


@app.command()
def datasets() -> None:
    """Names, sizes and sources of the built-in data sets."""
    from rich.console import Console
    from rich.table import Table

    from hydrodl.data.datasets import DATASETS

    header = ("name", "samples", "features", "classes", "source", "description")
    rows = [(name, d.sizes, str(d.features), str(d.classes), d.source, d.description) for name, d in DATASETS.items()]
    if not sys.stdout.isatty():
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        for row in (header, *rows):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        return
    table = Table()
    for name in header:
        table.add_column(name, no_wrap=name == "name")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _dry_run(wanted: Config) -> None:
    """Print what the problem needs, also if that is more than there is; collective."""
    from hydrodl.problem_file import size_estimate
    from hydrodl.problem_file.building import sizes

    found = sizes(wanted)
    print("\n".join(size_estimate.lines(found, MPI.COMM_WORLD)), flush=True)
    size_estimate.check_memory(found, MPI.COMM_WORLD)


def _print_report(folder: Path, report: dict[str, Any]) -> None:
    accuracies = {name: report[f"{name}_accuracy"] for name in ("train", "test")}
    known = "".join(f"  {name} accuracy {value:.4f}" for name, value in accuracies.items() if value is not None)
    state = "converged" if report["converged"] else "not converged"
    _say(
        f"{state} ({report['reason']}) in {report['iterations']} steps, {report['wall_time_s']:.1f} s",
        f"objective {report['objective']:.8e}{known}",
        f"files are in {folder}",
    )


def _say(*lines: str) -> None:
    """Lines on standard output."""
    for text in lines:
        print(printable(text))


def _one_line(message: str) -> str:
    text = printable(" ".join(message.split()))
    return f"hydrodl: {text if len(text) <= _LONGEST else text[:_LONGEST] + '...'}"


def _complain(message: str) -> None:
    """One line on stderr, from rank 0."""
    if MPI.COMM_WORLD.rank == 0:
        _speak([_one_line(message)])


def _speak(lines: Sequence[str]) -> None:
    with suppress(OSError):  # stderr may be gone too
        sys.stderr.write("".join(f"{printable(line)}\n" for line in lines))
        sys.stderr.flush()


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    _complain(f"warning: {message}")


def _lost(error: OSError) -> None:
    if not isinstance(error, BrokenPipeError):  # that reader has seen enough
        _complain(f"warning: {_no_output(error)}; the run goes on")


def _no_output(error: OSError) -> str:
    return f"standard output cannot be written: {error.strerror or error}"


def invoke(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Collective: all ranks end alike, or are aborted."""
    if MPI.COMM_WORLD.rank != 0:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # for the life of the process
    sys.stdout = sys.stdout or Closed()  # type: ignore[assignment]  # Python has None where they were closed
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    with warnings.catch_warnings(), caught(ending_at_once()):
        warnings.showwarning = _warn
        try:
            return _run(arguments)
        except Stopped as stopped:
            return _end(FAILED, str(stopped))


def _run(arguments: Sequence[str] | None, again: bool = True) -> int:
    command = typer.main.get_command(app)
    try:
        code = int(command.main(args=arguments, prog_name="hydrodl", standalone_mode=False) or DONE)
        sys.stdout.flush()
        return code
    except InputError as error:
        return _end(WRONG_INPUT, f"error: {error}")
    except SolverError as error:
        return _end(FAILED, f"error: {error}")
    except (BrokenPipeError, SystemExit):  # the reader of our output has seen enough; typer makes an exit of it
        discard(sys.stdout)
        return DONE
    except typer.Abort:
        return _end(FAILED, "interrupted")
    except Exception as error:
        from hydrodl.application import form_cache

        if again and MPI.COMM_WORLD.size == 1 and (mended := form_cache.wait_and_mend(error)):
            _told(mended)
            return _run(arguments, again=False)
        return _end(*_explained(error, form_cache.no_forms(error)))


_LIMITS = {"RecursionError", "OverflowError", "LinAlgError", "FloatingPointError"}


def _explained(error: Exception, forms: str) -> tuple[int, str | None]:
    """Exit code and message of what is neither the user's nor ours to foresee; None: the traceback."""
    if hasattr(error, "format_message"):  # what typer says of a wrong command line
        return WRONG_INPUT, f"error: {error.format_message()} (see hydrodl --help)"
    if forms:
        return WRONG_INPUT, f"error: {forms}"
    if isinstance(error, MemoryError):
        return WRONG_INPUT, f"error: out of memory; fewer nodes, layers or samples need less ({error})"
    if isinstance(error, OSError) and error.filename is None:
        discard(sys.stdout)
        return WRONG_INPUT, f"error: {_no_output(error)}"
    if isinstance(error, OSError):
        return WRONG_INPUT, f"error: {error.filename}: {error.strerror}"
    if os.environ.get("HYDRODL_TRACEBACK") is None and {base.__name__ for base in type(error).__mro__} & _LIMITS:
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(where.filename).name}, line {where.lineno}"
        return (
            FAILED,
            f"error: {type(error).__name__}: {error} ({place}); HYDRODL_TRACEBACK=1 shows where it comes from",
        )
    return FAILED, None


def _end(code: int, message: str | None) -> int:
    """Speak once (a traceback if there is no message), then wait for the other ranks; abort them if they stay away."""
    comm = MPI.COMM_WORLD

    def speak() -> None:
        _speak(traceback.format_exc().splitlines() if message is None else [_one_line(message)])

    if comm.rank == 0:
        speak()
    if comm.size > 1:
        deadline, together = time.monotonic() + PATIENCE, _endings.Ibarrier()
        while not together.Test():
            if time.monotonic() > deadline:
                if comm.rank != 0:
                    speak()
                comm.Abort(code)
            time.sleep(0.01)
    return code


# Ranks that end meet here, where no library call that other ranks may still be in can be mistaken for it.
_endings = MPI.COMM_WORLD.Dup()


def main() -> NoReturn:
    """The ``hydrodl`` command."""
    sys.exit(invoke())
