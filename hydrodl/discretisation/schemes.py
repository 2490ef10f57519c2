"""The schemes by name, and the one place where a name becomes a scheme."""

from __future__ import annotations

from hydrodl.common.errors import InputError
from hydrodl.discretisation.box_scheme import BoxScheme
from hydrodl.discretisation.layer_map_scheme import LayerMapScheme
from hydrodl.discretisation.scheme import Scheme

SCHEMES: dict[str, Scheme] = {
    "residual": LayerMapScheme("residual", 0.0),
    "strang": LayerMapScheme("strang", 0.5),
    "strang-cubic": LayerMapScheme("strang-cubic", 0.5, degree=3),
    "euler-box": BoxScheme("euler-box", 1.0),
    "midpoint": BoxScheme("midpoint", 0.5),
}
"""The schemes by name."""


def default_scheme(uniform: bool, fitted: bool | None) -> str:
    """The name of the scheme where none is given: "strang" where it is possible, else "euler-box".

    Measured on the README's problems (docs/schemes.md): "strang" is of second order in the thickness of layers, where
    "residual" is of first order, for the same number of nodes and nearly the same time; the box schemes add noise.

    Args:
        uniform: the domain is a uniform box of degree 1 with the vertex rule, see ``Domain.robust``.
        fitted: of the Lagrangian; fitted diffusion, asked for by True, is something that box schemes alone have.
    """
    return "strang" if uniform and not fitted else "euler-box"


def box_scheme_named(name: str) -> Scheme:
    """The box scheme with a name, for what no other scheme does.

    Raises:
        InputError: there is none; those that are, are named.
    """
    known = {key: scheme for key, scheme in SCHEMES.items() if not scheme.moves_points}
    if name not in known:
        raise InputError(f"scheme is {name!r}, must be {' or '.join(map(repr, known))}")
    return known[name]
