"""PETSc's options: a flat mapping of PETSc's own names, kept in its database under a prefix while objects read them."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from petsc4py import PETSc

Options = Mapping[str, Any]


def _delete(database: Any, names: list[str]) -> None:
    for name in names:
        database.delValue(name)


class OptionScope:
    """PETSc options below a prefix of their own, in PETSc's database while the objects that read them live.

    Args:
        name: what the options are for; the prefix is this and a number that no other scope has.
        options: PETSc's names, without prefix, and values; None for a flag without a value.
    """

    _count = 0

    def __init__(self, name: str, options: Options) -> None:
        OptionScope._count += 1
        self.prefix = f"hydrodl_{name}_{OptionScope._count}_"
        self._keys = list(options)
        self._database = PETSc.Options()
        for key, value in options.items():
            self._database.setValue(self.prefix + key, "" if value is None else value)
        names = [self.prefix + key for key in options]
        self._forget = weakref.finalize(self, _delete, self._database, names)

    def apply(self, target: Any) -> None:
        """Let a PETSc object read its options."""
        target.setOptionsPrefix(self.prefix)
        target.setFromOptions()

    def unread(self) -> list[str]:
        """Options that no PETSc object has asked for yet."""
        return [key for key in self._keys if not self._database.used(self.prefix + key)]

    def close(self) -> None:
        """Take the options out of the database again; happens by itself when the scope is forgotten."""
        self._forget()


def subset(options: Options, prefix: str) -> dict[str, Any]:
    """The options that start with a prefix, without it."""
    return {key[len(prefix) :]: value for key, value in options.items() if key.startswith(prefix)}


def told_unread(unread: Iterable[str], asked: Collection[str]) -> tuple[str, ...]:
    """A warning for each option that the caller asked for and PETSc has not read."""
    return tuple(
        f"PETSc did not read the solver option {key!r}: misspelt, or without meaning for the solver chosen"
        for key in unread
        if key in asked
    )
