"""A content block of an Anthropic stream while it grows, and the events that make it grow.

Source: the event types of Anthropic's SDK 2.11 and how it accumulates them (read 2026-11).
"""

from __future__ import annotations

from typing import Any

import msgspec

from adapters.chat_over_messages_answer import Block, arguments_of

ASSIGNED = {"signature_delta": ("signature",), "compaction_delta": ("content", "encrypted_content")}
"""Members of a block that a delta sets, instead of adding to them."""

_decode = msgspec.json.Decoder().decode


class TextDelta(msgspec.Struct, tag_field="type", tag="text_delta", gc=False):
    text: str


class ThinkingDelta(msgspec.Struct, tag_field="type", tag="thinking_delta", gc=False):
    thinking: str


class InputDelta(msgspec.Struct, tag_field="type", tag="input_json_delta", gc=False):
    partial_json: str


class Growth(msgspec.Struct, tag_field="type", tag="content_block_delta", gc=False):
    """The events of which a stream consists almost entirely, read without a dict."""

    index: int
    delta: TextDelta | ThinkingDelta | InputDelta


class Opened:
    """A content block under construction."""

    __slots__ = ("assigned", "call", "citations", "grows", "pieces", "start", "text_at", "whole")

    def __init__(self, start: Block, text_at: int, call: int) -> None:
        self.start, self.text_at, self.call = start, text_at, call
        self.whole = True
        """Whether everything that came for the block is in it."""
        self.grows = ""
        self.pieces: list[str] = []
        self.citations: list[Any] = []
        self.assigned: dict[str, Any] = {}

    def grow(self, member: str, piece: str) -> None:
        self.whole = self.whole and self.grows in ("", member)
        self.grows = member
        self.pieces.append(piece)

    @property
    def arguments(self) -> str:
        """Of a tool: what came in pieces, or what the block began with."""
        return "".join(self.pieces) or arguments_of(self.start)

    @property
    def cited(self) -> list[Any]:
        begun = self.start.get("citations")
        return [*(begun if isinstance(begun, list) else ()), *self.citations]

    def block(self) -> Block | None:
        """The block as it stands in a whole message; None where something of it could not be understood."""
        if not self.whole:
            return None
        block = self.start | self.assigned
        text = "".join(self.pieces)
        if self.grows == "input":
            try:
                block["input"] = _decode(text) if text else block.get("input", {})
            except (msgspec.MsgspecError, RecursionError):
                return None  # cut within the arguments
        elif text:
            begun = block.get(self.grows)
            block[self.grows] = begun + text if isinstance(begun, str) else text
        if self.citations:
            block["citations"] = self.cited
        return block
