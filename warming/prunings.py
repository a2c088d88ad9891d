"""The hooks that are built in. Each is pure; what it puts in place of a piece depends on that piece alone.

Their rules are those of coding agents' own pruning, as far as these keep a prompt cache intact: what comes again is
dropped where it comes, the first stays (`keep first`: nothing that was sent changes); what became worthless later waits
until the engine finds it cheap to drop.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from posixpath import normpath
from typing import Any, NamedTuple

import msgspec

from adapters.transcript import Edit, Piece, Transcript
from adapters.transcript_parts import PATHS
from warming.hooks import Context

PRUNED = "[pruned: "
"""How everything that stands in the place of a whole piece begins. Such a text is left alone."""

POINTER = re.compile(re.escape(PRUNED) + r"the same as the result of call ([\w.:-]{1,64})\]")

EXTRACT = 200
"""Characters that are left of the beginning and of the end of a stale result."""

READS = frozenset({"read", "view", "open", "cat"})
WRITES = frozenset({"write", "create", "overwrite"})
CHANGES = frozenset({"edit", "replace", "insert", "append", "patch", "update", "undo"})
"""Words in the names of tools that show all of a file, replace all of it, or change a part of it. The last make nothing
before them superfluous."""


def duplicate_results(transcript: Transcript, context: Context) -> Iterator[Edit]:
    """A result that reads like an earlier one becomes a pointer to that, if it was never sent."""
    results = [index for index, piece in enumerate(transcript.pieces) if piece.kind == "result" and piece.call_id]
    ids = Counter(transcript.pieces[index].call_id for index in results)
    first: dict[str, int] = {}
    for index in results:
        piece = transcript.pieces[index]
        original = first.setdefault(piece.text, index)
        if original == index or index < context.first_new or not _open(piece):
            continue
        # Some engines number the calls of each answer anew: then an id says nothing.
        ident = transcript.pieces[original].call_id
        text = f"{PRUNED}the same as the result of call {ident}]"
        if ids[ident] == 1 and POINTER.fullmatch(text) and len(text) < len(piece.text):
            yield Edit(index, text, keeps=original)


class _FileCall(NamedTuple):
    call: int
    result: int
    path: str
    verb: str
    """`read` (all of a file), `part` (of it), `write`, or empty for another use."""
    arguments: str


def superseded_files(transcript: Transcript, context: Context) -> Iterator[Edit]:
    """What was read of a file, or written to it, once all of the file was read or written again; and what was read of a
    part of it, once the same part was read again. Of a call that wrote, the long arguments."""
    whole: dict[str, int] = {}
    same: dict[tuple[str, str], int] = {}
    for use in reversed(_file_calls(transcript)):
        later = whole.get(use.path)
        if later is None and use.verb == "part":
            later = same.get((use.path, use.arguments))
        if later is not None:
            yield from _superseded(transcript, use, later)
        if use.verb in ("read", "write"):
            whole.setdefault(use.path, use.result)
        same.setdefault((use.path, use.arguments), use.result)


def _superseded(transcript: Transcript, use: _FileCall, later: int) -> Iterator[Edit]:
    result, call = transcript.pieces[use.result], transcript.pieces[use.call]
    text = f"{PRUNED}this file was read or written again later]"
    if use.verb and _open(result) and len(text) < len(result.text):
        yield Edit(use.result, text, because=later)
    if use.verb == "write" and not call.locked:
        yield Edit(use.call, text, because=later)


def resolved_errors(transcript: Transcript, context: Context) -> Iterator[Edit]:
    """What a failed call said, once the same tool was called for the same file, or with the same arguments, and did not
    fail."""
    solved: dict[tuple[str, Any], int] = {}
    targets = _targets(transcript)
    for index in reversed(range(len(transcript.pieces))):
        piece = transcript.pieces[index]
        target = targets.get(index)
        if target is None:
            continue
        if not piece.failed:
            solved[target] = index
        elif target in solved and _open(piece):
            text = f"{PRUNED}this error was solved by a later call of {piece.tool[:64]}]"
            if len(text) < len(piece.text):
                yield Edit(index, text, because=solved[target])


def stale_results(transcript: Transcript, context: Context) -> Iterator[Edit]:
    """Long results that are not among the latest become one line: how they begin and how they end."""
    keep, seen = context.options.keep_results, transcript.answered
    results = [index for index, piece in enumerate(transcript.pieces) if piece.kind == "result"]
    recent = {transcript.pieces[index].text for index in (results[-keep:] if keep else ())}
    for place, index in enumerate(results[: len(results) - keep]):
        piece = transcript.pieces[index]
        if piece.message >= seen or len(piece.text) <= context.options.stale_over or not _open(piece):
            continue
        if piece.text in recent:
            continue  # one of the latest may have become a pointer to this one
        head, tail = " ".join(piece.text[: 4 * EXTRACT].split()), " ".join(piece.text[-4 * EXTRACT :].split())
        told = f"{PRUNED}old result of {piece.tool[:64] or 'a tool'}, {len(piece.text)} characters:"
        text = f"{told} {head[:EXTRACT]} ... {tail[-EXTRACT:]}]"
        if len(text) < len(piece.text):
            yield Edit(index, text, because=results[place + keep] if keep else None)


def oversized_results(transcript: Transcript, context: Context) -> Iterator[Edit]:
    """Results that were never sent and are longer than allowed lose their middle."""
    limit = context.options.oversized
    for index in range(context.first_new, len(transcript.pieces)):
        piece = transcript.pieces[index]
        if piece.kind == "result" and len(piece.text) > limit and _open(piece):
            text = _cut(piece.text, limit)
            if len(text) < len(piece.text):
                yield Edit(index, text)


def _cut(text: str, limit: int) -> str:
    """Two thirds of what is left are the beginning. What says how much is gone counts in the limit, so that a text that
    was cut is not cut again."""
    room = max(0, limit - len(_gap(len(text))))
    head, tail = room - room // 3, room // 3
    return text[:head] + _gap(len(text) - head - tail) + text[len(text) - tail :]


def _gap(count: int) -> str:
    return f"\n{PRUNED}{count} characters left out here]\n"


def old_images(transcript: Transcript, context: Context) -> Iterator[Edit]:
    """All images but the latest."""
    keep, seen = context.options.keep_images, transcript.answered
    images = [index for index, piece in enumerate(transcript.pieces) if piece.kind == "image"]
    for place, index in enumerate(images[: len(images) - keep]):
        piece = transcript.pieces[index]
        if not piece.locked and piece.message < seen:
            yield Edit(index, "[image removed]", because=images[place + keep] if keep else None)


def _open(piece: Piece) -> bool:
    return not piece.locked and not piece.text.startswith(PRUNED)


def _targets(transcript: Transcript) -> dict[int, tuple[str, Any]]:
    """What each result comes from, by its index: the tool, and the files or the arguments that it was called with."""
    calls: dict[str, Piece] = {}
    targets: dict[int, tuple[str, Any]] = {}
    for index, piece in enumerate(transcript.pieces):
        if piece.kind == "call":
            calls[piece.call_id] = piece
        elif piece.kind == "result" and piece.tool and (call := calls.get(piece.call_id)) is not None:
            targets[index] = (piece.tool, piece.paths or call.text)
    return targets


def _file_calls(transcript: Transcript) -> list[_FileCall]:
    """Calls that name one file and did not fail, in their order."""
    calls: dict[str, int] = {}
    found = []
    for index, piece in enumerate(transcript.pieces):
        if piece.kind == "call":
            calls[piece.call_id] = index
        elif piece.kind == "result" and len(piece.paths) == 1 and not piece.failed and piece.call_id in calls:
            call = calls[piece.call_id]
            arguments = transcript.pieces[call].text
            found.append(_FileCall(call, index, normpath(piece.paths[0]), _verb(piece.tool, arguments), arguments))
    return found


def _verb(tool: str, arguments: str) -> str:
    """By the words in the tool's name, or by its `command` where it has several; by what else it was called with."""
    try:
        given = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ""
    if not isinstance(given, dict):
        return ""
    command = given.get("command")
    name = command if isinstance(command, str) and command in READS | WRITES | CHANGES else tool
    words = set(re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()))
    if words & CHANGES:
        return ""
    if words & WRITES:
        return "write"
    rest = [value for key, value in given.items() if key not in PATHS and key != "command"]
    return ("part" if any(rest) else "read") if words & READS else ""
