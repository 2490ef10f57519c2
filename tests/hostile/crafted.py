"""Checkpoints that lie: whole HDF5 files with a right checksum, or files that use what HDF5 offers beyond arrays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hydrodl.files.checkpoint_checks import FORMAT, VERSION, checksum
from hydrodl.files.plain_hdf5 import set_header

Content = dict[str, Any]
Change = Callable[[Content], object]
WORDS = {"format": FORMAT, "version": VERSION}


def contents(path: Path) -> Content:
    """The arrays of a checkpoint, its attributes as JSON values."""
    with h5py.File(path, "r") as h5:
        found: Content = {name: h5[name][:] for name in h5}
    found["attributes"] = json.loads(found["attributes"].tobytes())
    return found


def write(path: Path, content: Content) -> None:
    """A checkpoint of any content, its checksum right."""
    held = content.get("attributes")
    if held is not None and not isinstance(held, np.ndarray):
        text = held if isinstance(held, bytes) else json.dumps(held).encode()
        content = content | {"attributes": np.frombuffer(text, np.uint8)}
    with h5py.File(path, "w") as h5:
        for name, array in content.items():
            h5[name] = array
        set_header(h5, WORDS | {"checksum": checksum(h5)})


def at(*keys: Any, value: Any) -> Change:
    """Put a value at a place of the attributes."""

    def change(content: Content) -> None:
        place = content["attributes"]
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return change


def without(*keys: str) -> Change:
    """Take a key out of the attributes."""

    def change(content: Content) -> None:
        place = content["attributes"]
        for key in keys[:-1]:
            place = place[key]
        del place[keys[-1]]

    return change


def put(name: str, make: Callable[[np.ndarray], Any]) -> Change:
    """Another array in the place of one."""

    def change(content: Content) -> None:
        content[name] = make(content[name])

    return change


def one(name: str, value: float) -> Change:
    """One other value in an array."""

    def make(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array.reshape(-1)[array.size // 2] = value
        return array

    return put(name, make)


def text(content: bytes) -> Change:
    """Bytes in the place of the attributes."""

    def change(held: Content) -> None:
        held["attributes"] = content

    return change


def drop(name: str) -> Change:
    """A file without an array."""
    return lambda content: content.pop(name)


def add(name: str, array: Any) -> Change:
    """A file with another array."""

    def change(content: Content) -> None:
        content[name] = array

    return change


LIES: dict[str, tuple[Change, str]] = {
    # arrays
    "no velocity": (drop("velocity"), "not complete"),
    "no nodes": (drop("nodes"), "not complete"),
    "no times": (drop("times"), "not complete"),
    "no attributes": (drop("attributes"), "not complete"),
    "no potential": (drop("potential"), "has not finished"),
    "unknown array": (add("evil", np.zeros(3)), "'evil'"),
    "array with an escape sequence": (add("\x1b[2J", np.zeros(3)), r"\x1b[2J"),
    "many arrays": (lambda c: c.update({f"a{k}": np.zeros(1) for k in range(99)}), "arrays"),
    "velocity turned": (put("velocity", lambda a: a.transpose(1, 0, 2).copy()), "velocity of shape"),
    "velocity flat": (put("velocity", np.ravel), "velocity of shape"),
    "velocity of numbers alone": (put("velocity", lambda a: a.astype("i8")), "velocity as int64"),
    "one layer less": (put("times", lambda a: a[:-1]), "other layers"),
    "layers of another depth": (put("times", lambda a: 2 * a), "other layers"),
    "times that are none": (put("times", lambda a: a * np.nan), "not finite"),
    "one node less": (put("nodes", lambda a: a[:-1]), "another mesh"),
    "nodes of another dimension": (put("nodes", lambda a: a[:, :1]), "another mesh"),
    "nodes elsewhere": (put("nodes", lambda a: a + 0.01), "elsewhere"),
    "nodes all the same": (put("nodes", lambda a: a * 0), "elsewhere"),
    "nodes that are none": (one("nodes", np.nan), "not finite"),
    "densities of other layers": (put("density", lambda a: a[:-1]), "density of shape"),
    "potentials of other classes": (put("potential", lambda a: a[:, :1]), "potential of shape"),
    "a class less": (
        lambda c: c.update(density=c["density"][:, :1], potential=c["potential"][:, :1]),
        "holds 1 classes",
    ),
    "velocity not finite": (one("velocity", np.nan), "not finite"),
    "velocity infinite": (one("velocity", np.inf), "not finite"),
    "velocity too large": (one("velocity", 1e200), "beyond"),
    "potential infinite": (one("potential", -np.inf), "not finite"),
    "density not finite": (one("density", np.nan), "not finite"),
    "density negative at the start": (
        put("density", lambda a: a - (np.arange(len(a)) == 0)[:, None, None]),
        "negative",
    ),
    "densities of no mass": (put("density", lambda a: 0 * a), "masses"),
    "densities of mass 2": (put("density", lambda a: 2 * a), "masses"),
    "masses that change": (
        put("density", lambda a: a * np.linspace(1, 1.5, len(a))[:, None, None]),
        "says its masses change",
    ),
    "targets nobody asked for": (lambda c: c.update(targets=c["density"][:1]), "target densities"),
    "jumps of other layers": (lambda c: c.update(jumps=c["density"]), "jumps of shape"),
    # attributes
    "no JSON": (text(b"\0" * 40), "not a table"),
    "JSON that ends too soon": (text(b'{"model": '), "not a table"),
    "JSON of a list": (text(b"[1, 2]"), "not a table"),
    "JSON nested deeply": (text(b"[" * 100000), "not a table"),
    "JSON of many digits": (text(b'{"model": ' + b"9" * 10000 + b"}"), "not a table"),
    "attributes without end": (text(b" " * (2**25 + 1)), "attributes of more"),
    "attributes empty": (text(b"{}"), "no run"),
    "no model": (without("model"), "no run"),
    "no samples": (without("samples"), "no run"),
    "no objective": (without("objective"), "objective"),
    "no class names": (at("model", "class_names", value=[]), "class_names"),
    "class names that are none": (at("model", "class_names", value=[1, {}]), "class_names"),
    "one class name too many": (at("model", "class_names", value=["a", "b", "c"]), "its model 3"),
    "class names alike": (at("model", "class_names", value=["a", "a"]), "differ"),
    "class name without end": (at("model", "class_names", value=["a" * 5000, "b"]), "class_names"),
    "no preprocessing": (at("model", "preprocessing", value=None), "preprocessing"),
    "preprocessing of one feature": (at("model", "preprocessing", "mean", value=[0.0]), "one length"),
    "scale 0": (at("model", "preprocessing", "scale", value=[0.0, 1.0]), "not 0"),
    "scale not finite": (at("model", "preprocessing", "scale", value=[float("nan"), 1.0]), "scale"),
    "mean infinite": (at("model", "preprocessing", "mean", value=[float("inf"), 1.0]), "mean"),
    "lift": (at("model", "preprocessing", "lift", value=5), "lift"),
    "lift of one": (at("model", "preprocessing", "lift", value=1), "in dimension 3"),
    "components alone": (at("model", "preprocessing", "components", value=[[1.0], [1.0]]), "components"),
    "components uneven": (
        lambda c: c["attributes"]["model"]["preprocessing"].update(
            components=[[1.0, 2.0], [1.0]], component_scale=[1.0, 1.0]
        ),
        "components",
    ),
    "an unknown key": (at("model", "__class__", value="os.system"), "__class__"),
    "readout uneven": (at("model", "readout", "weights", value=[[1.0, 2.0], [1.0]]), "weights"),
    "readout of another dimension": (at("model", "readout", "weights", value=[[1.0], [1.0]]), "readout"),
    "readout of other classes": (at("model", "readout", "offsets", value=[0.0]), "offsets"),
    "readout of text": (at("model", "readout", "offsets", value=["=1+1", "b"]), "offsets"),
    "coefficients nobody asked for": (at("model", "coefficients", value=[[[1.0]]]), "coefficients"),
    "neurons nobody asked for": (
        at("model", "neurons", value={"width": 10**9, "activation": "tanh", "scale": 1.0, "seed": 0}),
        "neurons of width",
    ),
    "samples of another dimension": (at("samples", "train", value={"points": [[0.0]], "labels": [0]}), "coordinates"),
    "samples without labels": (at("samples", "train", "labels", value=[]), "labels"),
    "labels of no class": (at("samples", "train", value={"points": [[0.0, 0.0]], "labels": [9]}), "labels"),
    "labels negative": (at("samples", "train", value={"points": [[0.0, 0.0]], "labels": [-1]}), "labels"),
    "history of text": (at("history", value="evil"), "history"),
    "history without steps": (at("history", value=[{}]), "history"),
    "history of tables": (at("history", value=[{"iteration": {}}]), "history"),
    "reason without end": (at("reason", value="x" * 100000), "reason"),
    "converged or not": (at("converged", value="perhaps"), "converged"),
    "steps negative": (at("iterations", value=-1), "iterations"),
    "steps beyond 64 bits": (at("iterations", value=10**30), "iterations"),
    "warnings of tables": (at("warnings", value=[{}]), "warnings"),
    "a mass error of no number": (at("mass_error", value="small"), "mass_error"),
    "a mass error that is none": (at("mass_error", value=float("nan")), "masses change"),
}


def _replace(make: Callable[[h5py.File, np.ndarray], Any]) -> Callable[[Path], None]:
    """Put something else in the place of the velocity."""

    def craft(path: Path) -> None:
        with h5py.File(path, "a") as h5:
            values = h5["velocity"][:]
            del h5["velocity"]
            make(h5, values)

    return craft


def _words(change: Callable[[h5py.AttributeManager], object]) -> Callable[[Path], None]:
    def craft(path: Path) -> None:
        with h5py.File(path, "a") as h5:
            change(h5.attrs)

    return craft


def _virtual(h5: h5py.File, values: np.ndarray) -> None:
    layout = h5py.VirtualLayout(values.shape, "f8")
    layout[...] = h5py.VirtualSource("other.h5", "velocity", shape=values.shape)
    h5.create_virtual_dataset("velocity", layout)


def _bytes(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(change(path.read_bytes())) and None


HDF5: dict[str, tuple[Callable[[Path], None], str]] = {
    "external link": (_replace(lambda h5, v: h5.__setitem__("velocity", h5py.ExternalLink("other.h5", "v"))), "a link"),
    "link to a device": (
        _replace(lambda h5, v: h5.__setitem__("velocity", h5py.ExternalLink("/dev/zero", "/"))),
        "a link",
    ),
    "soft link": (_replace(lambda h5, v: h5.__setitem__("velocity", h5py.SoftLink("/nodes"))), "a link"),
    "link to itself": (_replace(lambda h5, v: h5.__setitem__("velocity", h5py.SoftLink("/velocity"))), "a link"),
    "external values": (
        _replace(lambda h5, v: h5.create_dataset("velocity", v.shape, "f8", external=[("/etc/passwd", 0, v.nbytes)])),
        "elsewhere",
    ),
    "virtual values": (_replace(_virtual), "elsewhere"),
    "values in pieces": (_replace(lambda h5, v: h5.create_dataset("velocity", data=v, chunks=True)), "in pieces"),
    "compressed values": (
        _replace(lambda h5, v: h5.create_dataset("velocity", data=v, compression="gzip")),
        "in pieces",
    ),
    "compressed bomb": (
        _replace(
            lambda h5, v: h5.create_dataset("velocity", (3, 2, 10**9), "f8", compression="gzip", chunks=(1, 1, 10**6))
        ),
        "in pieces",
    ),
    "values never written": (_replace(lambda h5, v: h5.create_dataset("velocity", v.shape, "f8")), "does not hold"),
    "rows of 4 GB": (_replace(lambda h5, v: h5.create_dataset("velocity", (3, 2, 2**29), "f8")), "does not hold"),
    "group": (_replace(lambda h5, v: h5.create_group("velocity")), "no array"),
    "type": (_replace(lambda h5, v: h5.__setitem__("velocity", np.dtype("f8"))), "no array"),
    "one number": (_replace(lambda h5, v: h5.__setitem__("velocity", 1.0)), "no array"),
    "nothing": (_replace(lambda h5, v: h5.create_dataset("velocity", data=h5py.Empty("f8"))), "no array"),
    "no values": (_replace(lambda h5, v: h5.create_dataset("velocity", (0, 2, 121), "f8")), "does not hold"),
    "half precision": (_replace(lambda h5, v: h5.__setitem__("velocity", v.astype("f4"))), "another type"),
    "big end first": (_replace(lambda h5, v: h5.__setitem__("velocity", v.astype(">f8"))), "another type"),
    "text": (_replace(lambda h5, v: h5.__setitem__("velocity", ["evil"] * 3)), "another type"),
    "references": (_replace(lambda h5, v: h5.create_dataset("velocity", (3,), dtype=h5py.ref_dtype)), "another type"),
    "tables": (_replace(lambda h5, v: h5.__setitem__("velocity", np.zeros(3, "f8,i4"))), "another type"),
    "pointers": (
        _replace(lambda h5, v: h5.create_dataset("velocity", (3,), dtype=h5py.vlen_dtype("f8"))),
        "another type",
    ),
    "no format": (_words(lambda a: a.__delitem__("format")), "another kind"),
    "another format": (_words(lambda a: a.__setitem__("format", np.bytes_("evil"))), "another kind"),
    "format of numbers": (_words(lambda a: a.__setitem__("format", np.zeros(1000))), "another kind"),
    "format of pointers": (_words(lambda a: a.__setitem__("format", FORMAT)), "another kind"),
    "another version": (_words(lambda a: a.__setitem__("version", np.bytes_("99"))), "version 99"),
    "version with an escape sequence": (_words(lambda a: a.__setitem__("version", np.bytes_("\x1b[2J"))), r"\x1b[2J"),
    "no checksum": (_words(lambda a: a.__delitem__("checksum")), "checksum"),
    "another checksum": (_words(lambda a: a.__setitem__("checksum", np.bytes_("0" * 64))), "checksum"),
    "half of it": (_bytes(lambda raw: raw[: len(raw) // 2]), "solution.h5"),
    "its beginning": (_bytes(lambda raw: raw[:100]), "corrupted"),
    "its signature": (_bytes(lambda raw: raw[:8]), "corrupted"),
    "nothing at all": (_bytes(lambda raw: b""), "not an HDF5 file"),
    "a script": (_bytes(lambda raw: b"#!/bin/sh\ntouch PWNED\n"), "not an HDF5 file"),
    "a pickle": (_bytes(lambda raw: b"\x80\x04cos\nsystem\nX\x05\x00\x00\x00touch\x85R."), "not an HDF5 file"),
    "noise after the signature": (_bytes(lambda raw: raw[:8] + bytes(range(256)) * 40), "corrupted"),
}
