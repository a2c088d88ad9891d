"""What a request of `/v1/fanout` asks for, and the bodies of its branches: slices of what came, put together. Pure.

A prompt cache reads what is rendered of our bytes, so nothing of the shared request is decoded and encoded again: up to
the end of its messages each branch has its very bytes, unless the branch itself overrides a member in front of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from adapters.body import decoded
from adapters.edit import Member, members
from adapters.errors import Refused


class Api(NamedTuple):
    target: str
    """The path of its door."""
    turns: str
    """The member that holds the conversation."""


APIS = {
    "chat": Api("/chat/completions", "messages"),
    "messages": Api("/messages", "messages"),
    "responses": Api("/responses", "input"),
}

KNOWN = ("api", "request", "branches", "stream")

TIMES = 4
"""How many times the limit of one body the branches may have together: all of them are in memory at once, decoded too,
so that their number must not multiply what one request may take; and a document of a tenth of the limit can still be
asked 40 questions."""


class Asked(NamedTuple):
    api: Api
    stream: bool
    bodies: Iterator[bytes]
    """Made one by one, so that a list of them that is too large is never there; may raise `Refused`."""


def asked(raw: bytes, *, native: bool, most: int, limit: int) -> Asked:
    """Reads `{"api", "request", "branches", "stream"}`; raises `Refused` (400 or 413, with `param`).

    `native`: whether the client is one of Anthropic's, for requests that name no API. `most`: branches; `limit`: bytes
    of one branch's body.

    `messages` (or `input`) of a branch go behind those of the request, its other members in place of the request's.
    """
    body = decoded(raw)
    for name in body:
        if name not in KNOWN:
            raise Refused(400, f"unknown member; a fan-out has {', '.join(KNOWN)}", param=name[:64])
    request, branches = body.get("request"), body.get("branches")
    if not isinstance(request, dict):
        raise Refused(400, "`request` must be an object: what the branches share", param="request")
    if not isinstance(branches, list) or not 1 <= len(branches) <= most:
        raise Refused(400, f"`branches` must be an array of 1 to {most} objects", param="branches")
    api = api_of(body.get("api"), "messages" if native else "chat")
    stream = _flag(body.get("stream"), "stream")
    if stream is None:
        stream = _flag(request.get("stream"), "request.stream") or False
    _single(request, "request")
    for place, branch in enumerate(branches):
        if not isinstance(branch, dict):
            raise Refused(400, "a branch must be an object", param=f"branches[{place}]")
        _single(branch, f"branches[{place}]")
        if "stream" in branch:
            told = "all branches are streamed, or none: say `stream` beside `branches`"
            raise Refused(400, told, param=f"branches[{place}].stream")
    slices = sliced(raw)
    shared = _Shared(api, slices["request"], request, stream=stream)
    return Asked(api, stream, _bodies(shared, slices["branches"], branches, limit))


def api_of(named: Any, default: str) -> Api:
    if named is None:
        return APIS[default]
    if not isinstance(named, str) or named not in APIS:
        raise Refused(400, f"`api` must be one of {', '.join(APIS)}", param="api")
    return APIS[named]


def sliced(raw: bytes) -> dict[str, bytes]:
    """The members of the top-level object as they stand there. `raw` must be valid JSON without doubled members."""
    return {member.name: raw[member.value : member.end].strip() for member in members(raw)}


def _flag(value: Any, param: str) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise Refused(400, f"`{param.rpartition('.')[2]}` must be true or false", param=param)
    return value


def _single(body: Mapping[str, Any], where: str) -> None:
    """Several answers to a branch are several branches: else nobody knows how large the fan-out is."""
    if body.get("n") not in (None, 1) or body.get("n") is True:
        raise Refused(400, "a branch has one answer: add branches instead of `n`", param=f"{where}.n")


def _bodies(shared: _Shared, raw: bytes, branches: list[dict[str, Any]], limit: int) -> Iterator[bytes]:
    total = 0
    for place, piece in enumerate(msgspec.json.decode(raw, type=list[msgspec.Raw])):
        body = shared.with_branch(bytes(piece), branches[place], f"branches[{place}]")
        total += len(body)
        if len(body) > limit:
            told = f"the body of this branch exceeds {limit} bytes"
            raise Refused(413, told, param=f"branches[{place}]", code="body_too_large")
        if total > TIMES * limit:
            told = f"the bodies of the branches exceed {TIMES * limit} bytes together"
            raise Refused(413, told, param="branches", code="body_too_large")
        yield body


class _Shared:
    """The request that the branches share, cut where they can differ."""

    def __init__(self, api: Api, raw: bytes, parsed: dict[str, Any], *, stream: bool) -> None:
        self.api, self.raw = api, raw
        self.members: list[Member] = list(members(raw))
        self.form: dict[str, bytes] = {}
        if (parsed.get("stream") is True) is not stream:
            self.form = {"stream": b"true" if stream else b"false"}
        self.turns, self.shared = sliced(raw).get(api.turns, b"null"), parsed.get(api.turns)
        if self.shared is None:
            self.turns, self.shared = b"[]", []

    def with_branch(self, raw: bytes, parsed: dict[str, Any], where: str) -> bytes:
        changes = self.form | sliced(raw)
        turns = self.api.turns
        if turns in changes:
            mine, head = _items(self.api, changes[turns], parsed[turns], f"{where}.{turns}"), self.head
            joint = b"," if mine and not head.endswith(b"[") else b""
            changes[turns] = head + joint + mine + b"]"
        return self._edited(changes)

    @cached_property
    def head(self) -> bytes:
        """The shared turns without the bracket that ends them: it gives way, and everything in front of it stays."""
        items = _items(self.api, self.turns, self.shared, f"request.{self.api.turns}")
        return self.turns[:-1].rstrip() if self.turns.startswith(b"[") else b"[" + items

    def _edited(self, changes: dict[str, bytes]) -> bytes:
        """In place where the member exists, else as the last ones."""
        pieces, at, rest = [], 0, dict(changes)
        for member in self.members:
            if member.name in rest:
                value = self.raw[member.value : member.end]
                begin = member.end - len(value.lstrip())
                pieces += [self.raw[at:begin], rest.pop(member.name)]
                at = member.end
        if rest:
            end = self.members[-1].end if self.members else 1
            pieces.append(self.raw[at:end])
            added = [msgspec.json.encode(name) + b":" + value for name, value in rest.items()]
            pieces.append((b"," if self.members else b"") + b",".join(added))
            at = end
        return b"".join([*pieces, self.raw[at:]])


def _items(api: Api, raw: bytes, value: Any, param: str) -> bytes:
    """What stands between the brackets of a list of turns."""
    if isinstance(value, list):
        return raw[1:-1].strip()
    if isinstance(value, str) and api.turns == "input":
        return b'{"role":"user","content":' + raw + b"}"  # what a bare text means there
    kinds = "an array" if api.turns == "messages" else "a string or an array"
    raise Refused(400, f"`{api.turns}` must be {kinds}", param=param)


def at_branch(refused: Refused, place: int) -> Refused:
    """The same refusal, of the body of this branch."""
    where = f"branches[{place}]"
    param = f"{where}.{refused.param}" if refused.param else where
    return Refused(
        refused.status, refused.message, kind=refused.kind, param=param, code=refused.code, headers=refused.headers
    )
