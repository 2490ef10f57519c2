"""A solution as a time series for ParaView and PyVista: fields on the mesh, paths of samples, a script that opens both.

Rank 0 writes, layer after layer; nodes and cells are sorted by place: files do not depend on the number of ranks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from dolfinx.plot import vtk_mesh

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import attempt, on_root
from hydrodl.common.text import printable
from hydrodl.data.preprocessing import input_map
from hydrodl.files.paraview_script import Scene, script
from hydrodl.files.text_files import write_text
from hydrodl.files.vtk_xml import Packed, write_collection, write_vtk_xml
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.gathering import NodeOrder, gather, gather_nodes, lexicographic
from hydrodl.mesh.ghosts import cut_open
from hydrodl.network.network import Network

if TYPE_CHECKING:
    from hydrodl.data.samples import Samples
    from hydrodl.problem.solution import Solution


SHOWN = 200  # paths of samples at most


FIELDS, PATHS, SCRIPT = "fields.pvd", "paths.pvd", "open_in_paraview.py"


def write_vtk(folder: str | Path, solution: Solution, samples: Samples | None = None) -> Path:
    """Collective: ``fields.pvd`` and its parts, a time series over the layers with time = t_k, k = 0 .. N.

    Point fields at layer k, "a" being a class:

    - ``density of class a``, ``total density``: per unit of volume in mesh coordinates; ``potential of class a``;
    - ``velocity``: u_k of the layer that starts there, at t_N that of the last one (vectors have three components);
    - ``displacement``: what the layers up to k add to a point that enters the network at the node: warp by it;
    - ``label``, ``probability of class a``: what the network predicts for that point, if it has a readout.

    The field data of every file say in words what the coordinates are and which features and units they stand for.
    Numbers are 32 bits long, coordinates 64, both compressed. Characters of class names that ParaView's calculator
    cannot take become underscores. Files of an earlier series in the folder are removed.

    Args:
        folder: to write to, made if it is not there.
        solution: a trained solution.
        samples: with them ``paths.pvd`` shows where up to 200 of them are at layer k and how they came there: points
            and lines with the number of their ``class``, the network's ``label`` and the ``layer``. In d = 1 the
            second coordinate of a path is t.

    Raises:
        InputError: the folder or a file cannot be written.

    Example:
        >>> hd.write_vtk(".", solution, samples).name
        'fields.pvd'
    """
    problem, folder = solution.problem, Path(folder)
    comm, network = problem.domain.comm, Network(solution)
    on_root(comm, lambda: _clear(folder))
    notes = _notes(network)
    parts = enumerate(_field_parts(network))
    _write_series(folder / FIELDS, network, parts, notes)
    if samples is not None:
        _write_series(folder / PATHS, network, enumerate(_path_parts(network, samples)), notes)
    return folder / FIELDS


def write_paraview(folder: str | Path, network: Network, samples: Samples | None = None) -> Path:
    """Collective: the series of :func:`write_vtk` and ``open_in_paraview.py``, a state that shows them at once.

    ``paraview --script=open_in_paraview.py`` opens it; ``pvbatch open_in_paraview.py`` draws ``paraview.png``.

    Raises:
        InputError: the folder or a file cannot be written.

    Example:
        >>> hd.write_paraview(".", network, samples).name
        'open_in_paraview.py'
    """
    folder, solution = Path(folder), network.solution
    write_vtk(folder, solution, samples)
    names = tuple(safe_names(network.class_names))
    x = gather_nodes(network.domain)
    spacing = 0.0 if x is None else float(np.prod(np.ptp(x, axis=0)) ** (1 / network.domain.dimension))
    scene = Scene(
        dimension=network.domain.dimension,
        class_names=names,
        readout=solution.readout is not None,
        paths=samples is not None,
        size=spacing,
        axes=tuple(_ascii(name).partition(": (")[0] for name in _directions(network)),
    )
    write_text(folder / SCRIPT, script(scene), network.domain.comm)
    return folder / SCRIPT


Part = tuple[str, dict[str, int], dict[str, list[Packed]]]
"""Kind of a file, counts of its piece, and its arrays."""


def _write_series(path: Path, network: Network, parts: Iterator[tuple[int, Part | None]], notes: Any) -> None:
    """One file a layer and the collection of them all, which comes last; collective."""
    files: dict[str, float] = {}

    def write(name: str, part: Part) -> None:
        kind, counts, sections = part
        write_vtk_xml(path.with_name(name), kind, counts, sections, notes)

    def act() -> None:
        try:
            for k, part in parts:
                if part is not None:
                    name = f"{path.stem}_{k:06d}.{'vtu' if part[0] == 'UnstructuredGrid' else 'vtp'}"
                    write(name, part)
                    files[name] = float(network.solution.problem.layers.times[k])
        except OSError as error:
            raise InputError(f"{path} could not be written completely: {error.strerror or error}") from None
        finally:
            for _ in parts:  # after a failure too: the others are still sending
                pass
        if network.domain.comm.rank == 0:
            write_collection(path, files)

    attempt(network.domain.comm, act)


def _field_parts(network: Network) -> Iterator[Part | None]:
    """The fields of every layer on rank 0, None on the others; collective at every step."""
    solution = network.solution
    domain, cut = cut_open(network.domain)
    order = NodeOrder(domain)
    cells, kind = _cells(domain, order)
    paths = network.push(order.nodes)
    names = safe_names(network.class_names)
    own = None if solution.readout is None else solution.readout.probabilities(network.home(paths[-1]))
    nodes = gather_nodes(domain)
    if nodes is not None and cells is not None:
        sorting = lexicographic(nodes)
        mesh = {
            "Points": [Packed.of("points", _spatial(order.nodes))],
            "Cells": [
                Packed.of("connectivity", cells.astype(np.int32).reshape(-1)),
                Packed.of("offsets", np.arange(1, len(cells) + 1, dtype=np.int64) * cells.shape[1]),
                Packed.of("types", np.full(len(cells), kind, dtype=np.uint8)),
            ],
        }
        counts = {"NumberOfPoints": len(nodes), "NumberOfCells": len(cells)}
        constant = [] if own is None else _predicted(own, names)
    last = len(solution.velocity) - 1
    for k, path in enumerate(paths):
        whole = [gather(domain, cut(values[k])) for values in (solution.density, solution.potential)]
        flow = gather(domain, cut(solution.velocity[min(k, last)]))
        if nodes is None or flow is None:
            yield None
            continue
        rho, phi = (values[:, sorting] for values in whole if values is not None)
        data = [_scalar("total density", rho.sum(axis=0))]
        data += [_scalar(f"density of class {name}", values) for name, values in zip(names, rho, strict=True)]
        data += [_scalar(f"potential of class {name}", values) for name, values in zip(names, phi, strict=True)]
        vectors = {"velocity": flow[:, sorting].T, "displacement": path - paths[0]}
        data += [_scalar(name, _spatial(values)) for name, values in vectors.items()]
        yield "UnstructuredGrid", counts, mesh | {"PointData": data + constant}


def _predicted(probabilities: Floats, names: Sequence[str]) -> list[Packed]:
    shares = [_scalar(f"probability of class {name}", p) for name, p in zip(names, probabilities.T, strict=True)]
    return [Packed.of("label", probabilities.argmax(axis=1).astype(np.int32)), *shares]


def _path_parts(network: Network, samples: Samples) -> Iterator[Part | None]:
    """Points and lines of every layer, on every rank but written by one."""
    samples = samples.some(SHOWN)
    paths = network.push(network.preprocessing.apply(samples.features))
    places = np.stack([_spatial(points) for points in paths]).astype(np.float32)
    if network.domain.dimension == 1:
        places[..., 1] = network.solution.problem.layers.times[:, None]
    readout, n = network.solution.readout, len(samples)
    facts = {"class": samples.labels.astype(np.int32)}
    if readout is not None:
        facts["label"] = readout.logits(paths[-1]).argmax(axis=1).astype(np.int32)
    for k in range(len(paths)):
        if network.domain.comm.rank != 0:
            yield None
            continue
        places_so_far = places[: k + 1].swapaxes(0, 1).reshape(-1, 3)  # one path after the other
        lines = np.arange(n * (k + 1), dtype=np.int32)
        ends = (k + 1) * np.arange(1, n + 1, dtype=np.int32)
        data = [Packed.of(name, np.repeat(values, k + 1)) for name, values in facts.items()]
        data.append(Packed.of("layer", np.tile(np.arange(k + 1, dtype=np.int32), n)))
        sections = {
            "Points": [Packed.of("points", places_so_far)],
            "Verts": _connected(ends - 1, np.arange(1, n + 1, dtype=np.int32)),
            "Lines": _connected(lines, ends) if k else _connected(lines[:0], ends[:0]),
            "PointData": data,
        }
        counts = {"NumberOfPoints": n * (k + 1), "NumberOfVerts": n, "NumberOfLines": n if k else 0}
        yield "PolyData", counts | {"NumberOfStrips": 0, "NumberOfPolys": 0}, sections


def _connected(connectivity: Any, offsets: Any) -> list[Packed]:
    return [Packed.of("connectivity", connectivity), Packed.of("offsets", offsets)]


def _scalar(name: str, values: Floats) -> Packed:
    return Packed.of(name, values.astype(np.float32))


def _spatial(points: Floats) -> Floats:
    """Points (n, d) as (n, 3)."""
    return np.pad(points, ((0, 0), (0, 3 - points.shape[1])))


def _cells(domain: Domain, order: NodeOrder) -> tuple[Any, int]:
    """VTK's cells as rows of sorted nodes, on rank 0 and None on the others, and their type; collective."""
    topology, kinds, _ = vtk_mesh(domain.V)
    width = domain.V.dofmap.dof_layout.num_dofs
    pieces = domain.comm.gather(order.of(topology.reshape(-1, width + 1)[:, 1:]))
    kind = max(domain.comm.allgather(int(kinds[0]) if len(kinds) else 0))
    if pieces is None:
        return None, kind
    cells = np.concatenate(pieces)
    return cells[np.lexsort(cells.T[::-1])], kind


