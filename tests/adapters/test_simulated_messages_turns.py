from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.simulated_messages import signed
from adapters.simulated_messages_turns import KINDS, complaints
from adapters.simulated_models import traits

PNG = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
IMAGE = {"type": "image", "source": PNG}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}}
PLAIN = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
SO = {"type": "thinking", "thinking": "so", "signature": signed("so", "so", 0)}
HIDDEN = {"type": "thinking", "thinking": "", "signature": signed("so", "", 0)}
SEALED = {"type": "redacted_thinking", "data": signed("so", "", 0)}


def text(said: Any, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


def use(name: Any = "t1", **more: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": name, "name": "find", "input": {}, **more}


def result(name: Any = "t1", content: Any = "found", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": name, "content": content, **more}


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content) if content else "Hello"}


def assistant(*content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(content) if content else "Hello"}


def system(content: Any = "Now be brief.") -> dict[str, Any]:
    return {"role": "system", "content": content}


def first(*messages: Any, model: str = "sim-small", **more: Any) -> str | None:
    body = {"model": model, "messages": list(messages), **more}
    return next(complaints(body, traits(model), 0), None)


LOOP = (user(), assistant(use()), user(result()))

GOOD: list[tuple[Any, ...]] = [
    (user(),),
    (user(text("x"), IMAGE, PDF, PLAIN),),
    (user(IMAGE | {"source": {"type": "url", "url": "https://x/y.png"}}),),
    (user(IMAGE | {"source": {"type": "file", "file_id": "f"}}),),
    (user(), user(text("again")), assistant(), user()),
    LOOP,
    (*LOOP, assistant(text("x")), user()),
    (user(), assistant(text("x"), use("a"), use("b")), user(result("b"), result("a"), text("go on"))),
    (user(), assistant(use("a"), use("b")), user(result("a")), user(result("b"))),
    (user(), assistant(use("a")), assistant(use("b")), user(result("a"), result("b"))),
    (user(), assistant(use(caller={"type": "direct"})), user(result(content=[text("x"), IMAGE, PLAIN]))),
    (user(), assistant(use()), user(result(content=None, is_error=True))),
    (user(), assistant(use()), user(result(content=[{"type": "tool_reference", "tool_name": "x"}]))),
    (user(), assistant(SO, text("x")), user()),
    (user(), assistant(HIDDEN, SEALED, use()), user(result())),
    (user(), system()),
    (user(), system(), assistant(), user()),
    (user(), system([text("x")])),
    (user(), assistant({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}), user()),
    (user(), assistant({"type": "web_search_tool_result", "tool_use_id": "s", "content": []}), user()),
]


@pytest.mark.parametrize("messages", GOOD)
def test_a_good_conversation_is_not_refused(messages: tuple[Any, ...]) -> None:
    assert first(*messages) is None


BAD: list[tuple[str, tuple[Any, ...]]] = [
    ('first message must use the "user" role', (assistant(), user())),
    ('first message must use the "user" role', (system(), user())),
    ("messages.0: Input should be an object", ("x",)),
    ("Unexpected role 'tool'", ({"role": "tool", "content": "x"},)),
    ("Unexpected role 'developer'", (user(), {"role": "developer", "content": "x"})),
    ("Unexpected role None", ({"content": "x"},)),
    ("Unexpected role []", ({"role": [], "content": "x"},)),
    ("messages.0.name: Extra inputs", (user() | {"name": "x"},)),
    ("messages.1.tool_calls: Extra inputs", (user(), assistant() | {"tool_calls": []})),
    ("messages.0.content: Input should be", ({"role": "user"},)),
    ("messages.0.content: Input should be", ({"role": "user", "content": {"type": "text"}},)),
    ("non-empty content", ({"role": "user", "content": ""},)),
    ("non-empty content", ({"role": "user", "content": []},)),
    ("non-empty content", (user(), {"role": "assistant", "content": ""}, user())),
    ("non-whitespace", ({"role": "user", "content": " \n"},)),
    ("messages.0.content.1: text content blocks must be non-empty", (user(text("x"), text("")),)),
    ("must contain non-whitespace", (user(text(" ")),)),
    ("text: Input should be a valid string", (user(text(None)),)),
    ("messages.0.content.0.type: Field required", (user("x"),)),
    ("messages.0.content.0.type: Field required", (user({"text": "x"}),)),
    ("'image_url' found using 'type' does not match", (user({"type": "image_url", "image_url": {}}),)),
    ("'input_text' found using 'type'", (user({"type": "input_text", "text": "x"}),)),
    ("text.prompt_cache_breakpoint: Extra inputs", (user(text("x", prompt_cache_breakpoint={})),)),
    ("thinking.cache_control: Extra inputs", (user(), assistant(SO | {"cache_control": {}}), user())),
    ("image.detail: Extra inputs", (user(IMAGE | {"detail": "low"}),)),
    ("`image` blocks can not be in `assistant` turns", (user(), assistant(IMAGE), user())),
    ("`document` blocks can not be in `assistant` turns", (user(), assistant(PDF), user())),
    ("`tool_use` blocks can not be in `user` turns", (user(use()),)),
    ("`tool_result` blocks can not be in `assistant` turns", (user(), assistant(result()), user())),
    ("`thinking` blocks can not be in `user` turns", (user(SO),)),
    ("`image` blocks can not be in `system` turns", (user(), system([IMAGE]))),
    ("`x_tool_result` blocks can not be in `user` turns", (user({"type": "x_tool_result"}),)),
    ("image.source: Input tag None", (user({"type": "image"}),)),
    ("base64.media_type: Input should be one of", (user(IMAGE | {"source": PNG | {"media_type": "image/bmp"}}),)),
    ("base64.data: Input should be a non-empty", (user(IMAGE | {"source": PNG | {"data": ""}}),)),
    ("Only http and https", (user(IMAGE | {"source": {"type": "url", "url": "data:image/png;base64,AA"}}),)),
    ("base64.media_type", (user(PDF | {"source": PDF["source"] | {"media_type": "image/png"}}),)),
    ("text.media_type", (user(PLAIN | {"source": PLAIN["source"] | {"media_type": "text/html"}}),)),
    ("tool_use.id: String should match", (user(), assistant(use("call:1")), user(result("call:1")))),
    ("tool_use.name: String should match", (user(), assistant(use() | {"name": None}), user(result()))),
    ("tool_use.input: Input should be an object", (user(), assistant(use(input="{}")), user(result()))),
    ("tool_result.tool_use_id: Field required", (user(), assistant(use()), user(result(None)))),
    ("tool_result.content: Input should be", (user(), assistant(use()), user(result(content={})))),
    ("tool_result.content.0: Input tag", (user(), assistant(use()), user(result(content=["x"])))),
    ("tool_result.content.0: Input tag", (user(), assistant(use()), user(result(content=[result()])))),
    ("tool_result.content.0: text content blocks", (user(), assistant(use()), user(result(content=[text("")])))),
    ("messages.0: unexpected `tool_use_id` found in `tool_result` blocks: t1", (user(result()),)),
    ("unexpected `tool_use_id`", (*LOOP, assistant(), user(result()))),
    ("each tool_use must have a single result", (user(), assistant(use()), user(result(), result()))),
    ("`tool_use` ids must be unique", (user(), assistant(use(), use()), user(result()))),
    ("`tool_use` ids were found without `tool_result`", (user(), assistant(use()), user())),
    ("immediately after: b.", (user(), assistant(use("a"), use("b")), user(result("a")))),
    ("without `tool_result` blocks immediately after", (user(), assistant(use()), user(text("x"), result()))),
    ("without `tool_result` blocks immediately after", (user(), assistant(use()))),
    ("a system message must follow a user turn", (user(), assistant(), system())),
    ("a system message must follow a user turn", (user(), system(), user())),
    ("Invalid `signature` in `thinking` block", (user(), assistant(SO | {"signature": "x"}), user())),
    ("Invalid `signature` in `thinking` block", (user(), assistant(SO | {"thinking": "So"}), user())),
    ("Invalid `signature` in `thinking` block", (user(), assistant(HIDDEN | {"thinking": "so"}), user())),
    ("messages.1.content.1: Invalid `signature`", (user(), assistant(text("x"), {"type": "thinking"}), user())),
    ("Invalid `signature` in `redacted_thinking` block", (user(), assistant(SEALED | {"data": "x"}), user())),
    ("does not support assistant message prefill", (user(), assistant())),
]


@pytest.mark.parametrize(("said", "messages"), BAD)
def test_what_the_provider_refuses(said: str, messages: tuple[Any, ...]) -> None:
    assert said in (first(*messages) or "nothing")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, None),
        ("", None),
        ("Be brief.", None),
        ([text("x")], None),
        ([], None),
        ({"type": "text"}, "system: Input should be a string or a list"),
        (["x"], "system.0.type: Field required"),
        ([text("")], "system.0: text content blocks must be non-empty"),
        ([IMAGE], "`image` blocks can not be in `system` turns"),
    ],
)
def test_the_system_prompt(given: Any, said: str | None) -> None:
    assert (first(user(), system=given) or "").startswith(said or "") or said in (first(user(), system=given) or "")
    assert (first(user(), system=given) is None) == (said is None)


