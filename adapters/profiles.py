"""How providers cache prompts: what is kept from which length on, for how long, what ends it, and how it can be warmed.

The facts are dated data with their sources, in `adapters/data/prompt_caches.toml`. They are beliefs: the usage that a
provider reports goes before them. What a read or a write costs follows from the prices and stands nowhere else.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import date
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct, field

from adapters.prices import Prices

Natural = Annotated[int, Meta(ge=0)]
Level = Literal["tools", "system", "messages"]
"""The parts of a prompt, in the order in which every provider renders them."""

PREFIX: dict[str, tuple[Level, ...]] = {
    "model": ("tools", "system", "messages"),
    "tools": ("tools", "system", "messages"),
    "system": ("system", "messages"),
    "messages": ("messages",),
}
"""What a change breaks wherever prefixes are cached."""

LONGEST_NAME = 256
REMEMBERED = 1024
"""Model names are the client's to choose: neither their length nor their number may fill the memory."""


class Life(Struct, frozen=True, forbid_unknown_fields=True):
    """How long an entry lives."""

    name: str
    """As it stands in a request (`ttl`)."""
    seconds: Annotated[int, Meta(ge=1)]
    counted: Literal["uncached", "write_5m", "write_1h", "write_30m", "write_12h"]
    """The class of `Usage` that writing it counts in; `uncached` where writing is not counted apart."""


class Warm(Struct, frozen=True, forbid_unknown_fields=True):
    """The smallest legal request that warms a prefix."""

    api: Literal["messages", "responses", "chat", "generate"]
    body: dict[str, Any]
    """Members to set. `stream` is to be left out."""
    output: Natural
    """Tokens of output it may be billed for, at most; hidden reasoning is among them."""
    breakpoint: bool = False
    """Whether an explicit breakpoint must end the shared prefix, in the requests that follow as well."""
    truncated: bool = False
    """Whether the body must end where the shared prefix ends."""
    unless: tuple[str, ...] = ()
    """What of the real request makes it an error. These may not be left out: they are part of the prefix."""


class Profile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The prompt cache of one model at one provider."""

    provider: str
    source: str
    as_of: date
    writes: Literal["breakpoints", "automatic", "both", "unknown"]
    """Who decides what is written: the request by its breakpoints, the provider, or either."""
    boundary: Literal["breakpoint", "message", "block", "unit", "token", "unknown"]
    """Where an entry can end. A prefix that ends elsewhere is read only up to the last such place."""
    minimum: Natural
    """Tokens below which nothing is cached; 0 where none is known."""
    granularity: Annotated[int, Meta(ge=1)] = 1
    """Tokens; what is read is a multiple of it."""
    breakpoints: Natural = 0
    """Breakpoints that a request may have."""
    lookback: Natural = 0
    """Positions before a breakpoint at which earlier entries are looked for, itself included; 0: no limit known."""
    lives: tuple[Life, ...] = ()
    """What may be asked for, the default first; empty where nothing is promised."""
    life_from: Literal["request_start", "last_use", "unknown"] = "unknown"
    refreshed: bool = False
    """Whether a read begins the life anew."""
    best_effort: bool = True
    """Whether an entry may be gone before its time, or be missed."""
    readable: Literal["first_content", "seconds_after_end", "same_batch", "same_slot", "unknown"] = "unknown"
    """What makes an entry readable for others. `first_content`: the first event with content of the answer that writes
    it, not the status line nor a ping. `same_slot`: never for others, only for what follows in its place."""
    readable_documented: bool = False
    lag: Annotated[float, Meta(ge=0)] = 0.0
    """Seconds behind that moment until a read is sure to find it."""
    isolation: str = "unknown"
    """Who shares entries, the narrowest first."""
    reads_in_limits: bool = True
    """Whether what is read counts in the provider's limit of tokens per minute."""
    per_minute: Natural = 0
    """Requests a minute of one prefix (and key) above which some reach a cold machine; 0: no limit known."""
    local: bool = False
    """An engine of one's own: tokens cost time, no money."""
    binds_thinking: bool = False
    """Whether thinking blocks are refused after an edit of anything before them."""
    warm: tuple[Warm, ...] = ()
    """Legal forms of a warm call, the cheapest first; empty where it is pointless or unknown."""
    breaks: dict[str, tuple[Level, ...]] = field(default_factory=PREFIX.copy)
    """What a change (its key) makes unreadable. A change that is not named breaks nothing, as far as is known."""
    note: str = ""
    """Where sources contradict each other, and what is only inferred."""

    @property
    def life(self) -> Life | None:
        """The one that an entry has where the request does not ask for another."""
        return self.lives[0] if self.lives else None


