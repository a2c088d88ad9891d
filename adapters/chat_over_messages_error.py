"""From an Anthropic error to what a client of chat completions is told.

Source: the error types of Anthropic's SDK 2.11 (read 2026-11).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from adapters.body import mapping
from adapters.openai_chat import OPENAI_CHAT
from adapters.sse import Frame

TYPES = {
    "not_found_error": "invalid_request_error",
    "request_too_large": "invalid_request_error",
    "api_error": "server_error",
    "overloaded_error": "server_error",
    "timeout_error": "server_error",
}
"""Types for which OpenAI has another name. The others are the same, or OpenAI has none and they are kept."""

STATUSES = {529: 503}
"""Overloaded is 503 at OpenAI, and clients know no 529."""

KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
"""Types of errors that name none. Any other is the client's fault below 500, the server's from there on."""

UNREADABLE = "upstream_unreadable"
"""Code of an error that the proxy had to put into words itself."""

_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_encode = msgspec.json.Encoder().encode


def error(status: int, body: bytes, request_id: str) -> tuple[int, bytes]:
    """Status and body for the client. The body has no place for the request's id: that goes into a header.

    Nothing of a body that is no error is repeated: it may be a page of a gateway, and no client could read it.
    """
    told = _told(_error_of(body))
    if told is None:
        message = f"the provider answered with status {status} and no error that can be read"
        told = {"message": message, "type": _kind(status), "param": None, "code": UNREADABLE}
    elif not told["type"]:
        told["type"] = _kind(status)
    return STATUSES.get(status, status), _encode({"error": told})


def error_frame(event: Any) -> Frame:
    """The client's error event for the provider's, or for one that nobody can read."""
    told = _told(mapping(mapping(event).get("error")))
    if told is None:
        return unreadable_frame("the provider broke off its answer with an error that cannot be read")
    return OPENAI_CHAT.error_frame(told["message"], kind=told["type"] or "server_error", code=told["code"])


def unreadable_frame(message: str) -> Frame:
    return OPENAI_CHAT.error_frame(message, kind="api_error", code=UNREADABLE)


def _error_of(body: bytes) -> dict[str, Any]:
    try:
        return mapping(mapping(msgspec.json.decode(body)).get("error"))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


def _told(error: dict[str, Any]) -> dict[str, Any] | None:
    """The error as OpenAI words it, its type empty where the provider names none; None where there is no message."""
    message, kind = error.get("message"), error.get("type")
    if not isinstance(message, str) or not message:
        return None
    kind = kind if isinstance(kind, str) and _WORD.fullmatch(kind) else ""
    told: dict[str, Any] = {"message": message, "type": TYPES.get(kind, kind), "param": None, "code": kind or None}
    details = error.get("details")
    if isinstance(details, dict):  # its `error_code` names the cause more closely than the type does
        told["details"] = details
    return told


def _kind(status: int) -> str:
    return KINDS.get(status, "invalid_request_error" if status < 500 else "server_error")
