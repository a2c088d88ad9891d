"""The identity of a request: exact key and semantic scope. Pure; rules in the tables, so that a test can hold them.

Everything counts except what a table names: a field nobody has heard of is part of the key. The digest covers the
canonical JSON (members sorted, white space gone, `1` and `1.0` apart, letter case and text untouched), the tenant, the
route, the query and the headers that steer the provider. Being 256 bits over the whole request, it is also the check of
the stored request: there is no shorter fingerprint anywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from adapters.question import Question
from adapters.vocabulary import Call
from cache.scope import without_text

VERSION = b"warmgate/2"
"""Changes whenever the meaning of a key does; entries of another version are simply never found."""

IGNORED: dict[str, str] = {
    "stream": "how the answer travels, not what it says: a streamed answer serves a whole request and the reverse",
    "stream_options": "usage and padding chunks of the stream; whether usage is wanted is checked on the entry",
    "prompt_cache_key": "routes to a machine of the provider's prompt cache; the answer does not depend on it",
    "prompt_cache_retention": "life time of the provider's prompt cache entry",
    "prompt_cache_options": "mode and life time of the provider's prompt cache entry",
    "cache": "directive to this proxy (LiteLLM's form), removed before forwarding; its namespace counts apart",
}
"""Top-level members of a body that are no part of the key, each with its reason. The complete list."""

STEERING_HEADERS = (
    "openai-organization",
    "openai-project",
    "openai-beta",
    "anthropic-version",
    "anthropic-beta",
    "anthropic-workspace-id",
)
"""Request headers that choose whose account or which behaviour answers. The credential counts through the tenant."""

REMEMBERED = 64
"""Keys of one body; so many callers may share its bytes before the first is computed anew."""

CANONICAL = "canonical"
"""Under this the digest of the canonical body is kept among `Call.digests`."""

SCOPED = "scoped"
"""The same for the body without the question; empty where only an identical request will do."""

_CUT = b"\xff"
"""A byte that no JSON has: where an item goes."""

_canonical = msgspec.json.Encoder(order="deterministic")


def canonical(value: Any) -> bytes:
    """JSON with sorted members and no white space; numbers keep their type, strings their every character."""
    return _canonical.encode(value)


def counted(body: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a body that count."""
    return {name: value for name, value in body.items() if name not in IGNORED}


def key_of(call: Call) -> bytes:
    """The exact key, 32 bytes, computed when first asked for and carried on the call."""
    if not call.key:
        # The same bytes under the same header lines need not be hashed again.
        known = (call.lines, call.tenant, call.controls.namespace, call.target) if call.lines else None
        call.key = call.digests.get(known) or _key(call)
        if known:
            if len(call.digests) >= REMEMBERED:
                call.digests.clear()
            call.digests[known] = call.key
    return call.key


def item_keys(call: Call, member: str, items: Sequence[Any]) -> list[bytes]:
    """For each item the key of the same request with that item alone as this member of its body.

    The rest of the request is put into canonical form and hashed once for all of them.
    """
    head, tail = canonical({**counted(_asked(call)), member: msgspec.Raw(_CUT)}).split(_CUT)
    common, around = hashlib.sha256(head), _around(call)
    keys = []
    for item in items:
        body = common.copy()
        body.update(canonical(item) + tail)
        keys.append(hashlib.sha256(VERSION + body.digest() + around).digest())
    return keys


def _key(call: Call) -> bytes:
    body = call.digests.get(CANONICAL)
    if body is None:
        body = call.digests[CANONICAL] = hashlib.sha256(canonical(counted(_asked(call)))).digest()
    return _digest(call, body)


def _asked(call: Call) -> Mapping[str, Any]:
    """What the provider is asked: where the request is translated, what was dropped or defaulted on the way counts as
    it arrives there."""
    return call.sent.parsed if call.sent is not None else call.parsed


def scope_of(call: Call, question: Question | None = None) -> bytes | None:
    """The key with the text of the last user message taken out, 32 bytes; None where only an identical request has the
    same answer. `question`: what the call's dialect says, where the caller knows it already.

    Two calls of one scope are equal in everything else: tenant, model, system prompt, tools, parameters, response
    format and all earlier turns, as the client sent them and as the provider gets them. Only among those may a semantic
    cache search.
    """
    body = call.digests.get(SCOPED)
    if body is None:
        body = call.digests[SCOPED] = _scoped(call, question)
    return _digest(call, body) if body else None


def _scoped(call: Call, question: Question | None) -> bytes:
    if call.dialect is None:
        return b""
    question = question or call.dialect.question(call.parsed)
    sides = [question.around]
    if call.sent is not None:
        # Defaults and settings of the translation show only there, what it drops shows only in the client's body.
        sent = without_text(call.sent.parsed, question.text)
        if sent is None or call.sent.stateful:
            return b""
        sides.append(sent)
    if question.exact:
        return b""
    digests = [hashlib.sha256(canonical(counted(side))).digest() for side in sides]
    return hashlib.sha256(b"scope" + b"".join(digests)).digest()


def _digest(call: Call, body: bytes) -> bytes:
    """Everything that counts; `body` is the digest of what does in the body."""
    return hashlib.sha256(VERSION + body + _around(call)).digest()


def _around(call: Call) -> bytes:
    """Everything beside the body, with the length in front of each part: no two lists of parts glue to the same
    bytes."""
    get = call.headers.get
    parts = [
        call.tenant,
        call.controls.namespace,
        call.target,
        call.route.mark,
        *[get(name, "") for name in STEERING_HEADERS],
    ]
    return "".join([f"{len(part)}:{part}" for part in parts]).encode(errors="surrogateescape")
