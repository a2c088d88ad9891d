"""A Messages request as one of chat completions: every member, and bytes that a longer conversation keeps."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import Refused
from adapters.messages_over_chat_request import RULES, request
from adapters.translation import Terms
from adapters.vocabulary import Sent

TERMS = Terms("gpt-4.1")
ASK = {"role": "user", "content": "Hi"}
BODY: dict[str, Any] = {"model": "claude-opus-5-5", "max_tokens": 100, "messages": [ASK]}
OUT: dict[str, Any] = {"model": "gpt-4.1", "messages": [ASK], "max_completion_tokens": 100}
TOOL = {"name": "f", "input_schema": {"type": "object"}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]}
FORMAT = {"type": "json_schema", "schema": SCHEMA}
FORMAT_OUT = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}


def sent(terms: Terms = TERMS, **members: Any) -> Sent:
    return request(BODY | members, terms)


def test_the_least_request():
    out = sent()
    assert out == Sent("/chat/completions", msgspec.json.encode(OUT), OUT, ())
    assert out.body == b'{"model":"gpt-4.1","messages":[{"role":"user","content":"Hi"}],"max_completion_tokens":100}'


MAPPED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"temperature": 0.5}, {"temperature": 0.5}),
    ({"temperature": 1}, {"temperature": 1}),
    ({"top_p": 0.9}, {"top_p": 0.9}),
    ({"stop_sequences": ["a", "\n"]}, {"stop": ["a", "\n"]}),
    ({"stop_sequences": []}, {}),
    ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
    ({"stream": False}, {}),
    ({"service_tier": "auto"}, {"service_tier": "auto"}),
    ({"service_tier": "standard_only"}, {"service_tier": "default"}),
    ({"metadata": {"user_id": "u1"}}, {"safety_identifier": sha256(b"u1").hexdigest()[:32]}),
    ({"metadata": {}}, {}),
    ({"metadata": {"user_id": None}}, {}),
    *(({"output_config": {"effort": effort}}, {"reasoning_effort": effort}) for effort in ("low", "xhigh", "max")),
    ({"output_config": {"effort": None, "format": None}}, {}),
    ({"output_config": {"format": FORMAT}}, {"response_format": FORMAT_OUT}),
    ({"output_format": FORMAT}, {"response_format": FORMAT_OUT}),
    ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, {}),
    ({"thinking": {"type": "adaptive", "display": "summarized"}}, {}),
    ({"speed": "standard"}, {}),
    ({"inference_geo": "global"}, {}),
    ({"cache_control": {"type": "ephemeral"}}, {}),
    ({"betas": ["x-2026"]}, {}),
    ({"mcp_servers": []}, {}),
    ({"context_management": {}}, {}),
    (
        {"tools": [TOOL]},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": TOOL["input_schema"]}}]},
    ),
    ({"tool_choice": {"type": "auto"}}, {}),
    ({"anything": None}, {}),
]


@pytest.mark.parametrize(("members", "out"), MAPPED)
def test_what_is_mapped_is_mapped_without_a_warning(members: dict[str, Any], out: dict[str, Any]):
    request_out = sent(TERMS._replace(strict=True), **members)
    assert request_out.parsed == OUT | out
    assert msgspec.json.decode(request_out.body) == request_out.parsed


LOST: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({"top_k": 5}, {}, "top_k: dropped", "top_k"),
    (
        {"stop_sequences": list("abcde")},
        {"stop": list("abcd")},
        "stop_sequences: only the first 4 kept",
        "stop_sequences",
    ),
    ({"thinking": {"type": "disabled"}}, {}, "thinking: dropped", "thinking.type"),
    ({"thinking": {"type": "between_tools"}}, {}, "thinking: dropped", "thinking.type"),
    ({"speed": "fast"}, {}, "speed: dropped", "speed"),
    ({"context_management": {"edits": []}}, {}, "context_management: dropped", "context_management"),
    ({"diagnostics": {"previous_message_id": None}}, {}, "diagnostics: dropped", "diagnostics"),
    ({"fallbacks": [{"model": "m"}]}, {}, "fallbacks: dropped", "fallbacks"),
    ({"metadata": {"team": "x"}}, {}, "metadata.team: dropped", "metadata.team"),
    ({"output_config": {"task_budget": 1}}, {}, "output_config.task_budget: dropped", "output_config.task_budget"),
    ({"user_profile_id": "u"}, {}, "user_profile_id: dropped", "user_profile_id"),
    ({"workspace_id": "w"}, {}, "workspace_id: dropped", "workspace_id"),
    ({"anything": 0}, {}, "anything: dropped", "anything"),
]


@pytest.mark.parametrize(("members", "out", "warning", "param"), LOST)
def test_what_is_lost_is_warned_of_or_refused(members: dict[str, Any], out: dict[str, Any], warning: str, param: str):
    assert sent(**members).parsed == OUT | out
    assert sent(**members).warnings == (warning,)
    with pytest.raises(Refused) as refused:
        sent(TERMS._replace(strict=True), **members)
    assert (refused.value.status, refused.value.param) == (400, param)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"max_tokens": True}, "max_tokens"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"temperature": "hot"}, "temperature"),
    ({"temperature": True}, "temperature"),
    ({"top_p": []}, "top_p"),
    ({"stop_sequences": "a"}, "stop_sequences"),
    ({"stop_sequences": ["a", 1]}, "stop_sequences[1]"),
    ({"stream": "yes"}, "stream"),
    ({"service_tier": "priority"}, "service_tier"),
    ({"service_tier": ["auto"]}, "service_tier"),
    ({"metadata": "u"}, "metadata"),
    ({"metadata": {"user_id": 1}}, "metadata.user_id"),
    ({"output_config": []}, "output_config"),
    ({"output_config": {"effort": "minimal"}}, "output_config.effort"),
    ({"output_config": {"effort": ["low"]}}, "output_config.effort"),
    ({"output_config": {"format": "json"}}, "output_config.format"),
    ({"output_config": {"format": {"type": "text"}}}, "output_config.format.type"),
    ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
    ({"output_format": 1}, "output_format"),
    ({"thinking": True}, "thinking"),
    ({"thinking": {}}, "thinking.type"),
    ({"container": "c1"}, "container"),
    ({"mcp_servers": [{"url": "x"}]}, "mcp_servers"),
    ({"thread": {"type": "create"}}, "thread"),
    ({"compaction": {"type": "x"}}, "compaction"),
    ({"inference_geo": "us"}, "inference_geo"),
    ({"tools": [{"type": "web_search_20260318", "name": "web_search"}]}, "tools[0].type"),
    ({"messages": []} | {"messages": "hi"}, "messages"),
    ({"system": 5}, "system"),
]


@pytest.mark.parametrize(("members", "param"), REFUSED)
def test_what_can_not_be_said_is_refused_by_its_name(members: dict[str, Any], param: str):
    with pytest.raises(Refused) as refused:
        sent(**members)
    assert (refused.value.status, refused.value.kind, refused.value.param) == (400, "invalid_request_error", param)


def test_a_pre_warm_is_refused_as_such():
    with pytest.raises(Refused, match="pre-warm"):
        sent(max_tokens=0)


def test_a_limit_that_is_not_named_is_the_configured_one():
    body = {name: value for name, value in BODY.items() if name != "max_tokens"}
    assert "max_completion_tokens" not in request(body, TERMS).parsed
    assert request(body, TERMS._replace(max_tokens=7)).parsed["max_completion_tokens"] == 7
    assert request(BODY, TERMS._replace(max_tokens=7)).parsed["max_completion_tokens"] == 100


def test_members_come_out_in_one_order():
    members = {"stream": True, "top_p": 0.5, "temperature": 0.2, "tools": [TOOL], "stop_sequences": ["x"]}
    assert request(BODY | members, TERMS) == request(dict(reversed((BODY | members).items())), TERMS)


# ---------------------------------------------------------------- bytes that stay

words = st.text(max_size=8)
blocks = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, words),
    st.just({"type": "image", "source": {"type": "url", "url": "https://x/y"}}),
    st.builds(lambda text: {"type": "document", "source": {"type": "text", "data": text}, "title": text}, words),
)
idents = st.sampled_from(["call_1", "toolu_2", "functions.f:0", "x" * 60])
results = st.builds(
    lambda ident, content, failed: {
        "type": "tool_result",
        "tool_use_id": ident,
        "content": content,
        "is_error": failed,
    },
    idents,
    words | st.lists(blocks, max_size=3),
    st.booleans(),
)
calls = st.builds(
    lambda ident, given: {"type": "tool_use", "id": ident, "name": "f", "input": given},
    idents,
    st.dictionaries(words, words | st.integers() | st.floats(allow_nan=False, allow_infinity=False), max_size=3),
)
thoughts = st.just({"type": "thinking", "thinking": "hm", "signature": "s"})
users = st.builds(lambda content: {"role": "user", "content": content}, words | st.lists(blocks | results, max_size=4))
said = st.builds(lambda text: {"type": "text", "text": text}, words)
assistants = st.builds(
    lambda content: {"role": "assistant", "content": content}, words | st.lists(said | calls | thoughts, max_size=4)
)
asides = st.builds(lambda text: {"role": "system", "content": text}, words)


@settings(max_examples=150)
@given(
    st.lists(users | assistants | asides, min_size=1, max_size=8),
    st.integers(1, 8),
    st.sampled_from(["gpt-4.1", "gpt-6-sol"]),
)
def test_an_appended_turn_leaves_the_bytes_of_before(turns: list[dict[str, Any]], until: int, model: str):
    shorter = [*turns[:until], ASK]
    longer = [*turns[:until], ASK, *turns[until:], ASK]
    terms = Terms(model)
    before = request(BODY | {"system": "s", "messages": shorter}, terms).body
    after = request(BODY | {"system": "s", "messages": longer}, terms).body
    kept = before[: before.index(b'],"max_completion_tokens"')]
    assert after.startswith(kept)


@given(st.lists(users, min_size=1, max_size=3))
def test_equal_requests_give_equal_bytes_and_leave_the_body_alone(turns: list[dict[str, Any]]):
    body = BODY | {"messages": turns, "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]}
    copy = msgspec.json.decode(msgspec.json.encode(body))
    for model in ("gpt-4.1", "gpt-6"):
        first = request(body, Terms(model))
        assert body == copy
        assert request(copy, Terms(model)) == first
        assert msgspec.json.decode(first.body) == first.parsed


def test_a_checksum_over_the_prompt_does_not_change_the_bytes():
    """Claude Code writes another one on every request."""
    bodies = [
        sent(
            system=[{"type": "text", "text": f"x-anthropic-billing-header: cch={sum_};"}, {"type": "text", "text": "s"}]
        )
        for sum_ in ("36ee5", "0aaa9")
    ]
    assert bodies[0] == bodies[1]


# ---------------------------------------------------------------- anything anywhere

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "text", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)
FULL = (
    BODY
    | {
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "u"}}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}}]},
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "c",
                        "content": [{"type": "text", "text": "t"}],
                        "is_error": False,
                    },
                    {
                        "type": "document",
                        "source": {"type": "content", "content": "c"},
                        "citations": {"enabled": False},
                    },
                    {"type": "search_result", "title": "t", "source": "s", "content": [{"type": "text", "text": "t"}]},
                ],
            },
        ],
        "tools": [TOOL | {"allowed_callers": ["direct"], "strict": True}],
        "tool_choice": {"type": "tool", "name": "f"},
        "output_config": {"effort": "low", "format": FORMAT},
        "metadata": {"user_id": "u"},
        "thinking": {"type": "enabled"},
    }
    | {name: None for name in RULES if name not in ("max_tokens", "output_config", "metadata", "thinking")}
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@settings(max_examples=400)
@given(st.sampled_from([place for place in places(FULL) if place]), anything, st.booleans())
def test_any_value_anywhere_is_sent_or_refused(place: tuple[Any, ...], value: Any, strict: bool):
    body = replaced(FULL, place, value)
    try:
        out = request(body, Terms("gpt-6", strict=strict))
    except Refused as error:
        refused = error
    else:
        assert msgspec.json.decode(out.body) == out.parsed
        assert all(warning.isascii() and "\n" not in warning for warning in out.warnings)
        return
    assert (refused.status, bool(refused.param)) == (400, True)


def test_the_body_that_is_mutated_above_is_a_good_one():
    assert request(FULL, Terms("gpt-6", strict=True)).warnings == ()


@pytest.mark.parametrize(
    "model", ["mistral-large-latest", "openai/gpt-oss-120b", "llama3.3", "deepseek-chat", "gemini-3.8-flash"]
)
def test_other_servers_are_told_what_they_know(model: str) -> None:
    body = BODY | {"metadata": {"user_id": "u"}, "service_tier": "auto", "temperature": 0.5}
    assert list(request(body, Terms(model)).parsed) == ["model", "messages", "max_tokens", "temperature"]
    for ours in ("gpt-4o", "o3-mini", "openai/gpt-6", "chatgpt-4o-latest"):
        assert {"max_completion_tokens", "safety_identifier", "service_tier"} <= set(request(body, Terms(ours)).parsed)
