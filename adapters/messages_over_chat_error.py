"""Errors of a provider of chat completions, as Anthropic's API would tell them (its list of errors, read 2026-11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from adapters.body import event_of, mapping
from adapters.sse import Frame, frame_of

KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}

NAMED = {
    "invalid_request_error": "invalid_request_error",
    "context_length_exceeded": "invalid_request_error",
    "authentication_error": "authentication_error",
    "invalid_api_key": "authentication_error",
    "permission_error": "permission_error",
    "rate_limit_error": "rate_limit_error",
    "rate_limit_exceeded": "rate_limit_error",
    "insufficient_quota": "rate_limit_error",
    "overloaded_error": "overloaded_error",
    "timeout_error": "timeout_error",
}
"""By `code` or `type`, for errors inside a stream, which have no status."""

TOO_LONG = "prompt is too long: "
"""How Anthropic begins to say so; Claude Code looks for it to know that it must compact (2.1, 2026)."""

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def error(status: int, body: bytes, request_id: str) -> tuple[int, bytes]:
    """The same status, or 502 where it is none of an error. A body that is no error is not quoted: anything may be
    in it."""
    if not 400 <= status < 600:
        status = 502
    kind = KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")
    try:
        payload = mapping(_decode(body))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        payload = {}
    told = _told(payload, kind, f"the provider answered with status {status} and without a message")
    return status, _encode({"type": "error", "error": told, "request_id": request_id or None})


def error_event(frame: Frame) -> Frame:
    """The client's event for an error event of the provider."""
    payload = event_of(frame)
    inner = mapping(payload.get("error")) or payload
    code, kind = inner.get("code"), inner.get("type")
    known = KINDS.get(code) if type(code) is int else NAMED.get(code) if isinstance(code, str) else None
    known = known or (NAMED.get(kind) if isinstance(kind, str) else None)
    return event_frame(_told(payload, known or "api_error", "the provider ended its stream with an error"))


def failed(message: str) -> Frame:
    """The event for a stream that makes no answer."""
    return event_frame({"type": "api_error", "message": message})


def event_frame(told: Mapping[str, Any]) -> Frame:
    return frame_of(_encode({"type": "error", "error": told}), "error")


def _told(payload: Mapping[str, Any], kind: str, otherwise: str) -> dict[str, Any]:
    """OpenAI's `{"error": {...}}`, the same as a text (Ollama), vLLM's older bare object, FastAPI's `detail`."""
    given = payload.get("error")
    inner = mapping(given) or payload
    texts = (inner.get("message"), given, inner.get("detail"))
    message = next((text for text in texts if isinstance(text, str) and text), otherwise)
    told: dict[str, Any] = {"type": kind, "message": message}
    for name in ("param", "code"):
        value = inner.get(name)
        if isinstance(value, str) or type(value) is int:
            told[name] = value
    if told.get("code") == "context_length_exceeded":
        told["message"] = TOO_LONG + message
    return told
