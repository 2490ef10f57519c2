"""Small problem files that the tests of the command line share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hydrodl.common import displays

MOONS = """
[data]
source = "two_moons"
samples = 60
test_samples = 40
[domain]
nodes = 11
[network]
layers = 3
[solver]
tao_gatol = 1e-8
"""
# one class gathers in a blob at (3, 30), the other at (5, 10); far from standardised on purpose
TABLE = "length,width,kind\n" + "".join(
    f"{a + 0.3 * np.cos(i):.6f},{b + 4 * np.sin(3 * i):.6f},{name}\n"
    for i in range(12)
    for a, b, name in ((3, 30, "reed"), (5, 10, '"oak, old"'))
)
# small and fast, yet more than ten Newton steps
GAUSSIANS = """
[[data.mixture]]
label = "a"
mean = [-0.5]
std = 0.4
[[data.mixture]]
label = "b"
mean = [0.5]
std = 0.4
[domain]
nodes = 61
[network]
layers = 6
[physics]
noise = 0.02
[loss]
weight = 50.0
[solver]
tao_gatol = 1e-9
"""
# the command in a process of its own; its figures take longer than everything else
WITHOUT_FIGURES = (
    "import hydrodl.application.train_run as r; r.plot_all = lambda *_: None; "
    "from hydrodl.application.cli import main; main()"
)


def at_step(number: int, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Do something when the progress line of a Newton step is written."""
    plain = displays.line

    def line(step: dict, seconds: float) -> str:
        if step["iteration"] == number:
            act()
        return plain(step, seconds)

    monkeypatch.setattr(displays, "line", line)
