"""What a run's checkpoint holds beside the fields, so that it can predict without the data, and go on from there."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hydrodl.common.arrays import Floats, evenly
from hydrodl.common.errors import DataError, InputError
from hydrodl.common.parallel import smallest
from hydrodl.data.class_densities import Densities
from hydrodl.data.preprocessing import Preprocessing, features_of, numbered
from hydrodl.data.samples import Samples
from hydrodl.files.checkpoint import Checkpoint, load_checkpoint
from hydrodl.files.record_schema import ModelTable, SamplesTable, checked
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.quadrature import integrals, moment
from hydrodl.physics.neurons import HiddenLayers
from hydrodl.physics.readout import Readout
from hydrodl.problem.problem import Problem
from hydrodl.problem.solution import Controls

KEPT = 2000  # samples that a record keeps at most, for figures; they show no more


_ROUNDING = 1e-6  # of masses


_DRAWN = ("width", "activation", "scale", "seed")  # what says which neurons the coefficients belong to


def model(problem: Problem, preprocessing: Preprocessing, point: Controls) -> dict[str, Any]:
    """The attribute "model" of a run's checkpoint."""
    readout = point.readout or problem.readout
    return {
        "class_names": list(problem.densities.class_names),
        "preprocessing": preprocessing.to_dict(),
        "readout": readout and {"weights": readout.weights.tolist(), "offsets": readout.offsets.tolist()},
        "coefficients": None if point.coefficients is None else point.coefficients.tolist(),
        "neurons": _neurons(problem),
        "hidden": point.hidden and {"weights": point.hidden.weights.tolist(), "offsets": point.hidden.offsets.tolist()},
    }


def samples_record(samples: Samples | None) -> dict[str, Any] | None:
    """Up to ``KEPT`` samples in mesh coordinates, chosen evenly, from which figures can be drawn without the data."""
    if samples is None:
        return None
    chosen = evenly(len(samples), KEPT)
    return {"points": samples.points[chosen].tolist(), "labels": samples.labels[chosen].tolist()}


def recorded_samples(held: SamplesTable, rho: Densities) -> Samples:
    """The samples of a record of the run whose densities are given.

    Raises:
        DataError: points of another dimension, or labels of other classes.
    """
    known = rho.preprocessing
    assert known is not None
    if any(len(point) != known.dimension for point in held.points):
        raise DataError(f"samples of a run must have {known.dimension} coordinates each")
    features = features_of(known, np.array(held.points, dtype=float).reshape(-1, known.dimension))
    names = known.feature_names or numbered(features.shape[1])
    return Samples(features, np.array(held.labels, dtype=np.int64), rho.class_names, names, known)


def point(held: ModelTable, velocity: Floats) -> Controls:
    """The controls in a checkpoint; the readout whether trained or not."""
    readout, coefficients, hidden, hidden_layers = held.readout, held.coefficients, held.hidden, None
    if hidden is not None and held.neurons is not None:
        hidden_layers = HiddenLayers(np.array(hidden.weights), np.array(hidden.offsets), held.neurons.activation)
    return Controls(
        velocity,
        None if coefficients is None else np.array(coefficients),
        None if readout is None else Readout(np.array(readout.weights), np.array(readout.offsets)),
        hidden_layers,
    )


def resumed(path: Path, problem: Problem) -> Controls:
    """Where to go on from; collective.

    Raises:
        InputError: no checkpoint, one that is damaged, or one of another mesh, other layers, classes or neurons.
    """
    comm = problem.domain.comm
    if not comm.bcast(path.is_file() if comm.rank == 0 else None):
        raise InputError(f"nothing to resume: there is no {path}; train without --resume to start anew")
    found = load_checkpoint(path, problem.domain, problem.layers)
    if "model" not in found.attributes:
        raise InputError(f"checkpoint {path} was not written by a run: it holds no model to go on with")
    held = checked(path, ModelTable, found.attributes["model"])
    names = list(problem.densities.class_names)
    if held.class_names != names:
        raise InputError(
            f"checkpoint {path} was written for the classes {', '.join(held.class_names)}, not {', '.join(names)}"
        )
    check_model(path, held, problem)
    return point(held, found.velocity)


def check_densities(path: Path, domain: Domain, found: Checkpoint, held: ModelTable, facts: Any) -> None:
    """Raise InputError unless the densities are of these classes, and their masses what the facts say; collective."""
    density = found.density
    assert density is not None
    if density.shape[1] != len(held.class_names) or held.preprocessing.made.dimension != domain.dimension:
        raise InputError(
            f"checkpoint {path} holds {density.shape[1]} classes in dimension {domain.dimension}, its model "
            f"{len(held.class_names)} in dimension {held.preprocessing.made.dimension}"
        )
    weights = moment(domain)
    masses = np.array([integrals(domain, weights, layer) for layer in density])
    given = [density[0], *(() if found.targets is None else found.targets)]
    lowest = smallest(domain.comm, min(float(values.min(initial=0.0)) for values in given))
    drift = float(np.abs(masses - masses[0]).max())
    if lowest < 0 or not masses[0].min() > 0 or abs(masses[0].sum() - 1) > _ROUNDING:
        raise InputError(
            f"checkpoint {path} holds no densities: masses {masses[0].tolist()}, smallest value {lowest:g}; "
            "masses must be positive and their sum 1, and no value negative"
        )
    if not drift <= abs(facts.mass_error) * (1 + _ROUNDING) + _ROUNDING:
        raise InputError(f"checkpoint {path} says its masses change by {facts.mass_error:g}, they change by {drift:g}")


def check_model(path: Path, held: ModelTable, problem: Problem) -> None:
    """Raise InputError unless the neurons, their coefficients and the readout are those of the problem."""
    theirs, ours = None if held.neurons is None else held.neurons.model_dump(), _neurons(problem)
    if theirs != ours:
        raise InputError(f"checkpoint {path} was written for {_words(theirs)}, not {_words(ours)}")
    d, layers = problem.domain.dimension, len(problem.layers)
    wanted = None if problem.control is None else (layers, d, problem.control.width)
    found = None if held.coefficients is None else np.shape(held.coefficients)
    if found != wanted:
        raise InputError(f"checkpoint {path} holds coefficients of shape {found}, must be {wanted}")
    if held.hidden is not None:
        if problem.control is None or not problem.control.whole:
            raise InputError(f"checkpoint {path} was written for neurons that are trained whole, not in part")
        shape_of = np.shape(held.hidden.weights)
        if shape_of != (layers, problem.control.width, d):
            raise InputError(
                f"checkpoint {path} holds hidden weights of shape {shape_of}, must be "
                f"{(layers, problem.control.width, d)}"
            )
    shape = None if held.readout is None else np.shape(held.readout.weights)
    if shape is not None and shape != (problem.classes, d):
        raise InputError(f"checkpoint {path} holds a readout of shape {shape}, must be {(problem.classes, d)}")


def _neurons(problem: Problem) -> dict[str, Any] | None:
    control = problem.control
    return None if control is None else {name: asdict(control)[name] for name in _DRAWN}


def _words(neurons: dict[str, Any] | None) -> str:
    if neurons is None:
        return "a velocity at every node (no network.width)"
    return "neurons of " + ", ".join(f"{name} {value}" for name, value in neurons.items())
