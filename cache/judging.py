"""Was the answer right that was, or would have been, served? By comparing it with the one that the question really got.

Three judges, each asked only where the one before could not tell: what can be read off the two answers
(`cache.agreement`), how similar they are to an embedder, and a model. The last two are optional. Whatever goes wrong is
no judgement, with the reason: nobody waits for one, and none is made up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from typing import NamedTuple

import msgspec
import numpy as np

from adapters.embedder import Embedder
from adapters.errors import EmbeddingError, Refused, Torn, Unfoldable, UpstreamError
from adapters.prices import Costs
from adapters.tokens import estimate
from adapters.usage import Usage
from adapters.vocabulary import NOWHERE, Answer, Call, Controls, Dialect, Form, Handler, Reply, Trace
from cache.agreement import compare, facts
from cache.agreement_judge import judge_request, most_tokens, reply_of, verdict_of
from cache.budget import Budget

TARGET = "/chat/completions"

FRAME = 20
"""Tokens that a chat request has beside its texts, about."""

Price = Callable[[str, Usage], Costs | None]


class Verdict(NamedTuple):
    correct: bool | None
    """None: nobody could tell."""
    how: str
    """By what, or why not: `same answer`, `contradiction`, `similar`, `model`, `budget`, `timeout`, `refused: 429`."""
    dollars: float = 0.0
    """That are known to have been spent. Where a price is unknown only the budget counts it."""


class Likeness:
    """By the cosine of the two answers' embeddings.

    What embeddings hardly see, numbers and negations, has to be equal besides for answers to be similar. They also read
    no more of a long answer than their model does (256 tokens of MiniLM), and their similarities mean something else
    with each embedder: both bounds are for answers, and for one embedder.
    """

    def __init__(
        self, embedder: Embedder, *, same: float = 0.95, different: float = 0.5, timeout: float = 30.0
    ) -> None:
        """`same`: the least cosine of answers that say the same, `different`: the largest of such that do not. Raises
        `ValueError` where they overlap. `timeout`: seconds."""
        if not -1 <= different < same <= 1:
            raise ValueError(f"answers can't be similar from {same} on and different up to {different}")
        self._embedder, self._same, self._different, self._timeout = embedder, same, different, timeout

    async def judge(self, one: str, other: str) -> Verdict:
        try:
            async with asyncio.timeout(self._timeout):
                embedded = await self._embedder.embed([one, other])
        except TimeoutError:
            return Verdict(None, "embedding: timeout")
        except EmbeddingError as error:
            return Verdict(None, f"embedding: {error}")
        dollars = embedded.cost or 0.0
        cosine = float(np.dot(embedded.vectors[0], embedded.vectors[1]))
        if cosine >= self._same and facts(one) == facts(other):
            return Verdict(True, "similar", dollars)
        if cosine <= self._different:
            return Verdict(False, "dissimilar", dollars)
        return Verdict(None, f"similarity {cosine:.2f}", dollars)


class Model:
    """By asking a model, within a budget. The answer is read for its one word and never enters a cache."""

    def __init__(
        self,
        handler: Handler,
        model: str,
        dialect: Dialect,
        budget: Budget,
        price: Price,
        *,
        base: Call | None = None,
        timeout: float = 60.0,
    ) -> None:
        """`handler`: is given calls of chat completions in this dialect that have no route and are not translated yet.
        `base`: the call that judges are dressed as, whose credential pays, where there is no client's. `timeout`:
        seconds."""
        self._handler, self._model, self._dialect = handler, model, dialect
        self._budget, self._price, self._timeout = budget, price, timeout
        self._base = base or Call("POST", TARGET, {}, b"")

    async def judge(
        self, question: str, other_question: str, would_be: str, real: str, call: Call | None = None
    ) -> Verdict:
        """`call`: the request that is judged, whose tenant and credential this one has."""
        body = judge_request(self._model, question, other_question, real, would_be)
        guess = self._guess(body)
        if not self._budget.take(guess):
            return Verdict(None, "budget")
        trace = Trace()
        # Until it is known to be less: a provider that was asked may have worked, whatever became of its answer.
        spent: float | None = guess
        try:
            async with asyncio.timeout(self._timeout):
                verdict, free = await self._ask(self._call(body, call or self._base, trace))
            spent = self._cost(trace.usage)
            if free and trace.usage is None:
                spent = 0.0
        except TimeoutError:
            verdict = Verdict(None, "timeout")
        except (UpstreamError, Refused, Torn, OSError) as error:
            verdict = Verdict(None, f"failed: {getattr(error, 'code', None) or type(error).__name__.lower()}")
            if isinstance(error, Refused) or getattr(error, "code", "") == "upstream_unreachable":
                spent = 0.0
        finally:
            self._budget.settle(guess, spent)
        return verdict._replace(dollars=spent or 0.0)

    def _call(self, body: dict[str, object], base: Call, trace: Trace) -> Call:
        return replace(
            base,
            method="POST",
            target=TARGET,
            body=msgspec.json.encode(body),
            dialect=self._dialect,
            parsed=body,
            controls=Controls(no_cache=True, no_store=True),
            stream=False,
            wants_usage=True,
            trace=trace,
            key=b"",
            lines=(),
            digests={},
            route=NOWHERE,
            sent=None,
            fanout=None,
            warmup=None,
        )

    async def _ask(self, call: Call) -> tuple[Verdict, bool]:
        """What came of it, and whether that is no answer but a refusal, which costs nothing."""
        reply = await self._handler(call)
        answer = await _answer(reply, self._dialect)
        if reply.status >= 300:
            return Verdict(None, f"refused: {reply.status}"), True
        if call.trace.usage is None:
            call.trace.usage = answer.usage()
        try:
            correct = verdict_of(reply_of(answer.message()))
        except Unfoldable:
            correct = None
        return Verdict(correct, "model" if correct is not None else "no verdict"), False

    def _guess(self, body: dict[str, object]) -> float | None:
        """Dollars that it costs at most, about."""
        texts = body["messages"]
        assert isinstance(texts, list)
        prompt = sum(estimate(each["content"]) for each in texts) + FRAME
        return self._cost(Usage(uncached=prompt, output=most_tokens(body), estimated=True))

    def _cost(self, usage: Usage | None) -> float | None:
        costs = self._price(self._model, usage) if usage is not None else None
        return None if costs is None else costs.total


async def _answer(reply: Reply, dialect: Dialect) -> Answer:
    """Read to the end, so that the bill is known and the connection free."""
    if reply.form is Form.WHOLE and reply.body is not None:
        return reply.answer or Answer(dialect, body=reply.body)
    async with aclosing(reply.frames):
        frames = [frame async for frame in reply.frames]
    return reply.answer or Answer(dialect, frames=frames)


class Judge:
    """The judges that there are, one behind the other. Makes no tasks of its own, and never raises but when it is
    cancelled."""

    def __init__(self, likeness: Likeness | None = None, model: Model | None = None) -> None:
        self._likeness, self._model = likeness, model

    async def judge(
        self, question: str, other_question: str, would_be: str, real: str, call: Call | None = None
    ) -> Verdict:
        """Whether `would_be`, the answer kept for `other_question`, may be served for `question`, which was answered
        with `real`."""
        told = compare(would_be, real)
        if told is not None:
            return Verdict(told, "same answer" if told else "contradiction")
        verdict = Verdict(None, "undecided")
        if self._likeness is not None:
            verdict = await self._likeness.judge(would_be, real)
        if verdict.correct is None and self._model is not None:
            dollars = verdict.dollars
            verdict = await self._model.judge(question, other_question, would_be, real, call)
            verdict = verdict._replace(dollars=verdict.dollars + dollars)
        return verdict
