from __future__ import annotations

import pytest

from cache.entry import Shape
from cache.labels import BadLabel, entry_label
from cache.value_entry import empty, filled, named, value_of
from cache.value_key import value_key


def test_a_value_is_an_entry_with_its_name_and_kind() -> None:
    entry = filled(empty("t", "tool", "a b/ü"), {"x": 1}, 100.0, 5.0)
    assert (entry.key, entry.tenant, entry.namespace) == (value_key("t", "tool", "a b/ü"), "t", "tool")
    assert (entry.shape, entry.stored_at, entry.expires_at) == (Shape.VALUE, 100.0, 105.0)
    assert entry.headers == (("x-warmgate-key", "a%20b%2F%C3%BC"), ("Content-Type", "application/json"))
    assert value_of(entry) == {"x": 1}
    assert empty("t", "n", "\ud800").headers == (("x-warmgate-key", "%ED%A0%80"),)


def test_what_it_depends_on_is_named_as_people_write_it() -> None:
    labels = named(["a"], ["file:/x", "entry:tool/a/b", "prompt:v1"], "t")
    assert labels == ["a", "file:/x", entry_label(value_key("t", "tool", "a/b")), "prompt:v1"]


@pytest.mark.parametrize("tag", ["", "a b", "file:/x", "entry:00", "a,b", "x" * 257])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    with pytest.raises(BadLabel):
        named([tag], [], "t")
