"""Whole messages as Anthropic sends them, and the streams that amount to them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from adapters.sse import Frame, frame_of

Block = dict[str, Any]

USAGE = {"input_tokens": 25, "output_tokens": 15}
DETAILED = {
    "input_tokens": 7,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 4000,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
    "output_tokens": 90,
    "output_tokens_details": {"thinking_tokens": 60},
    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
    "service_tier": "standard",
    "speed": "standard",
    "inference_geo": "us",
}


def message(*content: Block, stop: Any = "end_turn", usage: Any = USAGE, **more: Any) -> dict[str, Any]:
    head = {"id": "msg_01", "type": "message", "role": "assistant", "model": "claude-opus-5-5", "content": [*content]}
    return head | {"stop_reason": stop, "stop_sequence": None, "usage": usage} | more


def text(said: str, *citations: Block, **more: Any) -> Block:
    return {"type": "text", "text": said} | ({"citations": [*citations]} if citations else {}) | more


def tool(ident: str, given: Any, name: str = "weather", **more: Any) -> Block:
    return {"type": "tool_use", "id": ident, "name": name, "input": given, **more}


def thinking(thought: str, signature: str = "EqQBsig==", **more: Any) -> Block:
    return {"type": "thinking", "thinking": thought, "signature": signature, **more}


def redacted(data: str = "EmwKAhgB") -> Block:
    return {"type": "redacted_thinking", "data": data}


def web(url: str, title: str | None = "A title") -> Block:
    where = {"type": "web_search_result_location", "cited_text": "so it is", "encrypted_index": "Eo8BCioIAhgB"}
    return where | {"url": url, "title": title}


CHARS = {
    "type": "char_location",
    "cited_text": "grass is green",
    "document_index": 0,
    "document_title": None,
    "start_char_index": 0,
    "end_char_index": 14,
}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "tide at Brest"}}
FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [
        {"type": "web_search_result", "title": "Tides", "url": "https://t.example/", "encrypted_content": "EqI"}
    ],
}
FAILED = FOUND | {"content": {"type": "web_search_tool_result_error", "error_code": "unavailable"}}
REFUSAL = {"type": "refusal", "category": "cyber", "explanation": "That would help an attack."}
CONTAINER = {"id": "container_1", "expires_at": "2026-11-21T10:00:00Z"}

MESSAGES: dict[str, dict[str, Any]] = {
    "one text": message(text("Hello, world!")),
    "no content": message(),
    "an empty text": message(text("")),
    "an empty text among others": message(text(""), text("Hello"), text("")),
    "white space": message(text(" \n\t ")),
    "unicode": message(text("naïve 日本語 🦊 \u2028 \x00 \"quoted\" \\ 'single'")),
    "line breaks": message(text("one\ntwo\r\nthree\rfour\n\n")),
    "what looks like an event": message(text('data: [DONE]\n\nevent: error\ndata: {"error": 1}\n\n')),
    "several texts": message(text("One. "), text("Two. "), text("Three.")),
    "one tool": message(tool("toolu_1", {"city": "Brest", "unit": "C"}), stop="tool_use"),
    "a tool without arguments": message(tool("toolu_1", {}), stop="tool_use"),
    "text and a tool": message(text("Let me see."), tool("toolu_1", {"city": "Brest"}), stop="tool_use"),
    "parallel tools": message(*(tool(f"toolu_{i}", {"i": i}, name=f"f{i}") for i in range(5)), stop="tool_use"),
    "tools of which some have no arguments": message(
        tool("a", {}), tool("b", {"x": 1}), tool("c", {}), stop="tool_use"
    ),
    "numbers of every kind": message(
        tool("n", {"a": 1.0, "b": 1e5, "c": -0.0, "d": 2**70, "e": 1e-7, "f": True, "g": None}), stop="tool_use"
    ),
    "nested arguments": message(tool("n", {"z": {"y": [1, {"x": []}], "": "ü\n"}, "a": [[], {}]}), stop="tool_use"),
    "a tool before text": message(tool("a", {"x": 1}), text("and more"), stop="tool_use"),
    "text between tools": message(text("a"), tool("a", {}), text("b"), tool("b", {}), stop="tool_use"),
    "a tool called by a program": message(
        tool("a", {"x": 1}, caller={"type": "code_execution_20260120", "tool_id": "srvtoolu_1"}), stop="tool_use"
    ),
    "a tool of a toolset": message(tool("a", {"x": 1}, toolset_name="browser"), stop="tool_use"),
    "a tool with empty members": message(tool("a", {"x": 1}, caller=None, toolset_name=None), stop="tool_use"),
    "thinking": message(thinking("Hmm, 2 + 2."), text("4")),
    "thinking that is not shown": message(thinking("", "EuYBlong"), text("4")),
    "thinking that nobody signed": message(thinking("Hmm.", ""), thinking("So.", ""), text("4")),
    "unsigned, then signed": message(thinking("Hmm.", ""), thinking("So."), thinking("Yes.", ""), text("4")),
    "thinking alone": message(thinking("Hmm.")),
    "redacted thinking": message(redacted(), text("4")),
    "thinking of both kinds": message(thinking("Hmm."), redacted(), thinking("So.", "sig2"), redacted("x"), text("4")),
    "thinking and tools": message(thinking("Hmm."), text("Let me see."), tool("a", {"x": 1}), stop="tool_use"),
    "thinking and tools without text": message(thinking("Hmm."), tool("a", {}), tool("b", {}), stop="tool_use"),
    "thinking between tools": message(
        thinking("One."), tool("a", {"x": 1}), thinking("Two."), tool("b", {"x": 2}), stop="tool_use"
    ),
    "text before thinking": message(text("Well. "), thinking("Hmm."), text("4")),
    "thinking with an unknown member": message(thinking("Hmm.", binding="x"), text("4")),
    "citations from the web": message(
        SEARCH,
        FOUND,
        text("High tide is at "),
        text("06:12", web("https://t.example/"), web("https://u.example/", None)),
        text(" – and 🦊 "),
        text("18:40", web("https://t.example/")),
        usage=DETAILED,
    ),
    "citations of documents": message(text("The grass is green", CHARS), text(".")),
    "citations of both kinds": message(text("Green", CHARS, web("https://t.example/"))),
    "citations that are null": message(text("Hi", citations=None)),
    "citations that are empty": message(text("Hi", citations=[])),
    "a paused turn": message(text("Searching."), SEARCH, stop="pause_turn"),
    "a server tool that failed": message(SEARCH, FAILED, text("Sorry.")),
    "an unknown block": message({"type": "hologram", "shape": [1, {"a": None}]}, text("There.")),
    "a compaction": message({"type": "compaction", "content": "So far: 🦊", "encrypted_content": "x"}, text("Go on.")),
    "a container": message(text("Done."), container=CONTAINER),
    "refusal": message(text("I was"), stop="refusal", stop_details=REFUSAL),
    "refusal without a word": message(stop="refusal", stop_details=None),
    "refusal that explains nothing": message(stop="refusal", stop_details=REFUSAL | {"explanation": None}),
    "max_tokens": message(text("It was a"), stop="max_tokens"),
    "the end of the window": message(text("It was a"), stop="model_context_window_exceeded"),
    "a pre-warm": message(stop="max_tokens", usage={"input_tokens": 9, "output_tokens": 0}),
    "a stop sequence": message(text("one, two, "), stop="stop_sequence", stop_sequence="three"),
    "an unknown stop reason": message(text("Hm"), stop="compaction"),
    "no stop reason": message(text("Hm"), stop=None),
    "usage in every class": message(text("Hi"), usage=DETAILED),
    "usage of another tier": message(text("Hi"), usage=USAGE | {"service_tier": "priority", "speed": "fast"}),
    "usage with nulls": message(
        text("Hi"), usage=USAGE | {"cache_creation": None, "cache_read_input_tokens": None, "service_tier": None}
    ),
    "usage with unknown members": message(text("Hi"), usage=USAGE | {"iterations": [{"type": "message"}]}),
    "no usage": message(text("Hi"), usage=None),
    "diagnostics": message(text("Hi"), diagnostics={"cache_miss_reason": {"type": "model_changed"}}),
}

UNKNOWN_TO_THE_SDK = {"an unknown block", "a compaction", "an unknown stop reason", "no usage", "no content"}

LATE = {"output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens_details"}
"""Members of usage that come, or come again, with the last events."""


def event(kind: str, **members: Any) -> Frame:
    return frame_of(json.dumps({"type": kind, **members}).encode(), kind)


def pieces(whole: str, size: int) -> list[str]:
    return [whole[start : start + size] for start in range(0, len(whole), size)]


def stream_of(whole: dict[str, Any], size: int = 5) -> list[Frame]:
    """The stream of this message, its growing parts cut into pieces of `size` characters."""
    return [*events_of(whole, size)]


def events_of(whole: dict[str, Any], size: int) -> Iterator[Frame]:
    usage = whole["usage"]
    opening = {"content": [], "stop_reason": None, "stop_sequence": None, "stop_details": None, "container": None}
    if usage:
        opening["usage"] = usage | {"output_tokens": 1, "output_tokens_details": None}
    yield event("message_start", message=whole | opening)
    yield event("ping")
    for index, block in enumerate(whole["content"]):
        yield from block_events(index, block, size)
    names = ("stop_reason", "stop_sequence", "stop_details", "container")
    last = {"delta": {name: whole.get(name) for name in names}}
    if usage:
        last["usage"] = {name: value for name, value in usage.items() if name in LATE}
    yield event("message_delta", **last)
    yield event("message_stop")


def block_events(index: int, block: Block, size: int) -> Iterator[Frame]:
    kind, start, deltas = block["type"], dict(block), []
    if kind == "text":
        start["text"] = ""
        deltas += [{"type": "text_delta", "text": piece} for piece in pieces(block["text"], size)]
        if block.get("citations"):
            start["citations"] = []
            deltas += [{"type": "citations_delta", "citation": citation} for citation in block["citations"]]
    elif kind == "thinking":
        start |= {"thinking": "", "signature": ""}
        deltas += [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"], size)]
        if block["signature"]:
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
    elif kind in ("tool_use", "server_tool_use"):
        start["input"] = {}
        encoded = json.dumps(block["input"], separators=(",", ":"), ensure_ascii=False) if block["input"] else ""
        deltas += [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces(encoded, size)]]
    elif kind == "compaction":
        start |= {"content": None, "encrypted_content": None}
        deltas.append(block | {"type": "compaction_delta"})
    yield event("content_block_start", index=index, content_block=start)
    for delta in deltas:
        yield event("content_block_delta", index=index, delta=delta)
    yield event("content_block_stop", index=index)
