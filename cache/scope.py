"""Who may be compared with whom, beside what the dialects say: texts in a provider's body, and marks of context. Pure.

Both know no dialect: turns stand in `messages` or `input` in all of them, instructions in `system` or `instructions`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adapters.body import mapping
from adapters.question import PLACEHOLDER, Question

MARKERS = (
    "<context>",
    "<document>",
    "<documents>",
    "<retrieved_context>",
    "<retrieved_documents>",
    "<search_result>",
    "<search_results>",
    "<memory>",
    "<memories>",
    "<user_profile>",
    "<user_info>",
    "<user_data>",
    "## Retrieved",
)
"""What prompts write over text that was retrieved for one request, or that is about one person."""

TURNS = ("messages", "input")
INSTRUCTIONS = ("system", "instructions")
INSTRUCTING = ("system", "developer")

ENDS_NAME = " \t\n\r/>"
"""What may follow the name of a tag."""


def without_text(body: Mapping[str, Any], text: str) -> dict[str, Any] | None:
    """A provider's body with the placeholder for the text of its last turn; None where that is not this very text, but
    something that was made of it."""
    for member in TURNS:
        turns = body.get(member)
        if isinstance(turns, str):
            return {**body, member: PLACEHOLDER} if turns == text else None
        if isinstance(turns, list) and turns and isinstance(turns[-1], dict):
            content = _without(turns[-1].get("content"), text)
            return None if content is None else {**body, member: [*turns[:-1], {**turns[-1], "content": content}]}
    return None


def _without(content: Any, text: str) -> Any:
    """A turn may have more than this text: results of tools that the client sent as messages of their own."""
    if isinstance(content, str):
        return PLACEHOLDER if content == text else None
    if isinstance(content, list) and content and mapping(content[-1]).get("text") == text:
        return [*content[:-1], {**content[-1], "text": PLACEHOLDER}]
    return None


def marked(question: Question, markers: Sequence[str] = MARKERS) -> str:
    """The first of `markers` that stands in the question or in the instructions; empty where none does.

    Letter case and the kind of line ends do not matter. One of the form `<name>` stands for the tag with attributes
    too. An empty marker is no marker.
    """
    texts = [text.replace("\r\n", "\n").lower() for text in (question.text, *_instructions(question.around))]
    return next((marker for marker in markers if marker and any(_stands(marker.lower(), text) for text in texts)), "")


def _stands(marker: str, text: str) -> bool:
    if not (marker.startswith("<") and marker.endswith(">")):
        return marker in text
    begun = marker[:-1]
    # What follows the name says whether it is this tag or one with a longer name.
    return any(rest[:1] in ENDS_NAME for rest in text.split(begun)[1:] if rest)


def _instructions(body: Mapping[str, Any]) -> Iterator[str]:
    for name in INSTRUCTIONS:
        yield from _texts(body.get(name))
    for member in TURNS:
        turns = body.get(member)
        for turn in map(mapping, turns if isinstance(turns, list) else ()):
            if turn.get("role") in INSTRUCTING:
                yield from _texts(turn.get("content"))


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        text = mapping(part).get("text")
        if isinstance(text, str):
            yield text
