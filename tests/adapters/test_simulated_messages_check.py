from typing import Any

import pytest
from anthropic.types.message_count_tokens_params import MessageCountTokensParams
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.simulated_messages_check import COUNTED, MADE, objection

OLD, NEW = {"anthropic-version": "2023-06-01"}, {"anthropic-version": "2026-10-21"}
MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
TOOL = {"name": "find", "description": "finds", "input_schema": {"type": "object", "properties": {}}}
CLOSED = {"type": "object", "properties": {}, "additionalProperties": False}
OPEN = {"type": "object", "properties": {}}
FORMAT = {"type": "json_schema", "schema": CLOSED}


def ask(**more: Any) -> dict[str, Any]:
    body = {"model": "sim-small", "max_tokens": 4000, "messages": [{"role": "user", "content": "Hello"}], **more}
    return {name: value for name, value in body.items() if value is not ...}


def refused(body: dict[str, Any], headers: dict[str, str] = NEW, *, counting: bool = False) -> str:
    found = objection(body, headers, seed=0, counting=counting)
    return "" if found is None else found[0]


def marked(*marks: Any, **more: Any) -> dict[str, Any]:
    blocks = [{"type": "text", "text": str(n)} | ({"cache_control": m} if m else {}) for n, m in enumerate(marks)]
    return ask(messages=[{"role": "user", "content": blocks}], **more)


def wanting(schema: Any) -> dict[str, Any]:
    return ask(output_config={"format": {"type": "json_schema", "schema": schema}})


GOOD = [
    ask(),
    ask(stream=True, system="x", metadata={"user_id": "abc"}, service_tier="auto", speed="standard"),
    ask(stream=None, stop_sequences=["x"], metadata={}, diagnostics={"previous_message_id": None}),
    ask(temperature=None, top_p=None),
    ask(max_tokens=0),
    ask(max_tokens=0, thinking={"type": "adaptive"}, tools=[TOOL], tool_choice={"type": "auto"}),
    ask(thinking={"type": "enabled", "budget_tokens": 3999}),
    ask(thinking={"type": "adaptive", "display": "omitted"}, output_config={"effort": "max", "format": FORMAT}),
    ask(thinking={"type": "disabled"}),
    ask(thinking={"type": "between_tools"}),
    wanting({"anyOf": [CLOSED, {"type": "array", "items": CLOSED}], "$defs": {"a": CLOSED}}),
    wanting({**CLOSED, "properties": {"type": {"type": "string"}, "items": {"type": "string"}}}),
    ask(tools=[]),
    ask(tools=[TOOL, {"type": "web_search_20260209", "name": "web_search"}]),
    ask(tools=[TOOL], tool_choice={"type": "tool", "name": "find"}),
    ask(tools=[TOOL], tool_choice={"type": "any"}, thinking={"type": "disabled"}),
    marked(HOUR, MARK, MARK, MARK),
    marked(HOUR, MARK, MARK, "", cache_control=MARK),
    marked(MARK, MARK, MARK, MARK, cache_control=MARK),
]


@pytest.mark.parametrize("body", GOOD)
def test_a_good_request_is_not_refused(body: dict[str, Any]) -> None:
    assert refused(body) == ""


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, "anthropic-version: header is required"),
        ({"anthropic-version": ""}, "anthropic-version: header is required"),
        ({"anthropic-version": "latest"}, '"latest" is not a valid version'),
        (OLD, ""),
        (NEW, ""),
    ],
)
def test_the_version_is_required(headers: dict[str, str], said: str) -> None:
    assert said in refused(ask(), headers)
    assert bool(refused(ask(), headers)) == bool(said)


