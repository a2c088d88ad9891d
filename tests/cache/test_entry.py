"""What the cache keeps, and whom it may serve."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from adapters.usage import Usage
from cache.entry import KEPT_HEADERS, OVERHEAD, Entry, Shape

ENTRY = Entry(
    key=b"k" * 32,
    tenant="t",
    namespace="",
    model="gpt-4o",
    shape=Shape.MESSAGE,
    status=200,
    headers=(("Content-Type", "application/json"),),
    body=b'{"choices":[]}',
    with_usage=True,
    usage=Usage(uncached=10, output=1),
    cost=0.25,
    stored_at=100.0,
    expires_at=160.0,
)


@pytest.mark.parametrize(
    ("shape", "with_usage", "stream", "wants_usage", "serves"),
    [
        # A message that has its usage is unfolded with or without it: it serves everybody.
        (Shape.MESSAGE, True, False, True, True),
        (Shape.MESSAGE, True, True, True, True),
        (Shape.MESSAGE, True, True, False, True),
        (Shape.MESSAGE, True, False, False, True),
        # One that has none can't say what was never told.
        (Shape.MESSAGE, False, False, True, False),
        (Shape.MESSAGE, False, True, True, False),
        (Shape.MESSAGE, False, True, False, True),
        (Shape.MESSAGE, False, False, False, True),
        # Frames go out as they are: to streams that asked for exactly these.
        (Shape.FRAMES, True, True, True, True),
        (Shape.FRAMES, True, True, False, False),
        (Shape.FRAMES, False, True, True, False),
        (Shape.FRAMES, False, True, False, True),
        (Shape.FRAMES, True, False, True, False),
        (Shape.FRAMES, True, False, False, False),
        (Shape.FRAMES, False, False, True, False),
        (Shape.FRAMES, False, False, False, False),
        # An item is no answer by itself.
        (Shape.ITEM, True, False, True, False),
        (Shape.ITEM, True, False, False, False),
        (Shape.ITEM, False, False, False, False),
        (Shape.ITEM, True, True, True, False),
    ],
)
def test_an_entry_serves(shape: Shape, with_usage: bool, stream: bool, wants_usage: bool, serves: bool) -> None:
    entry = replace(ENTRY, shape=shape, with_usage=with_usage)
    assert entry.serves(stream=stream, wants_usage=wants_usage) is serves


@pytest.mark.parametrize("length", [0, 1, 8 * 1024 * 1024])
def test_its_size_is_that_of_its_body_and_of_what_holds_it(length: int) -> None:
    assert replace(ENTRY, body=b"x" * length).size == length + OVERHEAD


def test_its_labels_count_too() -> None:
    assert replace(ENTRY, body=b"", labels=("doc:1", "x")).size == OVERHEAD + 6


def test_it_is_fresh_until_it_expires() -> None:
    assert ENTRY.fresh(ENTRY.expires_at - 0.001)
    assert not ENTRY.fresh(ENTRY.expires_at)


def test_what_an_empty_entry_takes_is_counted_too() -> None:
    assert OVERHEAD >= 500, "else a budget in bytes would hold any number of empty entries"


def test_only_headers_that_stay_true_are_kept() -> None:
    assert frozenset({"content-type", "x-request-id", "openai-version", "openai-model"}) == KEPT_HEADERS
    assert all(name == name.lower() for name in KEPT_HEADERS)


def test_the_names_of_the_shapes_are_stored_and_stay() -> None:
    assert {shape.name: shape.value for shape in Shape} == {
        "MESSAGE": "message",
        "FRAMES": "frames",
        "ITEM": "item",
        "VALUE": "value",
    }


def test_an_entry_is_never_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        ENTRY.body = b""  # type: ignore[misc]
