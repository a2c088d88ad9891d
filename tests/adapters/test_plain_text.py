"""Answers that are a text and nothing else, in every dialect, and all that makes one more than that."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.anthropic_messages import ANTHROPIC_MESSAGES
from adapters.openai_chat import OPENAI_CHAT
from adapters.openai_embeddings import OPENAI_EMBEDDINGS
from adapters.openai_responses import OPENAI_RESPONSES


def chat(content: Any = "Paris.", **more: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": content, "refusal": None, "annotations": []} | more
    return {"id": "1", "choices": [{"index": 0, "message": said, "finish_reason": "stop"}], "usage": {}}


def claude(*blocks: Any) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": list(blocks), "stop_reason": "end_turn"}


def text(words: Any = "Paris.", **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words} | more


def responses(*output: Any) -> dict[str, Any]:
    return {"object": "response", "status": "completed", "output": list(output)}


def part(words: Any = "Paris.", **more: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": words, "annotations": [], "logprobs": []} | more


def item(*parts: Any) -> dict[str, Any]:
    return {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": list(parts)}


CHAT: list[tuple[Any, str | None]] = [
    (chat(), "Paris."),
    (chat(" Paris.\n"), " Paris.\n"),
    (chat(reasoning_content="Hm.", reasoning="Hm.", tool_calls=None, function_call=None, audio=None), "Paris."),
    (chat(tool_calls=[]), "Paris."),
    (chat([text("Pa"), text("ris.")]), "Paris."),
    (chat([{"type": "thinking", "thinking": []}, text()]), "Paris."),
    (chat(None), None),
    (chat(""), None),
    (chat(" \n"), None),
    (chat(None, reasoning_content="Hm."), None),
    (chat(5), None),
    (chat([]), None),
    (chat(["Paris."]), None),
    (chat([{"type": "image_url"}]), None),
    (chat([text(), {"type": "image_url"}]), None),
    (chat([text(5)]), None),
    (chat([text(citations=[1])]), None),
    (chat(tool_calls=[{"id": "1"}]), None),
    (chat(None, tool_calls=[{"id": "1"}]), None),
    (chat(function_call={"name": "f"}), None),
    (chat(None, refusal="No."), None),
    (chat(refusal="No."), None),
    (chat(annotations=[{"type": "url_citation"}]), None),
    (chat(audio={"id": "1"}), None),
    (chat(images=[{}]), None),
    (chat(never_heard_of=1), None),
    (chat() | {"citations": ["https://example.org"]}, None),
    (chat() | {"citations": []}, "Paris."),
    (chat() | {"search_results": [{}]}, None),
    (chat() | {"choices": chat()["choices"] * 2}, None),
    (chat() | {"choices": []}, None),
    (chat() | {"choices": {}}, None),
    (chat() | {"choices": [None]}, None),
    ({"error": {}}, None),
    ({}, None),
]

MESSAGES: list[tuple[Any, str | None]] = [
    (claude(text()), "Paris."),
    (claude(text("Pa"), text("ris.", citations=None)), "Paris."),
    (claude({"type": "thinking", "thinking": "Hm.", "signature": "x"}, text()), "Paris."),
    (claude({"type": "redacted_thinking", "data": "x"}, text(), {"type": "thinking"}), "Paris."),
    (claude({"type": "thinking", "thinking": "Hm."}), None),
    (claude(), None),
    (claude(text("")), None),
    (claude(text(None)), None),
    (claude(text(), "a"), None),
    (claude(text(), {"type": "tool_use", "id": "1", "name": "f", "input": {}}), None),
    (claude(text(), {"type": "server_tool_use"}), None),
    (claude(text(citations=[{"type": "web_search_result_location"}])), None),
    (claude(text(never_heard_of=1)), None),
    (claude({"type": ["text"], "text": "a"}), None),
    ({"content": "Paris."}, None),
    ({"content": None}, None),
    ({}, None),
]

RESPONSES: list[tuple[Any, str | None]] = [
    (responses(item(part())), "Paris."),
    (responses({"type": "reasoning", "summary": [{"text": "Hm."}]}, item(part())), "Paris."),
    (responses(item(part("Pa"), part("ris.")), item(part("!"))), "Paris.!"),
    (responses(item(part(logprobs=[{"token": "Paris."}]))), "Paris."),
    (responses({"type": "reasoning"}), None),
    (responses(), None),
    (responses(item()), None),
    (responses(item(part(" "))), None),
    (responses(item(part()), item(part(None))), None),
    (responses(item(part(annotations=[{"type": "url_citation"}]))), None),
    (responses(item({"type": "refusal", "refusal": "No."})), None),
    (responses(item(part(), {"type": "refusal", "refusal": "No."})), None),
    (responses(item(part()), {"type": "function_call", "name": "f"}), None),
    (responses({"type": "web_search_call"}, item(part())), None),
    (responses(item(part()), "a"), None),
    (responses({"type": "message", "content": "Paris."}), None),
    ({"output": {"type": "message"}}, None),
    ({}, None),
]


@pytest.mark.parametrize(("message", "expected"), CHAT)
def test_chat(message: Any, expected: str | None) -> None:
    assert OPENAI_CHAT.plain_text(message) == expected


@pytest.mark.parametrize(("message", "expected"), MESSAGES)
def test_messages(message: Any, expected: str | None) -> None:
    assert ANTHROPIC_MESSAGES.plain_text(message) == expected


@pytest.mark.parametrize(("message", "expected"), RESPONSES)
def test_responses(message: Any, expected: str | None) -> None:
    assert OPENAI_RESPONSES.plain_text(message) == expected


def test_a_vector_is_no_text() -> None:
    assert OPENAI_EMBEDDINGS.plain_text({"data": [{"index": 0, "embedding": [0.5]}]}) is None


@pytest.mark.parametrize("dialect", [OPENAI_CHAT, ANTHROPIC_MESSAGES, OPENAI_RESPONSES])
def test_a_text_that_was_streamed_is_the_same(dialect: Any) -> None:
    message = {"openai-chat": chat(), "anthropic-messages": claude(text()), "openai-responses": responses(item(part()))}
    whole = message[dialect.name] | {"model": "m", "id": "1", "usage": {}}
    assert dialect.plain_text(dialect.fold(dialect.unfold(whole, usage=True))) == "Paris."


NAMES = st.sampled_from(["choices", "message", "content", "output", "type", "text"])
VALUES = st.recursive(
    st.none() | st.integers() | st.sampled_from(["text", "output_text", "message", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, VALUES))
def test_any_json_is_a_text_or_none(message: dict[str, Any]) -> None:
    for dialect in (OPENAI_CHAT, ANTHROPIC_MESSAGES, OPENAI_RESPONSES):
        found = dialect.plain_text(message)
        assert found is None or found.strip()
