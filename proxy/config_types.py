"""The kinds of values that settings have: their bounds, and how they are written.

The types carry what a reader of values has to know: bounds as `Meta(ge=..., gt=..., le=...)`, and in `extra["form"]`
the way a value is written (a size, a duration) or what kind of text it is.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit, urlunsplit

from msgspec import Meta

MASK = "****"
"""What stands for a secret wherever settings are shown; nothing of the secret is in it, not even its length."""

Size = Annotated[int, Meta(ge=1, extra={"form": "bytes"})]
"""Bytes. Written as a number, or with B, kB, MB, GB, TB (powers of 1,000), KiB, MiB, GiB, TiB (of 1,024)."""
Span = Annotated[float, Meta(gt=0, extra={"form": "seconds"})]
"""Seconds, more than 0. Written as a number, or with ms, s, m, h, d."""
Wait = Annotated[float, Meta(ge=0, extra={"form": "seconds"})]
"""Seconds, 0 allowed."""
Count = Annotated[int, Meta(ge=1)]
Natural = Annotated[int, Meta(ge=0)]
Port = Annotated[int, Meta(ge=0, le=65535)]
Rate = Annotated[float, Meta(gt=0)]
Dollars = Annotated[float, Meta(ge=0)]
"""US dollars per million tokens."""
File = Annotated[str, Meta(extra={"form": "file"})]
"""A path of a file; a leading `~/` is the home directory, a relative one starts at the working directory."""
Directory = Annotated[str, Meta(extra={"form": "directory"})]
Url = Annotated[str, Meta(extra={"form": "url"})]
RedisUrl = Annotated[str, Meta(extra={"form": "redis"})]
"""Of a Redis or Valkey: `redis://`, `rediss://` (TLS) or `unix://`."""
Variable = Annotated[str, Meta(extra={"form": "variable"})]
"""The name of an environment variable, upper case, so that a key pasted in its place is noticed."""
Secret = Annotated[str, Meta(extra={"form": "secret"})]
Name = Annotated[str, Meta(extra={"form": "name"})]
Text = Annotated[str, Meta(extra={"form": "text"})]
HeaderValue = Annotated[str, Meta(extra={"form": "header"})]
"""The value of a header line, or `$NAME` for that of an environment variable."""


def masked_url(url: str) -> str:
    """The URL without what may be secret in it: user and password, and the value of every query parameter."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    if "@" in parts.path:
        return MASK  # a password with a slash in it ends up where nobody looks for one
    user, at, host = parts.netloc.rpartition("@")
    pairs = (pair.partition("=") for pair in parts.query.split("&") if pair)
    query = "&".join(f"{name}={MASK}" if equals else MASK for name, equals, _ in pairs)
    return urlunsplit((parts.scheme, (MASK + at if user else at) + host, parts.path, query, ""))
