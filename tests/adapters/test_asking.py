"""What a request asks last, in every dialect, and each reason why only an identical one may share its answer."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.anthropic_messages import ANTHROPIC_MESSAGES
from adapters.asking import BESIDE, HARMLESS, MEMBERS, OTHERWISE
from adapters.openai_chat import OPENAI_CHAT
from adapters.openai_embeddings import OPENAI_EMBEDDINGS
from adapters.openai_responses import OPENAI_RESPONSES
from adapters.question import PLACEHOLDER, Question
from adapters.vocabulary import Dialect

ALL = (OPENAI_CHAT, ANTHROPIC_MESSAGES, OPENAI_RESPONSES)
DIALECTS: dict[str, Dialect] = {"chat": OPENAI_CHAT, "messages": ANTHROPIC_MESSAGES, "responses": OPENAI_RESPONSES}


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content} | more


def text(words: str, kind: str = "text", **more: Any) -> dict[str, Any]:
    return {"type": kind, "text": words} | more


def turns_of(dialect: Dialect, *turns: Any, **more: Any) -> Question:
    return dialect.question({"input" if dialect is OPENAI_RESPONSES else "messages": list(turns)} | more)


@pytest.mark.parametrize("dialect", ALL)
def test_a_string_is_a_question(dialect: Dialect) -> None:
    turns = [user("first"), {"role": "assistant", "content": "one"}, user(" Was ist 2+2?\n", name="x")]
    question = turns_of(dialect, *turns, model="m")
    assert (question.text, question.exact) == (" Was ist 2+2?\n", "")
    member = "input" if dialect is OPENAI_RESPONSES else "messages"
    assert question.around == {"model": "m", member: [*turns[:2], user(PLACEHOLDER, name="x")]}


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize("kind", ["text", "input_text"])
def test_one_part_is_a_question(dialect: Dialect, kind: str) -> None:
    question = turns_of(dialect, user([text("a", kind, cache_control={"type": "ephemeral"})]))
    assert (question.text, question.exact) == ("a", "")
    [turn] = next(iter(question.around.values()))
    assert turn["content"] == [text(PLACEHOLDER, kind, cache_control={"type": "ephemeral"})]


def test_responses_may_be_asked_in_a_string() -> None:
    body = {"model": "m", "input": "a", "instructions": "b"}
    assert OPENAI_RESPONSES.question(body) == Question("a", body | {"input": PLACEHOLDER})


@pytest.mark.parametrize("dialect", ALL)
def test_the_body_is_left_as_it_was(dialect: Dialect) -> None:
    body = {"messages": [user([text("a")])], "input": [user([text("a")])]}
    before = copy.deepcopy(body)
    dialect.question(body)
    assert body == before


CALLED = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"arguments": "{}"}}]}
ASKED_TOOL = {
    "role": "assistant",
    "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {"type": "image"}}],
}
THOUGHT = {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm."}]}
RESULT = {"type": "tool_result", "tool_use_id": "1", "content": [text("ok")]}

FINE: list[tuple[str, dict[str, Any]]] = [
    ("chat", {"n": 1, "logprobs": False, "top_logprobs": 0, "prediction": None, "audio": None, "modalities": ["text"]}),
    ("chat", {"tool_choice": "auto", "function_call": "none", "web_search_options": None, "plugins": []}),
    ("chat", {"tools": [{"type": "function", "function": {"name": "f"}}, {"type": "custom"}, {"function": {}}]}),
    ("chat", {"temperature": 2, "response_format": {"type": "json_object"}, "seed": 1, "never_heard_of": "image"}),
    ("chat", {"messages": [user("a"), CALLED, {"role": "tool", "tool_call_id": "1", "content": "ok"}, user("b")]}),
    ("chat", {"messages": [user([text("a"), text("b")]), user([text("x", "refusal")]), user("b")]}),
    ("chat", {"messages": [{"role": "assistant", "content": "a", "audio": None, "images": []}, user("b")]}),
    ("messages", {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}, "tools": [{"name": "f"}]}),
    ("messages", {"messages": [user("a"), ASKED_TOOL, user([RESULT, text("x")]), CALLED, user("c")]}),
    ("messages", {"system": [text("a")], "messages": [THOUGHT, user("c")]}),
    ("responses", {"tool_choice": "auto", "include": ["reasoning.encrypted_content"], "store": False}),
    ("responses", {"input": [
        user([text("a", "input_text")]),
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "call_id": "1", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": [text("b", "input_text")]},
        {"type": "message", "role": "assistant", "content": [text("c", "output_text")]},
        user("d", type="message"),
    ]}),
]  # fmt: skip

USUAL: dict[str, dict[str, Any]] = {
    "chat": {"messages": [user("a")]},
    "messages": {"messages": [user("a")]},
    "responses": {"input": "a"},
}


@pytest.mark.parametrize(("name", "more"), FINE)
def test_what_leaves_room_for_an_equivalent_question(name: str, more: dict[str, Any]) -> None:
    question = DIALECTS[name].question(USUAL[name] | more)
    assert question.exact == ""
    assert question.text
    assert question.around


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
TOLD = {"type": "function_call_output", "call_id": "1", "output": "ok"}
BLANKS = ("", " \n\t", "\u00a0\u200b", "...", "?", "\x00")
FORCED: list[Any] = [
    "required", "any", "f", "", 1, True, [], {}, {"type": "function", "function": {"name": "f"}}, {"type": "any"},
    {"type": "tool", "name": "f"}, {"type": "allowed_tools", "mode": "required"}, {"type": ["auto"]}, {"name": "f"},
]  # fmt: skip

EXACT: list[tuple[str, dict[str, Any], str]] = [
    *[("chat", {"n": n}, "several choices") for n in (2, 0, "1", [], 1.5)],
    ("chat", {"best_of": 3}, "several choices"),
    ("chat", {"logprobs": True}, "logprobs"),
    ("chat", {"top_logprobs": 2}, "logprobs"),
    ("responses", {"top_logprobs": 2}, "logprobs"),
    ("responses", {"include": ["message.output_text.logprobs"]}, "logprobs"),
    ("chat", {"prediction": {"type": "content", "content": "a"}}, "prediction"),
    ("chat", {"audio": {"voice": "ash"}}, "audio"),
    ("chat", {"modalities": ["text", "audio"]}, "modalities"),
    ("chat", {"modalities": "text"}, "modalities"),
    ("chat", {"modalities": [["text"]]}, "modalities"),
    *[("chat", {"tool_choice": choice}, "forced tool") for choice in FORCED],
    *[("messages", {"tool_choice": choice}, "forced tool") for choice in FORCED],
    *[("responses", {"tool_choice": choice}, "forced tool") for choice in FORCED],
    ("chat", {"function_call": {"name": "f"}}, "forced tool"),
    ("chat", {"function_call": {"name": "auto"}}, "forced tool"),
    ("chat", {"web_search_options": {}}, "web_search_options"),
    ("chat", {"store": True}, "store"),
    ("chat", {"tools": [{"type": "function"}, {"type": "google_search"}]}, "server tools"),
    ("chat", {"tools": [{"type": None}]}, "server tools"),
    ("chat", {"plugins": [{"id": "web"}]}, "server tools"),
    ("chat", {"search_parameters": {"mode": "auto"}}, "server tools"),
    ("chat", {"data_sources": [{"type": "azure_search"}]}, "retrieved context"),
    ("chat", {"documents": [{"text": "a"}]}, "retrieved context"),
    ("messages", {"max_tokens": 0}, "max_tokens 0"),
    ("messages", {"tools": [{"type": "web_search_20260209"}]}, "server tools"),
    ("messages", {"container": "c"}, "container"),
    ("responses", {"tools": [{"type": "web_search"}]}, "tool web_search"),
    ("responses", {"previous_response_id": "r"}, "previous_response_id"),
    ("responses", {"conversation": "c"}, "conversation"),
    ("responses", {"background": True}, "background"),
    # What stands in the turns
    ("chat", {"messages": [user([IMAGE]), user("a")]}, "images"),
    ("chat", {"messages": [user([text("a"), IMAGE])]}, "images"),
    ("chat", {"messages": [{"role": "system", "content": [IMAGE]}, user("a")]}, "images"),
    ("chat", {"messages": [user("a", images=["AA=="])]}, "images"),
    ("chat", {"messages": [{"role": "assistant", "audio": {"id": "1"}}, user("a")]}, "audio"),
    ("chat", {"messages": [user([{"type": "input_audio"}]), user("a")]}, "audio"),
    ("chat", {"messages": [user([{"type": "video_url"}]), user("a")]}, "video"),
    ("chat", {"messages": [user([{"type": "file", "file": {}}]), user("a")]}, "files"),
    ("chat", {"messages": [user([{"type": "smell"}]), user("a")]}, "unknown content"),
    ("chat", {"messages": [user([{"text": "a"}]), user("a")]}, "unknown content"),
    ("chat", {"messages": [user([{}]), user("a")]}, "unknown content"),
    ("chat", {"messages": [user(["a"]), user("a")]}, "unknown content"),
    ("chat", {"messages": [user({"type": "text", "text": "a"}), user("a")]}, "unknown content"),
    ("chat", {"messages": [user(1), user("a")]}, "unknown content"),
    ("chat", {"messages": ["a", user("a")]}, "unknown content"),
    ("chat", {"messages": [{"content": "a"}, user("a")]}, "unknown content"),
    ("chat", {"messages": [{"role": "x", "type": {}}, user("a")]}, "unknown content"),
    ("messages", {"messages": [user([{"type": "document"}]), user("a")]}, "files"),
    ("messages", {"messages": [user([{"type": "search_result"}]), user("a")]}, "retrieved context"),
    ("messages", {"messages": [user([RESULT | {"content": [{"type": "image"}]}]), user("a")]}, "images"),
    ("messages", {"messages": [user([{"type": "server_tool_use"}]), user("a")]}, "server tools"),
    ("messages", {"system": [{"type": "image"}]}, "images"),
    ("messages", {"system": 1}, "unknown content"),
    ("responses", {"input": [user([{"type": "input_image"}]), user("a")]}, "images"),
    ("responses", {"input": [user([{"type": "input_file"}]), user("a")]}, "files"),
    ("responses", {"input": [TOLD | {"output": [{"type": "input_image"}]}, user("a")]}, "images"),
    ("responses", {"input": [{"type": "web_search_call"}, user("a")]}, "server tools"),
    ("responses", {"input": [{"type": "computer_call"}, user("a")]}, "unknown content"),
    ("responses", {"input": [{"type": "item_reference", "id": "1"}, user("a")]}, "item_reference"),
    # What stands last
    ("chat", {"messages": [user("a"), CALLED, {"role": "tool", "content": "ok"}]}, "tools pending"),
    ("messages", {"messages": [user("a"), ASKED_TOOL, user([RESULT])]}, "tools pending"),
    ("messages", {"messages": [user("a"), ASKED_TOOL, user([RESULT, text("b")])]}, "tools pending"),
    ("responses", {"input": [user("a"), TOLD]}, "tools pending"),
    ("chat", {"messages": [user("a"), {"role": "assistant", "content": "b"}]}, "begun answer"),
    ("messages", {"messages": [user("a"), {"role": "assistant", "content": "b"}]}, "begun answer"),
    ("chat", {"messages": [user("a"), {"role": "system", "content": "b"}]}, "no question"),
    ("chat", {"messages": [user([text("a"), text("b")])]}, "several parts"),
    ("responses", {"input": [user([text("a", "input_text"), text("b", "input_text")])]}, "several parts"),
    ("chat", {"messages": [user([])]}, "no question"),
    ("chat", {"messages": [user([text("a", "refusal")])]}, "no question"),
    ("chat", {"messages": [user(None)]}, "no question"),
    ("chat", {"messages": [{"role": "user"}]}, "no question"),
    ("responses", {"input": [user("a", type="reasoning")]}, "no question"),
    *[("chat", {"messages": [user(blank)]}, "no question") for blank in BLANKS],
    ("responses", {"input": " "}, "no question"),
    ("responses", {"input": []}, "no question"),
    ("responses", {"input": None}, "no question"),
    ("responses", {"input": ["a"]}, "unknown content"),
    ("chat", {"messages": []}, "no question"),
    ("chat", {"messages": {"role": "user", "content": "a"}}, "no question"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "more", "reason"), EXACT)
def test_where_only_an_identical_request_will_do(name: str, more: dict[str, Any], reason: str) -> None:
    assert DIALECTS[name].question(USUAL[name] | more).exact == reason


def test_each_row_of_the_tables_is_a_reason() -> None:
    for name, reason in MEMBERS.items():
        assert OPENAI_CHAT.question(USUAL["chat"] | {name: "x"}).exact in (reason, name)
    for name, reason in BESIDE.items():
        assert turns_of(OPENAI_CHAT, user("a", **{name: ["x"]})).exact == reason
    for kind, reason in OTHERWISE.items():
        assert turns_of(OPENAI_CHAT, user([{"type": kind}]), user("a")).exact == reason
    for kind in HARMLESS:
        assert turns_of(OPENAI_CHAT, user([{"type": kind}]), user("a")).exact == ""
    assert not set(HARMLESS) & set(OTHERWISE)


def test_why_may_stand_in_a_header_line() -> None:
    reasons = {reason for _, _, reason in EXACT} | set(OTHERWISE.values()) | set(MEMBERS.values())
    assert all(reason.isascii() and reason.isprintable() and len(reason) < 40 for reason in reasons)


@pytest.mark.parametrize("words", ["42", "日本の首都は?", "Ü", "é?", "3 < 4"])
def test_a_word_in_any_script_is_a_question(words: str) -> None:
    assert turns_of(OPENAI_CHAT, user(words)).exact == ""


def test_content_of_any_depth_is_walked_without_an_error() -> None:
    deep: Any = [{"type": "image"}]
    for _ in range(50_000):
        deep = [{"type": "tool_result", "content": deep}]
    assert turns_of(ANTHROPIC_MESSAGES, user(deep), user("a")).exact == "images"


@pytest.mark.parametrize("given", ["a", ["a"], [1, 2], None])
def test_a_vector_is_one_of_this_very_text(given: Any) -> None:
    assert OPENAI_EMBEDDINGS.question({"model": "m", "input": given}) == Question(exact="embeddings")


NAMES = st.sampled_from(["type", "role", "content", "text", "output", "user", "messages", "input", "system", "tools"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["user", "text", "message", "a", "", PLACEHOLDER]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
MORE = st.sampled_from([*MEMBERS, "n", "tool_choice", "function_call", "modalities", "include", "tools"])


@given(st.sampled_from([*ALL, OPENAI_EMBEDDINGS]), st.dictionaries(NAMES | MORE, VALUES))
def test_any_json_is_a_question_or_says_why_not(dialect: Dialect, body: dict[str, Any]) -> None:
    question = dialect.question(body)
    assert question.exact or (any(map(str.isalnum, question.text)) and question.around)
    if question.around:
        assert repr(PLACEHOLDER) in repr(question.around)
