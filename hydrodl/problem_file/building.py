"""From a checked problem file to the objects it describes: samples, mesh, densities, physics, losses, problem."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpi4py import MPI

from hydrodl.common.errors import InputError
from hydrodl.common.parallel import attempt
from hydrodl.common.parameters import Number
from hydrodl.data.class_densities import Densities, mixture
from hydrodl.discretisation.schemes import SCHEMES
from hydrodl.mesh.domain import Domain
from hydrodl.physics import lagrangian, losses
from hydrodl.physics.internal_energy import Entropy, Focusing, InternalEnergy, Power
from hydrodl.physics.neurons import Neurons
from hydrodl.physics.readout import Readout
from hydrodl.problem.problem import Problem
from hydrodl.problem_file import building_snapshots as snapshot_build
from hydrodl.problem_file import data_schema as data_sections
from hydrodl.problem_file import loss_schema as loss_sections
from hydrodl.problem_file import schema as sections
from hydrodl.problem_file.building_snapshots import gaussians
from hydrodl.problem_file.formula import Expression
from hydrodl.problem_file.given_data import Given, densities_on, read
from hydrodl.problem_file.settling import make_layers, settled
from hydrodl.problem_file.size_estimate import Sizes, check_memory

POTENTIAL = Number(most=1e12)
"""Values of a potential energy; beyond them the rest of J is lost in rounding."""


ENERGIES: dict[str, Callable[..., InternalEnergy]] = {"entropy": Entropy, "power": Power, "focusing": Focusing}


@dataclass(frozen=True, eq=False)
class Setup:
    """A problem and what it came from.

    Attributes:
        config: the problem file with nothing left open, see :func:`~hydrodl.problem_file.settling.settled`.
        problem: ready to train.
        given: its samples.
    """

    config: sections.Config
    problem: Problem
    given: Given


def setup(config: sections.Config) -> Setup:
    """Everything a problem file describes; collective.

    Raises:
        InputError: anything wrong with the data or the mesh, parts of the file that do not fit together, or a problem
            that cannot fit in memory.
    """
    given = read(config.data)
    solved = settled(config, given)
    found, meshed = _sizes(solved, given)
    check_memory(found, MPI.COMM_WORLD)
    domain = make_domain(solved) if meshed is None else meshed
    rho, *targets = densities_on(domain, solved.data, given)
    return Setup(solved, make_problem(solved, rho, targets=targets), given)


def sizes(config: sections.Config) -> Sizes:
    """The sizes of what a problem file describes, from the file and its data alone; only a mesh file is built.

    Collective; raises InputError as :func:`setup` does.
    """
    given = read(config.data)
    return _sizes(settled(config, given), given)[0]


def _sizes(solved: sections.Config, given: Given) -> tuple[Sizes, Domain | None]:
    """The sizes, and the mesh where it comes from a file."""
    wanted, dimension = solved.domain, given.train.points.shape[1]
    meshed = None if wanted.mesh is None else make_domain(solved, dimension)
    found = Sizes(
        solved.network.count,
        tuple(wanted.nodes or ()) if meshed is None else meshed.nodes,  # type: ignore[arg-type]  # a list once settled
        dimension,
        given.train.classes,
        solved.network.width or 0,
        wanted.degree,
        bool(wanted.lumped),
        SCHEMES[str(solved.network.scheme)].moves_points,  # named once settled
        solved.network.hidden_weights == "trained",
    )
    return found, meshed


def make_domain(solved: sections.Config, dimension: int | None = None) -> Domain:
    """The feature mesh of a settled problem: a file, or the box with the given corners; collective.

    Raises:
        InputError: a mesh file of another dimension, where one is given, or an unusable one.
    """
    wanted = solved.domain
    degree, lumped = wanted.degree, bool(wanted.lumped)
    if wanted.mesh is not None:
        return Domain.from_file(wanted.mesh, degree=degree, lumped=lumped, dimension=dimension)
    corners = wanted.lower or [], wanted.upper or []
    shape: dict[str, Any] = {"cells": wanted.cells, "degree": degree, "lumped": lumped, "periodic": wanted.periodic}
    return Domain.box(*corners, wanted.nodes or 0, **shape)


def make_problem(
    config: sections.Config, rho: Densities, readout: Readout | None = None, targets: Sequence[Densities] = ()
) -> Problem:
    """The problem on given densities, from the file alone; collective.

    Args:
        config: the problem file.
        rho: the initial densities.
        readout: of classification losses; None: aligned to the class means.
        targets: the densities of the snapshots after the first.

    Raises:
        InputError: potentials, targets or losses that do not fit the features, classes or layers.
    """
    physics = make_lagrangian(config.physics, rho)
    asked: list[losses.Loss] = [make_loss(loss, rho, readout) for loss in config.loss if not targets]
    asked += snapshot_build.make_losses(config, targets) if targets else []
    problem = Problem(
        rho.domain, make_layers(config), rho, physics, asked, config.network.scheme, make_control(config.network)
    )
    attempt(rho.domain.comm, lambda: _check_fields(problem))
    return problem


def make_control(network: sections.Network) -> Neurons | None:
    """The neurons of a problem file, None for the field control."""
    if network.width is None:
        return None
    return Neurons(
        network.width,
        network.activation,
        network.neuron_scale,
        network.neuron_decay,
        network.neuron_seed,
        network.hidden_weights,
    )


def _check_fields(problem: Problem) -> None:
    """Evaluate everything that is given at nodes once, so that what is wrong is known before the solve."""
    domain = problem.domain
    values = problem.lagrangian.potentials(domain.coordinates[: domain.owned], problem.classes)
    if values.size and not POTENTIAL.allows(beyond := float(values.flat[np.abs(values).argmax()])):
        raise InputError(f"physics.potential is {beyond:.3g} somewhere, must be {POTENTIAL.words}")
    for loss in problem.losses:  # type: ignore[union-attr]
        loss.field(domain, problem.classes)


def make_lagrangian(physics: sections.Physics, rho: Densities) -> lagrangian.Lagrangian:
    """The physics of a problem file.

    Raises:
        InputError: as many potentials as neither one nor one per class, or a formula in too many features.
    """
    formulas = [Expression(text) for text in physics.potentials]
    if isinstance(physics.potential, list) and len(formulas) != rho.classes:
        raise InputError(f"physics.potential lists {len(formulas)} formulas for {rho.classes} classes")
    potential = formulas[0] if isinstance(physics.potential, str) else formulas or None
    asked = physics.energy
    energy = None if asked is None else ENERGIES[asked.kind](**asked.model_dump(exclude={"kind"}))
    numbers = physics.model_dump(exclude={"potential", "energy"})
    return lagrangian.Lagrangian(**numbers, energy=energy, potential=potential)


def make_loss(loss: loss_sections.Loss, rho: Densities, readout: Readout | None) -> losses.Loss:
    """One loss of a problem file.

    Raises:
        InputError: a target with other classes or another dimension than the data.
    """
    match loss:
        case loss_sections.Position():
            if len({len(loss.targets), rho.classes}) > 1 or {len(t) for t in loss.targets} != {rho.domain.dimension}:
                found = f"{len(loss.targets)} points of {len(loss.targets[0])} numbers"
                needed = f"{rho.classes} (one per class) of {rho.domain.dimension}"
                raise InputError(f"loss.targets holds {found}, must hold {needed}")
            return losses.Position(loss.weight, loss.targets, layer=loss.layer)
        case loss_sections.Density():
            target = _target(loss.target or [], rho)
            return losses.Density(loss.weight, target, loss.divergence, loss.floor, layer=loss.layer)
    return losses.Classification(
        loss.weight, readout, layer=loss.layer, trained=loss.readout == "trained", decay=loss.readout_decay
    )


def _target(components: Sequence[data_sections.Component], rho: Densities) -> Densities:
    """Target densities in the order of the data's classes and with the masses of the data's classes."""
    labels = {component.label for component in components}
    if labels != set(rho.class_names):
        found, needed = ", ".join(sorted(labels)), ", ".join(rho.class_names)
        raise InputError(f"loss.target has classes {found}, must have those of the data: {needed}")
    made = mixture(gaussians(components), rho.domain)
    order = [made.class_names.index(name) for name in rho.class_names]
    values = made.values[order] * (rho.masses / made.masses[order])[:, None]
    return Densities(rho.domain, values, rho.class_names)
