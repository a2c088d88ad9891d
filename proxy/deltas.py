"""The lines of a recording: each request as what it adds to the one before it in its conversation.

`{"session", "seq", "ts", "request": {"keep", "append", members that changed}, "response": {"message", "finish_reason"}
or null, "usage": as the provider wrote it or null, "source": "warmgate", "tenant": a hash, "route": `messages` or
`responses`, absent for chat completions}`. The messages of a request (of Responses: the items of its `input`)
are the first `keep` of the previous request of its session, then `append`; a member that is absent is unchanged. Where
that cannot say what was sent (a member went away, or is called `keep` or `append`) the request stands in full, with
`messages` instead of `keep` and `append`. No text is held here, only digests.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from proxy.redact import redact

OPEN_SESSIONS = 1000
"""Conversations that a request can go on from. Readers of the format must hold at least as many."""

COMPLETE = ("stop", "tool_calls")

_encode = msgspec.json.Encoder().encode


class Finished(NamedTuple):
    """A finished chat request, as `Recorder.record` takes it."""

    tenant: str
    hint: str
    body: Mapping[str, Any]
    message: Mapping[str, Any] | None
    usage: Mapping[str, Any] | None
    ts: float
    route: str = "chat"
    """`chat`, `messages` (Anthropic's) or `responses`."""


@dataclass(slots=True)
class Conversation:
    name: str
    place: tuple[str, str] | None
    """Tenant and hint, where the client named the conversation."""
    seq: int = -1
    end: bytes = b""
    messages: list[bytes] = field(default_factory=list)
    members: dict[str, bytes] = field(default_factory=dict)


class Book:
    """Finds the conversation that a request goes on from and writes its line.

    That is the conversation the client named, else the longest one of the same tenant whose messages all stand, in
    order and byte for byte, at the start of the request's.
    """

    def __init__(self, max_sessions: int = OPEN_SESSIONS) -> None:
        self._max_sessions = max_sessions
        self._begun = 0
        self._open: OrderedDict[str, Conversation] = OrderedDict()
        self._named: dict[tuple[str, str], Conversation] = {}
        self._ends: dict[bytes, list[Conversation]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def forget(self) -> None:
        """After a line that was lost: nothing may build on it, so all conversations begin anew."""
        self._open.clear()
        self._named.clear()
        self._ends.clear()

    def line(self, finished: Finished) -> bytes:
        """The line, its end included. Raises `TypeError` or `ValueError` for what is no such request in JSON."""
        messages, rest = turns_of(finished.route, finished.body)
        if not all(isinstance(message, dict) for message in messages):
            raise TypeError("a turn is no object")
        digests = [_digest(message) for message in messages]
        members = {name: _digest(value) for name, value in rest.items()}
        ends = _ends(finished.tenant, digests)
        talk = self._find(finished, ends) or self._begin(finished)
        line = _encode(
            {
                "session": talk.name,
                "seq": talk.seq + 1,
                "ts": finished.ts,
                "request": redact(_request(messages, rest, digests, members, talk)),
                "response": redact(_response(finished.message)),
                "usage": redact(finished.usage),
                "source": "warmgate",
                "tenant": _name(finished.tenant),
            }
            | ({} if finished.route == "chat" else {"route": finished.route})
        )
        self._remember(talk, digests, members, ends[-1])
        return line + b"\n"

    def _find(self, finished: Finished, ends: list[bytes]) -> Conversation | None:
        place = _place(finished)
        if place is not None:
            return self._named.get(place)
        # Strictly shorter ones only: an equal request is a repeat or a sibling, and begins a conversation of its own.
        return next((self._ends[end][-1] for end in reversed(ends[1:-1]) if end in self._ends), None)

    def _begin(self, finished: Finished) -> Conversation:
        # A fresh name each time (nothing carries over from a conversation that was forgotten), and a hashed one: what
        # the client calls its session may be the name of a person.
        self._begun += 1
        place = _place(finished)
        return Conversation(_name(repr((place or finished.tenant, finished.ts, self._begun))), place)

    def _remember(self, talk: Conversation, digests: list[bytes], members: dict[str, bytes], end: bytes) -> None:
        if talk.name in self._open:
            self._drop(talk)
        talk.seq += 1
        talk.messages, talk.members, talk.end = digests, members, end
        self._open[talk.name] = talk
        if talk.place is not None:
            self._named[talk.place] = talk
        else:
            self._ends.setdefault(end, []).append(talk)
        if len(self._open) > self._max_sessions:
            self._drop(next(iter(self._open.values())))

    def _drop(self, talk: Conversation) -> None:
        del self._open[talk.name]
        if talk.place is not None:
            del self._named[talk.place]
            return
        others = self._ends[talk.end]
        others.remove(talk)
        if not others:
            del self._ends[talk.end]


def turns_of(route: str, body: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The turns of a conversation and all other members. Raises `TypeError` where there are none to be had.

    The Responses API has its turns in `input`, which may also be a text: that stays a member like any other.
    """
    name = "input" if route == "responses" and isinstance(body.get("input"), list) else "messages"
    turns = body.get(name, [] if route == "responses" else None)
    if not isinstance(turns, list) or (name == "input" and "messages" in body):
        raise TypeError("no conversation")
    return turns, {member: value for member, value in body.items() if member != name}


def _request(
    messages: list[Any], rest: dict[str, Any], digests: list[bytes], members: Mapping[str, bytes], talk: Conversation
) -> dict[str, Any]:
    gone = any(name not in members for name in talk.members)
    if gone or "keep" in rest or "append" in rest:
        return {**rest, "messages": messages}
    keep = 0
    for kept, digest in zip(talk.messages, digests, strict=False):
        if kept != digest:
            break
        keep += 1
    changed = {name: rest[name] for name, digest in members.items() if talk.members.get(name) != digest}
    return {"keep": keep, "append": messages[keep:], **changed}


def _response(message: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Message and finish reason, from a message alone or from a whole answer (the first of its choices)."""
    if message is None:
        return None
    if "stop_reason" in message:
        said = {name: message[name] for name in ("role", "content") if name in message}
        return {"message": said, "finish_reason": message["stop_reason"]}
    if message.get("object") == "response":
        return {"message": {"output": message.get("output")}, "finish_reason": message.get("status")}
    if "choices" not in message:
        return {"message": dict(message), "finish_reason": None}
    choices = message["choices"]
    found = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    if not found or not isinstance(found[0].get("message"), dict):
        return None
    # With several choices the reason that says most: an answer may be kept only if all of them are complete.
    reasons = [choice.get("finish_reason") for choice in found]
    reason = next((reason for reason in reasons if reason not in COMPLETE), reasons[0])
    return {"message": found[0]["message"], "finish_reason": reason}


def _place(finished: Finished) -> tuple[str, str] | None:
    hint = finished.hint or finished.body.get("prompt_cache_key")
    return (finished.tenant, hint) if hint and isinstance(hint, str) else None


def _ends(tenant: str, digests: Iterable[bytes]) -> list[bytes]:
    """Running digests: of no message, of the first, of the first two, ..."""
    # The tenant at a fixed width, so that no name can pass for a name and a message.
    running = hashlib.blake2b(_name(tenant).encode(), digest_size=16)
    ends = [running.digest()]
    for digest in digests:
        running.update(digest)
        ends.append(running.digest())
    return ends


def _digest(value: Any) -> bytes:
    # Of the JSON as it came, members in their order: what is kept must be what was sent.
    return hashlib.blake2b(_encode(value), digest_size=16).digest()


def _name(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()
