"""`warmgate semantic evaluate | calibrate | report`: how good the semantic cache is, in figures.

What the figures are made with, the embedder and the decision of the configuration, is opened by whoever runs a command:
nothing here knows which there are.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from adapters.embedder import Embedder
from adapters.errors import WarmgateError
from cache.near import Judgement, Tally
from proxy import semantic_evaluate as evaluate
from proxy import semantic_sets as sets
from proxy.semantic_calibrate import Calibration, Wish, calibrate
from proxy.semantic_calibration import Made, everything, toml
from proxy.semantic_evaluate import Bench
from proxy.semantic_examples import Reading
from proxy.semantic_figures import Figures
from proxy.semantic_folds import FOLDS
from proxy.semantic_policy import Decide
from proxy.semantic_print import progress_on, write_calibration, write_evaluation, write_report
from proxy.semantic_report import report


class Means(NamedTuple):
    """What the semantic cache of a configuration decides with."""

    embedder: Embedder
    """Closed at the end of the command."""
    decide: Callable[[float | None], Decide]
    """With this threshold; None for the configured one."""
    reading: Reading
    """The features of the verifier."""


class Stored(NamedTuple):
    """What the store of a semantic cache knows of the past."""

    judgements: Sequence[Judgement]
    tallies: Mapping[str, Tally]
    max_error: float
    """As configured."""


class Opening(NamedTuple):
    """How a command gets at what it needs; each may raise a `WarmgateError` whose text says what to do."""

    means: Callable[[argparse.Namespace], Means]
    """Called with the options; `options.config` is the path of the configuration, or None."""
    stored: Callable[[argparse.Namespace], Stored]
    """Reads the store and changes nothing; `options.store` is its path, or None for that of the configuration."""
    today: Callable[[], str]
    """The date that a calibration carries, such as 2026-11-21."""


def add(subparsers: Any) -> None:
    """Adds the commands to what `add_subparsers` gave; `options.semantic` names the one that was chosen."""
    _evaluate(subparsers.add_parser("evaluate", help="hits and wrong answers on a labelled set"))
    _calibrate(subparsers.add_parser("calibrate", help="fit verifier and threshold for an embedder, and write them"))
    _report(subparsers.add_parser("report", help="hits and wrong answers on the traffic so far, by route"))


def _evaluate(parser: argparse.ArgumentParser) -> None:
    files = parser.add_mutually_exclusive_group(required=True)
    for name, told in (
        ("--pairs", '{"a", "b", "label"}: may the answer to `a` be served to `b`?'),
        ("--stream", '{"query", "cls"}: in order, into an empty cache'),
        ("--multiturn", '{"a", "b", "label"} of whole requests'),
    ):
        files.add_argument(name, type=Path, metavar="FILE", help=f"JSON lines, also gzipped, of {told}")
    parser.add_argument("--limit", type=_count, metavar="N", help="the first N lines only")
    parser.add_argument("--threshold", type=share, metavar="X", help="instead of the configured one")
    parser.add_argument(
        "--candidates", type=_count, default=4, metavar="N", help="entries to choose from (default: %(default)s)"
    )
    parser.add_argument(
        "--baselines", action="store_true", help="the same with static thresholds, and as GPTCache does it"
    )
    _common(parser, "evaluate")


def _calibrate(parser: argparse.ArgumentParser) -> None:
    for name, told in (("--pairs", "to learn from"), ("--stream", "to learn from, and to set the threshold on")):
        parser.add_argument(
            name, type=Path, action="extend", nargs="+", default=[], metavar="FILE", help=f"as for evaluate, {told}"
        )
    parser.add_argument("--limit", type=_count, metavar="N", help="the first N lines of each file only")
    parser.add_argument(
        "--max-error",
        type=_bound,
        default=0.005,
        metavar="X",
        help="share of all requests that may be answered wrong (default: %(default)s)",
    )
    parser.add_argument(
        "--candidates", type=_count, default=4, metavar="N", help="entries to choose from (default: %(default)s)"
    )
    parser.add_argument(
        "--floor", type=share, default=0.8, metavar="X", help="least similarity of a hit (default: %(default)s)"
    )
    parser.add_argument(
        "--folds",
        choices=FOLDS,
        default=FOLDS[0],
        help="set the threshold on questions whose class, or whose whole source, was not learned from",
    )
    parser.add_argument(
        "--held-out",
        action="append",
        default=[],
        metavar="SOURCE",
        help="a source that is not learned from; its figures are told. May be given several times",
    )
    parser.add_argument("--out", type=Path, default=Path("calibration.toml"), metavar="FILE", help="%(default)s")
    parser.add_argument("--date", metavar="DATE", help="that the file carries; today's without it")
    _common(parser, "calibrate")


def _report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", type=Path, metavar="FILE", help="the semantic store; else as --config says")
    parser.add_argument(
        "--max-error",
        type=_bound,
        metavar="X",
        help="share of all requests that may be answered wrong; else as configured",
    )
    _common(parser, "report")


def _common(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="whose embedder and settings count")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(semantic=name)


def run(options: argparse.Namespace, opening: Opening, out: TextIO, err: TextIO) -> int:
    """The exit code: 0, or 2 where there is nothing to compute with; the reason is on `err`."""
    try:
        return COMMANDS[options.semantic](options, opening, out, err)
    except (sets.SetError, WarmgateError) as error:
        err.write(f"warmgate semantic {options.semantic}: {error}\n")
        return 2


def _run_evaluate(options: argparse.Namespace, opening: Opening, out: TextIO, err: TextIO) -> int:
    read: Any
    measure: Any
    path, read, measure = next(
        (path, read, measure)
        for path, read, measure in (
            (options.stream, sets.stream, evaluate.stream),
            (options.pairs, sets.pairs, evaluate.pairs),
            (options.multiturn, sets.multiturn, evaluate.multiturn),
        )
        if path is not None
    )
    rows = read(path, options.limit)
    means = opening.means(options)
    notes: list[str] = []

    async def measured() -> Figures:
        try:
            bench = Bench(
                means.embedder,
                means.decide,
                options.threshold,
                options.candidates,
                options.baselines,
                progress_on(err),
                notes.append,
            )
            figures: Figures = await measure(rows, bench)
            return figures
        finally:
            await means.embedder.close()

    figures = asyncio.run(measured())
    for note in notes:
        err.write(f"warmgate semantic evaluate: {note}\n")
    if options.json:
        out.write(json.dumps(figures, indent=1, allow_nan=False) + "\n")
    else:
        write_evaluation(f"{path.name}, {means.embedder.identity}", figures, out)
    return 0


def _run_calibrate(options: argparse.Namespace, opening: Opening, out: TextIO, err: TextIO) -> int:
    """1 where no threshold keeps the bound; then nothing is written."""
    if not options.stream:
        raise sets.SetError("--stream: a threshold needs a stream")
    pairs = [pair for path in options.pairs for pair in sets.pairs(path, options.limit)]
    streams = [sets.stream(path, options.limit) for path in options.stream]
    wish = Wish(options.max_error, options.candidates, options.floor, options.folds, frozenset(options.held_out))
    means = opening.means(options)

    async def found() -> Calibration:
        try:
            return await calibrate(pairs, streams, means.embedder, means.reading, wish, progress_on(err))
        finally:
            await means.embedder.close()

    calibration = asyncio.run(found())
    made = Made(means.embedder.identity, options.date or opening.today(), wish.max_error, wish.folds)
    if options.json:
        out.write(json.dumps(everything(calibration, made), indent=1, allow_nan=False) + "\n")
    else:
        write_calibration(calibration, made, out)
    if calibration.threshold is None:
        err.write("warmgate semantic calibrate: no threshold keeps the bound; nothing was written\n")
        return 1
    try:
        options.out.write_text(toml(calibration, made), encoding="utf-8")
    except OSError as error:
        raise sets.SetError(f"{options.out}: {error.strerror or error}") from None
    return 0


def _run_report(options: argparse.Namespace, opening: Opening, out: TextIO, err: TextIO) -> int:
    stored = opening.stored(options)
    max_error = stored.max_error if options.max_error is None else options.max_error
    found = report(stored.judgements, stored.tallies, max_error)
    if options.json:
        out.write(json.dumps(found, indent=1, allow_nan=False) + "\n")
    else:
        write_report(found, out)
    return 0


COMMANDS = {"evaluate": _run_evaluate, "calibrate": _run_calibrate, "report": _run_report}


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text)):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on, not `{text}`")
    return int(text)


def _bound(text: str) -> float:
    value = share(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"must lie between 0 and 1, not `{text}`")
    return value


def share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1, not `{text}`")
    return value
