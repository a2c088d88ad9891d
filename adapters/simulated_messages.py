"""What the simulated provider says in the shape of Anthropic's Messages: a pure function of the seed and the request.

Marks for the prompt cache, and whether a text stands alone or in a block, change nothing of what is said. Thinking
comes with a signature that only this provider can make for that text, so that a block which was lost or changed on its
way through a client is noticed (`is_signed`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from adapters.body import mapping
from adapters.breakpoint_prompt import blocks_of, listed, rendered, unmarked
from adapters.prompt import Billed
from adapters.schema_example import example
from adapters.simulated_answer import EFFORT, THOUGHTS, Dice, clip, mentioned, prose, quoted
from adapters.simulated_models import traits

RENDERED = frozenset({"model", "tools", "system", "messages", "thinking", "output_config", "tool_choice", "speed"})
"""Members that are read where the prompt is rendered."""

UNHEARD = frozenset({"stream", "cache_control", "diagnostics", "inference_geo", "metadata", "service_tier"})
"""Members that change how an answer travels or what it costs, never what it says."""

NONCE, SEAL = 12, 32
"""Bytes of a signature: of the thought behind it, and over what was shown of it."""


class Said(NamedTuple):
    """A part of an answer, the tokens it took, and why the answer ended with it; None where it goes on."""

    content: list[dict[str, Any]]
    tokens: int
    stop: str | None = None
    sequence: str | None = None


def answer(body: Mapping[str, Any], *, seed: int, billed: Billed) -> dict[str, Any]:
    """The whole answer (`Message` of Anthropic's SDK) to a request without objection, whose prompt was `billed`."""
    digest = digest_of(body, seed)
    quote, limit = quoted(_last_question(body)), body["max_tokens"]
    thought = _thought(body, quote, limit, seed)
    spoken = Said([], 0, "max_tokens")
    if limit > thought.tokens and not thought.stop:
        left = limit - thought.tokens
        tools = _called(body)
        spoken = _calls(tools, quote, digest, left) if tools else _text(body, quote, digest, left)
    return {
        "id": f"msg_{digest.hex()[:24]}",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [*thought.content, *spoken.content],
        "stop_reason": spoken.stop,
        "stop_sequence": spoken.sequence,
        "usage": _usage(billed, thought.tokens + spoken.tokens, thought.tokens),
    }


def _usage(billed: Billed, output: int, thinking: int) -> dict[str, Any]:
    return {
        "input_tokens": billed.uncached,
        "cache_creation_input_tokens": billed.write_5m + billed.write_1h,
        "cache_read_input_tokens": billed.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": billed.write_5m,
            "ephemeral_1h_input_tokens": billed.write_1h,
        },
        "output_tokens": output,
        "output_tokens_details": {"thinking_tokens": thinking},
        "service_tier": "standard",
    }


def digest_of(body: Mapping[str, Any], seed: int) -> bytes:
    """32 bytes that two requests share exactly if they get the same answer."""
    heard = [(role, unmarked(block)) for role, block, _ in rendered(body, thinks(body))]
    rest = {name: value for name, value in body.items() if name not in RENDERED | UNHEARD}
    rest["display"] = mapping(body.get("thinking")).get("display")
    return hashlib.sha256(b"%d:" % seed + msgspec.json.encode([heard, rest], order="deterministic")).digest()


def thinks(body: Mapping[str, Any]) -> str:
    """The type of thinking of a request, its model's own where it names none; empty for none."""
    kind = mapping(body.get("thinking")).get("type", traits(str(body.get("model"))).thinks)
    return kind if isinstance(kind, str) and kind != "disabled" else ""


def signed(thought: str, shown: str, seed: int) -> str:
    """The signature of a thought of which `shown` is told: the thought, or nothing."""
    nonce = hashlib.sha256(thought.encode("utf-8", "surrogatepass")).digest()[:NONCE]
    return base64.b64encode(nonce + _seal(nonce, shown, seed)).decode()