BAD: list[tuple[str, dict[str, Any]]] = [
    ("model: Field required", ask(model=...)),
    ("model: Field required", ask(model=5)),
    ("messages: at least one", ask(messages=[])),
    ("messages: at least one", ask(messages="x")),
    ("max_tokens: Field required", ask(max_tokens=...)),
    ("max_tokens: Input should be", ask(max_tokens=-1)),
    ("max_tokens: Input should be", ask(max_tokens=True)),
    ("max_tokens: Input should be", ask(max_tokens="10")),
    ("n: Extra inputs are not permitted", ask(n=1)),
    ("max_completion_tokens: Extra inputs", ask(max_completion_tokens=1)),
    ("response_format: Extra inputs", ask(response_format={"type": "text"})),
    ("stream_options: Extra inputs", ask(stream_options={})),
    ("temperature: Extra inputs", ask(temperature=1)),
    ("top_k: Extra inputs", ask(top_k=5)),
    ("stop_sequences: Input should be", ask(stop_sequences="x")),
    ("stop_sequences: Input should be", ask(stop_sequences=[1])),
    ("stop_sequences: each stop sequence must contain", ask(stop_sequences=["x", "\n"])),
    ("stream: Input should be", ask(stream="yes")),
    ("service_tier: Input should be", ask(service_tier="default")),
    ("speed: Input should be", ask(speed=["fast"])),
    ("appears to contain an email address", ask(metadata={"user_id": "a@b.c"})),
    ("thinking: Input tag None", ask(thinking={})),
    ("thinking: Input tag None", ask(thinking="adaptive")),
    ("thinking: Input tag ['x']", ask(thinking={"type": ["x"]})),
    ("budget_tokens: Input should be greater", ask(thinking={"type": "enabled"})),
    ("budget_tokens: Input should be greater", ask(thinking={"type": "enabled", "budget_tokens": 1023})),
    ("must be greater than `thinking.budget_tokens`", ask(thinking={"type": "enabled", "budget_tokens": 4000})),
    ("adaptive.budget_tokens: Extra inputs", ask(thinking={"type": "adaptive", "budget_tokens": 2000})),
    ("thinking.display: Input should be", ask(thinking={"type": "adaptive", "display": "all"})),
    ("output_config.effort: Input should be", ask(output_config={"effort": "none"})),
    ("output_config.verbosity: Extra inputs", ask(output_config={"verbosity": "low"})),
    ("output_config.format: Input should be", ask(output_config={"format": {"type": "json_object"}})),
    ("output_config.format: Input should be", ask(output_config={"format": {"type": "json_schema"}})),
    ("output_config.format.strict: Extra inputs", ask(output_config={"format": {**FORMAT, "strict": True}})),
    ("'additionalProperties' must be", wanting(OPEN)),
    ("'additionalProperties' must be", wanting({**CLOSED, "properties": {"a": OPEN}})),
    ("'additionalProperties' must be", wanting({**CLOSED, "properties": {"a": {"type": "array", "items": OPEN}}})),
    ("'additionalProperties' must be", wanting({"anyOf": [CLOSED, OPEN]})),
    ("'additionalProperties' must be", wanting({**CLOSED, "$defs": {"a": OPEN}})),
    ("tools: Input should be a valid list", ask(tools={})),
    ("tools: Input should be a valid list", ask(tools=["find"])),
    ("tools.0.custom.name: String should match", ask(tools=[{"type": "function", "function": {"name": "x"}}])),
    ("tools.0.custom.name: String should match", ask(tools=[TOOL | {"name": "a.b"}])),
    ("tools: Tool names must be unique", ask(tools=[TOOL, TOOL])),
    ("tools.1.custom.input_schema.type: Field required", ask(tools=[TOOL, {"name": "x"}])),
    ("tools.0.custom.input_schema.type: Field required", ask(tools=[TOOL | {"input_schema": {}}])),
    ("tools.0.custom.parameters: Extra inputs", ask(tools=[TOOL | {"parameters": {}}])),
    ("tool_choice: Input tag None", ask(tools=[TOOL], tool_choice="auto")),
    ("tool_choice: Input tag 'required'", ask(tools=[TOOL], tool_choice={"type": "required"})),
    ("tool_choice: may only be specified while", ask(tool_choice={"type": "auto"})),
    ("Tool not found", ask(tools=[TOOL], tool_choice={"type": "tool", "name": "seek"})),
    ("Tool not found", ask(tools=[TOOL], tool_choice={"type": "tool"})),
    (
        "Thinking may not be enabled when tool_choice forces",
        ask(tools=[TOOL], tool_choice={"type": "any"}, thinking={"type": "adaptive"}),
    ),
    ("cache_control: Input should be", ask(cache_control={"type": "persistent"})),
    ("cache_control: Input should be", marked({"type": "ephemeral", "ttl": "24h"})),
    ("cache_control: Input should be", marked(True)),
    ("A maximum of 4 blocks with cache_control may be provided. Found 5.", marked(MARK, MARK, MARK, MARK, MARK)),
    ("Found 5.", marked(MARK, MARK, MARK, MARK, "", cache_control=MARK)),
    (
        "Found 5.",
        marked(MARK, MARK, MARK, tools=[TOOL | {"cache_control": MARK}], cache_control=MARK)
        | {"system": [{"type": "text", "text": "x", "cache_control": MARK}]},
    ),
    ("a ttl='1h' cache_control block must not come after a ttl='5m'", marked(MARK, HOUR)),
    ("must not come after a ttl='5m'", marked(HOUR, "", tools=[TOOL | {"cache_control": MARK}])),
    ("must not come after a ttl='5m'", marked(MARK, "", cache_control=HOUR)),
    ("Top-level cache_control has ttl='5m' but the target block already", marked(HOUR, cache_control=MARK)),
    ("max_tokens: 0 can not be combined with `stream`", ask(max_tokens=0, stream=True)),
    (
        "can not be combined with `thinking.type.enabled`",
        ask(max_tokens=0, thinking={"type": "enabled", "budget_tokens": 1024}),
    ),
    ("can not be combined with `output_config.format`", ask(max_tokens=0, output_config={"format": FORMAT})),
    ("can not be combined with `tool_choice`", ask(max_tokens=0, tools=[TOOL], tool_choice={"type": "any"})),
    ('first message must use the "user" role', ask(messages=[{"role": "assistant", "content": "x"}])),
    (
        "Invalid `signature`",
        ask(
            messages=[
                {"role": "user", "content": "x"},
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "x", "signature": "y"}]},
                {"role": "user", "content": "x"},
            ]
        ),
    ),
]


