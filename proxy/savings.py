"""What warming saves, and where it loses: `warmgate savings`, from the price table and the rules of the providers.

Each fan-out is N requests at once over a cold prefix. A leader and a warm call are held against firing all at once
(`naive`: with breakpoints where the provider has them) and against not caching at all (`none`). Arithmetic, not a
measurement: reads are taken to be found, which best-effort caches do not promise.

`--json` prints

    {"prefix", "suffix", "output", "prices": {"table", "as_of"}, "models": [MODEL]}

with MODEL being

    {"model", "local", "best_effort", "minimum", "granularity", "write", "read", "why_no_leader",
     "break_even": {STRATEGY: {"naive", "none"}},
     "fanouts": [{"n", "dollars": {STRATEGY}, "saved": {STRATEGY: {"naive", "none"}}, "cheapest", "why"}],
     "losses": {CASE: {STRATEGY}}}

`write` and `read` are multiples of the price of input, `break_even` is the N from which on something is saved (null:
never), `saved` a share of the whole bill, `losses` are US dollars for a fan-out. A strategy that is not possible is
absent. Where nothing is known of a cache, or tokens cost no money, these objects are empty.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any, NamedTuple, TextIO

from adapters.prices import Prices
from adapters.profiles import Profile, profile_of
from proxy.savings_report import write_markdown, write_table
from warming.cheapest import call_output, cheapest, impossible
from warming.economics import STRATEGIES, Bill, Fan, Rates, Strategy, bill, break_even, cost, is_cached, priced, saving

MODELS = (
    "anthropic/claude-opus-5-5",
    "anthropic/claude-sonnet-5",
    "anthropic/claude-fable-5-1",
    "openai/gpt-6.1-sol",
    "openai/gpt-5.6-sol",
    "openai/gpt-5.5",
    "openai/gpt-4o",
    "google/gemini-3.8-flash",
    "deepseek/deepseek-v4-pro",
    "xai/grok-4.7",
    "vllm/any-model",
)

MOST = 10_000_000
"""Of what may be asked for: tokens and requests beyond this are a slip of the hand."""

DIGITS = 9
"""Of dollars behind the point: the rest is noise of the arithmetic."""

WARMING: tuple[Strategy, ...] = ("leader", "call", "prewarm")
AGAINST: tuple[Strategy, ...] = ("naive", "none")


class Subject(NamedTuple):
    """A model at a provider, as it was named."""

    name: str
    provider: str
    """For the price; empty where only the model is known."""
    model: str
    profile: Profile


class Tariff(NamedTuple):
    """Dollars of the requests of a fan-out, and of the warm call before it: the shorter one may be in a lower tier."""

    siblings: Rates
    call: Rates


def add_parser(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        dest="models",
        action="extend",
        nargs="+",
        metavar="MODEL",
        help="as its maker names it, or PROVIDER/MODEL (azure/gpt-5.5, vllm/any-model); default: one of each kind",
    )
    parser.add_argument(
        "--n",
        type=_counts,
        default="1,2,3,8,20,32",
        metavar="N,...",
        help="requests of a fan-out (default: %(default)s)",
    )
    for name, default, told in (
        ("--prefix", 20_000, "tokens that they share"),
        ("--suffix", 500, "tokens of each that they do not"),
        ("--output", 800, "tokens of each answer"),
    ):
        parser.add_argument(
            name, type=_tokens, default=default, metavar="TOKENS", help=f"{told} (default: %(default)s)"
        )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for machines")
    form.add_argument("--markdown", action="store_true", help="the tables as they stand in the README")


def run(options: argparse.Namespace, out: TextIO, err: TextIO, prices: Prices | None = None) -> int:
    """The exit code; 2 for a model without a price. `prices`: None for the library's, of the day of its release."""
    prices = prices or Prices()
    subjects = [_subject(name) for name in dict.fromkeys(options.models or MODELS)]
    fan = Fan(1, options.prefix, options.suffix, options.output)
    unpriced = [subject.name for subject in subjects if not subject.profile.local and not _tariff(subject, fan, prices)]
    for name in unpriced:
        err.write(f"warmgate savings: there is no price for `{name}`\n")
    if unpriced:
        return 2
    report = {
        "prefix": options.prefix,
        "suffix": options.suffix,
        "output": options.output,
        "prices": {"table": prices.table, "as_of": prices.as_of},
        "models": [_model(subject, fan, options.n, prices) for subject in subjects],
    }
    if options.json:
        out.write(json.dumps(report, indent=1) + "\n")
    elif options.markdown:
        write_markdown(report, out)
    else:
        write_table(report, out)
    return 0


