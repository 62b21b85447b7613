# SPDX-License-Identifier: MIT
"""Wherever a process dies, the others go on: the matrix, in each language."""

from __future__ import annotations

import re
from pathlib import Path

import matrix
import pytest
from victims import LANGUAGES, Peer, Scene, Victim, unique_name

SOURCE = Path(__file__).resolve().parents[2]


CASES = [(place, language) for place in matrix.PLACES for language in LANGUAGES]


@pytest.mark.parametrize(
    ("place", "language"),
    CASES,
    ids=[f"{place.name}-{place.doing}-{language}" for place, language in CASES],
)
def test_the_others_go_on(place: matrix.Place, language: str) -> None:
    survivor, victim = Peer(language), Victim(place.name, place.stop)
    scene = Scene(unique_name(), survivor)
    try:
        if place.begin:
            place.begin(scene, survivor)
        with pytest.raises(AssertionError, match="died"):
            place.act(scene, victim)
        assert victim.died(), "it lives, or died of something else"
        place.look(scene, survivor)
        assert survivor.end() == 0
        assert not scene.path.exists()
    finally:
        victim.kill()
        survivor.kill()
        scene.path.unlink(missing_ok=True)


def test_all_places_in_the_source_are_in_the_matrix() -> None:
    sources = SOURCE.glob("core/src/**/*.c")
    pattern = re.compile(r'shmkit__crash_point\("([\w.]+)"\)')
    places = {name for source in sources for name in pattern.findall(source.read_text())}
    assert places == {place.name for place in matrix.PLACES}


def test_the_table_in_the_architecture_is_the_matrix() -> None:
    text = (SOURCE / "ARCHITECTURE.md").read_text()
    assert matrix.table() in text, "put in what matrix.py prints"
