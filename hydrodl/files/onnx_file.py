"""A network as one ONNX file: raw features in, class probabilities and labels out.

    features (n, p) -> probabilities (n, C), label (n,) int64        with a readout
    features (n, p) -> position (n, d)                               without one (bridges)

Standardisation, principal components, lifting, layers, walls and readout are all inside, computed in double precision:
single precision would lose a digit in every few layers of a flow that folds. Features and outputs are of type float32,
or of type double where float32 would move the features in feature space (a large offset, such as seconds since 1970, or
a spread outside its range). The layers take the exact form the network has: residual layers of neurons (neuron
control), residual layers of rectified neurons (d = 1) or ``GridSample`` of a table (uniform boxes in d = 2, 3). A row
with a NaN or infinite feature gives NaN, and the label -1.

The file's metadata are ``class_names`` and ``feature_names``, lists in JSON (label i is class_names[i]), ``form``,
``precision``, ``opset`` and ``hydrodl_version``.
"""

from __future__ import annotations

import json
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import attempt
from hydrodl.common.parameters import Choice
from hydrodl.data import single_precision
from hydrodl.data.preprocessing import input_map
from hydrodl.mesh.gathering import Slabs, write_on_root
from hydrodl.network.exact_form import exact_form
from hydrodl.network.network import Network
from hydrodl.network.residual_network import ResidualNetwork
from hydrodl.network.single_precision import changed_by_rounding
from hydrodl.network.table_network import TableNetwork
from hydrodl.physics.readout import Readout

if TYPE_CHECKING:
    from onnx import ModelProto


OPSET, IR = 20, 9  # the first with GridSample in three dimensions; ONNX 1.15 and everything that reads it


LARGEST = 2**31 - 2**20  # bytes of a protobuf message, less the graph around the numbers


_LINEAR: dict[str, Any] = {"mode": "linear", "padding_mode": "border", "align_corners": 1}


PRECISION = Choice("auto", ("auto", "single", "double"))


def write_onnx(path: str | Path, network: Network, *, precision: str = PRECISION.default) -> Path:
    """Collective: write the network as an ONNX file, see the module; an older file is replaced atomically.

    The result does not depend on the number of ranks.

    Args:
        path: the file.
        network: any with an exact form.
        precision: of features and outputs: "single" (float32), "double", or "auto": single unless that moves points
            by more than 5e-7 of the box. "single" where it does warns, with the share of labels that differ.

    Raises:
        InputError: another word for the precision, no exact form (d = 2, 3 on triangles, tetrahedra, a mesh file or
            elements of degree > 1, without neurons), onnx is not installed, larger than ONNX allows (2 GB), or
            the file cannot be written.

    Example:
        >>> hd.write_onnx("network.onnx", network).name
        'network.onnx'
    """
    PRECISION.check("precision", precision)
    form = check_onnx(network)
    kind = np.float64 if precision == "double" or (precision == "auto" and needs_double(network)) else np.float32
    if precision == "single" and needs_double(network):
        _tell(network)

    def write(file: Path, nodes: Floats, slabs: Slabs) -> None:
        model = _model(network, form, network.solution.readout, kind)
        _onnx().checker.check_model(model, full_check=True)
        file.write_bytes(model.SerializeToString(deterministic=True))

    write_on_root(path, network.domain, {}, write)
    return Path(path)


def check_onnx(network: Network) -> ResidualNetwork | TableNetwork:
    """The form that an ONNX file of the network will hold. Collective.

    Raises:
        InputError: what :func:`write_onnx` raises, but for a file that cannot be written.
    """
    attempt(network.domain.comm, _onnx)
    form = exact_form(network)
    size = sum(array.nbytes for array in vars(form).values() if isinstance(array, np.ndarray))
    if size > LARGEST:
        raise InputError(f"this network takes {size / 1e9:.1f} GB, an ONNX file at most 2 GB; use the npz format")
    return form


def needs_double(network: Network) -> bool:
    """Would features in single precision be moved by more than a little of the box? Collective."""
    return single_precision.needs_double(network.preprocessing, network.bounds)


def _tell(network: Network) -> None:
    """Warn how many labels single precision changes; collective."""
    changed, drawn = changed_by_rounding(network)
    if network.domain.comm.rank == 0:
        warnings.warn(
            f"in single precision {changed} of {drawn} points drawn from the training densities end elsewhere or get "
            "another label; precision='double' keeps them",
            stacklevel=3,
        )


def _onnx() -> Any:
    try:
        import onnx
    except ImportError:
        raise InputError("onnx is not installed; ONNX files need it: pip install 'hydrodl[export]'") from None
    return onnx


def _model(
    network: Network, form: ResidualNetwork | TableNetwork, readout: Readout | None, kind: type[np.floating]
) -> ModelProto:
    """The whole file, its features and outputs of one kind."""
    helper, graph = _onnx().helper, _Graph(kind)
    wrong, x = _points(graph, network, form)
    x = _neurons(graph, form, x) if isinstance(form, ResidualNetwork) else _tables(graph, form, x)
    if readout is None:
        outputs = [_finish(graph, wrong, x, "position", len(form.lower))]
    else:
        outputs = _classes(graph, wrong, x, readout)
    features = _value("features", kind, ["rows", len(network.preprocessing.mean)])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "hydrodl", [features], outputs, graph.held),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="hydrodl",
        producer_version=version("hydrodl"),
    )
    helper.set_model_props(model, _metadata(network, form, kind))
    return model


