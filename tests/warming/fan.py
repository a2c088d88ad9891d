"""The gate in front of the simulated provider, in virtual time."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from multidict import CIMultiDict

from adapters.anthropic_messages import ANTHROPIC_MESSAGES
from adapters.errors import Torn, UpstreamError
from adapters.meter import Meter
from adapters.openai_chat import OPENAI_CHAT
from adapters.prices import Prices
from adapters.profiles import multipliers, profile_of
from adapters.simulated import Simulated, Timing
from adapters.simulated_speech import messages
from adapters.tasks import Tasks
from adapters.usage import Usage
from adapters.vocabulary import Call, Dialect, Fanout, Form, Handler, Reply, Trace, Warmup
from tests.fakes import KEY, Time
from warming.across import Across
from warming.ledger import Ledger
from warming.options import Options
from warming.planner import Planner
from warming.reading import Market, Reading
from warming.warm import Warm

PRICES = Prices()
SYSTEM = "You are a careful assistant. " * 900
"""Some 5,000 tokens."""


@dataclass
class Asked:
    """One call as the provider got it."""

    at: float
    body: dict[str, Any]
    raw: bytes
    trace: Trace

    @property
    def usage(self) -> Usage:
        return self.trace.usage or Usage()

    @property
    def written(self) -> int:
        usage = self.usage
        return usage.prompt - usage.uncached - usage.read


@dataclass
class Got:
    """What one client got."""

    status: int
    at: float
    trace: Trace
    message: dict[str, Any] | None = None
    frames: int = 0


@dataclass
class Fan:
    """`fault`: called with the number of the call in order, may raise, or return a status to refuse with."""

    options: Options = field(default_factory=Options)
    lag: float = 0.0
    fault: Callable[[int], int | None] = lambda number: None
    timing: Timing = field(default_factory=lambda: Timing(0.3, 80.0, 8000.0))

    def __post_init__(self) -> None:
        self.time, self.tasks, self.asked = Time(1000.0), Tasks(), []
        routes = {"/messages": messages(ANTHROPIC_MESSAGES, 0)}
        self.provider = Simulated(
            OPENAI_CHAT, self.timing, sleep=self.time.sleep, clock=self.time, routes=routes, lag=self.lag
        )
        self.ledger = Ledger()
        self.warm = self._layer(None)

    def beside(self, across: Across | None) -> Warm:
        """The layer of another replica in front of the same provider."""
        return self._layer(across)

    def _layer(self, across: Across | None) -> Warm:
        self.planner = Planner()
        price = partial(PRICES.split)
        market = Market("sim", partial(profile_of, "maker"), partial(multipliers, PRICES), price, self._token)
        reading = Reading(market, self.options, lambda call: call.credential)
        metered: Handler = Meter(self._provider, price, self.time)
        return Warm(
            metered,
            self.planner,
            reading,
            self.options,
            self.ledger,
            self.tasks,
            clock=self.time,
            sleep=self.time.sleep,
            across=across,
        )

    def _token(self, model: str, prompt: int) -> float:
        rates = PRICES.rates(model, prompt)
        return rates.uncached if rates else 0.0

    async def _provider(self, call: Call) -> Reply:
        assert isinstance(call.body, bytes)
        number = len(self.asked)
        self.asked.append(Asked(self.time.now, json.loads(call.body), call.body, call.trace))
        refused = self.fault(number)
        if refused is not None:
            return Reply.whole(refused, (), b"{}", source="upstream")
        return await self.provider(call)

    async def client(
        self,
        body: dict[str, Any],
        *,
        at: float = 0.0,
        stream: bool = True,
        fanout: Fanout | None = None,
        warmup: Warmup | None = None,
        hang_up: float | None = None,
        dialect: Dialect = ANTHROPIC_MESSAGES,
        headers: dict[str, str] | None = None,
        through: Warm | None = None,
    ) -> Got:
        """Sends at `at` seconds from now, and reads to the end or until it hangs up."""
        await self.time.sleep(at)
        began = self.time.now
        body = {**body, "stream": True} if stream else body
        if stream and dialect is OPENAI_CHAT:
            body = {"stream_options": {"include_usage": True}, **body}
        raw = json.dumps(body).encode()
        target = "/messages" if dialect is ANTHROPIC_MESSAGES else "/chat/completions"
        named = CIMultiDict({"authorization": f"Bearer {KEY}", "anthropic-version": "2026-10-21"} | (headers or {}))
        call = Call(
            "POST", target, named, raw, dialect, dialect.parse(raw), tenant="t", credential="c",
            stream=stream, fanout=fanout, warmup=warmup,
        )  # fmt: skip
        try:
            reply = await (through or self.warm)(call)
        except (UpstreamError, Torn):
            return Got(0, self.time.now - began, call.trace)
        first = self.time.now - began
        got = Got(reply.status, first, call.trace)
        if reply.form is Form.WHOLE:
            return got
        try:
            async with aclosing(reply.frames):
                async for _frame in reply.frames:
                    got.frames += 1
                    got.at = min(got.at, first) if got.frames > 1 else self.time.now - began
                    if hang_up is not None and self.time.now - began >= hang_up:
                        return got
        except Torn:
            got.status = 0
        if reply.answer is not None and got.status == 200:
            got.message = reply.answer.message()
        return got

    async def run(self, *clients: Any) -> list[Got]:
        got = await self.time.run(*clients)
        for each in got:
            if isinstance(each, BaseException):
                raise each
        return got

    @property
    def writes(self) -> int:
        """Calls that wrote a prefix, not counting what is a branch's own."""
        return sum(asked.written > 1000 for asked in self.asked)


def claude(question: str, *, system: str = SYSTEM, model: str = "claude-sonnet-5", **more: Any) -> dict[str, Any]:
    return {
        "model": model,
        "max_tokens": 100,
        "system": system,
        "messages": [{"role": "user", "content": question}],
    } | more


def chat(question: str, *, system: str = SYSTEM, model: str = "gpt-5.4", **more: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
    return {"model": model, "messages": messages} | more
