"""What `warmgate explain` found, as the object that `--json` prints and as a table."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from adapters.prices import Prices
from proxy.explain_cause import CAUSES, Lost, lost
from proxy.explain_diff import Difference
from proxy.explain_layout import Layout
from proxy.explain_volatile import KINDS
from proxy.explain_walk import Look
from proxy.redact import redact_text

# rich is imported where something is drawn: the command line imports this module for every command.


@dataclass(slots=True)
class Sum:
    requests: int = 0
    tokens: int = 0
    dollars: float = 0.0
    unpriced: int = 0

    def add(self, miss: Lost) -> None:
        self.requests += 1
        self.tokens += miss.tokens
        self.dollars += miss.dollars or 0.0
        self.unpriced += miss.dollars is None

    def report(self) -> dict[str, Any]:
        known = not self.requests or self.unpriced < self.requests
        return {
            "requests": self.requests,
            "tokens": self.tokens,
            "dollars": round(self.dollars, 9) if known else None,
        }


@dataclass(slots=True)
class Found:
    """Takes requests one by one and holds sums, and the dearest misses."""

    prices: Prices
    model: str | None = None
    limit: int = 20
    requests: int = 0
    recorded: int = 0
    blind: int = 0
    untimed: int = 0
    prompt: int = 0
    read: int = 0
    total: Sum = field(default_factory=Sum)
    causes: dict[str, Sum] = field(default_factory=dict)
    dearest: list[tuple[float, int, int, dict[str, Any]]] = field(default_factory=list)
    unpriced: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    layout: Layout = field(default_factory=Layout)

    def add(self, look: Look | None, file: int = 0) -> None:
        self.requests += 1
        if look is None:
            self.blind += 1
            return
        self.recorded += not look.usage.estimated
        self.untimed += look.recorded.ts is None
        self.prompt += look.usage.prompt
        self.read += look.usage.read
        if look.profile.boundary == "unknown":
            self.unknown.add(look.recorded.model)
        self.layout.add(look, file)
        miss = lost(look, self.prices, self.model)
        if miss is None:
            return
        self.total.add(miss)
        self.causes.setdefault(miss.cause, Sum()).add(miss)
        if miss.dollars is None:
            self.unpriced.add(self.model or look.recorded.model)
        # Numbers that never repeat stand before the object: heaps compare, and objects can't be.
        entry = (miss.dollars or 0.0, miss.tokens, -self.requests, told(look, miss))
        if len(self.dearest) < self.limit:
            heapq.heappush(self.dearest, entry)
        elif self.dearest and entry[:3] > self.dearest[0][:3]:
            heapq.heapreplace(self.dearest, entry)

    def report(self, files: Sequence[Path], skipped: int) -> dict[str, Any]:
        """As `--json` prints it; its members are stable (`proxy.explain`)."""
        causes = {name: self.causes[name].report() for name in CAUSES if name in self.causes}
        movable = self.layout.movable(self.prices, self.model)
        nothing = Sum().report()
        return {
            "files": [str(path) for path in files],
            "requests": self.requests,
            "recorded": self.recorded,
            "skipped_lines": skipped,
            "prices": {"table": self.prices.table, "as_of": self.prices.as_of},
            "prompt_tokens": self.prompt,
            "read_tokens": self.read,
            "misses": self.total.report(),
            "causes": causes,
            "dearest": [entry[3] for entry in sorted(self.dearest, key=lambda entry: entry[:3], reverse=True)],
            "reordering": {
                "volatile": causes.get("volatile", nothing),
                "volatile_unseen": causes.get("volatile_unseen", nothing),
                "static_text": [
                    {**one._asdict(), "dollars": None if one.dollars is None else round(one.dollars, 9)}
                    for one in movable
                ],
            },
            "notes": list(self._notes()),
        }

    def _notes(self) -> Iterator[str]:
        looked = self.requests - self.blind
        if self.blind:
            yield f"{self.blind} of {self.requests} requests are recorded without their prompts: nothing to compare."
        if self.recorded < looked:
            yield (
                f"{looked - self.recorded} of {looked} requests carry no usage: what they read is simulated by the "
                "rules of their provider, as if it always hit; tokens are estimates."
            )
        if self.untimed:
            yield f"{self.untimed} of {looked} requests have no time: nothing lapses there."
        if self.unknown:
            names = ", ".join(sorted(name or "(no name)" for name in self.unknown)[:5])
            yield f"Of the prompt cache of {names} too little is known: misses there are taken to happen."
        if self.unpriced:
            names = ", ".join(sorted(name or "(no name)" for name in self.unpriced)[:5])
            yield f"No price for: {names}. Such misses are missing from the dollars, not free."
        if self.model is not None:
            yield f"Priced as {self.model}, whatever the recorded model."
        if "volatile_unseen" in self.causes:
            yield (
                "A volatile prefix that is not in the recording is inferred: the provider evicts nothing before its "
                "time, the life had not lapsed, not even the system prompt was read, and nothing recorded differs."
            )
        yield "A price is what the tokens cost more than reading them would have."


def told(look: Look, miss: Lost) -> dict[str, Any]:
    """A miss as `--json` prints it."""
    recorded, change = look.recorded, look.difference
    shown = change if change is not None and miss.cause not in ("ttl", "below_minimum", "in_flight") else None
    return {
        "session": redact_text(recorded.session)[:80],
        "request": recorded.seq,
        "model": redact_text(recorded.model)[:80],
        "cause": miss.cause,
        "tokens": miss.tokens,
        "read_tokens": look.usage.read,
        "prompt_tokens": look.usage.prompt,
        "dollars": None if miss.dollars is None else round(miss.dollars, 9),
        "gap_seconds": None if look.gap is None else round(look.gap, 3),
        "where": None if shown is None else _where(look, shown),
    }


def _where(look: Look, change: Difference) -> dict[str, Any]:
    # The system prompt of these APIs is a member of its own, and the first turn here.
    body = look.recorded.body or {}
    own = {"messages": "system", "responses": "instructions"}.get(look.recorded.route, "") in body
    message = change.turn - own if change.what in ("system", "message") else None
    return {
        "what": change.what,
        "name": change.name,
        "message": message if message is None or message >= 0 else None,
        "part": change.part,
        "role": change.role,
        "character": change.offset,
        "before": change.before,
        "now": change.now,
        "kind": change.kind,
    }


def place_of(where: Mapping[str, Any] | None) -> str:
    """Where it is, in words."""
    if where is None:
        return ""
    place = str(where["what"])
    if where["message"] is not None:
        place = f"message {where['message']} ({where['role']})"
    if where["part"] is not None:
        place += f", part {where['part']}"
    if where["name"]:
        place += f", {where['name']}"
    if where["what"] in ("system", "message", "tools") and where["before"] + where["now"]:
        place += f", character {where['character']}"
    return place + (f": {KINDS[where['kind']]}" if where["kind"] else "")


def write_table(report: Mapping[str, Any], out: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(file=out, highlight=False, emoji=False, markup=False)
    misses = report["misses"]
    requests, skipped = report["requests"], report["skipped_lines"]
    console.print(f"{requests:,} requests from {len(report['files'])} file(s), {skipped:,} lines skipped")
    console.print(
        f"{report['prompt_tokens']:,} tokens of prompts, {report['read_tokens']:,} read; {misses['requests']:,} misses "
        f"of {misses['tokens']:,} tokens: {dollars(misses['dollars'])}\n"
    )
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("cause")
    for name in ("misses", "tokens", "dollars"):
        table.add_column(name, justify="right")
    for name, row in report["causes"].items():
        table.add_row(CAUSES[name], f"{row['requests']:,}", f"{row['tokens']:,}", dollars(row["dollars"]))
    if report["causes"]:
        console.print(table)
        console.print()
    for miss in report["dearest"]:
        for line in _lines(miss):
            console.print(line)
    if report["dearest"]:
        console.print()
    for line in (*_savings(report["reordering"]), *report["notes"]):
        console.print("* " + line)
    console.print(f"* Prices: {report['prices']['table']}, {report['prices']['as_of']}.")


def _lines(miss: Mapping[str, Any]) -> Iterator[str]:
    gap = "" if miss["gap_seconds"] is None else f", {miss['gap_seconds']:,.0f} s later"
    name = "".join(char if char.isprintable() else " " for char in miss["session"])
    which = f"{name} #{miss['request']}: {miss['tokens']:,} tokens{gap}"
    yield f"{dollars(miss['dollars'])}  {which}: {CAUSES[miss['cause']]}"
    where = miss["where"]
    if where is not None:
        yield f"    {place_of(where)}"
        if where["before"] or where["now"]:
            yield f"    - {where['before']}"
            yield f"    + {where['now']}"


def _savings(reordering: Mapping[str, Any]) -> Iterator[str]:
    seen, unseen = reordering["volatile"], reordering["volatile_unseen"]
    if seen["requests"]:
        yield (
            f"With what comes anew each time moved behind the static text (the end of the prompt, the last user "
            f"message) {seen['tokens']:,} tokens would have been read: {dollars(seen['dollars'])} saved."
        )
    if unseen["requests"]:
        yield (
            f"If a time stamp in front is what broke the others, moving it saves {dollars(unseen['dollars'])} more "
            f"({unseen['tokens']:,} tokens)."
        )
    for one in reordering["static_text"]:
        yield (
            f"{one['model'] or '(no name)'}: static text stands behind variable text. Put first, {one['sessions']:,} "
            f"sessions would have read {one['tokens']:,} tokens of it: {dollars(one['dollars'])} saved. It begins: "
            f"{one['begins']}"
        )


def dollars(value: float | None) -> str:
    return "no price" if value is None else f"${value:,.4f}" if value < 1 else f"${value:,.2f}"
