"""VTK's XML files with binary, compressed arrays, and collections of them by time.

The format: an XML header names the arrays and where each begins in the block of raw bytes at the end of the file. The
bytes of an array are cut into blocks of the same size, each compressed by zlib, with their sizes in front (K. Martin et
al., VTK File Formats, "XML file formats"). ParaView, VTK and PyVista read it;
meshio does not, as it knows no arrays of words.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from hydrodl.common.parallel import replacing

_BLOCK = 1 << 20  # bytes of an array in one compressed block
_LEVEL = 1  # of zlib: a higher one saves less than 1 percent of floating-point numbers
_TYPES = {"f4": "Float32", "f8": "Float64", "i4": "Int32", "i8": "Int64", "u1": "UInt8"}


@dataclass(frozen=True)
class Packed:
    """An array as it stands in a file: packed once, it can be written into many.

    Attributes:
        name, type, components: of the array in VTK's words; data: its compressed bytes with their sizes.
    """

    name: str
    type: str
    components: int
    data: bytes

    @classmethod
    def of(cls, name: str, values: NDArray[np.generic]) -> Packed:
        """An array (n,) or (n, components) of float32, float64, int32, int64 or uint8."""
        plain = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
        components = 1 if plain.ndim == 1 else plain.shape[1]
        return cls(name, _TYPES[values.dtype.str[1:]], components, _packed(plain.tobytes()))


def _packed(raw: bytes) -> bytes:
    pieces = [zlib.compress(raw[start : start + _BLOCK], _LEVEL) for start in range(0, len(raw), _BLOCK)]
    head = [len(pieces), _BLOCK, len(raw) % _BLOCK, *map(len, pieces)]  # a last block that is full counts as size 0
    return np.array(head, dtype="<u4").tobytes() + b"".join(pieces)


def write_vtk_xml(
    path: Path,
    kind: str,
    counts: Mapping[str, int],
    sections: Mapping[str, Sequence[Packed]],
    notes: Mapping[str, Iterable[str]],
) -> None:
    """Write one file, which takes its name when it is complete.

    Args:
        path: of the file.
        kind: "UnstructuredGrid" or "PolyData".
        counts: attributes of its piece, such as NumberOfPoints.
        sections: arrays of Points, Cells, PointData and so on.
        notes: field data: lines of text by name, ASCII.
    """
    offset, blocks, lines = 0, [], []
    for section, arrays in sections.items():
        lines.append(f"<{section}>")
        for array in arrays:
            name = quoteattr(array.name)
            lines.append(
                f'<DataArray type="{array.type}" Name={name} NumberOfComponents="{array.components}" '
                f'format="appended" offset="{offset}"/>'
            )
            blocks.append(array.data)
            offset += len(array.data)
        lines.append(f"</{section}>")
    held = " ".join(f'{name}="{count}"' for name, count in counts.items())
    head = "\n".join(
        [
            '<?xml version="1.0"?>',
            # from version 2.1 on the nodes of cells of higher degree stand in the order that DOLFINx knows
            f'<VTKFile type="{kind}" version="2.2" byte_order="LittleEndian" header_type="UInt32" '
            'compressor="vtkZLibDataCompressor">',
            f"<{kind}>",
            _field_data(notes),
            f"<Piece {held}>",
            *lines,
            "</Piece>",
            f"</{kind}>",
            '<AppendedData encoding="raw">\n_',
        ]
    )
    with replacing(path) as file, file.open("wb") as out:
        out.write(head.encode("ascii"))
        for block in blocks:
            out.write(block)
        out.write(b"\n</AppendedData>\n</VTKFile>\n")


def _field_data(notes: Mapping[str, Iterable[str]]) -> str:
    """Text as VTK has it: the codes of the letters, each string ended by 0."""
    parts = ["<FieldData>"]
    for name, given in notes.items():
        lines = list(given)
        codes = " ".join(str(code) for line in lines for code in (*line.encode("ascii"), 0))
        count = f'NumberOfTuples="{len(lines)}"'
        parts.append(f'<Array type="String" Name={quoteattr(name)} {count} format="ascii">{codes}</Array>')
    return "\n".join([*parts, "</FieldData>"])


def write_collection(path: Path, files: Mapping[str, float]) -> None:
    """Write a .pvd file: names of files beside it and their times."""
    rows = [f'<DataSet timestep="{time!r}" part="0" file={quoteattr(name)}/>' for name, time in files.items()]
    text = ['<?xml version="1.0"?>', '<VTKFile type="Collection" version="0.1">', "<Collection>"]
    with replacing(path) as file:
        file.write_text("\n".join([*text, *rows, "</Collection>", "</VTKFile>", ""]), encoding="ascii")
