"""The distance to the deeper trained flow, predicted from one gradient and measured by training it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.adaptivity.deeper_flow import deeper_flow
from hydrodl.adaptivity.refined_problem import finer_layers, on_layers, velocity_on
from hydrodl.analysis.stability.hessian_spectrum import spectrum
from hydrodl.mesh.quadrature import integrals, moment

LINE = hd.Domain.interval(-2, 2, 41)


def problem(scheme: str) -> hd.Problem:
    rho = hd.mixture([hd.Gaussian([m], 0.4, label=c) for c, m in enumerate((-0.6, 0.6))], LINE)
    physics = hd.Lagrangian(0.1, decay=0.05)
    loss = hd.Classification(3.0, hd.Readout(np.array([[1.0], [-1.0]]), np.zeros(2)))
    return hd.Problem(LINE, hd.layers(6), rho, physics, loss, scheme)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["strang", "euler-box"])
def test_the_deeper_flow_is_where_the_gradient_says(scheme: str) -> None:
    given = problem(scheme)
    solution = hd.train(given, options={"tao_gatol": 1e-9})
    functional = hd.ReducedFunctional(given)
    functional.linearise(solution.velocity)
    least = float(spectrum(functional, largest=False).smallest[0])
    bound = deeper_flow(solution, least, tolerance=1e-3)
    deep = hd.train(on_layers(given, finer_layers(given.layers)), options={"tao_gatol": 1e-9})
    ours = velocity_on(solution.flow, deep.problem.layers, LINE)
    change = deep.flow.slab_density.sum(axis=1) * ((ours - deep.velocity) ** 2).sum(axis=1)
    measured = np.sqrt(deep.problem.layers.steps @ integrals(LINE, moment(LINE), change))  # T = mass = 1
    predicted = bound.value * (1 - 0.5**given.method.order)
    assert 0.2 * predicted < measured <= 1.05 * predicted
    assert not bound.holds and bound.needs_layers is not None and bound.needs_layers > 6


def test_what_it_needs() -> None:
    solution = hd.train(problem("strang"))
    assert deeper_flow(solution, 0.0).value == np.inf
    with pytest.raises(hd.InputError, match="tolerance"):
        deeper_flow(solution, 1.0, -1.0)
    still = replace(solution.problem, lagrangian=hd.Lagrangian(0.1, decay=1.0, kinetic=0.0))
    with pytest.raises(hd.InputError, match="kinetic is 0"):
        deeper_flow(replace(solution, problem=still))