class Multipliers(NamedTuple):
    """Prices of classes of tokens as multiples of the price of an uncached one. `getattr(it, life.counted)` is what an
    entry with that life costs to write."""

    uncached: float
    read: float
    write_5m: float
    write_1h: float
    write_30m: float
    write_12h: float
    output: float


def multipliers(prices: Prices, model: str, prompt: int = 0, provider: str = "") -> Multipliers | None:
    """For prompts of that many tokens; None where there is no price, or where tokens are free."""
    rates = prices.rates(model, prompt, provider)
    if rates is None or not rates.uncached:
        return None
    return Multipliers(*(getattr(rates, name) / rates.uncached for name in Multipliers._fields))


def profile_of(provider: str, model: str) -> Profile:
    """What is known of this model there; the profile `unknown` where the provider is none we know."""
    return _shipped().of(provider, model)


@cache
def _shipped() -> Profiles:
    return Profiles(files("adapters").joinpath("data/prompt_caches.toml").read_text("utf-8"))


class Profiles:
    def __init__(self, text: str) -> None:
        """`text`: TOML as in the file, whose head explains it. Raises `ValueError` with the place of what is wrong."""
        self._tables: dict[str, dict[str, Any]] = tomllib.loads(text)
        self._names = {name: name for name in self._tables}
        self._known: dict[tuple[str, str], Profile] = {}
        for name, table in self._tables.items():
            if not isinstance(table, dict):
                raise ValueError(f"{name}: must be a table")
            self._names |= dict.fromkeys(_texts(table, "aliases", name), name)
        if "unknown" not in self._tables:
            raise ValueError("unknown: is missing")
        for name in self._tables:
            self._check(name)

    def of(self, provider: str, model: str) -> Profile:
        # Of a name too long to be one, only the provider counts.
        provider, model = self._names.get(provider.lower(), "unknown"), model.lower()[: LONGEST_NAME + 1]
        key = (provider, model if len(model) <= LONGEST_NAME else "")
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            found = self._known[key] = self._made(*key)
        return found

    def _made(self, provider: str, model: str) -> Profile:
        values: dict[str, Any] = {"provider": provider}
        for row in self._rows(provider, model, ()):
            for name, value in row.items():
                if name in ("source", "note") and values.get(name):
                    if value not in values[name]:
                        values[name] += ("; " if name == "source" else " ") + value
                elif name not in ("aliases", "inherits", "match", "model"):
                    values[name] = value
        values["note"] = " ".join(str(values.get("note", "")).split())
        return msgspec.convert(values, Profile)

    def _rows(self, provider: str, model: str, above: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        """What is to be laid over each other, from the bottom up."""
        if provider not in self._tables or provider in above:
            raise ValueError(f"{above[-1] if above else provider}: can't inherit from `{provider}`")
        table = self._tables[provider]
        matched = max(
            ((len(pattern), place) for pattern, place in _patterns(table) if fnmatchcase(model, pattern)),
            default=None,
        )
        row = table["model"][matched[1]] if matched else {}
        parent = row.get("inherits", table.get("inherits"))
        if parent is not None:
            yield from self._rows(parent, model, (*above, provider))
        if "inherits" not in row:
            yield table
        yield row

    def _check(self, name: str) -> None:
        """Makes a profile of the provider alone, and of each of its rows by a name that the row is there for."""
        table = self._tables[name]
        rows = table.get("model", [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError(f"{name}.model: must be an array of tables")
        for place, row in enumerate(rows):
            if not _texts(row, "match", f"{name}.model[{place}]"):
                raise ValueError(f"{name}.model[{place}].match: is missing")
            if "source" not in row:
                raise ValueError(f"{name}.model[{place}]: has no source")
        if "source" not in table:
            raise ValueError(f"{name}: has no source")
        self._try(name, "", name)
        for pattern, place in _patterns(table):
            *_, row = self._rows(name, _example(pattern), ())
            if row is not rows[place]:
                raise ValueError(f"{name}.model[{place}]: another row goes before `{pattern}`")
            self._try(name, _example(pattern), f"{name}.model[{place}]")

    def _try(self, name: str, model: str, where: str) -> None:
        try:
            self._made(name, model)
        except msgspec.ValidationError as error:
            raise ValueError(f"{where}: {error}") from None


def _patterns(table: dict[str, Any]) -> list[tuple[str, int]]:
    return [(pattern, place) for place, row in enumerate(table.get("model", ())) for pattern in row["match"]]


def _example(pattern: str) -> str:
    return re.sub(r"\[(.)[^]]*\]", r"\1", pattern).replace("*", "").replace("?", "-")


def _texts(table: dict[str, Any], name: str, where: str) -> list[str]:
    value = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ValueError(f"{where}.{name}: must be an array of names")
    return value
