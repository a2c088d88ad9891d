"""Requests in all three APIs as hypothesis makes them up: legal ones, and ones in which anything may stand anywhere."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from adapters.simulated_messages import signed

CALM = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Nothing here is about how fast the machine is that the tests run on."""

TEXTS = st.sampled_from(["Hi", 'naïve \u2028 "quoted"', "{[,]}:", "\\", "cache_control", "x" * 40, "日本"])
JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "text",
                    "role",
                    "content",
                    "output",
                    "cache_control",
                    "tool_calls",
                    "id",
                    "call_id",
                    "source",
                    "ttl",
                ]
            ),
            inner | st.sampled_from(["user", "assistant", "tool_use", "text", "message", "ephemeral", "function_call"]),
            max_size=4,
        )
    ),
    max_leaves=6,
)
"""Any JSON value, with names in it that mean something."""

MEMBERS = (
    "model tools system messages input instructions cache_control prompt_cache_options thinking output_config "
    "tool_choice reasoning reasoning_effort context_management n"
)
ODD = st.dictionaries(st.sampled_from(MEMBERS.split()), JUNK)

_styles = st.sampled_from([{}, {"separators": (",", ":")}, {"indent": 2}, {"ensure_ascii": False}])


@st.composite
def written(draw: st.DrawFn, bodies: st.SearchStrategy[dict[str, Any]]) -> bytes:
    """A body, written as one client or another would."""
    return json.dumps(draw(bodies), **draw(_styles)).encode()


def _shuffled(draw: st.DrawFn, body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in draw(st.permutations(list(body)))}


def _text_block(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    return {"type": kind, "text": draw(TEXTS)}


@st.composite
def messages_bodies(draw: st.DrawFn, model: str = "claude-opus-4-8") -> dict[str, Any]:
    """Legal requests to Anthropic's Messages."""
    count = draw(st.integers(0, 3))
    tools = [{"name": f"t{n}", "description": draw(TEXTS), "input_schema": {"type": "object"}} for n in range(count)]
    body: dict[str, Any] = {"model": model, "max_tokens": 100, "messages": _anthropic_turns(draw, count)}
    if tools:
        body["tools"] = tools
    system = draw(st.none() | TEXTS | st.lists(TEXTS, min_size=1, max_size=3))
    if system is not None:
        body["system"] = system if isinstance(system, str) else [{"type": "text", "text": text} for text in system]
    body |= draw(st.fixed_dictionaries({}, optional={"stream": st.just(True), "stop_sequences": st.just(["x"])}))
    return _shuffled(draw, body)


def _anthropic_turns(draw: st.DrawFn, tools: int) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = []
    open_calls: list[str] = []
    for turn in range(draw(st.integers(0, 3)) * 2 + 1):
        if turn % 2 == 0:
            blocks = [{"type": "tool_result", "tool_use_id": name, "content": draw(TEXTS)} for name in open_calls]
            blocks += [_text_block(draw, "text") for _ in range(draw(st.integers(0 if blocks else 1, 2)))]
            open_calls = []
            if blocks[0]["type"] == "text" and draw(st.booleans()):
                turns.append({"role": "user", "content": draw(TEXTS)})
                continue
            turns.append({"role": "user", "content": blocks})
            continue
        if not tools and draw(st.booleans()):
            turns.append({"role": "assistant", "content": draw(TEXTS)})
            continue
        thought = {"type": "thinking", "thinking": "Hm.", "signature": signed("Hm.", "Hm.", 0)}
        blocks = [thought] if draw(st.booleans()) else []
        blocks.append(_text_block(draw, "text"))
        open_calls = [f"c{turn}_{n}" for n in range(draw(st.integers(0, 2)) if tools else 0)]
        blocks += [{"type": "tool_use", "id": name, "name": "t0", "input": {"b": 1, "a": 2}} for name in open_calls]
        turns.append({"role": "assistant", "content": blocks})
    return turns


@st.composite
def chat_bodies(draw: st.DrawFn, model: str = "gpt-5.6-sol") -> dict[str, Any]:
    """Legal requests to chat completions."""
    messages: list[dict[str, Any]] = []
    for role in draw(st.lists(st.sampled_from(["system", "developer"]), max_size=2)):
        messages.append({"role": role, "content": _chat_content(draw)})
    for turn in range(draw(st.integers(1, 3))):
        messages.append({"role": "user", "content": _chat_content(draw)})
        calls = [f"c{turn}_{n}" for n in range(draw(st.integers(0, 2)))]
        said: dict[str, Any] = {"role": "assistant", "content": draw(st.none() | TEXTS) if calls else draw(TEXTS)}
        if calls:
            said["tool_calls"] = [
                {"id": name, "type": "function", "function": {"name": "f", "arguments": "{}"}} for name in calls
            ]
        messages.append(said)
        messages += [{"role": "tool", "tool_call_id": name, "content": _chat_content(draw)} for name in calls]
    messages.append({"role": "user", "content": _chat_content(draw)})
    body = {"model": model, "messages": messages}
    body |= draw(
        st.fixed_dictionaries(
            {},
            optional={
                "tools": st.just([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]),
                "stream": st.just(True),
                "n": st.just(3),
                "stop": st.just("x"),
                "max_completion_tokens": st.just(500),
            },
        )
    )
    return _shuffled(draw, body)


def _chat_content(draw: st.DrawFn) -> Any:
    return draw(TEXTS) if draw(st.booleans()) else [_text_block(draw, "text") for _ in range(draw(st.integers(1, 3)))]


@st.composite
def responses_bodies(draw: st.DrawFn, model: str = "gpt-5.6-sol") -> dict[str, Any]:
    """Legal requests to Responses."""
    items: list[dict[str, Any]] = []
    if draw(st.booleans()):
        items.append({"role": "developer", "content": draw(TEXTS)})
    for turn in range(draw(st.integers(1, 3))):
        content = draw(TEXTS) if draw(st.booleans()) else [_text_block(draw, "input_text") for _ in range(2)]
        items.append({"role": "user", "content": content})
        calls = [f"c{turn}_{n}" for n in range(draw(st.integers(0, 2)))]
        if calls:
            items.append({"type": "reasoning", "id": f"rs{turn}", "summary": []})
        items += [{"type": "function_call", "call_id": name, "name": "f", "arguments": "{}"} for name in calls]
        for name in calls:
            output: Any = draw(TEXTS) if draw(st.booleans()) else [_text_block(draw, "input_text")]
            items.append({"type": "function_call_output", "call_id": name, "output": output})
        said = {"type": "output_text", "text": draw(TEXTS), "annotations": []}
        items.append({"type": "message", "role": "assistant", "content": [said]})
    items.append({"role": "user", "content": draw(TEXTS)})
    body: dict[str, Any] = {"model": model, "input": draw(TEXTS) if draw(st.integers(0, 5)) == 0 else items}
    body |= draw(
        st.fixed_dictionaries(
            {},
            optional={
                "instructions": TEXTS,
                "tools": st.just([{"type": "function", "name": "f", "parameters": {"type": "object"}}]),
                "stream": st.just(True),
                "max_output_tokens": st.just(500),
                "store": st.just(True),
            },
        )
    )
    return _shuffled(draw, body)
