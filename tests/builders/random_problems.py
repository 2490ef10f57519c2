"""Random problem files that are right: every key, every kind of data, mesh, scheme, energy and loss, small sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hydrodl.discretisation.schemes import SCHEMES
from hydrodl.physics.neurons import ACTIVATIONS

Tables = dict[str, Any]
NODES = {1: (7, 31), 2: (4, 9), 3: (3, 5)}
COUNT = 200


class Draw:
    """One problem file a seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def one_of(self, *values: Any) -> Any:
        return values[self.rng.integers(len(values))]

    def perhaps(self, chance: float = 0.5) -> bool:
        return bool(self.rng.random() < chance)

    def whole(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def size(self, low: float, high: float) -> float:
        """Between two positive numbers, as often in each decade."""
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))

    def point(self, d: int) -> list[float]:
        return self.rng.uniform(-1.5, 1.5, d).tolist()

    def gaussian(self, d: int) -> Tables:
        if self.perhaps():
            root = self.rng.uniform(-0.5, 0.5, (d, d))
            spread: Tables = {"covariance": (root @ root.T + 0.1 * np.eye(d)).tolist()}
        else:
            spread = {"std": self.one_of(self.size(0.2, 1.0), self.rng.uniform(0.2, 1.0, d).tolist())}
        return {"mean": self.point(d), "weight": self.size(0.1, 10.0)} | spread

    def mixture(self, d: int, classes: int) -> list[Tables]:
        parts = [*range(classes), *(self.whole(0, classes - 1) for _ in range(self.whole(0, 1)))]
        return [self.gaussian(d) | {"label": f"c{c}"} for c in parts]

    def data(self) -> tuple[Tables, int, int]:
        """[data], the dimension and the number of classes."""
        kind = self.one_of("moons", "circles", "iris", "table", "mixture", "snapshots")
        found: Tables = {"seed": self.whole(0, 2**32 - 1), "bandwidth": self.size(0.1, 0.6)}
        if kind == "mixture":
            d, classes = self.whole(1, 3), self.whole(1, 3)
            sizes = {"samples": self.whole(8, 60), "test_samples": self.whole(0, 9)}
            return found | sizes | {"mixture": self.mixture(d, classes)}, d, classes
        if kind == "snapshots":
            d, times = self.whole(1, 2), np.cumsum(self.rng.uniform(0.2, 2.0, self.whole(2, 3)))
            entries = [{"time": float(t), "mixture": [self.gaussian(d)]} for t in times]
            return found | {"snapshots": entries}, d, 1
        lift = self.whole(0, 1) if self.perhaps(0.3) else 0
        found |= {"lift": lift, "one_unit": self.perhaps(), "test_fraction": self.one_of(0.0, 0.25)}
        if kind == "iris":
            kept = self.whole(1, 2)
            return found | {"source": "iris", "dimensions": kept}, kept + lift, 3
        if kind == "table":
            return found | {"source": "t.csv", "label": "kind", "features": ["x", "y"]}, 2 + lift, 3
        found |= {"samples": self.whole(8, 60), "test_samples": self.one_of(0, 9), "noise": self.size(0.01, 0.3)}
        return found | {"source": {"moons": "two_moons", "circles": "circles"}[kind]}, 2 + lift, 2

    def domain(self, d: int, table: bool) -> Tables:
        if d == 2 and not table and self.perhaps(0.1):
            return {"mesh": "square.vtu", "degree": self.one_of(1, 2)}
        degree = self.one_of(1, 1, 1, 2) if d < 3 else 1
        low, high = NODES[d]
        nodes = [self.whole(low, high // degree + 1) for _ in range(d)]
        found: Tables = {"cells": self.one_of("box", "box", "simplex"), "degree": degree, "nodes": nodes}
        if self.perhaps(0.3):
            found |= {"lower": [-5.0] * d, "upper": self.rng.uniform(4.0, 6.0, d).tolist()}
            if degree == 1 and found["upper"][0] < 4.7:
                found["periodic"] = [bool(high < 5.2) for high in found["upper"]]
        else:
            found["margin"] = self.one_of(self.size(0.3, 2.0), self.rng.uniform(0.3, 2.0, d).tolist())
        if self.perhaps(0.3):
            found["lumped"] = degree == 1 and self.perhaps()
        return found

    def network(self, snapshots: bool, domain: Tables) -> Tables:
        if snapshots or self.perhaps(0.7):
            found: Tables = {"layers": self.whole(2, 6), "depth": self.size(0.3, 3.0)}
        else:
            found = {"times": [0.0, *np.cumsum(self.rng.uniform(0.05, 0.6, self.whole(1, 5))).tolist()]}
        box = domain.get("cells", "") == "box" and domain["degree"] == 1 and domain.get("lumped", True)
        found["scheme"] = self.one_of(*SCHEMES) if box else self.one_of("euler-box", "midpoint")
        if "periodic" in domain:  # neither layer maps nor neurons
            found["scheme"] = self.one_of("euler-box", "midpoint")
        elif self.perhaps(0.3):
            found |= {"width": self.whole(1, 30), "activation": self.one_of(*ACTIVATIONS)}
            found |= {"neuron_scale": self.size(0.3, 5.0), "neuron_decay": self.size(1e-8, 1e-2)}
            found["neuron_seed"] = self.whole(0, 2**40)
            if found["activation"] == "tanh" and found["neuron_seed"] % 2:  # few: training them takes many steps
                found |= {"hidden_weights": "trained", "width": 1 + found["neuron_seed"] % 4}
        return found

    def physics(self, d: int, classes: int, scheme: str) -> Tables:
        found: Tables = {"noise": self.size(0.005, 1.0), "smoothness": self.one_of(0.0, self.size(0.01, 1.0))}
        found |= self.one_of(
            {"decay": self.size(1e-3, 1.0), "kinetic": self.size(0.1, 3.0)},
            {"decay": self.size(1e-2, 1.0), "kinetic": 0.0},
            {"decay": self.size(1e-4, 1e-2), "kinetic": 1.0},
        )
        if scheme in ("euler-box", "midpoint") and self.perhaps(0.2):
            found["fitted"] = self.perhaps()
        if self.perhaps(0.3):
            formulas = [f"{self.size(0.1, 2.0)}*x{self.whole(1, d)}**2", "0.3*sin(pi*x1)", "where(x1 < 0, 1, 0)"]
            listed = [self.one_of(*formulas) for _ in range(classes)]
            found["potential"] = self.one_of(listed, listed[0])
        if self.perhaps(0.3):
            kind = self.one_of("entropy", "power", "focusing")
            found["energy"] = {"kind": kind, "weight": self.size(1e-3, 0.1)}
            found["energy"] |= {"floor": 1e-6} if kind == "entropy" else {"exponent": self.one_of(2.0, 2.0, 3.0)}
        return found

    def loss(self, d: int, classes: int, layers: int) -> Tables:
        kinds = ["position", "density", *(["classification"] * 2 if classes > 1 else [])]
        found: Tables = {"kind": self.one_of(*kinds), "weight": self.size(0.3, 100.0)}
        if self.perhaps(0.3):
            found["layer"] = self.whole(1, layers)
        if found["kind"] == "classification" and self.perhaps(0.3):
            found |= {"readout": "trained", "readout_decay": self.size(1e-3, 0.1)}
        if found["kind"] == "position":
            found["targets"] = [self.point(d) for _ in range(classes)]
        return found

    def density(self) -> Tables:
        return self.one_of({"divergence": "l2"}, {"divergence": "kl", "floor": self.size(1e-8, 1e-4)})

    def tables(self) -> Tables:
        data, d, classes = self.data()
        snapshots = "snapshots" in data
        domain = self.domain(d, "t.csv" in data.values())
        network = self.network(snapshots, domain)
        found: Tables = {
            "data": data,
            "domain": domain,
            "network": network,
            "physics": self.physics(d, classes, network["scheme"]),
        }
        if snapshots:
            return found | {"loss": [{"kind": "density", "weight": self.size(0.3, 100.0)} | self.density()]}
        layers = network.get("layers") or len(network["times"]) - 1
        losses = [self.loss(d, classes, layers) for _ in range(self.one_of(1, 1, 1, 2))]
        if len([1 for loss in losses if loss.get("readout") == "trained"]) > 1:
            losses = losses[:1]
        labels = {"two_moons": ["0", "1"], "circles": ["0", "1"], "iris": ["setosa", "versicolor", "virginica"]}
        for loss in losses:
            if loss["kind"] == "density":
                names = labels.get(data.get("source"), [f"c{c}" for c in range(classes)])
                loss |= self.density() | {"target": [self.gaussian(d) | {"label": name} for name in names]}
        return found | {"loss": losses}


def write_beside(folder: Path) -> None:
    """The table and the mesh that some of them name."""
    import meshio

    rng = np.random.default_rng(0)
    rows = [f"{rng.normal(c, 0.5):.4f},{rng.normal(-c, 1.0):.4f},c{c}\n" for c in range(3) for _ in range(9)]
    (folder / "t.csv").write_text("x,y,kind\n" + "".join(rows))
    side = np.linspace(-9, 9, 7)
    grid = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
    corner = (np.arange(6)[:, None] * 7 + np.arange(6)).ravel()
    cells = np.concatenate([corner[:, None] + np.array(p) for p in ([0, 7, 8], [0, 8, 1])])
    meshio.write(folder / "square.vtu", meshio.Mesh(np.pad(grid, ((0, 0), (0, 1))), [("triangle", cells)]))
