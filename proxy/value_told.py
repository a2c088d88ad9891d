"""The header lines of an answer about a value, and the entry that a value is kept as. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from adapters.vocabulary import Headers
from cache.entry import Entry, Shape
from proxy.respond import SERVER
from proxy.value_path import Place, line_of

KEY_LINE, ETAG_LINE, TYPE_LINE = "x-warmgate-key", "etag", "content-type"
"""Header lines that an entry keeps of a value: its name, percent-encoded, for dry runs; its ETag; its type."""


def etag_of(body: bytes) -> str:
    """Strong: the same for the same bytes, and for no others (SHA-256, its first 128 bits)."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def entry_of(
    tenant: str,
    place: Place,
    key: bytes,
    body: bytes,
    *,
    content_type: str,
    etag: str,
    labels: Sequence[str],
    now: float,
    ttl: float,
) -> Entry:
    """`now`: Unix time; `ttl`: seconds."""
    lines = ((TYPE_LINE, content_type), (ETAG_LINE, etag), (KEY_LINE, line_of(place.name or "")))
    return Entry(
        key, tenant, place.namespace, "", Shape.VALUE, 200, lines, body, True, None, None, now, now + ttl, tuple(labels)
    )  # fmt: skip


def line(entry: Entry, name: str) -> str:
    """Empty where it has none."""
    return next((text for each, text in entry.headers if each == name), "")


def found_lines(entry: Entry, level: str, now: float) -> Headers:
    """Of the answer that gives a value. A cache on the way may keep it, and has to ask each time whether it still
    holds: an invalidation does not reach it (`no-cache`)."""
    rest = max(0, int(entry.expires_at - now))
    return (
        ("Content-Type", line(entry, TYPE_LINE)),
        ("ETag", line(entry, ETAG_LINE)),
        ("Age", str(max(0, int(now - entry.stored_at)))),
        ("Cache-Control", f"private, no-cache, max-age={rest}"),
        ("Cache-Status", f"warmgate; hit; ttl={rest}; detail={level}"),
        ("X-Cache-Status", "hit"),
        ("Accept-Ranges", "none"),
        # Whoever may put a value chooses its type: no browser is to take it for a page of this proxy.
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Security-Policy", "default-src 'none'; sandbox"),
        ("Server", SERVER),
    )


def missed_lines(why: str) -> Headers:
    return (("Cache-Status", f'warmgate; fwd=miss; detail="{why}"'), ("X-Cache-Status", "miss"))
