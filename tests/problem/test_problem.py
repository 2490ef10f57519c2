"""The scheme of a problem that names none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.problem_file import building, reading

MOONS = '[data]\nsource = "two_moons"\nsamples = 40\n[domain]\nnodes = 5\n'


def problem(fitted: bool | None = None, scheme: str | None = None, **choices: object) -> hd.Problem:
    domain = hd.Domain.box([-2.0, -2.0], [2.0, 2.0], 5, **choices)  # type: ignore[arg-type]
    rho = hd.mixture([hd.Gaussian([x, 0.0], 0.5, label=name) for x, name in ((-0.5, "a"), (0.5, "b"))], domain)
    return hd.Problem(domain, hd.layers(2), rho, hd.Lagrangian(0.3, fitted=fitted), hd.Classification(), scheme)


def test_strang_where_it_is_possible_and_euler_box_elsewhere() -> None:
    for choices, name in (
        ({}, "strang"),
        ({"lumped": False}, "euler-box"),
        ({"degree": 2}, "euler-box"),
        ({"cells": "simplex"}, "euler-box"),
        ({"cells": "simplex", "lumped": True}, "euler-box"),
        ({"fitted": True}, "euler-box"),
        ({"fitted": False}, "strang"),
        ({"scheme": "residual"}, "residual"),
    ):
        made = problem(**choices)
        assert made.scheme == made.method.name == name
        assert replace(made).scheme == name


def test_a_problem_that_changes_its_scheme_takes_that_schemes_diffusion() -> None:
    other = replace(problem(), scheme="euler-box")
    assert other.lagrangian.fitted is True
    with pytest.raises(hd.InputError, match="leave fitted out"):
        replace(other, scheme="strang")


def test_files_take_the_same_and_write_it_out(tmp_path: Path) -> None:
    for text, name in (
        ("", "strang"),
        ("[physics]\nfitted = true\n", "euler-box"),
        ("cells = 'simplex'\n", "euler-box"),
        ("degree = 2\n", "euler-box"),
        ("lumped = false\n", "euler-box"),
        ("[network]\nscheme = 'midpoint'\n", "midpoint"),
    ):
        path = tmp_path / "p.toml"
        path.write_text(MOONS + text)
        made = building.setup(reading.load(path))
        assert made.config.network.scheme == made.problem.scheme == name
        assert f'scheme = "{name}"' in reading.dumps(made.config, tmp_path)


def test_what_is_trained_by_default_has_the_noise_asked_for() -> None:
    line = hd.Domain.interval(-3.0, 3.0, nodes=31)
    rho = hd.mixture([hd.Gaussian(-0.5, 0.6)], line)
    solution = hd.train(hd.Problem(line, hd.layers(4), rho, hd.Lagrangian(0.1), hd.Position(1.0, [[0.5]])))
    np.testing.assert_allclose(solution.effective_noise, [0.1], rtol=1e-14)


def test_arguments_in_another_order_and_a_step_left_out_are_named() -> None:
    box = hd.Domain.interval(-1.0, 1.0, 5)
    rho = hd.densities_from_function([lambda x: 2 + x[:, 0], lambda x: 2 - x[:, 0]], box)
    fit = hd.Problem(box, hd.layers(1), rho, hd.Lagrangian(0.1), hd.Classification())
    for wrong, words in (
        (
            lambda: hd.Problem(hd.layers(1), box, rho, hd.Lagrangian(0.1), hd.Classification()),
            "domain is of type Layers",
        ),
        (lambda: hd.Network(fit), "solution is of type Problem, must be of type Solution: train the problem first"),
        (lambda: hd.train(rho), "problem is of type Densities"),
        (lambda: hd.layers(2.5), "layers is 2.5, must be a whole number"),
    ):
        with pytest.raises(hd.InputError, match=words):
            wrong()
