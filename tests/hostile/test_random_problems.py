"""Random problem files that are right all train, or say what prevents it: 20 of them, HYDRODL_PROBLEMS=200 for more."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from hydrodl.problem.solution import Solution
from hydrodl.problem_file import building
from hydrodl.problem_file.reading import dumps, from_tables
from hydrodl.problem_file.toml_text import read
from hydrodl.training.minimisation import train
from tests.builders.random_problems import Draw, write_beside

COUNT = int(os.environ.get("HYDRODL_PROBLEMS", "20"))
FIRST = 11  # one of those before is in space and slow

MOST = 300 if COUNT <= 20 else 2000  # steps


def solved(seed: int, folder: Path) -> Solution:
    made = building.setup(from_tables(Draw(seed).tables(), folder))
    (folder / "settled.toml").write_text(dumps(made.config, folder))
    assert from_tables(read(folder / "settled.toml"), folder) == made.config
    return train(made.problem, options=made.config.solver, monitor=lambda step: step["iteration"] >= MOST)


def wrong(found: Solution) -> str:
    """What is wrong with how a run ended, if anything is."""
    numbers = [found.objective, found.gradient_norm, found.min_density, found.mass_error, *found.velocity.flat]
    if not np.isfinite(numbers).all():
        return "not finite"
    if found.mass_error > 1e-9:
        return "mass"
    negative = found.min_density < 0
    if negative != any("densities are negative" in note for note in found.warnings):
        return "negative densities are not told"
    return "" if found.converged or negative else "not converged, and nothing says why"


@pytest.mark.slow
@pytest.mark.parametrize("first", range(FIRST, FIRST + COUNT, 10))
def test_random_problems_train_or_say_what_prevents_it(first: int, tmp_path: Path) -> None:
    write_beside(tmp_path)
    failed: dict[int, str] = {}
    for seed in range(first, first + 10):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = solved(seed, tmp_path)
        if word := wrong(found):
            failed[seed] = f"{word}: {found.reason}"
    assert not failed


def test_the_generator_gives_every_key() -> None:
    from hydrodl.problem_file.json_schema import json_schema

    seen: set[str] = set()

    def look(value: object) -> None:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):  # type: ignore[var-annotated,arg-type]
            if isinstance(key, str):
                seen.add(key)
            if isinstance(inner, dict | list):
                look(inner)

    for seed in range(200):
        look(Draw(seed).tables())
    known = {key for section in json_schema()["$defs"].values() for key in section["properties"]}
    not_drawn = {"outliers", "decimal", "delimiter"}  # of tables, see tests/data
    assert known - seen <= not_drawn, known - seen - not_drawn
