"""Judging what is served, and what would be: the store is told, the breaker, and the entry itself."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters.errors import UpstreamError
from adapters.openai_chat import OPENAI_CHAT
from adapters.tasks import Tasks
from adapters.vocabulary import Answer, Call, Reply
from cache.audit import Audit, Case
from cache.breaker import Breaker
from cache.budget import Budget
from cache.entry import Entry, Shape
from cache.judging import Judge
from cache.near import Judgement, Near, Tally
from tests.cache.scripted import Script, call_of
from tests.fakes import Clock, completion

CASE = Case("chat gpt-4o", "What is the capital of France?", Near(5, 0.93, "Capital of France?", 0.0, math.inf), 0.97)


@dataclass
class Records:
    """What `cache.semantic_store` keeps, in lists."""

    entries: dict[int, Entry] = field(default_factory=dict)
    judgements: list[Judgement] = field(default_factory=list)
    observed: list[tuple[int, float, bool]] = field(default_factory=list)
    quarantined: list[int] = field(default_factory=list)
    tallied: list[tuple[str, int, int]] = field(default_factory=list)

    async def entry(self, id: int) -> Entry | None:
        return self.entries.get(id)

    async def observe(self, id: int, similarity: float, correct: bool) -> None:
        self.observed.append((id, similarity, correct))

    async def quarantine(self, id: int) -> bool:
        self.quarantined.append(id)
        return True

    async def judged(self, judgement: Judgement) -> None:
        self.judgements.append(judgement)

    async def tally(self, route: str, lookups: int, hits: int) -> None:
        self.tallied.append((route, lookups, hits))


def entry(text: str, cost: float | None = 0.01) -> Entry:
    body = json.dumps(completion(text)).encode()
    return Entry(b"k" * 32, "t", "", "gpt-4o", Shape.MESSAGE, 200, (), body, True, None, cost, 0.0, math.inf)


def answer(text: str) -> Answer:
    return Answer(OPENAI_CHAT, body=json.dumps(completion(text)).encode())


@dataclass
class Scene:
    audit: Audit
    records: Records
    script: Script
    tasks: Tasks
    clock: Clock

    async def ended(self) -> None:
        await self.tasks.drain(5)


def scene(share: float = 1.0, dollars: float = 1.0, handler: Any = None, **breaker: Any) -> Scene:
    script, records, tasks, clock = Script(), Records(), Tasks(), Clock()
    audit = Audit(
        handler or script,
        records,
        Judge(),
        Breaker(0.01, **breaker),
        Budget(dollars, clock),
        tasks,
        share=share,
        chance=lambda: 0.5,
        wall=clock,
    )
    return Scene(audit, records, script, tasks, clock)


@pytest.mark.parametrize(
    ("kept", "real", "correct"),
    [
        ("Paris.", "Paris", True),
        ("It is 42.", "It is 43.", False),
        ("42", "43", False),
        ("yes", "no", False),
        ("Paris is the capital of France, on the Seine.", "The capital? A city on the Seine: Paris.", None),
    ],
)
async def test_what_would_have_been_served_is_compared_with_what_came(
    kept: str, real: str, correct: bool | None
) -> None:
    at = scene()
    at.records.entries[5] = entry(kept)
    told = await at.audit.would_hit(CASE, "shadow", answer(real), call_of())
    assert told is correct
    (judgement,) = at.records.judgements
    assert (judgement.mode, judgement.entry, judgement.correct) == ("shadow", 5, correct)
    assert (judgement.similarity, judgement.score, judgement.route) == (0.93, 0.97, "chat gpt-4o")
    assert at.records.observed == ([] if correct is None else [(5, 0.97, correct)])
    assert at.records.quarantined == []  # it was not served: what was learned of it is enough


async def test_an_entry_that_is_gone_or_an_answer_without_text_is_no_judgement() -> None:
    at = scene()
    assert await at.audit.would_hit(CASE, "shadow", answer("Paris"), call_of()) is None
    at.records.entries[5] = entry("Paris")
    assert await at.audit.would_hit(CASE, "shadow", None, call_of()) is None
    tools = Answer(
        OPENAI_CHAT, body=b'{"choices":[{"message":{"tool_calls":[{"id":"x"}]},"finish_reason":"tool_calls"}]}'
    )
    assert await at.audit.would_hit(CASE, "shadow", tools, call_of()) is None
    assert [each.how for each in at.records.judgements] == ["no text to compare"] * 3


async def test_a_served_hit_is_asked_again_and_a_wrong_one_is_not_served_any_more() -> None:
    at = scene()
    at.script.whole = completion("no")
    at.audit.served(CASE, entry("yes"), call_of())
    await at.ended()
    assert len(at.script.calls) == 1
    assert at.records.quarantined == [5]
    assert [(each.mode, each.correct) for each in at.records.judgements] == [("audit", False)]
    assert at.audit.figures["wrong"] == 1


async def test_a_right_one_stays() -> None:
    at = scene()
    at.audit.served(CASE, entry("Paris."), call_of())
    await at.ended()
    assert at.records.quarantined == []
    assert at.records.observed == [(5, 0.97, True)]


async def test_the_audit_is_a_call_of_its_own() -> None:
    at = scene()
    call = call_of()
    at.audit.served(CASE, entry("Paris."), call)
    await at.ended()
    assert at.script.calls[0] is not call
    assert at.script.calls[0].trace is not call.trace


async def test_only_a_share_is_asked_again() -> None:
    at = scene(share=0.5)  # the chance that is drawn is 0.5, and not below it
    at.audit.served(CASE, entry("Paris."), call_of())
    await at.ended()
    assert at.script.calls == []
    assert [(each.mode, each.correct) for each in at.records.judgements] == [("on", None)]


async def test_the_budget_ends_audits() -> None:
    at = scene(dollars=0.015)
    for _ in range(3):
        at.audit.served(CASE, entry("Paris.", cost=0.01), call_of())
    await at.ended()
    assert len(at.script.calls) == 1


async def test_an_audit_that_fails_is_no_judgement() -> None:
    async def down(call: Call) -> Reply:
        raise UpstreamError("down", code="upstream_unreachable")

    at = scene(handler=down)
    at.audit.served(CASE, entry("Paris."), call_of())
    await at.ended()
    assert at.records.judgements[0].correct is None
    assert at.audit.figures["failed"] == 1
    assert at.audit.serves(CASE.route)


async def test_too_many_wrong_answers_open_the_route_and_right_ones_close_it() -> None:
    at = scene()
    for number in range(40):
        await at.audit.looked(CASE.route, hit=number % 2 == 0)
    assert at.audit.serves(CASE.route)
    at.records.entries[5] = entry("yes")
    for _ in range(3):
        await at.audit.would_hit(CASE, "audit", answer("no"), call_of())
    assert not at.audit.serves(CASE.route)
    assert at.audit.serves("chat another")
    assert at.audit.states()[CASE.route].word == "open"
    for _ in range(1200):
        await at.audit.looked(CASE.route, hit=True)
        await at.audit.would_hit(CASE, "shadow", answer("yes"), call_of())
    assert at.audit.serves(CASE.route)


async def test_a_state_is_looked_up_once_a_second() -> None:
    at = scene(feedback=2)
    assert at.audit.serves(CASE.route)
    for entry_id in (1, 2):
        at.audit.breaker.told(CASE.route, at.clock.now, entry_id)  # behind its back
    assert at.audit.serves(CASE.route)
    at.clock.tick(1.1)
    assert not at.audit.serves(CASE.route)


async def test_what_somebody_reports_counts_at_once(caplog: pytest.LogCaptureFixture) -> None:
    at = scene(feedback=2)
    assert at.audit.serves(CASE.route)
    assert caplog.records == []
    told = Judgement(at.clock.now, CASE.route, "feedback", 1, 0.9, None, False)
    at.audit.heard(told)
    at.audit.heard(told._replace(entry=2, correct=True))
    assert at.audit.serves(CASE.route)
    at.audit.heard(told._replace(entry=3))
    assert not at.audit.serves(CASE.route)
    at.clock.tick(5)
    assert not at.audit.serves(CASE.route)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [CASE.route]


async def test_a_new_process_remembers_what_the_last_one_found() -> None:
    at = scene()
    wrong = Judgement(at.clock.now - 10, CASE.route, "audit", 1, 0.9, 0.97, False, "contradiction")
    unjudged = wrong._replace(correct=None)
    at.audit.replay([unjudged] * 20 + [wrong] * 12, {CASE.route: Tally(320, 32)})
    assert not at.audit.serves(CASE.route)


async def test_hits_are_remembered_among_the_requests_that_were_none() -> None:
    at = scene()
    right = Judgement(at.clock.now - 10, CASE.route, "audit", 1, 0.9, 0.97, True, "same answer")
    at.audit.replay([right] * 30, {CASE.route: Tally(300, 30)})
    assert at.audit.states()[CASE.route].hit_rate == pytest.approx(0.1, abs=0.01)
    other = scene()
    other.audit.replay([right] * 30, {})
    assert other.audit.states()[CASE.route].hit_rate == 1.0
