"""A solution as files for others: a ParaView time series and a NumPy archive."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dolfinx import fem
from dolfinx.io import VTKFile

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import attempt

if TYPE_CHECKING:
    from hydrodl.problem.solution import Solution


def write_vtk(folder: str | Path, solution: Solution) -> Path:
    """Collective: ``fields.pvd`` and its parts, a ParaView time series over the layers with time = t_k, k = 0 .. N.

    Point fields: ``rho_<class>``, ``phi_<class>``, ``rho`` (the total density) and ``u`` (three components). At t_k
    stands u_k of the slab that starts there; at t_N that of the last slab. Characters of class names that ParaView's
    calculator cannot take become underscores. Files of an earlier series in the folder are removed.

    Raises:
        InputError: the folder or a file cannot be written.

    Example:
        >>> hd.write_vtk(".", solution).name
        'fields.pvd'
    """
    problem, folder = solution.problem, Path(folder)
    domain, times = problem.domain, problem.layers.times
    classes = _safe(problem.densities.class_names)
    attempt(domain.comm, lambda: _clear(folder) if domain.comm.rank == 0 else None)
    names = [*(f"rho_{c}" for c in classes), *(f"phi_{c}" for c in classes), "rho"]
    scalars = {name: fem.Function(domain.V, name=name) for name in names}
    part = fem.Function(domain.V)
    vector = fem.Function(domain.space(3), name="u")

    def write() -> None:
        with VTKFile(domain.comm, folder / "fields.pvd", "w") as file:
            for k, time in enumerate(times):
                rho, phi = solution.density[k], solution.potential[k]
                for function, values in zip(scalars.values(), (*rho, *phi, rho.sum(axis=0)), strict=True):
                    _fill(function, values)
                for i, values in enumerate(solution.velocity[min(k, len(times) - 2)]):
                    _fill(part, values)
                    vector.sub(i).interpolate(part)
                vector.x.scatter_forward()
                file.write_function([*scalars.values(), vector], float(time))

    attempt(domain.comm, write)
    attempt(domain.comm, lambda: _complete(folder) if domain.comm.rank == 0 else None)
    return folder / "fields.pvd"


_LONGEST = 60  # characters of a class name in the name of a field


def _safe(class_names: Sequence[Any]) -> list[str]:
    """Class names of letters, digits and underscores, still different from each other."""
    names: list[str] = []
    for c, given in enumerate(class_names):
        name = plain = re.sub(r"[^0-9A-Za-z]+", "_", str(given)).strip("_")[:_LONGEST] or str(c)
        number = c
        while name in names:
            name, number = f"{plain}_{number}", number + 1
        names.append(name)
    return names


def _fill(function: fem.Function, owned: Floats) -> None:
    function.x.array[: len(owned)] = owned
    function.x.scatter_forward()


def _clear(folder: Path) -> None:
    """Make the folder, remove an earlier series, and see that files can be written."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in _series(folder):
        old.unlink()
    (folder / "fields.pvd").touch()


def _series(folder: Path) -> list[Path]:
    pattern = re.compile(r"fields(\.pvd|\d{6,}\.p?vtu|_p\d+_\d{6,}\.vtu)")
    return [file for file in folder.iterdir() if pattern.fullmatch(file.name)]


def _complete(folder: Path) -> None:
    """Raise if a file has no end: DOLFINx says nothing when a disk is full."""
    for file in _series(folder):
        with file.open("rb") as raw:
            raw.seek(max(0, file.stat().st_size - 64))
            if b"</VTKFile>" not in raw.read():
                raise InputError(f"{file} could not be written completely; is the disk full?")
