"""Typed values of a request, and what is lost of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adapters.errors import Refused
from adapters.messages_over_chat_reading import Losses, flag_of, list_of, number_of, object_of, text_of

VALUES: tuple[Any, ...] = (None, True, 0, 1.5, "x", [], {})


@pytest.mark.parametrize(
    ("read", "good"),
    [
        (text_of, ("x",)),
        (object_of, ({},)),
        (list_of, ([],)),
        (flag_of, (None, True)),
        (number_of, (0, 1.5)),
    ],
)
def test_a_reader_takes_its_own_type_and_refuses_all_others(read: Callable[[Any, str], Any], good: tuple[Any, ...]):
    for value in VALUES:
        if any(type(value) is type(one) for one in good):
            assert read(value, "a.b") == (value or False if read is flag_of else value)
        else:
            with pytest.raises(Refused) as refused:
                read(value, "a.b")
            assert (refused.value.status, refused.value.param) == (400, "a.b")


def test_a_loss_is_warned_of_once():
    losses = Losses(strict=False)
    losses.add("top_k")
    losses.add("citations", param="messages[0].content[0].citations")
    losses.add("citations", param="messages[2].content[0].citations")
    losses.add("stop_sequences", "only the first 4 kept")
    assert losses.warnings() == ("top_k: dropped", "citations: dropped", "stop_sequences: only the first 4 kept")


def test_a_name_that_would_break_a_header_is_not_repeated():
    losses = Losses(strict=False)
    losses.add('x"\r\nset-cookie: y')
    losses.add("größe")
    losses.add("y" * 61)
    assert losses.warnings() == ("unknown member: dropped",)


def test_on_strict_terms_a_loss_is_a_refusal():
    with pytest.raises(Refused) as refused:
        Losses(strict=True).add("top_k")
    assert (refused.value.status, refused.value.param) == (400, "top_k")
    with pytest.raises(Refused) as refused:
        Losses(strict=True).add("citations", param="messages[0].content[0].citations")
    assert refused.value.param == "messages[0].content[0].citations"
