"""Ids of tool calls: what Anthropic does not allow is written so that it can be read back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.messages_over_chat_ids import LONGEST, invented, inward, outward

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=LONGEST)


@given(texts | st.from_regex(r"call_b64_[A-Za-z0-9_=-]{0,20}", fullmatch=True))
def test_what_goes_out_is_allowed_and_comes_back_as_it_was(ident: str):
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", outward(ident))
    assert inward(outward(ident)) == ident


@given(st.lists(texts, unique=True, max_size=8))
def test_different_ids_stay_different(idents: list[str]):
    assert len(set(map(outward, idents))) == len(idents)


@pytest.mark.parametrize("ident", ["call_7Hk2aVt", "toolu_01A09q90qw90lq917835lq9", "function-call-8812", "9aB"])
def test_what_is_allowed_passes_as_it_is(ident: str):
    assert outward(ident) == inward(ident) == ident


def test_a_template_sees_the_id_that_its_model_wrote():
    assert outward("functions.get_weather:0") == "call_b64_ZnVuY3Rpb25zLmdldF93ZWF0aGVyOjA"
    assert inward("call_b64_ZnVuY3Rpb25zLmdldF93ZWF0aGVyOjA") == "functions.get_weather:0"


@pytest.mark.parametrize(
    "ident", ["call_b64_", "call_b64_A", "call_b64_!!", "call_b64__w", "call_b64_YQ==", "call_b64_Yg"]
)
def test_what_only_looks_written_is_left_alone(ident: str):
    """No base64, no UTF-8, padded, or a text that would have passed as it is."""
    assert inward(ident) == ident


def test_an_id_that_is_too_long_is_shortened_alike_everywhere():
    long = "chatcmpl-tool-" + "0123456789abcdef" * 2
    assert len(inward(long)) == 37
    assert inward(long) == inward(long) != inward(long + "x")
    assert inward(outward("ü" * 50)) == inward("ü" * 50)
    assert len(inward("x" * LONGEST)) == LONGEST


def test_an_invented_id_differs_by_message_and_place():
    idents = {invented(message, place) for message in ("a", "b") for place in (0, 1)}
    assert len(idents) == 4
    assert all(outward(ident) == inward(ident) == ident for ident in idents)