def test_models_up_to_four_and_a_half_take_a_prefill() -> None:
    ends = (user(), assistant(text("The answer is (")))
    assert first(*ends, model="claude-sonnet-4-5") is None
    assert first(*ends, model="sim-4-5") is None
    assert first(user(), {"role": "assistant", "content": ""}, model="claude-sonnet-4-5") is None
    assert "prefill" in (first(*ends, model="claude-opus-4-6") or "")
    trailing = (user(), assistant(text("The answer is ")))
    assert "trailing whitespace" in (first(*trailing, model="claude-sonnet-4-5") or "")


def test_system_turns_are_for_those_who_know_them() -> None:
    assert first(user(), system(), model="claude-opus-4-8") is None
    assert "role 'system' is not supported" in (first(user(), system(), model="claude-opus-4-7") or "")


def test_a_thinking_block_that_was_lost_in_a_loop_of_tools_is_noticed() -> None:
    kept = (user(), assistant(SO, use()), user(result()))
    enabled = {"type": "enabled", "budget_tokens": 1024}
    assert first(*kept, thinking=enabled) is None
    assert "Expected `thinking` or `redacted_thinking`, but found `tool_use`" in (first(*LOOP, thinking=enabled) or "")
    assert first(*LOOP, thinking={"type": "adaptive"}) is None
    assert first(*LOOP, assistant(), user(), thinking=enabled) is None


