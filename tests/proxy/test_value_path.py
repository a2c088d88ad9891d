"""Which value a path means."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import Refused
from proxy.value_path import ROOT, Place, line_of, parted, place_of, shown, text_of

NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=60).filter(
    lambda name: {".", ".."}.isdisjoint(name.replace("\\", "/").split("/"))
)


@given(NAMES)
def test_every_key_can_be_written(name: str) -> None:
    place = Place("tool", name)
    assert place_of(ROOT + "tool/" + quote(name, safe=""), 1000) == place
    assert place_of(ROOT + "tool/" + quote(name), 1000) == place
    assert parted(shown(place), 1000, "keys") == place
    assert unquote(line_of(name)) == name
    assert line_of(name).isascii()


@given(st.text(max_size=30))
def test_any_path_is_read_or_refused(path: str) -> None:
    with suppress(Refused):
        namespace, name = place_of(ROOT + path, 20)
        assert namespace
        assert name is None or 0 < len(name.encode()) <= 20


def test_a_namespace_alone() -> None:
    assert place_of(ROOT + "llm.response", 9) == Place("llm.response", None)
    with pytest.raises(Refused, match="1 to 9 bytes"):
        place_of(ROOT + "llm.response/", 9)


def test_a_key_is_measured_in_bytes() -> None:
    assert place_of(ROOT + "n/" + "%C3%BC" * 4, 8).name == "üüüü"
    with pytest.raises(Refused, match="not 10"):
        place_of(ROOT + "n/" + "%C3%BC" * 5, 8)


def test_bytes_that_came_as_they_are() -> None:
    """A server reads what is not ASCII as UTF-8, and keeps what is not even that."""
    assert text_of("\u00fc", "key") == "ü"
    with pytest.raises(Refused, match="UTF-8"):
        text_of("\udcff", "key")
