"""The text of an answer that is nothing but one, in each dialect. Pure.

Only such an answer can be compared with another, or be given to a question that it was not made for. Whatever else an
answer may consist of is in no table here, so what the next version of a provider adds makes it something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from adapters.body import mapping

BESIDE_TEXT = frozenset(("role", "content", "name", "reasoning", "reasoning_content", "reasoning_details", "thinking"))
"""Members of a message in chat completions that may stand beside a text: who speaks, and thoughts, under the names that
DeepSeek, OpenRouter, vLLM and others have for them (read 2026-11). Any other must be empty."""

SOURCES = ("citations", "search_results", "grounding_metadata")
"""Members of a whole answer that tell what was found for it (Perplexity, xAI, Gemini; read 2026-11)."""

THOUGHTS = ("thinking", "redacted_thinking")
IN_PART = ("type", "text", "logprobs")
IN_BLOCK = ("type", "text", "cache_control")


def chat_text(message: Mapping[str, Any]) -> str | None:
    """Of one choice: no tool calls, refusal, audio, images, annotations."""
    choices = message.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or any(message.get(name) for name in SOURCES):
        return None
    said = mapping(mapping(choices[0]).get("message"))
    if any(value for name, value in said.items() if name not in BESIDE_TEXT):
        return None
    content = said.get("content")
    if isinstance(content, list):
        return _joined(content, IN_BLOCK, "text", THOUGHTS)
    return _worded([content])


def messages_text(message: Mapping[str, Any]) -> str | None:
    """Of text blocks without citations; thoughts may stand before and between them."""
    content = message.get("content")
    return _joined(content, IN_BLOCK, "text", THOUGHTS) if isinstance(content, list) else None


def responses_text(message: Mapping[str, Any]) -> str | None:
    """Of the messages in the output, without annotations; reasoning may stand before and between them."""
    output = message.get("output")
    texts: list[Any] = []
    for item in output if isinstance(output, list) else ():
        kind = mapping(item).get("type")
        if kind == "reasoning":
            continue
        content = mapping(item).get("content")
        text = _joined(content, IN_PART, "output_text", ()) if kind == "message" and isinstance(content, list) else None
        if text is None:
            return None
        texts.append(text)
    return _worded(texts)


def _joined(parts: Iterable[Any], members: tuple[str, ...], kind: str, silent: tuple[str, ...]) -> str | None:
    """None where one of the parts is neither of this kind nor one of those that say nothing to the user, or has another
    member that is not empty."""
    texts: list[Any] = []
    for part in map(mapping, parts):
        if part.get("type") in silent:
            continue
        if part.get("type") != kind or any(value for name, value in part.items() if name not in members):
            return None
        texts.append(part.get("text"))
    return _worded(texts)


def _worded(texts: list[Any]) -> str | None:
    """None where one is no text, or there is nothing to read in all of them."""
    if not all(isinstance(text, str) for text in texts):
        return None
    text = "".join(texts)
    return text if text.strip() else None
