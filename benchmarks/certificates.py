"""Certificates against attacks, and bounds of random neuron networks against what they bound.

    python benchmarks/certificates.py [--small]

Prints the Markdown tables of docs/analysis/certificates.md. Attacks: projected gradient from random starts in the ball,
against the network in double precision and, with the points that it ends at rounded to float32, against its ONNX file.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

import hydrodl as hd
from hydrodl.analysis.stability.neuron_bounds import NeuronLayers
from hydrodl.analysis.stability.training_bounds import layer_invertibility
from hydrodl.data.preprocessing import input_map
from hydrodl.network.certificates import METHODS
from hydrodl.network.table_network import PortableNetwork
from hydrodl.physics.neurons import neuron_gradients

STEPS = 20
FURTHER = 1.25, 1.5, 2.0, 3.0


class Attack:
    """Projected gradient against the labels of a network on a uniform box.

    Args:
        network: with a readout.
    """

    def __init__(self, network: hd.Network) -> None:
        self.network, self._maps = network, PortableNetwork.of(network)
        _, scale, matrix = input_map(network.preprocessing.to_dict())
        self._into = (matrix / scale[:, None]).T

    def slopes(self, features: np.ndarray, ways: np.ndarray) -> np.ndarray:
        """Gradients of way . x(T) in the features, (n, p), ways (n, d)."""
        raw, maps = self.network.preprocessing.apply(features), self._maps
        low, high = maps.bounds
        path = maps.push(raw)
        back = ways
        for k in reversed(range(len(maps.steps))):
            moved = path[k] + maps.steps[k] * maps.velocity(k, path[k])
            back = np.where((moved > low) & (moved < high), back, 0.0)
            back = back + maps.steps[k] * np.einsum("nij,ni->nj", maps.gradient(k, path[k]), back)
        return np.where((raw > low) & (raw < high), back, 0.0) @ self._into

    def labels(self, features: np.ndarray) -> np.ndarray:
        """Of raw features."""
        ends = self._maps.push(self.network.preprocessing.apply(features))[-1]
        return self.network.readout.logits(ends).argmax(axis=1)

    def run(self, features: np.ndarray, radius: np.ndarray, restarts: int, seed: int = 0) -> np.ndarray:
        """Points (restarts, n, p) within the radii (n,) where the best step against some class has led."""
        rng, W = np.random.default_rng(seed), self.network.readout.weights
        label, (n, p) = self.labels(features), features.shape
        found = np.empty((restarts, n, p))
        for again in range(restarts):
            way = rng.standard_normal((n, p))
            at = way / np.linalg.norm(way, axis=1, keepdims=True) * (radius * rng.uniform(0, 1, n) ** (1 / p))[:, None]
            other = (label + rng.integers(1, len(W), n)) % len(W)
            for step in range(STEPS):
                slope = self.slopes(features + at, W[other] - W[label])
                size = np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-300)
                at = at + (1.0 - step / STEPS) * radius[:, None] * slope / size
                length = np.linalg.norm(at, axis=1)
                at *= np.minimum(1.0, radius / np.maximum(length, 1e-300))[:, None]
            found[again] = features + at
        return found

    def broken(self, features: np.ndarray, radius: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Points whose label one of the ends changes, ends that rounding put outside the balls left out; (n,)."""
        inside = np.linalg.norm(ends - features, axis=2) <= radius
        changed = np.array([self.labels(x) for x in ends]) != self.labels(features)
        return (inside & changed).any(axis=0)


def file_breaks(attack: Attack, features: np.ndarray, radius: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, int]:
    """As ``Attack.broken`` of the ONNX file, at ends rounded to float32; and how many of these lie in the balls."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        path = hd.write_onnx(Path(folder) / "network.onnx", attack.network)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def labels(x: np.ndarray) -> np.ndarray:
        return session.run(["label"], {"features": x.astype(np.float32)})[0]  # type: ignore[no-any-return]

    single = ends.astype(np.float32).astype(np.float64)
    inside = np.linalg.norm(single - features, axis=2) <= radius
    changed = np.array([labels(x) for x in ends]) != attack.labels(features)
    return (inside & changed).any(axis=0), int(inside.sum())


def moons(small: bool, **choices: Any) -> hd.Network:
    """The README's two moons, or with neurons."""
    samples = hd.load_dataset("two_moons", n=400, seed=0)
    domain = hd.Domain.around(samples, nodes=31 if small else 61)
    physics = hd.Lagrangian(noise=0.05 if small else 0.02, decay=0.02, smoothness=0.1)
    layers, rho = hd.layers(4 if small else 16), hd.densities(samples, domain, bandwidth=0.2)
    problem = hd.Problem(domain, layers, rho, physics, hd.Classification(weight=10.0), **choices)
    whole = problem.control is not None and problem.control.whole  # flat valleys lead nowhere else
    return hd.Network(hd.train(problem, options={"tao_gatol": 5e-3 if whole else 1e-5}))


