"""Server-sent events at the level of bytes (WHATWG HTML Living Standard §9.2.6, read 2026-11).

A frame keeps the bytes it came in: what is passed through leaves as it came, and is read only when somebody asks.
Any of LF, CR and CRLF ends a line, a blank line ends an event, and a chunk may be cut anywhere, also inside a CRLF.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

_EOL = rb"(?>\r\n|\n|\r)"
_END = re.compile(_EOL + _EOL)
_LINE = re.compile(_EOL)
_NAMED = re.compile(rb"event: [^\r\n]*\n")
_BOM = b"\xef\xbb\xbf"

MAX_FRAME = 16 * 1024 * 1024
"""Bytes one event may have; an upstream that never sends a blank line must not fill the memory."""


class Frame:
    """One server-sent event (or one chunk of an opaque body), its bytes intact."""

    __slots__ = ("_data", "_json", "_read", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._read = False
        self._data: bytes | None = None
        self._json: Any = None

    @property
    def data(self) -> bytes | None:
        """The `data` lines joined by LF; None for an event without any (a comment, a lone `event:`)."""
        if not self._read:
            self._read = True
            self._data = _field(self.raw, b"data")
        return self._data

    @property
    def event(self) -> str:
        """The `event` field; empty where there is none."""
        if not self.raw.startswith(b"data:"):
            name = _field(self.raw, b"event")
            return name.decode(errors="replace").rpartition("\n")[2] if name else ""
        name = _field(self.raw, b"event") if b"\nevent" in self.raw or b"\revent" in self.raw else None
        return name.decode(errors="replace").rpartition("\n")[2] if name else ""

    def json(self) -> Any:
        """The decoded data; raises `msgspec.DecodeError` (or `UnicodeDecodeError`) where it is not JSON."""
        if self._json is None:
            self._json = msgspec.json.decode(self.data or b"")
        return self._json

    def __repr__(self) -> str:
        return f"Frame({self.raw!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frame) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash(self.raw)


def _field(raw: bytes, name: bytes) -> bytes | None:
    """All values of one field, joined by LF."""
    if name == b"data" and raw.endswith(b"\n\n"):
        # Nearly every event there is: one data line, with or without the event's name in front.
        head, found, inner = raw[:-2].partition(b"data: ")
        if found and (not head or _NAMED.fullmatch(head)) and b"\n" not in inner and b"\r" not in inner:
            return inner
    values = []
    for line in _LINE.split(raw.removeprefix(_BOM)):
        key, colon, value = line.partition(b":")
        if key == name:
            values.append(value.removeprefix(b" ") if colon else b"")
    return b"\n".join(values) if values else None


def frame_of(payload: bytes, event: str = "") -> Frame:
    """The event that carries this payload (which holds no line break: JSON never does)."""
    head = f"event: {event}\n".encode() if event else b""
    return Frame(head + b"data: " + payload + b"\n\n")


class Splitter:
    """Cuts a byte stream into frames. `b"".join(frame.raw)` plus `rest()` is exactly what was fed."""

    __slots__ = ("_buffer", "_seen", "limit")

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._buffer = b""
        self._seen = 0
        self.limit = limit

    def feed(self, chunk: bytes) -> list[Frame]:
        """The events that this chunk completes. Raises ValueError when one event exceeds the limit."""
        buffer = self._buffer + chunk if self._buffer else chunk
        frames: list[Frame] = []
        start, search = 0, self._seen
        while match := _END.search(buffer, search):
            end = match.end()
            if end == len(buffer) and buffer[-1:] == b"\r":
                break  # a line feed that belongs to this CR may still come
            frames.append(Frame(buffer[start:end]))
            start = search = end
        self._buffer = buffer[start:] if start else buffer
        # The last three bytes may be the beginning of a blank line that the next chunk completes.
        self._seen = max(0, len(self._buffer) - 3)
        if len(self._buffer) > self.limit:
            raise ValueError(f"one event exceeds {self.limit} bytes")
        return frames

    def rest(self) -> bytes:
        """What was fed and is no complete event: at the end of a body, its torn tail."""
        rest, self._buffer, self._seen = self._buffer, b"", 0
        return rest
