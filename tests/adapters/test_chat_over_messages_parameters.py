"""Parameters: refused, dropped, dropped with a warning, translated."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming

from adapters.capabilities import capabilities_of
from adapters.chat_over_messages_notes import Notes
from adapters.chat_over_messages_parameters import (
    DROPPED,
    KNOWN,
    REFUSED,
    breakpoint_ttl,
    check,
    closed_schema,
    copies_of,
    format_of,
    sampling_of,
    stop_of,
    tier_of,
    user_of,
)
from adapters.errors import Refused

OLD = capabilities_of("claude-opus-4-6")
NEW = capabilities_of("claude-opus-4-8")
BEFORE, AFTER = "2023-06-01", "2026-10-21"


def refused(action: Any) -> str | None:
    with pytest.raises(Refused) as caught:
        action()
    assert caught.value.status == 400
    return caught.value.param


def warnings(body: dict[str, Any]) -> list[str]:
    notes = Notes()
    check(body, notes)
    return notes.warnings


def test_every_parameter_of_the_sdk_is_known() -> None:
    assert CompletionCreateParamsStreaming.__annotations__.keys() <= KNOWN


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("functions", [{"name": "f"}]),
        ("function_call", "auto"),
        ("audio", {"voice": "ash"}),
        ("modalities", ["text", "audio"]),
        ("modalities", "text"),
        ("logprobs", True),
        ("top_logprobs", 5),
        ("logit_bias", {"50256": -100}),
        ("moderation", {"model": "x"}),
        ("web_search_options", {}),
    ],
)
def test_what_matters_is_refused(name: str, value: Any) -> None:
    assert refused(lambda: warnings({name: value})) == name


@pytest.mark.parametrize(("n", "copies"), [(None, 1), (1, 1), (2, 2), (128, 128)])
def test_how_many_answers_are_wanted(n: Any, copies: int) -> None:
    assert copies_of({"n": n}) == copies
    assert warnings({"n": n}) == []


@pytest.mark.parametrize("n", [0, -1, 129, 10**30, True, 1.0, 2.5, "2", [2], {}])
def test_what_is_no_number_of_answers(n: Any) -> None:
    assert refused(lambda: copies_of({"n": n})) == "n"


@pytest.mark.parametrize(
    "body",
    [
        dict.fromkeys((*REFUSED, *DROPPED, "modalities", "of_tomorrow")),
        {"n": 1, "logprobs": False, "top_logprobs": 0, "logit_bias": {}, "functions": [], "modalities": ["text"]},
        {"frequency_penalty": 0, "presence_penalty": 0.0, "verbosity": "medium", "store": False, "metadata": {}},
        {"prompt_cache_key": "k", "prompt_cache_retention": "24h", "cache": {"no-cache": True}},
        {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
        {"cache_control": {"type": "ephemeral"}, "container": "c", "speed": "fast"},
    ],
)
def test_what_says_nothing_is_dropped_in_silence(body: dict[str, Any]) -> None:
    assert warnings(body) == []
    check(body, Notes(strict=True))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("frequency_penalty", 0.5),
        ("presence_penalty", -2),
        ("seed", 0),
        ("seed", 42),
        ("prediction", {"type": "content", "content": ""}),
        ("verbosity", "low"),
        ("store", True),
        ("metadata", {"a": "b"}),
        ("of_tomorrow", False),
        ("mcp_servers", []),
    ],
)
def test_the_rest_is_dropped_with_a_warning(name: str, value: Any) -> None:
    assert warnings({name: value}) == [f"{name}: dropped"]
    assert refused(lambda: check({name: value}, Notes(strict=True))) == name


@pytest.mark.parametrize(
    ("options", "ttl"),
    [(None, None), ({}, None), ({"mode": "explicit"}, None), ({"mode": "implicit", "ttl": "30m"}, "30m")],
)
def test_life_time_of_breakpoints(options: Any, ttl: str | None) -> None:
    assert breakpoint_ttl({"prompt_cache_options": options}) == ttl


def test_what_is_no_life_time() -> None:
    assert refused(lambda: breakpoint_ttl({"prompt_cache_options": "30m"})) == "prompt_cache_options"
    for ttl in ("2h", 30, []):
        assert (
            refused(lambda ttl=ttl: breakpoint_ttl({"prompt_cache_options": {"ttl": ttl}}))
            == "prompt_cache_options.ttl"
        )


@pytest.mark.parametrize(
    ("body", "taken", "warned"),
    [
        ({"temperature": 1, "top_p": 1.0}, {}, []),
        ({"temperature": None}, {}, []),
        ({"temperature": 0}, {"temperature": 0}, []),
        ({"temperature": 0.5}, {"temperature": 0.5}, []),
        ({"temperature": 1.7}, {"temperature": 1}, ["temperature: lowered to 1"]),
        ({"top_p": 0.9}, {"top_p": 0.9}, []),
        ({"top_p": 0.9, "temperature": 1}, {"top_p": 0.9}, []),
        ({"top_p": 0.9, "temperature": 0.2}, {"temperature": 0.2}, ["top_p: dropped"]),
        ({"top_k": 40}, {"top_k": 40}, []),
    ],
)
def test_sampling_of_older_models(body: dict[str, Any], taken: dict[str, Any], warned: list[str]) -> None:
    notes = Notes()
    assert sampling_of(body, OLD, notes, BEFORE, thinking=False) == taken
    assert notes.warnings == warned


@pytest.mark.parametrize(
    ("known", "version", "thinking"), [(NEW, BEFORE, False), (OLD, AFTER, False), (OLD, BEFORE, True)]
)
def test_sampling_that_would_be_refused(known: Any, version: str, thinking: bool) -> None:
    notes = Notes()
    body = {"temperature": 0.5, "top_p": 0.9, "top_k": 4}
    assert sampling_of(body, known, notes, version, thinking=thinking) == {}
    assert notes.warnings == ["temperature: dropped", "top_p: dropped", "top_k: dropped"]
    assert sampling_of({"temperature": 1.0, "top_p": 1}, known, Notes(strict=True), version, thinking=thinking) == {}
    strict = Notes(strict=True)
    assert refused(lambda: sampling_of({"temperature": 0}, known, strict, version, thinking=thinking)) == "temperature"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", "0.5"),
        ("temperature", True),
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", 10**400),
        ("temperature", []),
        ("top_p", 1.5),
        ("top_p", {}),
        ("top_k", 1.5),
        ("top_k", True),
    ],
)
def test_what_is_no_number(name: str, value: Any) -> None:
    assert refused(lambda: sampling_of({name: value}, OLD, Notes(), BEFORE, thinking=False)) == name


@pytest.mark.parametrize(
    ("body", "stops"),
    [
        ({}, []),
        ({"stop": None}, []),
        ({"stop": []}, []),
        ({"stop": "END"}, ["END"]),
        ({"stop": ["\nA", "B"]}, ["\nA", "B"]),
        ({"stop_sequences": ["C"]}, ["C"]),
        ({"stop": "A", "stop_sequences": ["C"]}, ["A"]),
    ],
)
def test_stop(body: dict[str, Any], stops: list[str]) -> None:
    assert stop_of(body) == stops


@pytest.mark.parametrize("stop", ["", "\n", ["END", " "], 7, {}, [7], [["END"]]])
def test_what_is_no_stop(stop: Any) -> None:
    assert refused(lambda: stop_of({"stop": stop})) == "stop"
    if not isinstance(stop, str):
        assert refused(lambda: stop_of({"stop_sequences": stop})) == "stop_sequences"


SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}


def test_format() -> None:
    asked = {"type": "json_schema", "json_schema": {"name": "n", "description": "d", "strict": True, "schema": SCHEMA}}
    assert format_of({"response_format": asked}, OLD, Notes()) == {"type": "json_schema", "schema": SCHEMA}
    assert format_of({"response_format": {"type": "text"}}, OLD, Notes()) is None
    assert format_of({"response_format": None}, OLD, Notes()) is None
    assert (
        refused(lambda: format_of({"response_format": asked}, capabilities_of("claude-opus-4-1"), Notes()))
        == "response_format"
    )


OPEN = {
    "type": "object",
    "properties": {
        "default": {"type": ["object", "null"], "properties": {"n": {"type": "integer"}}, "required": ["n"]},
        "list": {"type": "array", "items": {"$ref": "#/$defs/d"}},
    },
    "$defs": {"d": {"type": "object", "additionalProperties": True, "enum": [{"type": "object"}]}},
}
CLOSED = {
    "type": "object",
    "properties": {
        "default": {
            "type": ["object", "null"],
            "properties": {"n": {"type": "integer"}},
            "required": ["n"],
            "additionalProperties": False,
        },
        "list": {"type": "array", "items": {"$ref": "#/$defs/d"}},
    },
    "$defs": {"d": {"type": "object", "additionalProperties": False, "enum": [{"type": "object"}]}},
    "additionalProperties": False,
}


def test_objects_of_a_schema_are_closed_and_it_is_told() -> None:
    asked = {"response_format": {"type": "json_schema", "json_schema": {"schema": OPEN}}}
    notes = Notes()
    assert format_of(asked, OLD, notes) == {"type": "json_schema", "schema": CLOSED}
    assert notes.warnings == ["response_format: additionalProperties set to false"]
    assert refused(lambda: format_of(asked, OLD, Notes(strict=True))) == "response_format"
    assert closed_schema(CLOSED) == CLOSED
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"items": deep}
    asked = {"response_format": {"type": "json_schema", "json_schema": {"schema": deep}}}
    assert refused(lambda: format_of(asked, OLD, Notes())) == "response_format.json_schema.schema"


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"type": "json_object"}, "response_format"),
        ({"type": "grammar"}, "response_format"),
        ({}, "response_format"),
        ("json", "response_format"),
        ([], "response_format"),
        ({"type": ["text"]}, "response_format"),
        ({"type": "json_schema"}, "response_format"),
        ({"type": "json_schema", "json_schema": []}, "response_format"),
        ({"type": "json_schema", "json_schema": {"name": "n"}}, "response_format.json_schema.schema"),
        ({"type": "json_schema", "json_schema": {"schema": True}}, "response_format.json_schema.schema"),
    ],
)
def test_what_is_no_format(asked: Any, param: str) -> None:
    assert refused(lambda: format_of({"response_format": asked}, OLD, Notes())) == param


@pytest.mark.parametrize(
    ("tier", "told", "warned"),
    [
        (None, None, []),
        ("auto", "auto", []),
        ("default", "standard_only", []),
        ("standard_only", "standard_only", []),
        ("flex", None, ["service_tier: dropped"]),
        ("scale", None, ["service_tier: dropped"]),
        ("priority", None, ["service_tier: dropped"]),
        ("fast", None, ["service_tier: dropped"]),
    ],
)
def test_tier(tier: Any, told: Any, warned: list[str]) -> None:
    notes = Notes()
    assert tier_of({"service_tier": tier}, notes) == told
    assert notes.warnings == warned


def test_what_is_no_tier() -> None:
    for tier in (7, [], {}):
        assert refused(lambda tier=tier: tier_of({"service_tier": tier}, Notes())) == "service_tier"
    assert refused(lambda: tier_of({"service_tier": "fast"}, Notes(strict=True))) == "service_tier"


def test_who_asks_is_not_told() -> None:
    told = user_of({"user": "a@b.example"})
    assert told is not None
    assert set(told) == {"user_id"}
    assert len(told["user_id"]) == 32
    int(told["user_id"], 16)
    assert user_of({"user": "other"}) != told
    assert user_of({"safety_identifier": "a@b.example", "user": "other"}) == told
    assert user_of({"safety_identifier": "", "user": None}) is None
    assert user_of({"user": "\ud800"}) is not None


@pytest.mark.parametrize("name", ["safety_identifier", "user"])
def test_what_is_nobody(name: str) -> None:
    assert refused(lambda: user_of({name: 7})) == name