def table(head: str, rows: Iterator[list[str]]) -> None:
    """A Markdown table, a line at a time."""
    print(f"\n| {head} |\n|{'---|' * (head.count('|') + 1)}")
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def networks(small: bool) -> Iterator[tuple[str, hd.Network]]:
    """What is attacked."""
    yield "table", moons(small)
    yield "tanh, 32", moons(small, control=hd.Neurons(32))
    yield "relu, 32", moons(small, control=hd.Neurons(32, "relu"))
    yield "tanh, 8 trained whole", moons(small, control=hd.Neurons(8, hidden_weights="trained"))


def attacks(small: bool) -> Iterator[list[str]]:
    """Rows of the first table."""
    count, restarts = (40, 4) if small else (1000, 100)
    points = hd.load_dataset("two_moons", n=count, seed=7).features
    for name, network in networks(small):
        began = process_time()
        found = network.certify(points)
        seconds = process_time() - began
        attack = Attack(network)
        ends = attack.run(points, found.radius, restarts)
        broken = attack.broken(points, found.radius, ends).sum()
        in_file, tried = file_breaks(attack, points, found.radius, ends)
        beyond = []
        for factor in FURTHER:
            wider = attack.run(points, factor * found.radius, max(restarts // 10, 2))
            beyond.append(attack.broken(points, factor * found.radius, wider).mean())
        medians = [f"{np.median(found.radii[method]):.3f}" for method in METHODS]
        yield [
            name,
            *medians,
            f"{np.median(found.radius):.3f}",
            f"{(found.radius > 0).mean():.3f}",
            f"{found.invertible.mean():.3f}",
            f"{broken} of {ends.shape[0] * ends.shape[1]}",
            f"{in_file.sum()} of {tried}",
            ", ".join(f"{share:.2f}" for share in beyond),
            f"{1e3 * seconds / count:.1f} ms",
        ]


def least_determinant(layers: NeuronLayers, steps: np.ndarray, rng: np.random.Generator) -> float:
    """The smallest det(I + Delta grad u) that a search finds: random points, then ever closer about the best."""
    low, high = layers.bounds
    least = np.inf
    for k, step in enumerate(steps):

        def found(x: np.ndarray, k: int = k, step: float = step) -> np.ndarray:
            slopes = neuron_gradients(layers.hidden, layers.outputs[k], k, x)
            return np.linalg.det(np.eye(len(low)) + step * slopes)  # type: ignore[no-any-return]

        points = rng.uniform(low, high, (4000, len(low)))
        for spread in (0.1, 0.03, 0.01, 0.003, 0.001):
            best = points[np.argsort(found(points))[:40]]
            near = np.repeat(best, 20, axis=0) + spread * (high - low) * rng.standard_normal((800, len(low)))
            points = np.concatenate([best, np.clip(near, low, high)])
        least = min(least, float(found(points).min()))
    return least


def folding(small: bool) -> Iterator[list[str]]:
    """Rows of the second table."""
    rng, count = np.random.default_rng(0), 10 if small else 500
    domains = {d: hd.Domain.box([-2.0] * d, [2.0] * d, 9) for d in (1, 2)}
    flows = {d: _flow(domain) for d, domain in domains.items()}
    seen: dict[tuple[str, bool], list[float]] = {}
    for number in range(count):
        d, activation = 1 + number % 2, ("tanh", "relu")[number // 2 % 2]
        width, scale = int(2 ** rng.uniform(0, 7)), float(2 ** rng.uniform(-1, 3))
        hidden = hd.Neurons(width, activation, scale=scale, seed=number).draw(domains[d], 2)
        draw = rng.standard_normal((2, d, width)) * 2 ** rng.uniform(-3, 2) / (scale * np.sqrt(width))
        layers = NeuronLayers(hidden, draw, np.array(domains[d].bounds))
        holds = layer_invertibility(flows[d], layers.lipschitz()).holds
        least = least_determinant(layers, flows[d].layers.steps, rng)
        seen.setdefault((activation, holds), []).append(least)
    for (activation, holds), least in sorted(seen.items()):
        wrong = sum(value <= 0 for value in least)
        yield [activation, "holds" if holds else "fails", str(len(least)), str(wrong), f"{min(least):.3f}"]


def _flow(domain: hd.Domain) -> hd.Flow:
    """Two layers of rest: all that the bound needs of a flow is its layers."""
    d = domain.dimension
    rho = hd.mixture([hd.Gaussian([m] * d, 0.6, label=m) for m in (-0.5, 0.5)], domain)
    problem = hd.Problem(domain, hd.layers(2), rho, hd.Lagrangian(0.1), hd.Classification(1.0), "euler-box")
    return replace(hd.train(problem, monitor=lambda entry: True).flow)


def main(small: bool) -> None:
    """Both tables."""
    warnings.simplefilter("ignore", RuntimeWarning)
    table(
        "network | product | interval | linearised | best | certified | one to one | broken | broken in ONNX | "
        "broken at 1.25, 1.5, 2, 3 radii | CPU a point",
        attacks(small),
    )
    table("activation | invertibility | networks | with det <= 0 | least det found", folding(small))


if __name__ == "__main__":
    main("--small" in sys.argv[1:])
