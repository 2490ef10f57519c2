"""The errors a user of hydrodl can meet.

``InputError``: something the user gave is wrong; the message names it and says what is allowed.
``MeshError``, ``DataError``: the same, from a mesh file and from a table.
``SolverError``: the computation itself failed (a singular slab operator, a density that is not finite).
"""

from __future__ import annotations


class InputError(ValueError):
    """The user's input is wrong; the message names the offending thing and what is allowed.

    Example:
        >>> hd.Lagrangian(noise=-1.0)
        Traceback (most recent call last):
            ...
        hydrodl.common.errors.InputError: noise is -1...
    """


class DataError(InputError):
    """A data set or table is unusable; the message names the file, row or column.

    Example:
        >>> hd.load_dataset("two_mons")
        Traceback (most recent call last):
            ...
        hydrodl.common.errors.DataError: unknown dataset 'two_mons'; did you mean 'two_moons'?...
    """


class MeshError(InputError):
    """A feature mesh is unusable; the message names the file and what was expected of it.

    Example:
        >>> hd.Domain.from_file("none.msh")
        Traceback (most recent call last):
            ...
        hydrodl.common.errors.MeshError: mesh none.msh: no such file
    """


class SolverError(RuntimeError):
    """The computation failed; the message names the layer and the quantity that was not finite.

    Example:
        >>> issubclass(hd.SolverError, RuntimeError)
        True
    """
