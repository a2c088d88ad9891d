"""What warming was worth: spent on calls that nobody asked for and on writes that nobody read, saved on requests, net.

One ledger for all upstreams of the process. Money in US dollars; what has no known price is counted as a call and not
as money. Everything that clients can name is bounded.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from adapters.usage import Usage
from adapters.vocabulary import Extra, Warming
from warming.plan import Plan, Shared
from warming.request import Request

KEPT = 1024
"""Tenants and fan-outs that are told apart; those used least recently are told together as `other`."""

WATCHED = 50_000
"""Writes that are watched until they are read or expire."""

OTHER = "other"


@dataclass(slots=True)
class Account:
    """Of one tenant, or one fan-out."""

    requests: int = 0
    calls: int = 0
    """Calls that nobody asked for."""
    saved: float = 0.0
    spent: float = 0.0
    """On those calls."""

    @property
    def net(self) -> float:
        return self.saved - self.spent

    def add(self, other: Account) -> None:
        self.requests += other.requests
        self.calls += other.calls
        self.saved += other.saved
        self.spent += other.spent


class _Write(NamedTuple):
    until: float
    tokens: int
    premium: float
    """What writing cost more than leaving it alone would have."""


Figures = dict[tuple[str, ...], float]
"""What is counted, by what it is. The first part of a key names the figure:

    requests, ROLE          requests by what they were: leader, follower, ...
    calls, KIND, OUTCOME    calls that nobody asked for: warm, ping; ok, failed
    fanouts, OUTCOME        declared fan-outs by what became of them: cold (warmed), warm, below minimum, ...
    tokens, WHO, CLASS      of prompts: of real requests, warms, pings; read, written, uncached
    dollars, KIND           saved (may be negative), spent on warms and pings, on writes that nobody read (unread)
    seconds, KIND           waited by requests, spent by warm calls (creating)
    unread_tokens
"""


@dataclass(slots=True)
class Ledger:
    figures: Figures = field(default_factory=lambda: defaultdict(float))
    total: Account = field(default_factory=Account)
    kept: float = 0.0
    """Dollars spent on pings for the traffic's sake, which have one budget."""
    tenants: OrderedDict[str, Account] = field(default_factory=OrderedDict)
    fanouts: OrderedDict[str, Account] = field(default_factory=OrderedDict)
    _writes: OrderedDict[bytes, _Write] = field(default_factory=OrderedDict)

    def request(self, request: Request, plan: Plan, usage: Usage | None, noted: Warming, now: float) -> None:
        """A request has been answered."""
        figures = self.figures
        figures["requests", noted.role] += 1
        if noted.waited:
            figures["seconds", "waited"] += noted.waited
        if noted.saved:
            figures["dollars", "saved"] += noted.saved
        self._book(Account(1, 0, noted.saved or 0.0, 0.0), request.call.tenant, noted.group)
        if usage is None:
            return
        self._count("real", usage)
        self._met(plan, now)
        written = usage.prompt - usage.uncached - usage.read
        if written and plan.marks:
            self._watch(plan, written, request.dollars, now)

    def nets(self, tenant: str, group: str) -> tuple[float, float | None]:
        """What the tenant, and one of its fan-outs, has been worth so far."""
        fanout = self.fanouts.get(f"{tenant}\0{group}") if group else None
        return self.tenants[tenant].net, None if fanout is None else fanout.net

    def extra(self, extra: Extra, tenant: str, group: str = "") -> None:
        """A call that nobody asked for was made."""
        figures = self.figures
        figures["calls", extra.kind, "failed" if extra.failed else "ok"] += 1
        if extra.kind == "warm":
            figures["seconds", "creating"] += extra.seconds
        if extra.usage is not None:
            self._count(extra.kind, extra.usage)
        if extra.cost is not None:
            figures["dollars", extra.kind] += extra.cost
        self._book(Account(0, 1, 0.0, extra.cost or 0.0), tenant, group)

    def fanout(self, shared: Shared) -> None:
        """A declared fan-out is complete."""
        self.figures["fanouts", shared.why] += 1

    def _book(self, account: Account, tenant: str, group: str) -> None:
        self.total.add(account)
        _of(self.tenants, tenant).add(account)
        if group:
            _of(self.fanouts, f"{tenant}\0{group}").add(account)

    def _count(self, who: str, usage: Usage) -> None:
        written = usage.prompt - usage.uncached - usage.read
        for kind, tokens in (("read", usage.read), ("uncached", usage.uncached), ("written", written)):
            self.figures["tokens", who, kind] += tokens

    def _watch(self, plan: Plan, written: int, per_token: float, now: float) -> None:
        rates, (at, name) = plan.terms.rates, plan.marks[-1]
        life = next((each for each in plan.terms.profile.lives if each.name == name), None)
        if life is None:
            return
        premium = written * (getattr(rates, life.counted) - 1) * per_token
        self._writes[plan.prompt.points[at].digest] = _Write(now + life.seconds, written, premium)
        while len(self._writes) > WATCHED or (self._writes and next(iter(self._writes.values())).until <= now):
            _, write = self._writes.popitem(last=False)
            self.figures["unread_tokens",] += write.tokens
            self.figures["dollars", "unread"] += write.premium

    def _met(self, plan: Plan, now: float) -> None:
        for point in plan.prompt.points:
            write = self._writes.get(point.digest)
            if write is not None and write.until > now:
                del self._writes[point.digest]


def _of(accounts: OrderedDict[str, Account], name: str) -> Account:
    account = accounts.get(name)
    if account is None:
        account = accounts[name] = Account()
        if len(accounts) > KEPT:
            gone, old = accounts.popitem(last=False)
            if gone == OTHER and accounts:
                gone, older = accounts.popitem(last=False)
                old.add(older)
            accounts.setdefault(OTHER, Account()).add(old)
    accounts.move_to_end(name)
    return account
