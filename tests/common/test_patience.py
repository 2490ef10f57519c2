"""A run that seems to stand still says what it is at, seldom and only then."""

from __future__ import annotations

import threading

from hydrodl.common.patience import Patience


def test_there_is_a_word_after_a_while_without_progress() -> None:
    said: list[str] = []
    twice = threading.Event()

    def say(word: str) -> None:
        said.append(word)
        if len(said) == 2:
            twice.set()

    with Patience(say, silence=0.02).watching("compiling"):
        assert twice.wait(60)
    assert said[:2] == ["... compiling, 0.02 s so far", "... compiling, 0.06 s so far"]


def test_there_is_none_where_things_go_on() -> None:
    said: list[str] = []
    patience = Patience(said.append, silence=60.0)
    with patience.watching("reading"):
        for step in range(100):
            patience.at(f"step {step}")
    assert not said
