"""A network as one npz archive of plain arrays, read by any program with NumPy."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.data.preprocessing import Preprocessing, input_map
from hydrodl.mesh.gathering import Slabs, lexicographic, write_on_root
from hydrodl.mesh.uniform_grid import Grid

if TYPE_CHECKING:
    from hydrodl.problem.solution import Solution


_FIELDS = ("velocity", "density", "potential")


def write_npz(path: str | Path, solution: Solution) -> None:
    """Collective: everything a network is made of, as one NumPy archive (``numpy.load(path)``).

    ``nodes`` (n, d), ``times`` (N + 1,), ``steps`` (N,), ``velocity`` (N, d, n), ``density`` and ``potential``
    (N + 1, C, n), ``lower`` and ``upper`` (d,), ``class_names`` (C,); ``readout_weights`` (C, d) and
    ``readout_offsets`` (C,) if the loss has a readout; ``input_mean`` and ``input_scale`` (p,), ``input_matrix`` (p, d)
    for x = ((features - mean) / scale) matrix, and ``preprocessing_<name>`` if the densities come from samples. Nodes
    are sorted by x_1, then x_2, then x_3: on a uniform box of degree 1, where ``counts`` (d,) says how many there are
    in each direction, the last axis of every field reshapes to (n_1, ..., n_d). There this much predicts the class
    probabilities of ``features`` (rows, p)::

        f = np.load("network.npz")
        lower, upper, counts, steps = (f[name] for name in ("lower", "upper", "counts", "steps"))
        x = np.clip((features - f["input_mean"]) / f["input_scale"] @ f["input_matrix"], lower, upper)
        for step, table in zip(steps, f["velocity"].reshape(len(steps), len(counts), *counts)):
            place = (x - lower) / (upper - lower) * (counts - 1)
            cell = np.minimum(place.astype(int), counts - 2)
            corners = np.indices([2] * len(counts)).reshape(len(counts), -1).T  # of a cell: 0 below, 1 above
            u = sum(abs(1 - c - place + cell).prod(axis=1) * table[:, *(cell + c).T] for c in corners)
            x = np.clip(x + step * u.T, lower, upper)
        logits = x @ f["readout_weights"].T + f["readout_offsets"]
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = odds / odds.sum(axis=1, keepdims=True)

    Under neuron control the archive also holds ``activation`` ("tanh" or "relu"), ``neuron_weights`` (N, J, d),
    ``neuron_offsets`` (N, J) and ``coefficients`` (N, d, J), and the loop, on any mesh of a box, is::

        sigma = {"tanh": np.tanh, "relu": lambda y: np.maximum(y, 0)}[str(f["activation"])]
        for step, W, b, A in zip(steps, f["neuron_weights"], f["neuron_offsets"], f["coefficients"]):
            x = np.clip(x + step * sigma(x @ W.T + b) @ A.T, lower, upper)

    Raises:
        InputError: the file cannot be written.

    Example:
        >>> hd.write_npz("network.npz", solution)
        >>> sorted(np.load("network.npz").files)[:3]
        ['class_names', 'counts', 'density']
    """
    domain = solution.problem.domain
    fields = {name: getattr(solution, name) for name in _FIELDS}
    constants = _constants(solution)

    def write(file: Path, nodes: Floats, slabs: Slabs) -> None:
        order = lexicographic(nodes)
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in {"nodes": nodes[order], **constants}.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.asarray(array, order="C"), allow_pickle=False)
            _stream(archive, slabs, {name: (*f.shape[:-1], len(order)) for name, f in fields.items()}, order)

    write_on_root(path, domain, fields, write)


def _constants(solution: Any) -> dict[str, np.ndarray]:
    """The arrays of an archive that are not fields; collective."""
    problem = solution.problem
    domain, names = problem.domain, [str(name) for name in problem.densities.class_names]
    arrays = {"times": problem.layers.times, "steps": problem.layers.steps, "class_names": np.array(names)}
    arrays |= zip(("lower", "upper"), domain.bounds, strict=True)
    if domain.uniform_box and domain.degree == 1:
        arrays["counts"] = Grid.of(domain)[0].counts
    if solution.readout is not None:
        arrays |= {"readout_weights": solution.readout.weights, "readout_offsets": solution.readout.offsets}
    return arrays | _neurons(solution) | _preprocessing(problem.densities.preprocessing, domain.dimension)


def _neurons(solution: Any) -> dict[str, np.ndarray]:
    if solution.coefficients is None:
        return {}
    hidden = solution.neurons
    return {
        "activation": np.array(hidden.activation),
        "neuron_weights": hidden.weights,
        "neuron_offsets": hidden.offsets,
        "coefficients": solution.coefficients,
    }


def _preprocessing(found: Any, dimension: int) -> dict[str, np.ndarray]:
    known = (found or Preprocessing.identity(dimension)).to_dict()
    arrays = dict(zip(("input_mean", "input_scale", "input_matrix"), input_map(known), strict=True))
    if found is not None:
        arrays |= {f"preprocessing_{name}": np.asarray(value) for name, value in known.items() if value is not None}
    return arrays


def _stream(archive: zipfile.ZipFile, slabs: Slabs, shapes: Mapping[str, tuple[int, ...]], order: np.ndarray) -> None:
    """Append one .npy entry a field, slab after slab."""
    for name, shape in shapes.items():
        header = {"descr": "<f8", "fortran_order": False, "shape": shape}
        with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
            np.lib.format.write_array_header_1_0(entry, header)
            for _ in range(shape[0]):
                slab = next(slabs)[2]
                assert slab is not None  # rank 0 always has them
                entry.write(np.ascontiguousarray(slab[..., order], dtype="<f8").tobytes())
