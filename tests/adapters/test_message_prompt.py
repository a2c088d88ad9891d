import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.chain import chain
from adapters.message_prompt import STEP, prompt_of
from adapters.profiles import profile_of
from adapters.prompt import Prompt
from adapters.tokens import PER_MESSAGE, estimate

NEW, OLD = "gpt-5.6-sol", "gpt-4o"
BREAK = {"prompt_cache_breakpoint": {"mode": "explicit"}}
TOOL = {"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {"q": {}}}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}

CHAT: dict[str, Any] = {
    "model": OLD,
    "tools": [TOOL],
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Find it"},
        {"role": "assistant", "content": None, "tool_calls": [CALL, {**CALL, "id": "c2"}]},
        {"role": "tool", "tool_call_id": "c1", "content": "here"},
        {"role": "tool", "tool_call_id": "c2", "content": "there"},
        {"role": "assistant", "content": "Found."},
        {"role": "user", "content": [{"type": "text", "text": "Thanks"}]},
    ],
}
RESPONSES: dict[str, Any] = {
    "model": OLD,
    "tools": [{"type": "function", "name": "find", "parameters": {"type": "object", "properties": {"q": {}}}}],
    "instructions": "Be brief.",
    "input": [
        {"role": "user", "content": "Find it"},
        {
            "type": "function_call",
            "id": "fc_1",
            "status": "completed",
            "call_id": "c1",
            "name": "find",
            "arguments": "",
        },
        {"type": "function_call_output", "call_id": "c1", "output": "here"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Found."}]},
        {"role": "user", "content": [{"type": "input_text", "text": "Thanks"}]},
    ],
}


def prompt(body: dict[str, Any], *, salt: bytes = b"", model: str = "") -> Prompt:
    body = {**body, "model": model or body.get("model", "")}
    return prompt_of(body, salt=salt, profile=profile_of("maker", body["model"]))


def digests(body: dict[str, Any], **more: Any) -> list[bytes]:
    return [point.digest for point in prompt(body, **more).points]


def kept(other: dict[str, Any], body: dict[str, Any], model: str = "") -> int:
    """How many points two bodies share from the beginning."""
    same = [a == b for a, b in zip(digests(body, model=model), digests(other, model=model), strict=False)]
    return next((index for index, each in enumerate(same) if not each), len(same))


def changed(body: dict[str, Any], **members: Any) -> dict[str, Any]:
    return copy.deepcopy(body) | members


def parted(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"model": NEW, "messages": [{"role": "user", "content": list(parts)}], **more}


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


def marks(body: dict[str, Any]) -> list[str]:
    return [point.mark for point in prompt(body).points]


@pytest.mark.parametrize(
    ("body", "edges"),
    [
        (CHAT, ["tools", "system", "message", "block", "block", "message", "block", "message"]),
        (RESPONSES, ["tools", "system", "message", "block", "message", "block", "message"]),
    ],
)
def test_what_ends_at_a_point_and_whether_it_ends_an_eligible_message(body: dict[str, Any], edges: list[str]) -> None:
    assert [point.edge for point in prompt(body).points] == edges


def test_the_initial_block_ends_with_its_last_developer_message() -> None:
    roles = ["system", "developer", "user", "developer", "user"]
    body = {"messages": [{"role": role, "content": "x"} for role in roles]}
    assert [point.edge for point in prompt(body).points] == ["block", "system", "message", "block", "message"]
    told = {"instructions": "x", "input": [{"role": "developer", "content": "y"}, {"role": "user", "content": "z"}]}
    assert [point.edge for point in prompt(told).points] == ["block", "system", "message"]


@pytest.mark.parametrize("body", [CHAT, RESPONSES])
def test_tokens_are_those_of_the_chain(body: dict[str, Any]) -> None:
    """The totals that the estimate of a message gives, whatever stands between."""
    told = body.get("instructions")
    messages = body.get("messages", [{"role": "developer", "content": told}, *body.get("input", [])])
    links = chain({"model": OLD, "tools": body["tools"], "messages": messages})
    assert [point.tokens for point in prompt(body).points] == [link.tokens for link in links]


def test_every_part_ends_at_a_point_and_the_last_one_with_its_message() -> None:
    points = prompt(parted(text("one two"), IMAGE, text("three"))).points
    assert [point.edge for point in points] == ["block", "block", "message"]
    assert points[0].tokens == PER_MESSAGE + estimate("one two")
    assert points[1].tokens > 700
    assert [point.tokens for point in points] == sorted({point.tokens for point in points})
    called = {"messages": [{"role": "assistant", "content": "x", "tool_calls": [CALL]}]}
    assert len(prompt(called).points) == 2


def test_long_texts_can_be_cut_on_the_way() -> None:
    long = "word " * STEP
    points = prompt({"messages": [{"role": "user", "content": long}]}).points
    assert [point.edge for point in points] == ["step"] * 4 + ["message"]
    assert [point.markable for point in points] == [False] * 4 + [True]
    tokens = [point.tokens for point in points]
    assert tokens == sorted(set(tokens))
    assert tokens[-1] == PER_MESSAGE + estimate(long)
    other = prompt({"messages": [{"role": "user", "content": long[: 3 * STEP] + "else"}]}).points
    assert [a.digest == b.digest for a, b in zip(points, other, strict=False)] == [True] * 3 + [False]


def test_a_text_alone_is_a_text_in_a_part() -> None:
    assert digests(CHAT) == digests(
        changed(CHAT, messages=[*CHAT["messages"][:-1], {"role": "user", "content": "Thanks"}])
    )
    alone = changed(RESPONSES, input=[*RESPONSES["input"][:-1], {"role": "user", "content": "Thanks"}])
    assert digests(alone) == digests(RESPONSES)
    assert digests({"input": "x"}) == digests({"input": [{"role": "user", "content": "x"}]})


def test_what_no_model_sees_does_not_count() -> None:
    seen = changed(RESPONSES)
    for name in ("id", "status"):
        del seen["input"][1][name]
    seen["input"][3]["content"][0] |= {"annotations": [], "logprobs": []}
    assert digests(seen) == digests(RESPONSES)
    silent = changed(CHAT, temperature=0.5, stream=True, max_completion_tokens=5, metadata={}, stop=["x"])
    silent["messages"][5]["refusal"] = None
    assert digests(silent) == digests(CHAT)
    assert digests({**CHAT, "messages": [dict(reversed(each.items())) for each in CHAT["messages"]]}) == digests(CHAT)


@pytest.mark.parametrize(
    ("other", "left"),
    [
        ({"model": NEW}, 0),
        ({"tools": [TOOL, TOOL]}, 0),
        ({"parallel_tool_calls": False}, 0),
        ({"parallel_tool_calls": True}, 8),
        ({"reasoning_effort": "low"}, 0),
        ({"verbosity": "low"}, 0),
        ({"verbosity": "medium"}, 8),
        ({"response_format": {"type": "json_object"}}, 0),
        ({"response_format": {"type": "text"}}, 8),
        ({"service_tier": "flex"}, 0),
        ({"service_tier": "auto"}, 8),
        ({"prompt_cache_key": "k"}, 0),
        ({"tool_choice": "none"}, 8),
        ({"messages": [{"role": "system", "content": "Be long."}, *CHAT["messages"][1:]]}, 1),
        ({"messages": [*CHAT["messages"], {"role": "user", "content": [IMAGE]}]}, 2),
        ({"messages": CHAT["messages"][:-1]}, 7),
    ],
)
def test_a_change_breaks_what_the_profile_says_in_a_chat(other: dict[str, Any], left: int) -> None:
    assert kept(changed(CHAT, **other), CHAT) == left


@pytest.mark.parametrize(
    ("other", "left"),
    [
        ({"reasoning": {"effort": "low"}}, 0),
        ({"reasoning": {"summary": "auto"}}, 7),
        ({"text": {"verbosity": "low"}}, 0),
        ({"text": {"format": {"type": "json_object"}}}, 0),
        ({"context_management": [{"type": "compaction"}]}, 0),
        ({"instructions": "Be long."}, 1),
        ({"max_output_tokens": 16, "store": False, "prompt_cache_options": {"prewarm": True}}, 7),
    ],
)
def test_a_change_breaks_what_the_profile_says_in_responses(other: dict[str, Any], left: int) -> None:
    assert kept(changed(RESPONSES, **other), RESPONSES) == left


def test_what_breaks_another_providers_prefix_is_another() -> None:
    low = changed(CHAT, reasoning_effort="low", service_tier="flex", prompt_cache_key="k")
    assert kept(low, CHAT, model="deepseek-chat") == 8
    assert kept(changed(CHAT, user_id="u"), CHAT, model="deepseek-chat") == 0
    assert kept(changed(CHAT, user_id="u"), CHAT) == 8
    assert kept(changed(CHAT, cache_salt="u"), CHAT, model="vllm/x") == 0
    assert kept(changed(CHAT, tool_choice="none"), CHAT, model="claude-opus-5") == 2


def test_a_salt_keeps_caches_apart() -> None:
    assert not set(digests(CHAT)) & set(digests(CHAT, salt=b"other"))


# Breakpoints


def test_breakpoints_stand_on_parts_and_move_nothing() -> None:
    plain, marked = parted(text("a"), text("b")), parted(text("a", **BREAK), text("b"))
    assert marks(marked) == ["30m", ""]
    assert digests(marked) == digests(plain)
    assert marks({**marked, "model": OLD}) == ["", ""]
    result = {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "x", **BREAK}]}
    assert marks({"model": NEW, "input": [result]}) == ["30m"]