@pytest.mark.parametrize(("said", "body"), BAD)
def test_what_the_provider_refuses(said: str, body: dict[str, Any]) -> None:
    assert said in (refused(body) or "nothing")


@pytest.mark.parametrize(
    ("model", "more", "said"),
    [
        ("sim-small", {"temperature": 0.5, "top_p": 0.1, "top_k": 40}, ""),
        ("sim-small", {"temperature": 1.5}, "range: 0..1"),
        ("sim-small", {"temperature": "hot"}, "range: 0..1"),
        ("claude-opus-4-6", {"temperature": 0.5}, ""),
        ("claude-opus-4-7", {"temperature": 0.5}, "`temperature` is not supported by this model"),
        ("claude-opus-4-7", {"temperature": 1.0}, ""),
        ("claude-opus-4-7", {"top_k": 1}, "`top_k` is not supported by this model"),
    ],
)
def test_older_versions_have_sampling_parameters(model: str, more: dict[str, Any], said: str) -> None:
    assert said in refused(ask(model=model, **more), OLD)
    assert bool(refused(ask(model=model, **more), OLD)) == bool(said)


FORCE = {"tools": [TOOL], "tool_choice": {"type": "any"}}


@pytest.mark.parametrize(
    ("model", "more", "said"),
    [
        ("claude-opus-4-5", {"thinking": {"type": "adaptive"}}, '"thinking.type.adaptive" is not supported'),
        ("claude-opus-4-7", {"thinking": {"type": "enabled", "budget_tokens": 2000}}, '"thinking.type.enabled" is not'),
        ("claude-opus-5-5", {"thinking": {"type": "disabled"}}, '"thinking.type.disabled" is not supported'),
        ("claude-sonnet-5-5", {"thinking": {"type": "between_tools"}}, ""),
        ("claude-opus-5", {"thinking": {"type": "between_tools"}}, '"thinking.type.between_tools" is not'),
        ("claude-3-5-haiku-20241022", {"thinking": {"type": "enabled", "budget_tokens": 2000}}, "enabled"),
        ("claude-3-7-sonnet-20250219", {"thinking": {"type": "enabled", "budget_tokens": 2000}}, ""),
        ("claude-opus-5", {"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, ""),
        ("claude-opus-5", {"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}}, "with effort max"),
        ("claude-opus-5-5", FORCE, "forced tool use is not supported"),
        ("claude-opus-5", FORCE, ""),
    ],
)
def test_what_some_models_refuse(model: str, more: dict[str, Any], said: str) -> None:
    assert said in refused(ask(model=model, **more))
    assert bool(refused(ask(model=model, **more))) == bool(said)


def test_counting_needs_no_limit_and_takes_nothing_that_steers_an_answer() -> None:
    assert refused(ask(max_tokens=...), counting=True) == ""
    assert refused(ask(max_tokens=..., tools=[TOOL], system="x", thinking={"type": "adaptive"}), counting=True) == ""
    assert "max_tokens: Extra inputs" in refused(ask(), counting=True)
    assert "messages: at least one" in refused(ask(max_tokens=..., messages=[]), counting=True)
    assert "header is required" in refused(ask(max_tokens=...), {}, counting=True)


def test_the_members_are_those_of_the_official_client() -> None:
    # It sends the workspace as a header.
    assert MessageCountTokensParams.__annotations__.keys() - {"workspace_id"} == COUNTED
    known = MessageCreateParamsStreaming.__required_keys__ | MessageCreateParamsStreaming.__optional_keys__
    assert known - {"workspace_id"} == COUNTED | MADE


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "name", "schema", "format", "properties", "items", "anyOf", "cache_control", "ttl"]
            ),
            inner | st.sampled_from(["json_schema", "object", "ephemeral", "enabled", "tool", "5m"]),
            max_size=4,
        )
    ),
    max_leaves=10,
)


@settings(max_examples=400)
@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(sorted(COUNTED | MADE | {"temperature"}), JSON)),
    st.sampled_from([OLD, NEW]),
    st.booleans(),
)
def test_no_body_is_too_strange(more: dict[str, Any], headers: dict[str, str], counting: bool) -> None:
    for body in (more, ask(**more), ask(**{name: value for name, value in more.items() if name != "messages"})):
        assert isinstance(refused(body, headers, counting=counting), str)
