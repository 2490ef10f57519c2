"""From a checked problem file to the objects it describes: samples, mesh, densities, physics, losses, problem."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import attempt
from hydrodl.data.class_densities import Densities, densities, mixture, sample_mixture
from hydrodl.data.datasets import DATASETS, load_dataset
from hydrodl.data.samples import Samples
from hydrodl.data.snapshot_sets import Snapshots
from hydrodl.data.tables import read_csv
from hydrodl.mesh.bounding_box import around, lifted_nodes
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.layer_partition import Layers, layers
from hydrodl.physics import lagrangian, losses
from hydrodl.physics.internal_energy import Entropy, Focusing, InternalEnergy, Power
from hydrodl.physics.neurons import Neurons
from hydrodl.physics.readout import Readout
from hydrodl.problem.problem import Problem
from hydrodl.problem_file import building_snapshots as snapshot_build
from hydrodl.problem_file import data_schema as data_sections
from hydrodl.problem_file import schema as sections
from hydrodl.problem_file.building_snapshots import gaussians
from hydrodl.problem_file.formula import Expression
from hydrodl.problem_file.size_estimate import Sizes, check_memory

TEST_SEED = 1_000_003  # added to data.seed: test samples that no usual training seed repeats


ENERGIES: dict[str, Callable[..., InternalEnergy]] = {"entropy": Entropy, "power": Power, "focusing": Focusing}


TAILS = 3.0  # standard deviations of a mixture that its box holds, before the margin


@dataclass(frozen=True, eq=False)
class Setup:
    """A problem and the samples it came from.

    Attributes:
        problem: ready to train.
        train: samples behind the densities (drawn from the mixture where there is one).
        test: held-out samples seen through the same preprocessing, None if none were asked for.
        snapshots: the sample sets of a problem with [[data.snapshots]]; ``train`` is then the first of them.
    """

    problem: Problem
    train: Samples
    test: Samples | None
    snapshots: Snapshots | None = None


def setup(config: sections.Config) -> Setup:
    """Everything a problem file describes; collective.

    Raises:
        InputError: anything wrong with the data or the mesh, parts of the file that do not fit together, or a problem
            that cannot fit in memory.
    """
    if config.data.snapshots is not None:
        return _through_snapshots(config)
    train, test = samples(config.data)
    domain = _fitting_domain(config, train, train.classes)
    if config.data.mixture is not None:
        rho = mixture(gaussians(config.data.mixture), domain)
    else:
        rho = densities(train, domain, config.data.bandwidth)
    return Setup(make_problem(config, rho), train, test)


def _through_snapshots(config: sections.Config) -> Setup:
    sets = snapshot_build.read(config.data)
    domain = _fitting_domain(config, sets.pooled, 1)
    rho, *targets = snapshot_build.densities_of(config.data, sets, domain)
    return Setup(make_problem(config, rho, targets=targets), sets.samples(0), None, sets)


def sizes(config: sections.Config) -> Sizes:
    """The sizes of what a problem file describes, from the file and its data alone; only a mesh file is built.

    Collective; raises InputError as :func:`setup` does.
    """
    if config.data.snapshots is not None:
        return _sizes(config, snapshot_build.read(config.data).pooled, 1)[0]
    train, _ = samples(config.data)
    return _sizes(config, train, train.classes)[0]


def _sizes(config: sections.Config, train: Samples, classes: int) -> tuple[Sizes, Domain | None]:
    """The sizes, and the mesh where it comes from a file."""
    wanted, dimension, corners = config.domain, train.points.shape[1], box(config, train)
    meshed = make_domain(config, dimension, corners) if wanted.mesh is not None else None
    nodes = _box_nodes(config, dimension, corners, train.preprocessing.lift) if meshed is None else meshed.nodes
    lumped = wanted.lumped if wanted.lumped is not None else wanted.cells == "box" and wanted.degree == 1
    found = Sizes(
        config.network.count,
        nodes,
        dimension,
        classes,
        config.network.width or 0,
        wanted.degree,
        lumped if meshed is None else meshed.lumped,
    )
    return found, meshed


def _fitting_domain(config: sections.Config, train: Samples, classes: int) -> Domain:
    """The mesh, unless the problem on it cannot fit in memory."""
    found, meshed = _sizes(config, train, classes)
    check_memory(found, MPI.COMM_WORLD)
    if meshed is not None:
        return meshed
    return make_domain(config, train.points.shape[1], box(config, train), train.preprocessing.lift)


def samples(data: sections.Data) -> tuple[Samples, Samples | None]:
    """Training samples, and test samples seen through the preprocessing of the training samples; collective."""
    if data.snapshots is not None:
        return snapshot_build.read(data).samples(0), None
    if data.mixture is not None:
        parts = gaussians(data.mixture)
        drawn = sample_mixture(parts, data.samples, data.seed)
        return drawn, sample_mixture(parts, data.test_samples, data.seed + TEST_SEED) if data.test_samples else None
    source = str(data.source)
    if not data.is_table and DATASETS[source].source.startswith("generated"):
        made = load_dataset(
            source,
            n=data.samples,
            noise=data.noise,
            seed=data.seed,
            dimensions=data.dimensions,
            one_unit=data.one_unit,
            lift=data.lift,
        )
        if not data.test_samples:
            return made, None
        test = load_dataset(source, n=data.test_samples, noise=data.noise, seed=data.seed + TEST_SEED)
        return made, test.with_preprocessing(made.preprocessing)
    if data.is_table:
        table = read_csv(
            source,
            label=str(data.label),
            features=data.features,
            dimensions=data.dimensions,
            one_unit=bool(data.one_unit),
            lift=data.lift,
        )
    else:
        table = load_dataset(
            source, noise=data.noise, dimensions=data.dimensions, one_unit=data.one_unit, lift=data.lift
        )
    return table.split(data.test_fraction, data.seed) if data.test_fraction > 0 else (table, None)


def box(config: sections.Config, train: Samples) -> tuple[Floats, Floats]:
    """Corners of the feature box: as given, or the data (three standard deviations of a mixture) and the margin."""
    given, margin = config.domain, config.domain.margin
    if given.lower is not None and given.upper is not None:
        return np.array(given.lower), np.array(given.upper)
    components = config.data.mixture or (snapshot_build.components(config.data) if config.data.snapshots else [])
    if not components:
        reached = train.points
    else:
        parts = gaussians(components)
        tails = [TAILS * np.sqrt(np.diag(part.matrix)) for part in parts]
        reached = np.array([part.center + side * t for part, t in zip(parts, tails, strict=True) for side in (-1, 1)])
    return around(reached, margin)


def make_domain(
    config: sections.Config, dimension: int | None, corners: tuple[Floats, Floats], lift: int = 0
) -> Domain:
    """The feature mesh: a file (of any dimension if None is given), or the box with the given corners; collective.

    The last ``lift`` directions are added ones, in which one number of nodes stands for their spacing.

    Raises:
        InputError: a mesh, corners or a list of nodes of another dimension than the data.
    """
    wanted = config.domain
    if wanted.mesh is not None:
        lumped = bool(wanted.lumped)
        return Domain.from_file(wanted.mesh, degree=wanted.degree, lumped=lumped, dimension=dimension)
    nodes = _box_nodes(config, dimension, corners, lift)
    return Domain.box(*corners, nodes, cells=wanted.cells, degree=wanted.degree, lumped=wanted.lumped)


def _box_nodes(
    config: sections.Config, dimension: int | None, corners: tuple[Floats, Floats], lift: int
) -> tuple[int, ...]:
    """Nodes of the box in each direction."""
    nodes, d = config.domain.nodes, len(corners[0])
    if dimension is not None and d != dimension:
        raise InputError(f"domain.lower has {d} numbers, the data have {dimension} features")
    if isinstance(nodes, list) and len(nodes) != d:
        raise InputError(f"domain.nodes is {nodes}, must be one number or {d} (the number of features)")
    counts = lifted_nodes(nodes, *corners, lift)
    return (counts,) * d if isinstance(counts, int) else tuple(counts)


def make_layers(config: sections.Config) -> Layers:
    """The layer partition of a problem file; the times of snapshots are among its own."""
    network = config.network
    if config.data.snapshots is not None:
        return snapshot_build.layers_of(config)[0]
    return layers(network.layers, network.depth) if network.times is None else layers(np.array(network.times))


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
    return Neurons(network.width, network.activation, network.neuron_scale, network.neuron_decay, network.neuron_seed)


def _check_fields(problem: Problem) -> None:
    """Evaluate everything that is given at nodes once, so that what is wrong is known before the solve."""
    domain = problem.domain
    problem.lagrangian.potentials(domain.coordinates[: domain.owned], problem.classes)
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


def make_loss(loss: sections.Loss, rho: Densities, readout: Readout | None) -> losses.Loss:
    """One loss of a problem file.

    Raises:
        InputError: a target with other classes or another dimension than the data.
    """
    match loss:
        case sections.Position():
            if len({len(loss.targets), rho.classes}) > 1 or {len(t) for t in loss.targets} != {rho.domain.dimension}:
                found = f"{len(loss.targets)} points of {len(loss.targets[0])} numbers"
                needed = f"{rho.classes} (one per class) of {rho.domain.dimension}"
                raise InputError(f"loss.targets holds {found}, must hold {needed}")
            return losses.Position(loss.weight, loss.targets, layer=loss.layer)
        case sections.Density():
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
