"""The command line: thin, everything behind it is in the files that end in ``_run``.

A command imports what it runs when it runs: --version, --help and a wrong command line wait for nothing else.

Exit codes: 0 done; 2 the input is wrong (one line on stderr); 3 not converged (everything is written all the same);
1 anything else, such as a signal that ends the command at once. Under MPI rank 0 speaks for all and every rank ends.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from mpi4py import MPI

from hydrodl.application import other_commands, run_commands
from hydrodl.application.output import Closed, discard
from hydrodl.application.signals import Stopped, caught, ending_at_once
from hydrodl.application.speech import mended, no_output, one_line, passed_on, speak, warn
from hydrodl.common.errors import InputError, SolverError

DONE, FAILED, WRONG_INPUT = 0, 1, 2


PATIENCE = 10.0  # seconds in which the other ranks must come to the same end, else all are aborted


app = typer.Typer(name="hydrodl", add_completion=True, pretty_exceptions_enable=False, rich_markup_mode=None)
for _command in (*run_commands.COMMANDS, *other_commands.COMMANDS):
    app.command()(_command)


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


def invoke(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Collective: all ranks end alike, or are aborted."""
    if MPI.COMM_WORLD.rank != 0:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # for the life of the process
    sys.stdout = sys.stdout or Closed()  # type: ignore[assignment]  # Python has None where they were closed
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    with warnings.catch_warnings(), caught(ending_at_once()):
        warnings.showwarning = warn
        try:
            return _run(arguments)
        except Stopped as stopped:
            return _end(FAILED, str(stopped))


_command_line = cache(typer.main.get_command)


def _run(arguments: Sequence[str] | None, again: bool = True) -> int:
    try:
        code = int(_command_line(app).main(args=arguments, prog_name="hydrodl", standalone_mode=False) or DONE)
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

        if again and MPI.COMM_WORLD.size == 1 and (forms := form_cache.wait_and_mend(error)):
            mended(forms)
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
        return WRONG_INPUT, f"error: {no_output(error)}"
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

    def tell() -> None:
        speak(traceback.format_exc().splitlines() if message is None else [one_line(message)])

    if comm.rank == 0:
        tell()
    if comm.size > 1:
        deadline, together = time.monotonic() + PATIENCE, _endings.Ibarrier()
        while not together.Test():
            if time.monotonic() > deadline:
                if comm.rank != 0:
                    tell()
                passed_on()
                comm.Abort(code)
            time.sleep(0.01)
    return code


# Ranks that end meet here, where no library call that other ranks may still be in can be mistaken for it.
_endings = MPI.COMM_WORLD.Dup()


def main() -> NoReturn:
    """The ``hydrodl`` command."""
    sys.exit(invoke())