def test_a_signature_of_another_provider_is_none() -> None:
    body = {"messages": [user(), assistant(SO), user()]}
    assert next(complaints(body, traits(""), 0), None) is None
    assert "Invalid `signature`" in next(complaints(body, traits(""), 1))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from([*KINDS, "user", "assistant"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "content", "source", "id", "name", "input", "tool_use_id", "thinking"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
MESSAGE = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system"]) | JSON, "content": JSON})
BLOCKS = st.lists(st.sampled_from([text("x"), IMAGE, use(), use("t2"), result(), result("t2"), SO, HIDDEN, SEALED]))
TALK = st.builds(
    lambda role, content: {"role": role, "content": content}, st.sampled_from(["user", "assistant"]), BLOCKS
)


def taken(found: Iterator[str]) -> list[str]:
    return list(islice(found, 1))


@settings(max_examples=300)
@given(st.lists(MESSAGE | TALK | JSON, min_size=1, max_size=4), JSON)
def test_no_conversation_is_too_strange(messages: list[Any], system: Any) -> None:
    body = {"messages": messages, "system": system, "thinking": {"type": "enabled"}}
    assert all(isinstance(each, str) and each for each in taken(complaints(body, traits("sim"), 0)))


@settings(max_examples=300)
@given(st.lists(TALK, min_size=1, max_size=5))
def test_no_talk_is_too_strange(messages: list[Any]) -> None:
    body = {"messages": messages, "thinking": {"type": "enabled"}}
    assert all(isinstance(each, str) and each for each in taken(complaints(body, traits("sim-4-5"), 0)))
