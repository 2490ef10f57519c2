"""What a run's checkpoint holds beside the fields, so that it can predict without the data, and go on from there."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hydrodl.common.errors import InputError
from hydrodl.data.class_densities import Densities
from hydrodl.data.preprocessing import Preprocessing, features_of
from hydrodl.data.samples import Samples
from hydrodl.files.checkpoint import Checkpoint, load_checkpoint
from hydrodl.physics.readout import Readout
from hydrodl.problem.problem import Problem
from hydrodl.problem.solution import Controls

KEPT = 2000  # samples that a record keeps at most, for figures; they show no more


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
    }


def samples_record(samples: Samples | None) -> dict[str, Any] | None:
    """Up to ``KEPT`` samples in mesh coordinates, chosen evenly, from which figures can be drawn without the data."""
    if samples is None:
        return None
    chosen = np.linspace(0, len(samples) - 1, min(KEPT, len(samples))).round().astype(int)
    return {"points": samples.points[chosen].tolist(), "labels": samples.labels[chosen].tolist()}


def recorded_samples(held: dict[str, Any], rho: Densities) -> Samples:
    """The samples of a record of the run whose densities are given."""
    known = rho.preprocessing
    assert known is not None
    features = features_of(known, np.array(held["points"], dtype=float).reshape(-1, known.dimension))
    names = known.feature_names or tuple(f"x{i + 1}" for i in range(features.shape[1]))
    return Samples(features, np.array(held["labels"], dtype=np.int64), rho.class_names, names, known)


def point(found: Checkpoint) -> Controls:
    """The controls in a checkpoint; the readout whether trained or not."""
    held = found.attributes["model"]
    readout, coefficients = held["readout"], held.get("coefficients")
    return Controls(
        found.velocity,
        None if coefficients is None else np.array(coefficients),
        None if readout is None else Readout(**{key: np.array(value) for key, value in readout.items()}),
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
    held = found.attributes.get("model")
    if held is None:
        raise InputError(f"checkpoint {path} was not written by a run: it holds no model to go on with")
    names = list(problem.densities.class_names)
    if held["class_names"] != names:
        raise InputError(
            f"checkpoint {path} was written for the classes {', '.join(held['class_names'])}, not {', '.join(names)}"
        )
    # files of before there were neurons do not name them
    theirs, ours = held.get("neurons"), _neurons(problem)
    if theirs != ours:
        raise InputError(f"checkpoint {path} was written for {_words(theirs)}, not {_words(ours)}")
    return point(found)


def _neurons(problem: Problem) -> dict[str, Any] | None:
    control = problem.control
    return None if control is None else {name: asdict(control)[name] for name in _DRAWN}


def _words(neurons: dict[str, Any] | None) -> str:
    if neurons is None:
        return "a velocity at every node (no network.width)"
    return "neurons of " + ", ".join(f"{name} {value}" for name, value in neurons.items())
