"""What every miss of the provider's prompt cache was and cost in recorded traffic: `warmgate explain`.

A request misses where it read less than an earlier prompt of its session (or one of another session that begins alike)
would have let it: less than what it repeats of that prompt, by more than 2% and by more than a step of the provider's
granularity. Where usage is recorded these are the misses that were paid for, else those of the simulated cache.

`--json` prints one object. Its members are stable; tokens are counts, times seconds, money US dollars (null where no
price is known), and excerpts have at most 60 characters, without credentials:

    {"files": [...], "requests", "recorded": those with usage, "skipped_lines", "prices": {"table", "as_of"},
     "prompt_tokens", "read_tokens",
     "misses": {"requests", "tokens", "dollars"},
     "causes": {CAUSE: {"requests", "tokens", "dollars"}},           # CAUSE: of `proxy.explain_cause.CAUSES`
     "dearest": [{"session", "request", "model", "cause", "tokens", "read_tokens", "prompt_tokens", "dollars",
                  "gap_seconds": since the prefix was last used, or null,
                  "where": null, or the first place that differs:
                           {"what": "model", "tools", "system", "message" or a parameter, "name", "message": index or
                            null, "part": index or null, "role", "character", "before", "now",
                            "kind": "time", "uuid", "id", "counter" or ""}}],
     "reordering": {"volatile": {"requests", "tokens", "dollars"},   # what comes anew each time, moved to the end
                    "volatile_unseen": {...},                        # the same, where it is only inferred
                    "static_text": [{"model", "sessions", "tokens", "dollars", "begins"}]},   # moved to the front
     "notes": [...]}
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TextIO

import msgspec

from adapters.prices import Prices
from adapters.tokens import Counting, estimate
from proxy.explain_report import Found, write_table
from proxy.explain_walk import Walk
from proxy.replay_report import reading
from proxy.sessions import NotARecording, Recorded, Skipped, read_file

SHOWN = 20
"""Skipped lines that are shown one by one; the others are only counted."""


@dataclass(frozen=True, slots=True)
class Options:
    files: Sequence[Path]
    model: str | None = None
    """Price every request as if it had gone to this model; where no usage is recorded, simulate its cache, too."""
    json: bool = False
    limit: int = 20
    """Misses that are told one by one, the dearest first."""
    prices: Prices | None = None
    """None: the library's table."""
    count: Counting = estimate


@dataclass(slots=True)
class _Skips:
    shown: list[Skipped] = field(default_factory=list)
    lines: int = 0

    def skip(self, skipped: Skipped) -> None:
        self.lines += 1
        if len(self.shown) < SHOWN:
            self.shown.append(skipped)


def add_parser(parser: argparse.ArgumentParser) -> None:
    """The arguments of `warmgate explain`; `options.run(options)` then runs it."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="recorded sessions, as `replay` takes them")
    parser.add_argument("--model", help="price all requests as this model")
    parser.add_argument("--limit", type=_natural, default=20, help="misses that are told one by one (20)")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=_run)


def _natural(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise argparse.ArgumentTypeError("must be a whole number from 0 to 999999")
    return int(text)


def _run(options: argparse.Namespace) -> int:
    return run(Options(options.files, options.model, options.json, options.limit), sys.stdout, sys.stderr)


def run(options: Options, out: TextIO, err: TextIO, progress: bool = True) -> int:
    """Writes the report to `out`. Returns 0, or 2 where a file is no good (said on `err`).

    `progress`: show a bar on `err`, provided that is a terminal.
    """
    found = Found(options.prices or Prices(), options.model, options.limit)
    skips = _Skips()
    try:
        with reading(options.files, err, progress) as advance:
            for number, path in enumerate(options.files):
                # A session belongs to its file: names such as "1" are no evidence that two recordings are one.
                walk = Walk(options.count, options.model)
                for recorded in _requests(path, skips, advance):
                    found.add(walk.look(recorded), number)
    except NotARecording as error:
        err.write(f"warmgate explain: {error}\n")
        return 2
    for skipped in skips.shown:
        err.write(f"{skipped} (skipped)\n")
    if skips.lines > len(skips.shown):
        err.write(f"... and {skips.lines - len(skips.shown)} more lines skipped\n")
    if found.requests == found.blind:
        err.write("warmgate explain: none of these requests was recorded with its prompt: nothing can be compared\n")
        return 2
    report = found.report(options.files, skips.lines)
    if options.json:
        out.write(msgspec.json.encode(report).decode() + "\n")
    else:
        write_table(report, out)
    return 0


def _requests(path: Path, skips: _Skips, advance: Callable[[Path, int], None]) -> Iterator[Recorded]:
    return read_file(path, skips.skip, partial(advance, path))
