"""The least of a dialect in which the simulated provider is asked for messages; its streams are of its own making."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from adapters.body import decoded, event_of, mapping
from adapters.errors import Refused, Unfoldable
from adapters.openai_chat import OpenAIChat
from adapters.sse import Frame, frame_of
from adapters.usage import Usage, count


class StandIn(OpenAIChat):
    name = "stand-in"

    def parse(self, raw: bytes) -> dict[str, Any]:
        body = decoded(raw)
        if not isinstance(body.get("model"), str):
            raise Refused(400, "`model` must be a string", param="model")
        return body

    def wants_usage(self, body: Mapping[str, Any]) -> bool:
        return True

    @staticmethod
    def unfold(message: Mapping[str, Any], *, usage: bool) -> list[Frame]:
        head = {name: value for name, value in message.items() if name != "content"}
        events = [{"type": "message_start", "message": head}]
        events += [{"type": "content_block", "content_block": block} for block in message["content"]]
        events += [{"type": "message_delta"}, {"type": "message_stop"}]
        return [frame_of(msgspec.json.encode(event), str(event["type"])) for event in events]

    @staticmethod
    def fold(frames: Sequence[Frame]) -> dict[str, Any]:
        events = list(map(event_of, frames))
        if not events or events[-1].get("type") != "message_stop":
            raise Unfoldable("no end")
        content = [event["content_block"] for event in events if event["type"] == "content_block"]
        return {**events[0]["message"], "content": content}

    @staticmethod
    def is_end(frame: Frame) -> bool:
        return frame.event == "message_stop"

    @staticmethod
    def is_error(frame: Frame) -> bool:
        return frame.event == "error"

    def usage(self, message: Mapping[str, Any]) -> Usage | None:
        usage = mapping(message.get("usage"))
        written = mapping(usage.get("cache_creation"))
        return Usage(
            uncached=count(usage, "input_tokens"),
            read=count(usage, "cache_read_input_tokens"),
            write_5m=count(written, "ephemeral_5m_input_tokens"),
            write_1h=count(written, "ephemeral_1h_input_tokens"),
            output=count(usage, "output_tokens"),
            reasoning=count(mapping(usage.get("output_tokens_details")), "thinking_tokens"),
        )

    def stream_usage(self, frames: Sequence[Frame]) -> Usage | None:
        return self.usage(mapping(event_of(frames[0]).get("message"))) if frames else None

    def error(self, message: str, *, kind: str, param: str | None = None, code: str | None = None) -> bytes:
        return msgspec.json.encode({"type": "error", "error": {"type": kind, "message": message}})

    def error_frame(self, message: str, *, kind: str, code: str | None = None) -> Frame:
        return frame_of(self.error(message, kind=kind), "error")


STAND_IN = StandIn()
