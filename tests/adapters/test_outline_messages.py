from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.outline_messages import items_in, messages_in
from adapters.outline_pieces import Marks, Pieces, marks_of
from adapters.profiles import Profile, profile_of
from adapters.prompt_blocks import paths, wire_of
from adapters.tokens import IMAGE

NEW = profile_of("openai", "gpt-5.6")
ROUTED = profile_of("openrouter", "anthropic/claude-opus-5")
POINT = {"prompt_cache_breakpoint": {"mode": "explicit"}}
NAMES = ["head", "data", "weight", "constant", "place", "mark", "edge", "markable"]
URL = {"type": "image_url", "image_url": {"url": "data:" + "A" * 5000}}


def column(name: str, found: Pieces) -> list[Any]:
    return [piece[NAMES.index(name)] for level in found[:3] for piece in level]


def chat(messages: list[Any], profile: Profile = NEW, **more: Any) -> Pieces:
    body = {"messages": messages, **more}
    return messages_in(body, marks_of(profile, body))


def response(given_: Any, **more: Any) -> Pieces:
    body = {"input": given_, **more}
    return items_in(body, marks_of(NEW, body))


def said(role: str, *texts: str, kind: str = "text") -> dict[str, Any]:
    return {"role": role, "content": [{"type": kind, "text": text} for text in texts]}


def test_ends_and_places_of_a_chat() -> None:
    messages = [said("system", "a", "b"), said("developer", "c"), said("user", "d", "e"), said("system", "f")]
    found = chat(messages, tools=[{"type": "function"}, {"type": "function"}])
    assert column("edge", found) == ["block", "tools", "block", "message", "system", "block", "message", "message"]
    assert column("place", found) == [0, 0, 1, 1, 2, 3, 3, 4]
    assert column("markable", found) == [False] * 2 + [True] * 6
    assert [len(level) for level in found[:3]] == [2, 3, 3]


def test_ends_and_places_of_a_response() -> None:
    items = [
        {"role": "developer", "content": "a"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "b"}]},
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "c"},
        said("assistant", "d", kind="output_text"),
        {"role": "assistant", "content": "e"},
        "odd",
    ]
    found = response(items, instructions="be brief")
    assert column("edge", found) == ["block", "system"] + ["message"] * 6
    assert column("place", found) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert column("markable", found) == [False, True, True, False, True, False, False, False]
    assert column("edge", response([items[1]], instructions="x")) == ["system", "message"]
    assert column("edge", response("hello")) == ["message"]
    assert column("head", response("x", instructions=5)) == [b'["instructions"," odd"]'] * 0 + column(
        "head", response("x", instructions={"id": 1})
    )


def test_a_text_for_an_input_is_a_message() -> None:
    assert response("hello") == response([said("user", "hello", kind="input_text")])
    assert response("hello") == response([{"type": "message", "role": "user", "content": "hello"}])
    assert column("markable", response("")) == [False]


def test_the_result_of_a_tool_is_one_piece_that_ends_with_its_last_part() -> None:
    def result(output: Any, kind: str = "function_call_output") -> Pieces:
        return response([{"type": kind, "call_id": "1", "output": output}])

    text = {"type": "input_text", "text": "done"}
    picture = {"type": "input_image", "image_url": "A" * 5000}
    assert result("done") == result([text])
    assert column("mark", result([text | POINT])) == ["30m"]
    assert column("data", result([text | POINT, picture])) == column("data", result([text, picture]))
    assert column("mark", result([text | POINT, picture])) == [""]
    assert column("constant", result([text, picture])) == [IMAGE]
    assert column("weight", result([text, picture]))[0] < 200
    assert (result([picture]).images, result([text]).images) == (True, False)
    assert column("markable", result([picture])) == [True]
    assert column("markable", result("")) == column("markable", result([])) == column("markable", result(5)) == [False]
    assert column("markable", result("done", "shell_call_output")) == [False]
    assert column("data", result("a")) != column("data", result("b"))
    screen = {"type": "computer_call_output", "call_id": "1", "output": {"type": "computer_screenshot"}}
    assert response([screen]).images


