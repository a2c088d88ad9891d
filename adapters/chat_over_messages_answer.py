"""From an Anthropic message to the chat completion that says the same.

What chat completions have no member for travels in members of our own, so that a client which sends the turn back
loses nothing: `thinking_blocks` and `content_blocks` of the message; `native_finish_reason`, `stop_sequence` and
`stop_details` of the choice; `cache_creation` among the details of the prompt's tokens, and what else the provider
reports under `usage`.

Sources: the types of Anthropic's SDK 2.11 and of OpenAI's SDK 3.52 (read 2026-11).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from adapters.body import mapping
from adapters.errors import Unfoldable
from adapters.translation import Terms
from adapters.usage import count

Block = dict[str, Any]
"""A content block as the provider sent it."""

FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "pause_turn": "length",
}
"""Stop reason to finish reason; any other is `stop`. A paused turn is not the whole answer, as if it were cut."""

TOLD = frozenset({"end_turn", "max_tokens", "tool_use", "refusal"})
"""Stop reasons that the finish reason tells; the others stand beside it, as `native_finish_reason`."""

REFUSED = "The model declined to answer."
"""What a refusal says that gives no explanation: an empty refusal would look like none."""

TIERS = {"standard": "default"}
"""Service tiers that have another name at OpenAI."""

BESIDE = ("container", "context_management", "diagnostics", "input_transformations")
"""Members of a message that are handed on as they are: a container is named again in the next request."""

COUNTED = frozenset(
    {
        "input_tokens",
        "output_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "cache_creation",
        "output_tokens_details",
        "service_tier",
    }
)
"""Members of usage that have a place of their own in the client's; the others keep their names."""

RANK = {"thinking": 0, "redacted_thinking": 0, "text": 1, "tool_use": 2}
"""The order in which a turn is rebuilt from the members of a chat message."""

MEMBERS = {"text": {"type", "text"}, "tool_use": {"type", "id", "name", "input"}}
"""Of such a block the client's members tell everything. Thinking is handed on whole."""

_encode = msgspec.json.Encoder().encode


def answer(message: Mapping[str, Any], terms: Terms, now: float) -> dict[str, Any]:
    """The chat completion; `now` in epoch seconds. Raises `Unfoldable` where the message is none."""
    if not isinstance(message, Mapping) or message.get("type") != "message":
        raise Unfoldable("the answer is no message")
    content = content_of(message)
    said: dict[str, Any] = {"role": "assistant", "content": None, "refusal": refusal_of(message)}
    text = "".join(block["text"] for block in content if block["type"] == "text")
    calls = [call_of(block) for block in content if block["type"] == "tool_use"]
    if text or not calls:
        said["content"] = text
    thoughts = [block for block in content if RANK.get(block["type"]) == 0]
    if terms.reasoning and (reasoning := "".join(map(thought_of, thoughts))):
        said["reasoning_content"] = reasoning
    annotations = list(_annotations(content))
    for name, items in (("thinking_blocks", thoughts), ("tool_calls", calls), ("annotations", annotations)):
        if items:
            said[name] = items
    if not restorable(content):
        said["content_blocks"] = content
    whole = {"id": name_of(message, "id"), "object": "chat.completion", "created": int(now)}
    whole["model"] = name_of(message, "model")
    whole["choices"] = [{"index": 0, "message": said, "logprobs": None} | ending(message)]
    native = mapping(message.get("usage"))
    if usage := usage_of(native):
        whole["usage"] = usage
    return whole | tier_of(native) | beside(message)


def content_of(message: Mapping[str, Any]) -> list[Block]:
    """The content blocks; raises `Unfoldable` where there is one that nobody could read."""
    content = message.get("content")
    if type(content) is not list:
        raise Unfoldable("the message has no content")
    for block in content:
        check(block)
    return content


def check(block: Any) -> None:
    """Raises `Unfoldable` where a block, or what the client is to see of it, is of no known form."""
    if type(block) is not dict or type(block.get("type")) is not str:
        raise Unfoldable("a content block has no type")
    if block["type"] == "text" and type(block.get("text")) is not str:
        raise Unfoldable("a text block has no text")
    if block["type"] == "tool_use" and (type(block.get("id")) is not str or type(block.get("name")) is not str):
        raise Unfoldable("a tool call has no id or no name")


def call_of(block: Block, arguments: str | None = None) -> dict[str, Any]:
    """The tool call; its arguments are the input encoded, where they are not given."""
    text = arguments_of(block) if arguments is None else arguments
    return {"id": block["id"], "type": "function", "function": {"name": block["name"], "arguments": text}}