@pytest.mark.parametrize(
    ("control", "options", "expected"),
    [
        ({"mode": "explicit"}, None, "30m"),
        ({"mode": "explicit"}, {"ttl": "12h"}, "12h"),
        ({"mode": "explicit", "ttl": "12h"}, {}, "12h"),
        ({"mode": "explicit", "ttl": "30m"}, {"ttl": "12h"}, "30m"),
        ({"mode": "explicit", "ttl": "5m"}, None, "30m"),
        ({"mode": "implicit"}, None, ""),
        ({}, None, ""),
        ("explicit", "12h", ""),
    ],
)
def test_how_long_a_breakpoint_lives(control: Any, options: Any, expected: str) -> None:
    body = parted(text("a", prompt_cache_breakpoint=control), text("b"), prompt_cache_options=options)
    assert marks(body)[0] == expected


def test_the_implicit_breakpoint_asks_for_what_the_request_asks_for() -> None:
    assert marks(parted(text("a"), text("b"), prompt_cache_options={"ttl": "12h"})) == ["", "12h"]
    assert marks(parted(text("a"), text("b"), prompt_cache_options={"ttl": "30m"})) == ["", ""]
    assert marks(parted(text("a"), text("b", **BREAK), prompt_cache_options={"ttl": "12h"})) == ["", "12h"]
    assert marks({**parted(text("a"), prompt_cache_options={"ttl": "12h"}), "model": OLD}) == [""]


