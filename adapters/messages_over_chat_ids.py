"""The ids of tool calls, on their way to a Messages client and back.

A client sends back what it was given, so whatever is changed here must be changed alike in the call and in its result,
in this turn and in every later one. Characters that Anthropic does not allow (`^[a-zA-Z0-9_-]+$`, types of its SDK
2.12, read 2026-11) are therefore written in a form that can be read back: some chat templates (Kimi's
`functions.name:0`) render the id into the prompt, and another id would be another prefix.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

LONGEST = 40
"""Characters of an id that OpenAI takes back in chat completions (its own error message, seen until 2026-02)."""

_WRITTEN = "call_b64_"
_ALLOWED = re.compile(r"[a-zA-Z0-9_-]+")


def outward(ident: str) -> str:
    """The id that a Messages client gets for this one of the provider."""
    if _ALLOWED.fullmatch(ident) and not ident.startswith(_WRITTEN):
        return ident
    return _WRITTEN + urlsafe_b64encode(ident.encode()).decode().rstrip("=")


def inward(ident: str) -> str:
    """The id that the provider gets for this one of a client: its own where it gave one.

    An id that is too long for OpenAI comes from elsewhere, or from a provider to which ids are only names.
    """
    own = _read(ident)
    return own if len(own) <= LONGEST else "call_" + sha256(own.encode()).hexdigest()[:32]


def invented(message: str, place: int) -> str:
    """An id for the call in this place of a message whose provider gave none."""
    return "call_" + sha256(f"{message} {place}".encode()).hexdigest()[:32]


def _read(ident: str) -> str:
    if not ident.startswith(_WRITTEN):
        return ident
    digits = ident[len(_WRITTEN) :]
    try:
        own = urlsafe_b64decode(digits + "=" * (-len(digits) % 4)).decode()
    except ValueError:
        return ident
    return own if own and outward(own) == ident else ident