def arguments_of(block: Block) -> str:
    """Compact JSON in the order of the provider; raises `Unfoldable` where JSON cannot hold the input."""
    given = block.get("input")
    try:
        return _encode({} if given is None else given).decode()
    except (msgspec.MsgspecError, TypeError, UnicodeEncodeError, RecursionError) as error:
        raise Unfoldable("the input of a tool cannot be encoded") from error


def thought_of(block: Block) -> str:
    thought = block.get("thinking")
    return thought if isinstance(thought, str) else ""


def _annotations(content: Iterable[Block]) -> Iterable[dict[str, Any]]:
    start = 0
    for block in content:
        if block["type"] == "text":
            yield from annotations_of(block.get("citations"), start, start + len(block["text"]))
            start += len(block["text"])


def annotations_of(citations: Any, start: int, end: int) -> list[dict[str, Any]]:
    """What a text block cites from the web, as citations of the characters from `start` up to `end` in the content.

    Citations of documents have no form in chat completions.
    """
    found = []
    for citation in map(mapping, citations) if isinstance(citations, list) else ():
        url, title = citation.get("url"), citation.get("title")
        if citation.get("type") == "web_search_result_location" and isinstance(url, str):
            place = {"start_index": start, "end_index": end, "url": url}
            place["title"] = title if isinstance(title, str) else ""
            found.append({"type": "url_citation", "url_citation": place})
    return found


def restorable(content: Sequence[Block]) -> bool:
    """Whether thinking, then the text in one block, then the tool calls are the very content.

    Empty texts and empty members count for nothing: the provider refuses the former when they are sent back.
    """
    rank = 0
    for block in content:
        kind = block["type"]
        if kind == "text" and not block["text"] and not block.get("citations"):
            continue
        here = RANK.get(kind, -1)
        if here < rank or (here == rank == RANK["text"]):
            return False  # out of order, unknown, or a second text
        rank = here
        if here and {name for name, value in block.items() if value is not None and value != []} != MEMBERS[kind]:
            return False
        if kind == "tool_use" and type(block["input"]) is not dict:
            return False
    return True


def refusal_of(message: Mapping[str, Any]) -> str | None:
    if message.get("stop_reason") != "refusal":
        return None
    explanation = mapping(message.get("stop_details")).get("explanation")
    return explanation if isinstance(explanation, str) and explanation else REFUSED


def ending(message: Mapping[str, Any]) -> dict[str, Any]:
    """Why the answer ended: the members of the choice, among them what the finish reason does not tell."""
    reason, sequence, details = (message.get(name) for name in ("stop_reason", "stop_sequence", "stop_details"))
    told: dict[str, Any] = {"finish_reason": FINISH.get(reason, "stop") if isinstance(reason, str) else "stop"}
    if not isinstance(reason, str) or reason not in TOLD:
        told["native_finish_reason"] = reason
    if sequence is not None:
        told["stop_sequence"] = sequence
    if details is not None:
        told["stop_details"] = details
    return told


def usage_of(native: Mapping[str, Any]) -> dict[str, Any]:
    """Tokens in OpenAI's shape, where the prompt includes what was read from and written to the cache; empty where the
    provider counted none, which is not the same as zero.

    Writes are the larger of their total and the sum of their classes: the total grows while a server tool runs, and
    some who copied the format report only the classes.
    """
    if not any(type(native.get(name)) is int for name in ("input_tokens", "output_tokens")):
        return {}
    ages = mapping(native.get("cache_creation"))
    classes = count(ages, "ephemeral_5m_input_tokens") + count(ages, "ephemeral_1h_input_tokens")
    written, read = max(count(native, "cache_creation_input_tokens"), classes), count(native, "cache_read_input_tokens")
    prompt, output = count(native, "input_tokens") + written + read, count(native, "output_tokens")
    prompted: dict[str, Any] = {"cached_tokens": read, "cache_write_tokens": written}
    if ages:
        prompted["cache_creation"] = ages
    usage: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": prompted,
    }
    details = native.get("output_tokens_details")
    if isinstance(details, dict):  # where it is absent, nobody knows how much of the output was thinking
        more = {name: value for name, value in details.items() if name != "thinking_tokens"}
        usage["completion_tokens_details"] = {"reasoning_tokens": count(details, "thinking_tokens")} | more
    return {name: value for name, value in native.items() if value is not None and name not in COUNTED} | usage


def tier_of(native: Mapping[str, Any]) -> dict[str, str]:
    tier = native.get("service_tier")
    return {"service_tier": TIERS.get(tier, tier)} if isinstance(tier, str) else {}


def beside(message: Mapping[str, Any]) -> dict[str, Any]:
    return {name: message[name] for name in BESIDE if message.get(name) is not None}


def name_of(message: Mapping[str, Any], member: str) -> str:
    """Empty where the provider gives none: clients demand a string."""
    value = message.get(member)
    return value if isinstance(value, str) else ""
