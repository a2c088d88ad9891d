"""What stands for a thing that a value depends on."""

from __future__ import annotations

from cache.value_key import value_key
from proxy.value_depends import label_of
from proxy.value_path import Place
from proxy.value_wish import Answer, File, Named


def test_labels() -> None:
    assert label_of(File("/a b,c", 5), "t") == "file:/a b,c"
    assert label_of(Answer(b"\x01" * 32), "t") == "entry:" + "01" * 32
    assert label_of(Named("prompt:x"), "t") == "prompt:x"


def test_an_entry_is_one_of_this_tenant() -> None:
    one, other = (label_of(Place("n", "k"), tenant) for tenant in ("one", "other"))
    assert one == "entry:" + value_key("one", "n", "k").hex() != other
