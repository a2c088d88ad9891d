"""Recordings on disk, read line by line: plain or gzip, any of the formats of `proxy.importers`.

A line that cannot be read is reported and passed over, so that a recording whose process was killed in the middle of a
line is as good as any other. A file in which nothing can be read is an error.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import IO, NamedTuple, cast

import msgspec

from proxy.importers import BadLine, History, Recorded, Response, read, read_csv
from proxy.recorded_usage import usage_of

__all__ = ["NotARecording", "Recorded", "Response", "Skipped", "read_file", "usage_of"]

LONGEST_LINE = 256 * 2**20
"""Bytes. Long coding sessions make lines of a megabyte or two; a file without line ends must not fill the memory."""

PATIENCE = 100
"""Bad lines at the start of a file before it is taken for something else."""

CSV_HEADER = b"TIMESTAMP,ContextTokens,GeneratedTokens"


class NotARecording(Exception):
    """The file can't be opened, or there is nothing in it that could be replayed."""


class Skipped(NamedTuple):
    """A line that was passed over. Lines count from 1."""

    path: str
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.why}"


def read_file(
    path: Path,
    skip: Callable[[Skipped], None],
    progress: Callable[[int], None] | None = None,
) -> Iterator[Recorded]:
    """The requests of a file in its own order. `progress` is told how many bytes of it have been read.

    Raises `NotARecording`.
    """
    try:
        with path.open("rb") as raw:
            yield from _requests(path, raw, skip, progress or _silent)
    except OSError as error:
        raise NotARecording(f"{path}: {error.strerror or error}") from error


def _requests(
    path: Path, raw: BufferedReader, skip: Callable[[Skipped], None], progress: Callable[[int], None]
) -> Iterator[Recorded]:
    history = History(path.name)
    found = bad = 0
    csv = False
    for line in _lines(path, raw, history, skip):
        if history.line == 1 and line.startswith(CSV_HEADER):
            csv = True
            continue
        try:
            for recorded in [read_csv(line.decode("ascii", "replace"), history)] if csv else _json(line, history):
                found += 1
                yield recorded
        except BadLine as error:
            bad += 1
            skip(Skipped(str(path), history.line, str(error)))
            if not found and bad >= PATIENCE:
                raise NotARecording(f"{path}: no recording: its first {bad} lines hold no request ({error})") from None
        if history.line % 64 == 0:
            progress(raw.tell())
    progress(raw.tell())
    if not found:
        raise NotARecording(f"{path}: no recording: there is no request in it")


def _json(line: bytes, history: History) -> Iterator[Recorded]:
    try:
        decoded = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadLine(f"not JSON ({error})") from error
    return read(decoded, history)


def _lines(path: Path, raw: BufferedReader, history: History, skip: Callable[[Skipped], None]) -> Iterator[bytes]:
    """The lines that are not blank; `history.line` counts all of them."""
    stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw) if raw.peek(2)[:2] == b"\x1f\x8b" else raw)
    whole = True
    """Whether the piece read last ended its line."""
    while True:
        try:
            piece = stream.readline(LONGEST_LINE)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            skip(Skipped(str(path), history.line + 1, f"the compressed file breaks off or is damaged here ({error})"))
            return
        if not piece:
            return
        begins, whole = whole, len(piece) < LONGEST_LINE or piece.endswith(b"\n")
        if not begins:
            continue
        history.line += 1
        if not whole:
            skip(Skipped(str(path), history.line, f"longer than {LONGEST_LINE} bytes"))
        elif piece.strip():
            yield piece


def _silent(_: int) -> None:
    pass
