"""Two moons against the nodes: J, test accuracy, noise and CPU time of both families of schemes in one run.

    python benchmarks/resolution.py [--layers 16] [--nodes 41 61 81 121] [--schemes euler-box strang] [--small]
    python benchmarks/resolution.py --picture docs/schemes.png --nodes 61

The README's problem: 400 samples, noise 0.02, default decay, weight 10. Accuracy is that of 2000 other samples;
"noise" is what the densities feel on average, over nu; "J / finest" is against the finest mesh of the same scheme.
CPU seconds are of training alone, forms compiled before, and their ratio is to the first line. The picture shows the
densities before the network and at the last layer by both schemes on the first of the meshes.
"""

from __future__ import annotations

import argparse
import warnings
from time import process_time
from typing import Any

from moons import two_moons

import hydrodl as hd

# isort: split
import numpy as np
from PIL import Image

from hydrodl.mesh.gathering import gather
from hydrodl.pictures.canvas import axis_names, density_unit, draw, frame, outer, panels
from hydrodl.pictures.densities import PEAK, clouds
from hydrodl.pictures.keys import density_bar, legend
from hydrodl.pictures.raster import rasterise

TEST = {"n": 2000, "seed": 7}
DECAY = hd.Lagrangian.decay


def picture(path: str, layers: int, nodes: int, schemes: list[str]) -> None:
    """Densities before the network and at the last layer, one panel a scheme."""
    found = [hd.train(two_moons(layers, nodes, scheme, DECAY)) for scheme in schemes]
    first, domain = found[0], found[0].problem.domain
    shown = [first.density[0], *(solution.density[-1] for solution in found)]
    titles = ["before the network"]
    for scheme, solution in zip(schemes, found, strict=True):
        noise = max(solution.effective_noise)
        titles.append(f"layer {layers}, {scheme}: $J$ = {solution.objective:.3f}, noise {noise:.2g}")
    raster, whole = rasterise(domain, 400), [gather(domain, values) for values in shown]

    def paint() -> Any:
        assert raster is not None
        fields = np.array([raster(values) for values in whole if values is not None])
        figure, axes = panels(len(shown), width=3.4, bounds=domain.bounds)
        largest = float(np.nanmax(fields.sum(axis=1)))
        for ax, densities, title in zip(axes, fields, titles, strict=True):
            clouds(ax, raster, densities, largest)
            frame(ax, domain.bounds, axis_names(first), title)
            outer(ax)
        figure.set_figheight(figure.get_figheight() + 0.3)  # for the legend
        density_bar(axes, largest, f"total density {density_unit(first)}")
        legend(figure, first.problem.densities.class_names, title=PEAK)
        return figure

    print("wrote", draw(domain.comm, path, paint))
    Image.open(path).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--nodes", type=int, nargs="+", default=[41, 61, 81, 121])
    parser.add_argument("--schemes", nargs="+", default=["euler-box", "strang"])
    parser.add_argument("--picture", help="draw this file instead")
    parser.add_argument("--small", action="store_true", help="for trying it out")
    given = parser.parse_args()
    layers, nodes = (2, [11, 13]) if given.small else (given.layers, given.nodes)
    warnings.simplefilter("ignore")  # the table tells the noise
    if given.picture:
        picture(given.picture, layers, nodes[0], given.schemes)
        return
    test, first = hd.load_dataset("two_moons", **TEST), None
    print("| scheme | nodes | J | J / finest - 1 | test accuracy | noise | steps | products | CPU s | ratio |")
    print("|---" * 10 + "|")
    for scheme in given.schemes:
        hd.train(two_moons(2, 9, scheme, DECAY), monitor=lambda entry: True)  # compile first
        rows = []
        for n in nodes:
            start = process_time()
            found = hd.train(two_moons(layers, n, scheme, DECAY))
            rows.append((n, found, process_time() - start, hd.Network(found).accuracy(test)))
            assert found.converged, found.reason
        finest = rows[-1][1].objective
        for n, found, spent, accuracy in rows:
            first = first or spent
            noise = max(found.effective_noise) / float(found.problem.lagrangian.noise)  # type: ignore[arg-type]
            print(
                f"| {scheme} | {n} x {n} | {found.objective:.6f} | {found.objective / finest - 1:.1e} | {accuracy:.4f} "
                f"| {noise:.3g} | {found.iterations} | {found.hessian_products} | {spent:.1f} | {spent / first:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
