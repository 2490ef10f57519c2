"""One description of a problem: a key has one default and one range in the file, in Python and in the estimators."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

import hydrodl as hd
from hydrodl.common.errors import InputError
from hydrodl.problem_file.schema import Config
from hydrodl.transport.snapshot_targets import snapshot_layers, snapshot_losses

CLASSIFIER, TRANSPORT = hd.HydroClassifier, hd.HydroTransport
BOX, TABLE = hd.Domain.around, hd.read_csv

# Every key of a problem file: the functions and classes that take the same parameter, and its name there where it
# differs. Nothing: no counterpart, or one that is given and has no default.
SAME: dict[str, list[Any]] = {
    "data.source": [],
    "data.mixture": [],
    "data.snapshots": [],
    "data.label": [],
    "data.features": [TABLE, hd.read_snapshots],
    "data.time": [hd.read_snapshots],
    "data.delimiter": [TABLE, hd.read_snapshots],
    "data.decimal": [TABLE, hd.read_snapshots],
    "data.samples": [(hd.load_dataset, "n")],
    "data.test_samples": [],
    "data.test_fraction": [hd.Samples.split],
    "data.noise": [hd.load_dataset],
    "data.seed": [hd.load_dataset, hd.Samples.split],
    "data.bandwidth": [hd.densities, hd.Snapshots.densities, hd.leave_one_out, CLASSIFIER, TRANSPORT],
    "data.dimensions": [hd.load_dataset, TABLE, hd.snapshots, hd.read_snapshots, hd.Preprocessing.fit, CLASSIFIER],
    "data.lift": [hd.load_dataset, TABLE, hd.Preprocessing.fit, CLASSIFIER],
    "data.outliers": [CLASSIFIER],
    "data.one_unit": [hd.load_dataset, TABLE, hd.snapshots, hd.read_snapshots, CLASSIFIER, TRANSPORT],
    "data.mixture.label": [],
    "data.mixture.mean": [hd.Gaussian],
    "data.mixture.std": [hd.Gaussian],
    "data.mixture.covariance": [hd.Gaussian],
    "data.mixture.weight": [hd.Gaussian],
    "data.snapshots.time": [],
    "data.snapshots.source": [],
    "data.snapshots.mixture": [],
    "domain.nodes": [BOX, hd.leave_one_out, CLASSIFIER, TRANSPORT],
    "domain.margin": [BOX, hd.leave_one_out, CLASSIFIER, TRANSPORT],
    "domain.cells": [BOX, hd.Domain.box],
    "domain.degree": [BOX, hd.Domain.box, hd.Domain.from_file, hd.Domain],
    "domain.lumped": [hd.Domain.box],
    "domain.lower": [],
    "domain.upper": [],
    "domain.periodic": [hd.Domain.box, hd.Domain.interval],
    "domain.mesh": [],
    "network.layers": [(hd.layers, "partition"), snapshot_layers, hd.leave_one_out, CLASSIFIER, TRANSPORT],
    "network.depth": [hd.layers, snapshot_layers],
    "network.times": [],
    "network.scheme": [hd.Problem, hd.bridge, CLASSIFIER, TRANSPORT],
    "network.width": [CLASSIFIER],
    "network.activation": [hd.Neurons, CLASSIFIER],
    "network.neuron_scale": [(hd.Neurons, "scale")],
    "network.neuron_decay": [(hd.Neurons, "decay")],
    "network.neuron_seed": [(hd.Neurons, "seed")],
    "network.hidden_weights": [hd.Neurons, CLASSIFIER],
    "physics.noise": [hd.Lagrangian, (hd.leave_one_out, "physics"), CLASSIFIER, TRANSPORT],
    "physics.decay": [hd.Lagrangian, CLASSIFIER, TRANSPORT],
    "physics.smoothness": [hd.Lagrangian, CLASSIFIER, TRANSPORT],
    "physics.kinetic": [hd.Lagrangian],
    "physics.fitted": [hd.Lagrangian],
    "physics.potential": [hd.Lagrangian],
    "physics.energy": [hd.Lagrangian],
    "physics.energy.kind": [],
    "physics.energy.weight": [hd.Entropy, hd.Power, hd.Focusing],
    "physics.energy.floor": [hd.Entropy],
    "physics.energy.exponent": [hd.Power, hd.Focusing],
    "loss.kind": [],
    "loss.weight": [hd.Classification, hd.Position, hd.Density, snapshot_losses, CLASSIFIER],
    "loss.layer": [hd.Classification, hd.Position, hd.Density],
    "loss.readout": [CLASSIFIER],
    "loss.readout_decay": [(hd.Classification, "decay")],
    "loss.targets": [],
    "loss.divergence": [hd.Density, snapshot_losses],
    "loss.floor": [hd.Density, snapshot_losses, hd.bridge],
    "loss.target": [],
}


def models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in models(inner)]


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel], FieldInfo]]:
    """Every key below a model, the model that holds it and its field; components of a target are those of a mixture."""
    for name, field in model.model_fields.items():
        inner, key = models(field.annotation), prefix + name
        if prefix or not inner:
            yield key, model, field
        for one in inner if key not in ("data.snapshots.mixture", "loss.target") else ():
            yield from fields(one, f"{key}.")


KEYS = {key for key, _, _ in fields(Config) if key != "solver"}
FIELDS = [entry for entry in fields(Config) if entry[0] != "solver"]


def test_every_key_is_looked_at() -> None:
    assert set(SAME) == KEYS


def test_file_python_and_estimators_have_the_same_default() -> None:
    for key, owners in SAME.items():
        found = [None if field.is_required() else field.default for name, _, field in FIELDS if name == key]
        for owner in owners:
            function, name = owner if isinstance(owner, tuple) else (owner, key.rpartition(".")[2])
            default = inspect.signature(function).parameters[name].default
            found.append(None if default is inspect.Parameter.empty else default)
        # the kind of a loss or an energy is what tells its sections apart
        assert key.endswith(".kind") or all(default == found[0] for default in found), (key, found)


# What a number may be: the same values are refused by the file and by Python
VALUES = [-1, 0, 1, 2, 3, -0.5, 0.0, 1e-9, 0.5, 1.0, 1.5, math.nan, math.inf, True, "1"]
RANGES: dict[str, Callable[[Any], object]] = {
    "Physics.noise": lambda v: hd.Lagrangian(noise=v),
    "Physics.decay": lambda v: hd.Lagrangian(decay=v),
    "Physics.smoothness": lambda v: hd.Lagrangian(smoothness=v),
    "Physics.kinetic": lambda v: hd.Lagrangian(kinetic=v),
    "Entropy.weight": lambda v: hd.Entropy(v),
    "Entropy.floor": lambda v: hd.Entropy(1.0, v),
    "Power.weight": lambda v: hd.Power(v),
    "Power.exponent": lambda v: hd.Power(1.0, v),
    "Focusing.weight": lambda v: hd.Focusing(v),
    "Focusing.exponent": lambda v: hd.Focusing(1.0, v),
    "Classification.weight": lambda v: hd.Classification(v),
    "Classification.readout_decay": lambda v: hd.Classification(decay=v),
    "Position.weight": lambda v: hd.Position(v, [[0.0]]),
    "Component.weight": lambda v: hd.Gaussian(0.0, 1.0, weight=v),
    "Network.layers": lambda v: hd.layers(v),
    "Network.depth": lambda v: hd.layers(2, v),
    "Network.width": lambda v: hd.Neurons(v),
    "Network.activation": lambda v: hd.Neurons(1, v),
    "Network.neuron_scale": lambda v: hd.Neurons(1, scale=v),
    "Network.neuron_decay": lambda v: hd.Neurons(1, decay=v),
    "Network.neuron_seed": lambda v: hd.Neurons(1, seed=v),
    "Network.hidden_weights": lambda v: hd.Neurons(1, hidden_weights=v),
}
GIVEN: dict[str, dict[str, Any]] = {
    "Entropy": {"kind": "entropy", "weight": 1.0},
    "Power": {"kind": "power", "weight": 1.0},
    "Focusing": {"kind": "focusing", "weight": 1.0},
    "Network": {"width": 1},
    "Position": {"kind": "position", "targets": [[0.0]]},
    "Component": {"mean": [0.0], "std": 1.0},
}


def refused(make: Callable[[Any], object], value: Any) -> bool:
    try:
        make(value)
    except (InputError, ValidationError):
        return True
    return False


def test_file_and_python_allow_the_same() -> None:
    sections = {model.__name__: model for _, model, _ in FIELDS}
    for key, make in RANGES.items():
        section, _, name = key.partition(".")
        others = GIVEN.get(section, {})
        for value in VALUES:
            read = refused(lambda given: sections[section](**others | {name: given}), value)  # noqa: B023
            assert read == refused(make, value), (key, value)
