"""The simulated prompt caches held against what providers reported: how much of it they explain, and what the rest is.

A request is explained if the cache, simulated over everything recorded before it, reads within 2% of the tokens that
were read, or within one step of the provider's granularity: |predicted - read| <= max(0.02 * read, granularity).
Caches that promise nothing are simulated as if they always hit, so that their misses are told as such, by cause.

For money such a cache is simulated with the part of readable tokens that are read, `reused`. It is fitted to the usage
of follow-ups, weighed by tokens (losses are not spread evenly: long prompts weigh most). How well that carries over is
judged on requests it was not fitted to: every second session is fitted, the others are priced, and the other way round.
Pure; one pass over a recording, and a few numbers kept of each request.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from adapters.prices import Prices
from adapters.tokens import Counting, estimate
from adapters.usage import Usage
from proxy.explain_cause import cause_of
from proxy.explain_walk import Look, Walk
from proxy.sessions import Recorded

CLOSE = 0.02
"""How far a prediction may be off, as a part of what was read."""

CLASSES = ("read", "write_5m", "write_1h", "write_30m", "write_12h", "uncached")


class Held(NamedTuple):
    """What is kept of a request."""

    session: int
    model: str
    usage: Usage
    predicted: int
    best_effort: bool


class Fit(NamedTuple):
    """How a cache that promises nothing was found to be."""

    hit: float
    """Part of the requests with something to read that read all of it: for a simulation in which a miss falls back to
    the next shorter entry."""
    reused: float
    """Part of the readable tokens that were read, partial hits included: for expected dollars."""
    requests: int


NO_FIT = Fit(1.0, 1.0, 0)


@dataclass(frozen=True, slots=True)
class Calibration:
    requests: int
    """Those with recorded usage and a recorded prompt."""
    explained: int
    total_error: float | None
    """Simulated dollars / recorded dollars - 1, both at the prices of our table; None where nothing has a price."""
    causes: dict[str, int]
    """Of the requests that are not explained (`explain_cause.CAUSES`)."""
    class_errors: dict[str, float | None]
    """Simulated / recorded tokens of a class - 1; None where none were recorded."""
    fit: Fit | None
    """None where no cache was one that promises nothing."""
    held_out: tuple[float | None, float | None] | None
    """`total_error` of each half of the sessions, with the fit of the other half."""
    always: float | None
    """`total_error` if such a cache always hit: with `total_error` the range of what can be expected."""
    price_error: float | None
    """Recorded usage at our prices / the dollars in the recording - 1; None where it has none."""

    @property
    def share(self) -> float:
        return self.explained / self.requests if self.requests else 0.0

    def report(self) -> dict[str, Any]:
        """As `--json` prints it. The first four members are stable."""
        return {
            "requests": self.requests,
            "explained": self.explained,
            "total_error": _rounded(self.total_error),
            "causes": self.causes,
            "class_errors": {name: _rounded(error) for name, error in self.class_errors.items()},
            "fit": self.fit and {"hit": _rounded(self.fit.hit), "reused": _rounded(self.fit.reused)},
            "held_out_errors": self.held_out and [_rounded(error) for error in self.held_out],
            "total_error_if_always_hit": _rounded(self.always),
            "price_error": _rounded(self.price_error),
        }


@dataclass(slots=True)
class Calibrator:
    """Takes the requests of recordings in their order, then says what it found."""

    count: Counting = estimate
    walk: Walk = field(init=False)
    held: list[Held] = field(default_factory=list)
    explained: int = 0
    causes: dict[str, int] = field(default_factory=dict)
    dollars: list[tuple[float, int]] = field(default_factory=list)
    """What the recording says that a request cost, with its index."""

    def __post_init__(self) -> None:
        self.walk = Walk(self.count)

    def file(self) -> None:
        """Begins the next file: its sessions are others, whatever they are called."""
        self.walk = Walk(self.count)

    def add(self, recorded: Recorded) -> None:
        look = self.walk.look(recorded)
        if look is not None and recorded.usage is not None:
            self.hold(look)

    def hold(self, look: Look) -> None:
        """For who walks through the recording anyway."""
        recorded, usage = look.recorded, look.usage
        if abs(look.predicted - usage.read) <= max(CLOSE * usage.read, look.grain):
            self.explained += 1
        else:
            cause = _cause(look)
            self.causes[cause] = self.causes.get(cause, 0) + 1
        if recorded.dollars is not None:
            self.dollars.append((recorded.dollars, len(self.held)))
        predicted = min(look.predicted, usage.prompt)
        self.held.append(Held(look.session, recorded.model, usage, predicted, look.profile.best_effort))

    def result(self, prices: Prices) -> Calibration:
        held = self.held
        fit = fit_of(held)
        halves = [[one for one in held if one.session % 2 == half] for half in (0, 1)]
        fits = [fit_of(half) for half in halves]
        fitted = fits[0] is not None and fits[1] is not None
        told = sum(dollars for dollars, _ in self.dollars)
        priced = [prices.cost(held[index].model, held[index].usage) for _, index in self.dollars]
        return Calibration(
            requests=len(held),
            explained=self.explained,
            total_error=total_error(held, fit or NO_FIT, prices),
            causes=dict(sorted(self.causes.items(), key=lambda item: -item[1])),
            class_errors=_class_errors(held, fit or NO_FIT),
            fit=fit,
            held_out=(
                total_error(halves[0], fits[1] or NO_FIT, prices),
                total_error(halves[1], fits[0] or NO_FIT, prices),
            )
            if fitted
            else None,
            always=total_error(held, NO_FIT, prices),
            price_error=sum(cost or 0.0 for cost in priced) / told - 1 if told and None not in priced else None,
        )


def calibrate(requests: Iterable[Recorded], prices: Prices, count: Counting = estimate) -> Calibration:
    """`requests` in the order of their recording."""
    calibrator = Calibrator(count)
    for recorded in requests:
        calibrator.add(recorded)
    return calibrator.result(prices)


def fit_of(held: Sequence[Held]) -> Fit | None:
    """None where there is nothing to fit: no request to a cache that promises nothing could have read anything."""
    could = [(one.predicted, min(one.usage.read, one.predicted)) for one in held if one.best_effort and one.predicted]
    if not could:
        return None
    full = sum(read >= (1 - CLOSE) * predicted for predicted, read in could)
    readable = sum(predicted for predicted, _ in could)
    return Fit(full / len(could), sum(read for _, read in could) / readable, len(could))


def total_error(held: Sequence[Held], fit: Fit, prices: Prices) -> float | None:
    simulated = recorded = 0.0
    for one in held:
        known = prices.cost(one.model, one.usage)
        expected = prices.cost(one.model, expected_of(one, fit))
        if known is not None and expected is not None:
            recorded += known
            simulated += expected
    return simulated / recorded - 1 if recorded else None


def expected_of(one: Held, fit: Fit) -> Usage:
    """The usage that the simulated cache makes of a request.

    What is not read is billed as it would have been: where anything was written at all, as written, else as uncached.
    """
    usage = one.usage
    read = min(round(one.predicted * fit.reused) if one.best_effort else one.predicted, usage.prompt)
    paid = "uncached"
    for name in CLASSES[1:5]:
        if getattr(usage, name) > 0:
            paid = name
    tail = min(usage.uncached, usage.prompt - read) if paid != "uncached" else 0
    zero = usage._replace(uncached=tail, read=read, write_5m=0, write_1h=0, write_30m=0, write_12h=0)
    return zero._replace(**{paid: getattr(zero, paid) + usage.prompt - read - tail})


def _cause(look: Look) -> str:
    """Why the prediction does not hold."""
    if look.usage.read < look.predicted:
        return cause_of(look, look.usage.read)
    cause = cause_of(look, look.predicted) if look.could > look.predicted + look.slack else "unknown"
    return cause if cause != "volatile_unseen" else "unknown"


def _class_errors(held: Sequence[Held], fit: Fit) -> dict[str, float | None]:
    expected = [expected_of(one, fit) for one in held]
    errors: dict[str, float | None] = {}
    for name in CLASSES:
        recorded = sum(getattr(one.usage, name) for one in held)
        errors[name] = sum(getattr(usage, name) for usage in expected) / recorded - 1 if recorded else None
    return errors


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