def test_the_mode_explicit_leaves_nothing_but_marks() -> None:
    body = parted(text("a", **BREAK), text("b"), prompt_cache_options={"mode": "explicit", "ttl": "12h"})
    assert [(point.mark, point.edge) for point in prompt(body).points] == [("12h", "block"), ("", "step")]
    assert [point.edge for point in prompt({**body, "model": OLD}).points] == ["block", "message"]


def test_claude_behind_a_chat_is_marked_as_with_anthropic() -> None:
    control = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    body = {**parted(text("a", **control, **BREAK), text("b")), "model": "claude-opus-5"}
    assert marks(body) == ["1h", ""]
    assert marks({**body, "model": OLD}) == marks({**body, "model": "deepseek-chat"}) == ["", ""]


# Anything


def test_minimum_and_emptiness() -> None:
    assert prompt({"messages": [{"role": "user"}]}).minimum == 1024
    assert prompt({"messages": []}).points == ()
    assert len(prompt({"messages": [{"role": "user"}]}).points) == 1


@settings(max_examples=100)
@given(st.lists(st.sampled_from([*CHAT["messages"], {"role": "user", "content": [IMAGE]}]), max_size=6), st.data())
def test_a_longer_conversation_begins_with_the_points_of_the_shorter(messages: list[Any], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(messages)))
    model = data.draw(st.sampled_from([NEW, OLD, "deepseek-chat"]))
    long, short = ({"model": model, "messages": each} for each in (messages, messages[:cut]))
    pictures = [any(each.get("content") == [IMAGE] for each in body["messages"]) for body in (long, short)]
    leading = all(each["role"] == "system" for each in messages[:cut])
    if pictures[0] == pictures[1] or model == "deepseek-chat" or leading:
        assert digests(long)[: len(digests(short))] == digests(short)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "content", "role", "output", "tool_calls", "mode", "ttl", "effort", "x"]),
            inner | st.sampled_from(["text", "tool", "function_call_output", "image_url", "explicit", "system"]),
            max_size=4,
        )
    ),
    max_leaves=20,
)
MEMBERS = [*CHAT, *RESPONSES, "prompt_cache_options", "reasoning", "text", "response_format", "user_id", "tool_choice"]


@settings(max_examples=300)
@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys([name for name in MEMBERS if name != "model"], JSON)),
    st.sampled_from([NEW, OLD, "deepseek-chat", "claude-opus-5", "vllm"]),
)
def test_no_body_is_too_strange(body: dict[str, Any], model: str) -> None:
    made = prompt({**body, "model": model})
    tokens = [point.tokens for point in made.points]
    assert tokens == sorted(tokens)
    assert digests({**body, "model": model}) == [point.digest for point in made.points]
