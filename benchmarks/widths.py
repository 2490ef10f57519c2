"""What the width of a layer of neurons costs, with hidden weights as drawn and with hidden weights trained.

    python benchmarks/widths.py [--small]

Prints the Markdown table of docs/analysis/neurons.md: two moons as in the README, J of every width over J of the field
control, and the test accuracy of the network; about five minutes of CPU.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from time import process_time

import hydrodl as hd

WIDTHS = 4, 8, 16, 32, 64
MOST_TRAINED = 32
"""More neurons trained whole take longer than all others together."""
OPTIONS = {"tao_gatol": 5e-3}
"""A gradient norm of 5e-3 is an error of J of about 1e-5, where the flattest directions matter little."""


def problem(small: bool) -> hd.Problem:
    """Two moons as in the README."""
    samples = hd.load_dataset("two_moons", n=400, seed=0)
    domain = hd.Domain.around(samples, nodes=31 if small else 61)
    physics = hd.Lagrangian(noise=0.05 if small else 0.02, decay=0.02, smoothness=0.1)
    rho = hd.densities(samples, domain, bandwidth=0.2)
    return hd.Problem(domain, hd.layers(4 if small else 16), rho, physics, hd.Classification(weight=10.0))


def rows(small: bool) -> Iterator[list[str]]:
    """Of the table."""
    given, test = problem(small), hd.load_dataset("two_moons", n=2000, seed=7)
    best = hd.train(given, options=OPTIONS)
    yield [
        "field",
        "",
        f"{best.objective:.4f}",
        "0",
        f"{hd.Network(best).accuracy(test):.4f}",
        str(best.iterations),
        "",
    ]
    for width in WIDTHS[: 2 if small else None]:
        for words in ("fixed", "trained") if width <= MOST_TRAINED else ("fixed",):
            began = process_time()
            found = hd.train(replace(given, control=hd.Neurons(width, hidden_weights=words)), options=OPTIONS)
            seconds = process_time() - began
            yield [
                str(width),
                words,
                f"{found.objective:.4f}" + ("" if found.converged else f" ({found.reason})"),
                f"{100 * (found.objective / best.objective - 1):.1f} %",
                f"{hd.Network(found).accuracy(test):.4f}",
                str(found.iterations),
                f"{seconds:.0f} s",
            ]


def main(small: bool) -> None:
    """The table, a line at a time."""
    warnings.simplefilter("ignore", RuntimeWarning)
    head = "width | hidden weights | J | above the field's | test accuracy | Newton steps | CPU"
    print(f"\n| {head} |\n|{'---|' * (head.count('|') + 1)}")
    for row in rows(small):
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main("--small" in sys.argv[1:])
