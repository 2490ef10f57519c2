"""Samples and densities moving through the layers, as an animated picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from PIL import Image

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import attempt, on_root
from hydrodl.mesh.gathering import gather
from hydrodl.mesh.ghosts import cut_open
from hydrodl.pictures.canvas import (
    axis_names,
    blend,
    colour,
    density_unit,
    few_ticks,
    frame,
    image,
    margins,
    marker,
    panels,
    photograph,
    scatter,
    styled,
)
from hydrodl.pictures.keys import density_bar, legend
from hydrodl.pictures.raster import Raster, rasterise

if TYPE_CHECKING:
    from hydrodl.data.samples import Samples
    from hydrodl.network.network import Network


SHOWN = 400  # samples drawn at most


PIXELS = {1: 401, 2: 141, 3: 31}


FORMATS = {".gif": "GIF", ".webp": "WEBP"}


FRAMES = 48  # about as many between the first and the last layer


TIME, REST = 80, 900  # milliseconds for which a frame is shown, the first and the last one


Update = Callable[[Floats, Floats], None]  # of a picture, from densities and sample positions


def animate(network: Network, samples: Samples, path: str | Path) -> Path:
    """Samples and class densities on their way through the layers; between layers both are interpolated linearly.

    d = 1: densities as curves, samples below them; d = 2: densities as colour, as in ``plot_densities``; d = 3: the
    marginal densities of (x_1, x_2) and the samples seen along x_3. Collective, rank 0 draws.

    Args:
        network: the trained network.
        samples: up to 400 of them are shown.
        path: of the picture, ".gif" or ".webp".

    Raises:
        InputError: another kind of file, or one that cannot be written.

    Example:
        >>> hd.plot.animate(network, samples, "flow.gif").name
        'flow.gif'
    """
    path, comm = Path(path), network.domain.comm
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path}: the name of an animation must end in {' or '.join(FORMATS)}")
    on_root(comm, lambda: path.open("ab").close())  # before the long work
    layers = len(network.steps)
    shots = _filmed(network, samples, np.linspace(0, layers, layers * max(1, round(FRAMES / layers)) + 1))
    on_root(comm, lambda: _save(path, shots))
    return path


def layer_pictures(network: Network, samples: Samples, most: int = 33) -> list[tuple[int, Image.Image]]:
    """The frames of :func:`animate` at the layers alone, at most so many, with their numbers; on rank 0. Collective."""
    layers = len(network.steps)
    chosen = sorted({round(k) for k in np.linspace(0, layers, min(layers + 1, most))})
    return list(zip(chosen, _filmed(network, samples, np.array(chosen, dtype=float)), strict=False))


def _filmed(network: Network, samples: Samples, moments: Floats) -> list[Image.Image]:
    """A frame for each moment, counted in layers; none on ranks other than 0. Collective."""
    domain = network.domain
    samples = samples.some(SHOWN)
    paths = network.push(network.preprocessing.apply(samples.features))
    opened, cut = cut_open(domain)
    raster = rasterise(opened, PIXELS[domain.dimension])
    whole = [gather(opened, cut(values)) for values in network.solution.density]

    def act() -> list[Image.Image]:
        if raster is None:
            return []
        fields = np.array([raster(values) for values in whole if values is not None])
        with styled():
            return _shots(network, samples, raster, fields, paths, samples.labels, moments)

    return attempt(domain.comm, act)


def _shots(
    network: Network,
    samples: Samples,
    raster: Raster,
    fields: Floats,
    paths: Floats,
    labels: np.ndarray,
    moments: Floats,
) -> list[Image.Image]:
    times, d = network.solution.problem.layers.times, network.domain.dimension
    if d == 3:
        fields = np.trapezoid(np.nan_to_num(fields), raster.axes[2], axis=-1)
    figure, (ax,) = panels(1, bounds=network.domain.bounds if d > 1 else None)
    update = (_line if d == 1 else _plane)(ax, network, raster, fields, paths, labels)
    legend(figure, samples.class_names, lines=d == 1)
    shots = []
    for moment in moments:
        k = min(int(moment), len(times) - 2)
        s = moment - k
        update((1 - s) * fields[k] + s * fields[k + 1], (1 - s) * paths[k] + s * paths[k + 1])
        layer = f"{moment:.1f}".removesuffix(".0")
        ax.set_title(f"layer {layer} of {len(times) - 1},  t = {(1 - s) * times[k] + s * times[k + 1]:.2f}")
        shots.append(photograph(figure, 110))
        figure.set_layout_engine("none")  # laid out once: nothing but the figures of the title moves
    left, top, right, bottom = zip(margins(shots[0]), margins(shots[-1]), strict=True)
    return [shot.crop((min(left), min(top), max(right), max(bottom))) for shot in shots]


def _save(path: Path, shots: list[Image.Image]) -> None:
    if path.suffix.lower() == ".gif":
        shots = _with_palette(shots)
    shown = [REST, *[TIME] * (len(shots) - 2), REST]
    with path.open("wb") as file:
        shots[0].save(
            file, format=FORMATS[path.suffix.lower()], save_all=True, append_images=shots[1:], duration=shown, loop=0
        )


def _with_palette(shots: list[Image.Image]) -> list[Image.Image]:
    """The shots in 256 colours, as many as a GIF has; one palette for all, or the colours would flicker."""
    few = [np.asarray(shots[k]) for k in (0, len(shots) // 2, len(shots) - 1)]
    # maximal coverage: no colour is far off, and markers keep that of their class
    palette = Image.fromarray(np.concatenate(few)).quantize(256, method=Image.Quantize.MAXCOVERAGE)
    shades = np.array(palette.getpalette(), dtype=np.uint8).reshape(-1, 3)
    white = int(shades.astype(int).sum(axis=1).argmax())
    shades[white] = 255
    return [_on_white(shot, palette, shades, white) for shot in shots]


def _on_white(shot: Image.Image, palette: Image.Image, shades: NDArray[np.uint8], white: int) -> Image.Image:
    """In the colours of a palette, with paper as white as it was: Pillow takes one that is near."""
    numbers = np.array(shot.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG))
    numbers[(np.asarray(shot) == 255).all(axis=2)] = white
    found = Image.fromarray(numbers, mode="P")
    found.putpalette(shades.tobytes())
    return found


def _line(ax: Axes, network: Network, raster: Raster, fields: Floats, paths: Floats, labels: np.ndarray) -> Update:
    x, top, classes = raster.axes[0], 1.05 * float(fields.max()), fields.shape[1]
    peaks: list[dict[str, Any]] = [{"marker": marker(c), "markersize": 4.5, "markevery": [0]} for c in range(classes)]
    curves = [ax.plot(x, x, color=colour(c), linewidth=1.4, **peaks[c])[0] for c in range(classes)]
    look: dict[str, Any] = {"marker": "|", "linestyle": "", "markersize": 6, "markeredgewidth": 0.7}
    rows = [ax.plot([], [], color=colour(c), **look)[0] for c in range(classes)]
    ax.set(
        xlim=(x[0], x[-1]),
        ylim=(-0.06 * (classes + 0.5) * top, top),
        ylabel=f"density {density_unit(network.solution)}",
    )
    ax.set_xlabel(axis_names(network.solution)[0])
    few_ticks(ax)

    def update(densities: Floats, points: Floats) -> None:
        for c, (curve, row) in enumerate(zip(curves, rows, strict=True)):
            own = points[labels == c, 0]
            curve.set_ydata(densities[c])
            curve.set_markevery([int(densities[c].argmax())])
            row.set_data(own, np.full(len(own), -0.06 * (c + 0.75) * top))

    return update


def _plane(ax: Axes, network: Network, raster: Raster, fields: Floats, paths: Floats, labels: np.ndarray) -> Update:
    bounds, largest = network.domain.bounds, float(np.nanmax(fields.sum(axis=1)))
    image(ax, raster, blend(fields[0], largest))
    scatter(ax, paths[0, :, :2], labels)
    frame(ax, (bounds[0][:2], bounds[1][:2]), axis_names(network.solution)[:2], "")
    marginal = "marginal " if network.domain.dimension == 3 else ""
    density_bar([ax], largest, f"total {marginal}density {density_unit(network.solution)}")
    clouds = list(zip(np.unique(labels), ax.collections, strict=True))

    def update(densities: Floats, points: Floats) -> None:
        ax.images[0].set_data(blend(densities, largest).swapaxes(0, 1))
        for c, cloud in clouds:
            cloud.set_offsets(points[labels == c, :2])

    return update