def is_signed(shown: Any, signature: Any, seed: int) -> bool:
    """Whether this provider made the signature, for this text."""
    if not isinstance(shown, str) or not isinstance(signature, str):
        return False
    try:
        raw = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(raw) == NONCE + SEAL and raw[NONCE:] == _seal(raw[:NONCE], shown, seed)


def _seal(nonce: bytes, shown: str, seed: int) -> bytes:
    return hashlib.sha256(b"%d:" % seed + nonce + shown.encode("utf-8", "surrogatepass")).digest()


def _thought(body: Mapping[str, Any], quote: str, limit: int, seed: int) -> Said:
    """The thinking before the answer. It spends the limit first, and a budget ends it without ending the answer."""
    thinking, kind = mapping(body.get("thinking")), thinks(body)
    if kind not in ("adaptive", "enabled") or not limit:
        return Said([], 0)
    effort = mapping(body.get("output_config")).get("effort") or "high"
    text = " ".join(THOUGHTS[: EFFORT.get(str(effort), 0)]).format(quote=quote)
    if kind == "enabled":
        text, _, _ = clip(text, thinking["budget_tokens"])
    text, tokens, cut = clip(text, limit)
    display = thinking.get("display") or ("summarized" if traits(body["model"]).shown else "omitted")
    shown = text if display == "summarized" else ""
    block = {"type": "thinking", "thinking": shown, "signature": signed(text, shown, seed)}
    return Said([block], tokens, "max_tokens" if cut else None)


def _text(body: Mapping[str, Any], quote: str, digest: bytes, limit: int) -> Said:
    wanted = mapping(mapping(body.get("output_config")).get("format"))
    if wanted:
        whole = msgspec.json.encode(example(wanted.get("schema"), quote)).decode()
    else:
        whole = prose(quote, Dice(digest, "text"))
    text, tokens, cut = clip(whole, limit)
    stop, sequence = "max_tokens" if cut else "end_turn", None
    ends = [(text.find(end), end) for end in body.get("stop_sequences") or () if end in text]
    if ends:
        place, sequence = min(ends)
        stop, (text, tokens, _) = "stop_sequence", clip(text[:place], None)
    return Said([{"type": "text", "text": text}] if text else [], tokens, stop, sequence)


def _calls(tools: list[dict[str, Any]], quote: str, digest: bytes, limit: int) -> Said:
    """The calls that the limit allows; one whose input it cuts has none, as a stream that breaks off there."""
    content: list[dict[str, Any]] = []
    spent = 0
    for place, tool in enumerate(tools):
        arguments = mapping(example(tool.get("input_schema"), quote))
        _, tokens, cut = clip(msgspec.json.encode(arguments).decode(), limit - spent)
        spent += tokens
        name = f"toolu_{Dice(digest, f'tool {place}').hexadecimal(24)}"
        call = {"type": "tool_use", "id": name, "name": tool["name"], "input": {} if cut else arguments}
        if tokens:
            content.append(call)
        if cut:
            return Said(content, spent, "max_tokens")
    return Said(content, spent, "tool_use")


def _called(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tools this answer calls: the forced one, or those whose names the last user turn mentions.

    A turn of results alone mentions nothing, so that what has been called is not called again: an agent must come home.
    """
    choice = mapping(body.get("tool_choice"))
    tools = [tool for tool in listed(body.get("tools")) if tool.get("type") in (None, "custom")]
    match choice.get("type"):
        case "none":
            return []
        case "tool":
            return [tool for tool in tools if tool["name"] == choice.get("name")][:1]
    last = body["messages"][-1]
    blocks = blocks_of(last.get("content")) if last.get("role") == "user" else []
    named = mentioned(tools, _texts(blocks)) or (tools[:1] if choice.get("type") == "any" else [])
    return named[:1] if choice.get("disable_parallel_tool_use") is True else named


def _last_question(body: Mapping[str, Any]) -> str:
    """The text of the last user turn that has any: turns with nothing but results ask nothing."""
    for message in reversed(body["messages"]):
        if message.get("role") == "user" and (text := _texts(blocks_of(message.get("content")))):
            return text
    return ""


def _texts(blocks: list[dict[str, Any]]) -> str:
    return " ".join(str(block.get("text")) for block in blocks if block.get("type") == "text")