_LONGEST = 60  # characters of a class name in the name of a field


def safe_names(class_names: Sequence[Any]) -> list[str]:
    """Class names of letters, digits and underscores, still different from each other."""
    names: list[str] = []
    for c, given in enumerate(class_names):
        name = plain = re.sub(r"[^0-9A-Za-z]+", "_", str(given)).strip("_")[:_LONGEST] or str(c)
        number = c
        while name in names:
            name, number = f"{plain}_{number}", number + 1
        names.append(name)
    return names


def _directions(network: Network) -> list[str]:
    """What each coordinate of the mesh is, in words."""
    known, d = network.preprocessing, network.domain.dimension
    added = [f"x_{i + 1}: added" for i in range(d - known.lift, d)]
    if known.components is not None:
        return [f"x_{i + 1}: principal component, standardised" for i in range(d - known.lift)] + added
    names = known.feature_names or tuple(f"feature {i + 1}" for i in range(d - known.lift))
    mean, scale, _ = input_map(known.to_dict())
    words = []
    for i, (name, shift, factor) in enumerate(zip(names, mean, scale, strict=True)):
        plain = shift == 0 and factor == 1
        words.append(f"x_{i + 1}: {name}" + ("" if plain else f", standardised: ({name} - {shift:.6g}) / {factor:.6g}"))
    return words + added