def _subject(name: str) -> Subject:
    provider, slash, model = name.partition("/")
    profile = profile_of(provider, model) if slash else None
    if profile is None or profile.provider in ("unknown", "maker"):
        return Subject(name, "", name, profile_of("maker", name))
    return Subject(name, profile.provider, model, profile)


def _tariff(subject: Subject, fan: Fan, prices: Prices) -> Tariff | None:
    life = subject.profile.life
    found = [priced(prices, subject.model, fan.shared + own, subject.provider, life) for own in (fan.own, fan.call_own)]
    return Tariff(*found) if all(found) else None  # type: ignore[arg-type]


def _model(subject: Subject, fan: Fan, counts: Sequence[int], prices: Prices) -> dict[str, Any]:
    profile, tariff = subject.profile, _tariff(subject, fan, prices)
    known = tariff is not None and not profile.local and profile.writes != "unknown"
    report: dict[str, Any] = {
        "model": subject.name,
        "local": profile.local,
        "best_effort": profile.best_effort and not profile.local,
        "minimum": profile.minimum,
        "granularity": profile.granularity,
        "write": round(tariff.siblings.w, 6) if tariff else None,
        "read": round(tariff.siblings.r, 6) if tariff else None,
        "break_even": {},
        "fanouts": [],
        "losses": {},
        "why_no_leader": impossible("leader", profile) if known else "",
    }
    fan = fan._replace(call_output=call_output(profile), implicit=profile.writes == "both")
    for n in counts:
        asked = fan._replace(n=n)
        choice = (
            cheapest(profile, tariff.siblings, asked, call=tariff.call) if tariff else cheapest(profile, None, asked)
        )
        dollars = _dollars(profile, asked, tariff) if tariff and known else {}
        report["fanouts"].append(
            {"n": n, "dollars": dollars, "saved": _saved(dollars), "cheapest": choice.strategy, "why": choice.why}
        )
    if tariff and known:
        bills = _bills(profile, fan, tariff)
        report["break_even"] = {
            strategy: {against: break_even(bills[strategy], bills[against]) for against in AGAINST}
            for strategy in WARMING
            if strategy in bills
        }
        report["losses"] = _losses(subject, fan, tariff, prices)
    return report


def _bills(profile: Profile, fan: Fan, tariff: Tariff) -> dict[Strategy, Bill]:
    cached, grained = is_cached(profile, fan.shared), fan.grained(profile.granularity)
    return {
        strategy: bill(strategy, grained, tariff.siblings, cached=cached, call=tariff.call)
        for strategy in STRATEGIES
        if not impossible(strategy, profile)
    }


def _dollars(profile: Profile, fan: Fan, tariff: Tariff, warm: float = 0.0) -> dict[Strategy, float]:
    cached, grained = is_cached(profile, fan.shared), fan.grained(profile.granularity)
    return {
        strategy: round(cost(strategy, grained, tariff.siblings, warm=warm, cached=cached, call=tariff.call), DIGITS)
        for strategy in STRATEGIES
        if not impossible(strategy, profile)
    }


def _saved(dollars: dict[Strategy, float]) -> dict[Strategy, dict[Strategy, float]]:
    return {
        strategy: {against: round(saving(dollars[strategy], dollars[against]), 6) for against in AGAINST}
        for strategy in WARMING
        if strategy in dollars
    }


def _losses(subject: Subject, fan: Fan, tariff: Tariff, prices: Prices) -> dict[str, dict[Strategy, float]]:
    """Dollars that a fan-out costs more than letting its requests go at once, in the cases where it does."""
    profile = subject.profile
    one, nobody = (_dollars(profile, fan._replace(n=n), tariff) for n in (1, 0))
    warm = _dollars(profile, fan._replace(n=2), tariff, warm=1.0)
    losses = {
        "one came": _over(one, one["none"]),
        "nobody came": _over(nobody, 0.0),
        "warm already": _over(warm, min(warm.get("leader", warm["naive"]), warm["naive"])),
    }
    short = fan._replace(n=2, shared=max(profile.minimum, profile.granularity) - 1)
    below = _tariff(subject, short, prices)
    if short.shared and below:
        dollars = _dollars(profile, short, below)
        losses["below minimum"] = _over(dollars, dollars["none"])
    return losses


def _over(dollars: dict[Strategy, float], plain: float) -> dict[Strategy, float]:
    return {strategy: round(dollars[strategy] - plain, DIGITS) for strategy in WARMING if strategy in dollars}


def _counts(text: str) -> list[int]:
    counts = [_tokens(part) for part in text.split(",")]
    if not all(counts):
        raise argparse.ArgumentTypeError("a fan-out has one request at least")
    return list(dict.fromkeys(counts))


def _tokens(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) <= MOST):
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to {MOST:,}, not `{text}`")
    return int(text)
