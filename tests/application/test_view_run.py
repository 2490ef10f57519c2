"""``hydrodl view``: one page with everything in it, that loads nothing and runs nothing of a stranger's."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hydrodl.application import cli
from hydrodl.application.view_page import SCRIPT, STYLE

EVIL = "<script>alert('x')</script>\x1b[31m\"'"


class Page(HTMLParser):
    """Tags, attributes, and the texts of scripts and styles of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self.text, self._last = "", ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._last = tag

    def handle_data(self, data: str) -> None:
        if self._last in self.inside:
            self.inside[self._last].append(data)
        else:
            self.text += data

    def handle_endtag(self, tag: str) -> None:
        self._last = ""


def checked(path: Path) -> Page:
    """A page that needs nothing and runs nothing but our script."""
    text = path.read_text(encoding="utf-8")
    found = Page(text)
    assert found.inside == {"script": [SCRIPT], "style": [STYLE]}
    allowed = {"html", "head", "meta", "title", "body", "h1", "h2", "p", "div", "span", "img", "button", "input", "pre"}
    allowed |= {"table", "tr", "th", "td", "figure", "figcaption", "script", "style"}
    assert {tag for tag, _ in found.tags} <= allowed
    for tag, attributes in found.tags:
        assert not any(name.startswith("on") or name in ("href", "style", "srcdoc") for name in attributes), tag
        if "src" in attributes:
            assert re.match(r"data:image/(png|webp);base64,[A-Za-z0-9+/=]+$", attributes["src"] or "")
    policy = next(str(a["content"]) for tag, a in found.tags if tag == "meta" and "http-equiv" in a)
    for kind, words in (("script", SCRIPT), ("style", STYLE)):
        digest = base64.b64encode(hashlib.sha256(words.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy and "http://" not in text and "https://" not in text
    return found


@pytest.mark.slow
def test_everything_is_in_one_page(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.invoke(["view", str(trained), "--out", str(tmp_path / "v.html")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"the page is {tmp_path / 'v.html'}"
    found, report = checked(tmp_path / "v.html"), json.loads((trained / "report.json").read_text())
    alts = [str(attributes["alt"]) for tag, attributes in found.tags if tag == "img"]
    assert [alt for alt in alts if alt.startswith("layer ")] == [
        f"layer {k} of 3, t = {t}" for k, t in enumerate(("0", "0.333", "0.667", "1"))
    ]
    assert len(alts) == 4 + len(list(trained.glob("*.png")))
    assert f"{report['objective']:.6g}" in found.text and "3 layers x 121 nodes" in found.text
    assert "hydrodl analyze" in found.text and "It has not been made yet" in found.text and "tao_gatol" in found.text
    slider = next(attributes for tag, attributes in found.tags if tag == "input")
    assert (slider["type"], slider["max"]) == ("range", "3")


@pytest.mark.slow
def test_what_strangers_write_is_text(trained: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    run = tmp_path / "<b>run"
    shutil.copytree(trained, run)
    for path in run.glob("*.png"):
        path.unlink()
    report = json.loads((run / "report.json").read_text())
    (run / "report.json").write_text(
        json.dumps(report | {EVIL: EVIL, "reason": EVIL, "converged": False, "warnings": [EVIL]})
    )
    (run / "analysis.json").write_text('{"stability": [{"name": 1}]}')
    (run / f"{EVIL.replace('/', '')}.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    (run / "page.png").write_bytes(b"<svg onload='alert(1)'>")
    assert cli.invoke(["view", str(run), "--quiet"]) == 0
    found = checked(run / "view.html")
    assert "NOT CONVERGED" in found.text and "no analysis that can be read" in found.text and "--resume" in found.text
    assert sum(tag == "img" for tag, _ in found.tags) == 5 and "\x1b" not in (run / "view.html").read_text()
    assert cli.invoke(["view", str(run), "--quiet"]) == 0  # its own page it may replace
    (tmp_path / "mine.html").write_text("mine")
    assert "mine.html is there already and is no page of hydrodl view" in refused("view", run, "--out", "mine.html")
    assert (tmp_path / "mine.html").read_text() == "mine"
    assert "not the directory of a run" in refused("view", tmp_path)