def _notes(network: Network) -> dict[str, list[str]]:
    """What a reader of a file must know, in lines of ASCII."""
    standardised = network.preprocessing.rescales
    coordinates = "standardised features" if standardised else "features as given"
    about = [
        f"Coordinates are {coordinates}; see 'coordinates'. Time is the layer time t, nondimensional.",
        "Densities are per unit of volume in these coordinates; velocity is coordinates per unit of t.",
        "displacement, label and probabilities belong to the point that enters the network at the node.",
    ]
    return {
        "about": about,
        "coordinates": [_ascii(line) for line in _directions(network)],
        "class names": [_ascii(str(name)) for name in network.class_names],
    }


def _ascii(text: str) -> str:
    return printable(text)[:200].encode("ascii", "backslashreplace").decode()


def _clear(folder: Path) -> None:
    """Make the folder, remove an earlier series, and see that files can be written."""
    folder.mkdir(parents=True, exist_ok=True)
    pattern = re.compile(r"fields(\.pvd|\d{6,}\.p?vtu|_p\d+_\d{6,}\.vtu|_\d{6,}\.vtu)|paths(\.pvd|_\d{6,}\.vtp)")
    for file in folder.iterdir():
        if pattern.fullmatch(file.name):
            file.unlink()
    (folder / FIELDS).touch()
    (folder / FIELDS).unlink()