def test_other_members_of_a_message_count_with_its_first_piece() -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
    plain, calling = said("assistant", "a", "b"), said("assistant", "a", "b") | {"tool_calls": [call], "refusal": None}
    heads = column("head", chat([calling]))
    assert heads[0].endswith(b'{"tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]}')
    assert heads[1:] == column("head", chat([plain]))[1:]
    assert column("weight", chat([calling]))[0] - column("weight", chat([plain]))[0] == len(heads[0]) - len(
        b'["assistant","message+ text"]'
    )
    for content in ({}, {"content": None}, {"content": []}):
        found = chat([{"role": "assistant", "tool_calls": [call], **content}])
        assert column("data", found) == [b""]
        assert column("edge", found) == ["message"]
    assert chat([plain | {"name": None}]) == chat([plain])


@pytest.mark.parametrize(
    ("profile", "message", "marks", "markable"),
    [
        (NEW, said("user", "a"), [""], [True]),
        (
            NEW,
            {"role": "user", "content": [{"type": "text", "text": "a", **POINT}, URL | POINT]},
            ["30m"] * 2,
            [True] * 2,
        ),
        (NEW, {"role": "user", "content": [{"type": "text", "text": "", **POINT}]}, [""], [False]),
        (NEW, {"role": "assistant", "content": [{"type": "text", "text": "a", **POINT}]}, ["30m"], [False]),
        (NEW, {"role": "assistant", "content": [{"type": "refusal", "refusal": "no", **POINT}]}, [""], [False]),
        (NEW, {"role": "tool", "tool_call_id": "1", "content": "a"}, [""], [True]),
        (NEW, {"role": "user", "content": "a", **POINT}, [""], [True]),
        (NEW, {"role": "user", "content": ""}, [""], [False]),
        (NEW, {"role": ["user"], "content": "a"}, [""], [False]),
        (NEW, {"role": "user", "content": 5}, [""], [False]),
        (ROUTED, {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {}}]}, ["5m"], [True]),
        (ROUTED, {"role": "user", "content": [URL]}, [""], [False]),
        (ROUTED, {"role": "assistant", "content": "a"}, [""], [True]),
        (ROUTED, {"role": "assistant", "content": "a", "tool_calls": [{}]}, [""], [False]),
        (profile_of("openai", "gpt-5.5"), said("user", "a"), [""], [False]),
    ],
)
def test_where_marks_stand_and_could(profile: Profile, message: Any, marks: list[str], markable: list[bool]) -> None:
    found = chat([{"role": "user", "content": "first"}, message], profile)
    assert column("mark", found)[1:] == marks
    assert column("markable", found)[1:] == markable


def test_tools_take_no_mark_and_marks_on_them_are_not_seen() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"b": 1, "a": 2}}}
    found = chat([], ROUTED, tools=[tool | {"cache_control": {}}])
    assert found == chat([], ROUTED, tools=[dict(reversed(tool.items()))])
    assert (column("mark", found), column("markable", found)) == ([""], [False])
    turned = tool | {"function": {"name": "f", "parameters": {"a": 2, "b": 1}}}
    assert column("data", found) != column("data", chat([], ROUTED, tools=[turned]))


def test_images_are_seen_and_count_a_constant() -> None:
    found = chat([{"role": "user", "content": [URL, {"type": "text", "text": "abc"}]}])
    assert found.images
    assert (column("weight", found), column("constant", found)) == ([0, 3], [IMAGE, 0])
    assert not chat([said("user", "image_url")]).images


ANY = st.recursive(
    st.none() | st.booleans() | st.sampled_from(["", "a", "text", "input_text", "user", "assistant", "message"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "role", "content", "output", "tool_calls", "defer_loading"]),
            inner | st.sampled_from(["function_call_output", "image_url", "tool_use"]),
            max_size=5,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=300)
@given(
    st.sampled_from(
        [("openai-chat", NEW, "messages"), ("openai-chat", ROUTED, "messages"), ("openai-responses", NEW, "input")]
    ),
    st.lists(ANY, max_size=4) | ANY,
    st.lists(ANY, max_size=2) | ANY,
    ANY,
)
def test_there_is_a_piece_for_each_block_that_could_be_marked(
    way: tuple[str, Profile, str], messages: Any, tools: Any, instructions: Any
) -> None:
    """Whoever sets marks finds the place of a point by its number."""
    api, profile, name = way
    body = {name: messages, "tools": tools, "instructions": instructions}
    walk = messages_in if api == "openai-chat" else items_in
    found = paths(body, api, wire_of(api, profile))
    assert [path is not None for path in found] == column("markable", walk(body, marks_of(profile, body)))


def test_no_marks_at_all() -> None:
    found = messages_in({"messages": [said("user", "a")]}, Marks())
    assert column("markable", found) == [False]
