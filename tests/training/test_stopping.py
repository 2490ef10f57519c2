"""How accurately the linear system of a Newton step is solved, for when training ends."""

from __future__ import annotations

import pytest

from hydrodl.training.stopping import forcing


def test_a_step_is_solved_loosely_far_away_and_never_past_the_end() -> None:
    for norm, end, residual in (
        (20.0, 1e-7, 0.1),  # at the start
        (0.05, 1e-7, 0.05),  # the root of what the gradient has fallen by
        (2e-6, 1e-12, 3.1623e-4),
        (1e-9, 1e-12, 1e-4),  # the tightest
        (2e-6, 1e-7, 5e-3),  # a twentieth is missing, a tenth of that suffices
        (1.2e-2, 1e-2, 1 / 12),
        (0.0, 0.0, 1e-4),
    ):
        history = [{"gradient_norm": g, "objective": 1.0} for g in (20.0, norm)]
        for tolerances in ((end, 0.0, 0.0), (0.0, end, 0.0), (end / 2, 0.0, end / 20)):
            assert forcing(history, tolerances) == pytest.approx(residual, rel=1e-3)