def _metadata(network: Network, form: ResidualNetwork | TableNetwork, kind: type[np.floating]) -> dict[str, str]:
    return {
        "precision": "double" if kind is np.float64 else "single",
        "hydrodl_version": version("hydrodl"),
        "opset": str(OPSET),
        "form": "table" if isinstance(form, TableNetwork) else f"residual, {form.activation}",
        "class_names": json.dumps([str(name) for name in network.class_names]),
        "feature_names": json.dumps(list(network.preprocessing.feature_names)),
    }


def _value(name: str, kind: Any, shape: list[str | int]) -> Any:
    helper = _onnx().helper
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), shape)


class _Graph:
    """Nodes and the arrays they use, each added once and known by a name; features and outputs are of one kind."""

    def __init__(self, kind: type[np.floating]) -> None:
        self.kind = kind
        self.nodes: list[Any] = []
        self.held: list[Any] = []

    def add(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """The name of a new node's output."""
        name = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(_onnx().helper.make_node(kind, inputs, [name], **attributes))
        return name

    def hold(self, array: np.ndarray) -> str:
        """The name of an array in the file."""
        name = f"array_{len(self.held)}"
        self.held.append(_onnx().numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name))
        return name

    def cast(self, name: str, kind: Any, output: str | None = None) -> str:
        """The same numbers of another type."""
        to = _onnx().helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        return self.add("Cast", name, output=output, to=to)

    def wall(self, name: str, lower: str, upper: str) -> str:
        """max(lower, min(upper, x))."""
        return self.add("Max", self.add("Min", name, upper), lower)


def _points(graph: _Graph, network: Network, form: ResidualNetwork | TableNetwork) -> tuple[str, str]:
    """(is a feature of the row not finite (n, 1), mesh coordinates (n, d), such rows at the mean)."""
    mean, scale, matrix = input_map(network.preprocessing.to_dict())
    odd = graph.add("Or", graph.add("IsNaN", "features"), graph.add("IsInf", "features"))
    some = graph.add("ReduceMax", graph.cast(odd, np.float32), graph.hold(np.array([1])), keepdims=1)
    wrong = graph.cast(some, np.bool_)
    safe = graph.add("Where", wrong, graph.hold(mean), graph.cast("features", np.float64))
    unit = graph.add("Div", graph.add("Sub", safe, graph.hold(mean)), graph.hold(scale))
    return wrong, graph.wall(graph.add("MatMul", unit, graph.hold(matrix)), *_corners(graph, form))


def _corners(graph: _Graph, form: ResidualNetwork | TableNetwork) -> tuple[str, str]:
    return graph.hold(form.lower), graph.hold(form.upper)


def _neurons(graph: _Graph, form: ResidualNetwork, x: str) -> str:
    corners, sigma = _corners(graph, form), {"relu": "Relu", "tanh": "Tanh"}[form.activation]
    for W, b, A, c, step in zip(form.weights, form.offsets, form.outputs, form.constants, form.steps, strict=True):
        hidden = graph.add(sigma, graph.add("Add", graph.add("MatMul", x, graph.hold(W.T)), graph.hold(b)))
        shift = graph.add("MatMul", hidden, graph.hold(step * A.T))
        moved = graph.add("Add", x, graph.add("Add", shift, graph.hold(step * c)))
        x = graph.wall(moved, *corners)
    return x


def _tables(graph: _Graph, form: TableNetwork, x: str) -> str:
    """GridSample takes images (1, d, n_d, .., n_1) and places (1, n, 1, .., d) in [-1, 1]^d, x_1 first."""
    d, corners = len(form.lower), _corners(graph, form)
    half, middle = graph.hold((form.upper - form.lower) / 2), graph.hold((form.upper + form.lower) / 2)
    more, fewer = graph.hold(np.array([0, *range(2, d + 1)])), graph.hold(np.array([0, *range(3, d + 2)]))
    for step, table in zip(form.steps, form.table, strict=True):
        image = graph.hold(step * table.transpose(0, *range(d, 0, -1))[None])
        place = graph.add("Div", graph.add("Sub", x, middle), half)
        sampled = graph.add("GridSample", image, graph.add("Unsqueeze", place, more), **_LINEAR)
        shift = graph.add("Transpose", graph.add("Squeeze", sampled, fewer), perm=[1, 0])
        x = graph.wall(graph.add("Add", x, shift), *corners)
    return x


def _classes(graph: _Graph, wrong: str, x: str, readout: Readout) -> list[Any]:
    """The outputs probabilities and label."""
    z = graph.add("Gemm", x, graph.hold(readout.weights), graph.hold(readout.offsets), transB=1)
    shares = graph.add("Softmax", z, axis=1)
    label = graph.add("ArgMax", shares, axis=1, keepdims=0)
    flat = graph.add("Squeeze", wrong, graph.hold(np.array([1])))
    graph.add("Where", flat, graph.hold(np.array(-1)), label, output="label")
    return [_finish(graph, wrong, shares, "probabilities", len(readout.offsets)), _value("label", np.int64, ["rows"])]


def _finish(graph: _Graph, wrong: str, values: str, output: str, columns: int) -> Any:
    """An output of the features' kind, NaN in rows that were wrong."""
    graph.cast(graph.add("Where", wrong, graph.hold(np.array(np.nan)), values), graph.kind, output=output)
    return _value(output, graph.kind, ["rows", columns])
