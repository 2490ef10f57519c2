"""What training returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hydrodl.common.arrays import Floats
from hydrodl.common.cards import Card
from hydrodl.physics.neurons import HiddenLayers
from hydrodl.physics.readout import Readout
from hydrodl.problem.flow import Flow
from hydrodl.problem.problem import Problem


@dataclass(frozen=True, eq=False, kw_only=True)
class Statistics:
    """How the optimiser got to a solution, and what was measured of its fields.

    Attributes:
        objective: J; parts: the running cost and every loss, which add up to J.
        gradient_norm, initial_gradient_norm: in the control inner product.
        converged: did the gradient norm pass the tolerance; reason: why the optimiser stopped, in words.
        iterations: Newton (or quasi-Newton) steps; hessian_products: number of Hessian products.
        timings: seconds by phase: "assembly" (forms, factors), "sweeps" (solves, products), "optimiser" (the rest).
        history: one mapping a step: iteration, objective, gradient_norm, cg_iterations, seconds; and after a
            step away from a saddle its curvature there.
        saddles: how many saddles training went on from, where it had converged.
        min_density: smallest density over slabs, layers, classes and nodes.
        negative_mass: int max(-rho, 0) summed over classes, at its worst layer.
        mass_error: largest |mass - initial mass| over classes and layers.
        peclet: largest cell Peclet number |u| h / (2 nu).
        effective_noise: what the scheme spreads densities with, per feature direction, weighted by mass; largest_noise:
            the largest of it anywhere, over nu.
        warnings: what a user must know before trusting the fields, such as negative densities.
        operators_rebuilt: how often a Hessian product had to rebuild operators after a rejected trial step.
        linear_solver: what solved with the slab operators, such as "lu" or "gmres/ilu".
    """

    objective: float
    parts: Mapping[str, float]
    gradient_norm: float
    initial_gradient_norm: float
    converged: bool
    reason: str
    iterations: int
    hessian_products: int
    timings: Mapping[str, float]
    history: tuple[Mapping[str, Any], ...]
    min_density: float
    negative_mass: float
    mass_error: float
    peclet: float
    effective_noise: tuple[float, ...] = ()
    largest_noise: float = 1.0
    saddles: int = 0
    operators_rebuilt: int = 0
    linear_solver: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Solution(Card, Statistics):
    """The best velocity found, its densities and potentials, and how the optimiser got there.

    Attributes:
        problem: what was solved; a trained readout stands in it as it was found.
        flow: velocity, density, potential and jumps, which the solution has as attributes too.
        coefficients: A of neurons, shape (N, d, J), the same on every rank; None for the field control.
        hidden: W and b of neurons where they were trained too, else None; ``neurons`` has them in both cases.

    Example:
        >>> solution.converged, solution.velocity.shape == (16, 2, domain.owned), solution.mass_error < 1e-10
        (True, True, True)
    """

    problem: Problem
    flow: Flow
    coefficients: Floats | None = None
    hidden: HiddenLayers | None = None

    @property
    def neurons(self) -> HiddenLayers | None:
        """W and b of every layer, as trained or as drawn; None for the field control."""
        control = self.problem.control
        if control is None or self.coefficients is None:
            return None
        return self.hidden or control.draw(self.problem.domain, len(self.problem.layers))

    @property
    def controls(self) -> Controls:
        """The point that was found, to start from again; the readout in it whether trained or not."""
        return Controls(self.velocity, self.coefficients, self.readout, self.hidden)

    def facts(self) -> Mapping[str, Any]:
        """For a notebook."""
        parts = [f"{name} {value:.5g}" for name, value in self.parts.items()]
        return {
            "problem": self.problem,
            "stopped": self.reason,
            "objective": f"{self.objective:.8g} ({', '.join(parts)})",
            "gradient": f"{self.gradient_norm:.2e}, at the start {self.initial_gradient_norm:.2e}",
            "steps": f"{self.iterations}, with {self.hessian_products} Hessian products",
            **({"saddles": f"{self.saddles}, left along their negative curvature"} if self.saddles else {}),
            "densities": f"at least {self.min_density:.2e}, mass error {self.mass_error:.1e}",
            "noise": ", ".join(f"{value:.4g}" for value in self.effective_noise),
            "seconds": f"{sum(self.timings.values()):.1f}",
        } | {f"warning {k + 1}": words for k, words in enumerate(self.warnings)}

    @property
    def velocity(self) -> Floats:
        """u_k on slab k at this rank's owned nodes, shape (N, d, owned)."""
        return self.flow.velocity

    @property
    def density(self) -> Floats:
        """rho_c at layers t_0 .. t_N, shape (N + 1, C, owned)."""
        return self.flow.density

    @property
    def potential(self) -> Floats:
        """phi_c at layers, shape (N + 1, C, owned); at a layer with a loss, its value before the loss."""
        return self.flow.potential

    @property
    def jumps(self) -> Floats:
        """-M^-1 dG of losses at layers t_1 .. t_N inside, shape (N, C, owned), zero where there is none."""
        return self.flow.jumps

    def with_velocity(self, velocity: Floats) -> Solution:
        """The same with another velocity (N, d, owned): its network is another, its densities are not."""
        return replace(self, flow=replace(self.flow, velocity=velocity))

    @property
    def readout(self) -> Readout | None:
        """The readout, as trained or as given; None if the problem has no classification loss."""
        return self.problem.readout

    def __str__(self) -> str:
        state = "converged" if self.converged else "NOT CONVERGED"
        return (
            f"{state} ({self.reason}): J = {self.objective:.8g}, gradient {self.gradient_norm:.2e}, "
            f"{self.iterations} steps, {self.hessian_products} Hessian products, min density {self.min_density:.2e}"
        )


@dataclass(frozen=True, eq=False)
class Controls:
    """One point of the optimisation.

    Attributes:
        velocity: u, shape (N, d, owned).
        coefficients: A of neurons, shape (N, d, J), the same on every rank; None for the field control.
        readout: the trained readout; None if it is fixed.
        hidden: W and b of neurons where they are trained; None: as drawn.

    Example:
        >>> point = hd.Controls(solution.velocity)
        >>> hd.train(problem, initial=point).iterations
        0
    """

    velocity: Floats
    coefficients: Floats | None = None
    readout: Readout | None = None
    hidden: HiddenLayers | None = None
