from __future__ import annotations

from typing import Any

import pytest

from adapters.usage import Usage, count, openai_writes, writes


@pytest.mark.parametrize(
    ("value", "counted"),
    [
        (7, 7),
        (0, 0),
        (None, 0),
        (-3, 0),
        ("7", 0),
        (7.0, 0),
        (True, 0),
        ([7], 0),
        (10**15, 10**15),
        (2**60, 0),
        (10**400, 0),
    ],
)
def test_only_a_positive_integer_is_a_count(value: Any, counted: int) -> None:
    assert count({"tokens": value}, "tokens") == counted


def test_an_absent_count_is_zero() -> None:
    assert count({}, "tokens") == 0


def test_the_prompt_is_what_was_sent_however_it_was_billed() -> None:
    usage = Usage(uncached=1, read=20, write_5m=300, write_1h=4000, output=50_000, reasoning=600)
    assert usage.prompt == 4321
    assert not usage.estimated
    assert usage._replace(write_30m=60_000, write_12h=700_000).prompt == 764_321


@pytest.mark.parametrize(
    ("details", "most", "written"),
    [
        ({}, 100, (0, 0)),
        ({"cache_write_tokens": 80}, 100, (80, 0)),
        ({"cache_write_tokens": 80, "cache_write_tokens_details": None}, 100, (80, 0)),
        ({"cache_write_tokens": 80, "cache_write_tokens_details": [7]}, 100, (80, 0)),
        ({"cache_write_tokens": 80, "cache_write_tokens_details": {"ttl_12h_tokens": 80}}, 100, (0, 80)),
        ({"cache_write_tokens": 80, "cache_write_tokens_details": {"ttl_30m_tokens": 30}}, 100, (80, 0)),
        (
            {"cache_write_tokens": 80, "cache_write_tokens_details": {"ttl_30m_tokens": 30, "ttl_12h_tokens": 50}},
            100,
            (30, 50),
        ),
        # the parts say more than their sum: the parts count
        ({"cache_write_tokens_details": {"ttl_30m_tokens": 30, "ttl_12h_tokens": 50}}, 100, (30, 50)),
        # never more than the prompt has left
        ({"cache_write_tokens_details": {"ttl_30m_tokens": 30, "ttl_12h_tokens": 50}}, 60, (10, 50)),
        ({"cache_write_tokens": 80, "cache_write_tokens_details": {"ttl_12h_tokens": 70}}, 60, (0, 60)),
        ({"cache_write_tokens": 80}, 0, (0, 0)),
        ({"cache_write_tokens": "80", "cache_write_tokens_details": {"ttl_12h_tokens": -1}}, 100, (0, 0)),
    ],
)
def test_writes_by_how_long_they_live(details: dict[str, Any], most: int, written: tuple[int, int]) -> None:
    assert openai_writes(details, most) == written


@pytest.mark.parametrize(
    ("details", "most", "classes"),
    [
        ({}, 9, (0, 0, 0, 0)),
        ({"cache_write_tokens": 5}, 9, (0, 0, 5, 0)),
        (
            {
                "cache_write_tokens": 7,
                "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
            },
            9,
            (3, 4, 0, 0),
        ),
        ({"cache_write_tokens": 7, "cache_creation": {"ephemeral_1h_input_tokens": 4}}, 9, (3, 4, 0, 0)),
        (
            {"cache_creation_tokens": 7, "cache_creation_token_details": {"ephemeral_1h_input_tokens": 7}},
            9,
            (0, 7, 0, 0),
        ),
        ({"cache_write_tokens": 5, "cache_creation": {"ephemeral_5m_input_tokens": 0}}, 9, (0, 0, 5, 0)),
        ({"cache_write_tokens": 70, "cache_creation": {"ephemeral_1h_input_tokens": 40}}, 9, (0, 9, 0, 0)),
        ({"cache_write_tokens": 5, "cache_creation": [7]}, 9, (0, 0, 5, 0)),
    ],
)
def test_writes_are_of_the_class_that_their_provider_has(
    details: dict[str, Any], most: int, classes: tuple[int, int, int, int]
) -> None:
    assert writes(details, most) == classes
