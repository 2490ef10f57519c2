"""What objects show of themselves: one line, or a small table in which names of strangers are only text."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pytest

import hydrodl as hd

EVIL = ("<script>alert(1)</script>\x1b[31m", 'b" onload="x')


@pytest.fixture(scope="module")
def things() -> dict[str, object]:
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(m, 0.3, (20, 1)) for m in (-0.5, 0.5)])
    samples = hd.Samples(features, np.repeat([0, 1], 20), EVIL, ("<b>x</b>",), hd.Preprocessing.identity(1))
    domain = hd.Domain.interval(-2, 2, 15)
    rho = hd.densities(samples, domain)
    problem = hd.Problem(domain, hd.layers(3), rho, hd.Lagrangian(0.1), hd.Classification(5.0))
    solution = hd.train(problem)
    one = hd.mixture([hd.Gaussian(0.0, 0.5)], domain)
    found = hd.bridge(one, one, hd.layers(2), 0.1)
    series = hd.snapshots([0, 1], [features[:5], features[5:]], names=["<i>"])
    network = hd.Network(solution)
    listed = [samples, domain, rho, problem, solution, network, hd.posterior(network), solution.flow, found, series]
    listed += [hd.analysis.recommend(solution), hd.layers(2), samples.preprocessing]
    return {type(thing).__name__: thing for thing in listed}


class Tags(HTMLParser):
    """The tags of a text, and whether all that were opened are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen, self.open = set[str](), list[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.open.append(tag)
        assert all(name == "style" for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_object_has_a_line_and_a_table(things: dict[str, object]) -> None:
    assert len(things) == 13
    for name, thing in things.items():
        line = repr(thing)
        assert line.startswith(f"<{name}: ") and len(line) < 300 and line.isprintable(), line
        tags = Tags(thing._repr_html_())  # type: ignore[attr-defined]
        assert tags.seen == {"table", "caption", "tr", "th", "td"} and not tags.open, name


def test_they_say_what_they_are(things: dict[str, object]) -> None:
    assert repr(things["Domain"]) == "<Domain: uniform box in d = 1, 15 nodes>"
    assert repr(things["Layers"]) == "<Layers: 2 layers of total depth 1>"
    assert "3 layers x 15 nodes in d = 1, 2 classes" in repr(things["Problem"])
    assert "40 samples of 1 feature in 2 classes" in repr(things["Samples"])
    assert "3 layers of 15 nodes from 1 feature" in repr(things["Network"])
    wide = hd.Preprocessing.fit(np.random.default_rng(1).normal(size=(30, 2)), 1)
    assert repr(wide) == "<Preprocessing: 2 features standardised, reduced to 1 principal component>"
    html = things["Solution"]._repr_html_()  # type: ignore[attr-defined]
    assert "gradient norm below tao_gatol" in html and "objective" in html
