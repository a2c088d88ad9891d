"""What the header lines of a request say, remembered by the lines: a client sends the same ones with every request."""

from __future__ import annotations

from dataclasses import dataclass

from multidict import MultiMapping

from adapters.vocabulary import Lines
from cache.controls import CONTEXT, NOTHING, SEMANTIC, SIMILARITY, TAGS, Asked
from proxy.tenants import Identity, Tenancy

REMEMBERED = 4096
"""Different sets of lines; a client with a number of its own in each request only ever fills this and starts anew."""


@dataclass(frozen=True, slots=True)
class Caller:
    lines: Lines
    identity: Identity
    cache_control: str | None
    encoded: bool
    """The body comes with a Content-Encoding."""
    websocket: bool
    waits: bool
    """The client sends its body only when told to go on (RFC 9110 §10.1.1)."""
    asked: Asked = NOTHING
    """Of the semantic cache, and what the answer is to be kept under."""


class Callers:
    """Reads header lines; raises `Refused` where the tenancy does."""

    def __init__(self, tenancy: Tenancy) -> None:
        self.tenancy = tenancy
        self._known: dict[Lines, Caller] = {}

    def read(self, raw: Lines, headers: MultiMapping[str]) -> Caller:
        """`raw`: the lines as they came; `headers`: the same as a case-insensitive mapping."""
        lines = tuple([line for line in raw if line[0] not in LENGTHS])
        caller = self._known.get(lines)
        if caller is None:
            caller = Caller(
                lines=lines,
                identity=self.tenancy.identify(headers),
                cache_control=_joined(headers, "Cache-Control") or None,
                encoded="Content-Encoding" in headers,
                websocket=headers.get("Upgrade", "").lower() == "websocket",
                waits=headers.get("Expect", "").lower() == "100-continue",
                asked=Asked(*[_joined(headers, name) for name in (SIMILARITY, SEMANTIC, CONTEXT, TAGS)]),
            )
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[lines] = caller
        return caller


def _joined(headers: MultiMapping[str], name: str) -> str | None:
    return ", ".join(headers.getall(name)) if name in headers else None


LENGTHS = frozenset({b"Content-Length", b"content-length"})
"""The one line that is the body's, not the client's."""
