"""Where calls go: by model, by fallback, and back only when the prompt cache elsewhere has gone cold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from multidict import CIMultiDict

from adapters.errors import Refused, UpstreamError
from adapters.openai_chat import OPENAI_CHAT
from adapters.routing import Peer, Router, Routing, Rule
from adapters.translation import Terms
from adapters.vocabulary import Call, Reply, Sent, Way
from tests.fakes import Clock

CHAT = frozenset({"openai-chat"})


class Shouting:
    """A translation into a dialect that says everything in capitals."""

    client = OPENAI_CHAT

    class provider:
        name = "shout"

        @staticmethod
        def stateful(body: dict[str, Any]) -> str:
            return "loud" if body["MODEL"] == "LOUD" else ""

    def request(self, body: dict[str, Any], terms: Terms) -> Sent:
        if "secret" in body:
            raise Refused(400, "can't be shouted", param="secret")
        parsed = {"MODEL": terms.model}
        return Sent("/shout", json.dumps(parsed).encode(), parsed, ("seed: dropped",))


def routing(*rules: Rule) -> Routing:
    peers = {
        "default": Peer("http://default", CHAT, Terms("")),
        "other": Peer("http://other", CHAT, Terms("")),
        "loud": Peer("http://loud", frozenset({"shout"}), Terms("", version="7")),
        "claude": Peer("http://claude", frozenset({"anthropic-messages"}), Terms("")),
    }
    return Routing(peers, rules, "default", [Shouting()])  # type: ignore[list-item]


RULES = (
    Rule("claude-*", (Way("claude", "*"),)),
    Rule("fast", (Way("other", "gpt-5-mini"),)),
    Rule("gpt-[45]*", (Way("other", "*"), Way("default", "openai/*"))),
    Rule("gpt-4", (Way("loud", "*"),)),
)


@pytest.mark.parametrize(
    ("model", "ways"),
    [
        ("gpt-4", [("other", "gpt-4"), ("default", "openai/gpt-4")]),
        ("fast", [("other", "gpt-5-mini")]),
        ("claude-opus-5-5", [("claude", "claude-opus-5-5")]),
        ("anything", [("default", "anything")]),
        ("", [("default", "")]),
        ("Claude-3", [("default", "Claude-3")]),
    ],
)
def test_the_first_rule_that_matches_counts(model: str, ways: list[tuple[str, str]]) -> None:
    assert routing(*RULES).route(model).ways == tuple(ways)


def test_who_answers_counts_in_the_key() -> None:
    table = routing(*RULES)
    marks = [table.route(model).mark for model in ("fast", "gpt-5-mini", "claude-1", "x")]
    assert len(set(marks)) == 3
    assert marks[0] == marks[1]  # the same model at the same place; what it was called is in the body
    assert table.route("fast").mark == routing(*RULES).route("fast").mark


def test_names_that_clients_make_up_do_not_fill_the_memory() -> None:
    table = routing()
    for number in range(10_000):
        table.route(f"m{number}")
    table.route("x" * 100_000)
    assert len(table._known) == 4096


def test_what_is_sent_is_what_came_unless_the_name_or_the_language_differs() -> None:
    table, raw = routing(*RULES), b'{"seed": 1.0,"model":"fast"}'
    body = {"seed": 1.0, "model": "fast"}
    assert table.sent(OPENAI_CHAT, "/t", raw, body, Way("other", "fast")) is None
    sent = table.sent(OPENAI_CHAT, "/t", raw, body, Way("other", "gpt-5-mini"))
    assert sent == Sent("/t", b'{"seed": 1.0,"model":"gpt-5-mini"}', {"seed": 1.0, "model": "gpt-5-mini"})
    assert table.sent(OPENAI_CHAT, "/t", raw, body, Way("loud", "fast")) == Sent(
        "/shout", b'{"MODEL": "fast"}', {"MODEL": "fast"}, ("seed: dropped",)
    )
    with pytest.raises(Refused) as refused:
        table.sent(OPENAI_CHAT, "/t", raw, body, Way("claude", "fast"))
    assert (refused.value.status, refused.value.param) == (400, "model")
    assert table.sent(OPENAI_CHAT, "/t", b"{}", {}, Way("other", "")) is None
    assert table.sent(OPENAI_CHAT, "/t", b'{"model":null}', {"model": None}, Way("other", "")) is None


class Fake:
    """An upstream that answers with the statuses it is told, then 200."""

    def __init__(self, *statuses: int | Exception) -> None:
        self.statuses, self.calls = list(statuses), list[Call]()

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        status = self.statuses.pop(0) if self.statuses else 200
        if isinstance(status, Exception):
            raise status
        return Reply.whole(status, (), b"{}", source="upstream")


def talk(table: Routing, text: str = "hi", *more: str, model: str = "gpt-4") -> Call:
    body = {"model": model, "messages": [{"role": "user", "content": each} for each in (text, *more)]}
    raw = json.dumps(body).encode()
    route = table.route(model)
    sent = table.sent(OPENAI_CHAT, "/chat/completions", raw, body, route.ways[0])
    return Call("POST", "/chat/completions", CIMultiDict(), raw, OPENAI_CHAT, body, route=route, sent=sent)


def fleet(**fakes: Fake) -> tuple[Routing, Router, Clock]:
    table, wall = routing(*RULES), Clock()
    return table, Router(table, fakes, sticky=100, wall=wall), wall


UNREACHABLE = UpstreamError("no route")
SILENT = UpstreamError("silent", status=504, code="upstream_timeout")
TORN = UpstreamError("torn", code="upstream_torn")


@pytest.mark.parametrize("fault", [429, 500, 502, 503, 529, UNREACHABLE])
async def test_the_next_one_is_asked_where_nothing_can_be_had(fault: int | Exception) -> None:
    first, second = Fake(fault), Fake()
    table, router, _ = fleet(other=first, default=second)
    call = talk(table)
    assert (await router(call)).status == 200
    assert [json.loads(seen.body)["model"] for seen in (*first.calls, *second.calls)] == ["gpt-4", "openai/gpt-4"]  # type: ignore[arg-type]
    assert (call.trace.upstream, call.trace.refused_to_store) == ("default", "fallback to default")


@pytest.mark.parametrize("fault", [200, 400, 401, 404, 413])
async def test_an_answer_is_an_answer(fault: int) -> None:
    first, second = Fake(fault), Fake()
    table, router, _ = fleet(other=first, default=second)
    assert (await router(talk(table))).status == fault
    assert not second.calls


@pytest.mark.parametrize("fault", [SILENT, TORN])
async def test_a_request_that_may_have_been_paid_for_is_not_sent_again(fault: UpstreamError) -> None:
    first, second = Fake(fault), Fake()
    table, router, _ = fleet(other=first, default=second)
    with pytest.raises(UpstreamError):
        await router(talk(table))
    assert not second.calls


async def test_the_last_ones_failure_is_told() -> None:
    table, router, _ = fleet(other=Fake(500), default=Fake(503))
    assert (await router(talk(table))).status == 503
    table, router, _ = fleet(other=Fake(500), default=Fake(UNREACHABLE))
    with pytest.raises(UpstreamError):
        await router(talk(table))


async def test_a_conversation_stays_where_its_prompt_cache_is() -> None:
    first, second = Fake(503), Fake()
    table, router, wall = fleet(other=first, default=second)
    await router(talk(table))
    await router(talk(table, "hi", "more"))
    wall.tick(99)
    await router(talk(table, "hi", "more", "and more"))
    assert (len(first.calls), len(second.calls)) == (1, 3)
    await router(talk(table, "another conversation"))
    assert (len(first.calls), len(second.calls)) == (2, 3)
    wall.tick(101)
    await router(talk(table, "hi", "long after"))
    assert (len(first.calls), len(second.calls)) == (3, 3)


async def test_a_conversation_that_moved_comes_back_when_its_place_fails() -> None:
    first, second = Fake(503), Fake(200, 429)
    table, router, _ = fleet(other=first, default=second)
    await router(talk(table))
    assert (await router(talk(table))).status == 200
    assert (len(first.calls), len(second.calls)) == (2, 2)
    await router(talk(table))
    assert (len(first.calls), len(second.calls)) == (3, 2)


async def test_a_fallback_that_failed_too_is_no_place_to_stay() -> None:
    first, second = Fake(503), Fake(400)
    table, router, _ = fleet(other=first, default=second)
    assert (await router(talk(table))).status == 400
    await router(talk(table))
    assert (len(first.calls), len(second.calls)) == (2, 1)


async def test_who_comes_back_to_the_first_one_leaves_nothing_of_the_fallback_behind() -> None:
    first, second = Fake(503), Fake(200, 429)
    table, router, _ = fleet(other=first, default=second)
    await router(talk(table))
    call = talk(table)
    assert (await router(call)).status == 200
    assert (call.trace.upstream, call.trace.refused_to_store, call.trace.modified_bytes) == ("other", "", 0)


async def test_a_fallback_that_can_not_be_asked_this_is_passed_over() -> None:
    ways = (Way("other", "*"), Way("loud", "*"), Way("default", "*"))
    table = routing(Rule("*", ways))
    fakes = {"other": Fake(503, 503), "loud": Fake(), "default": Fake(200, 500)}
    router = Router(table, fakes, sticky=100, wall=Clock())
    call = talk(table)
    call.parsed["secret"] = 1
    assert (await router(call)).status == 200
    assert (len(fakes["loud"].calls), call.trace.upstream) == (0, "default")
    # And where nobody is left, the last failure is told and not that one of them could not be asked.
    table = routing(Rule("*", ways[:2]))
    router = Router(table, fakes, sticky=100, wall=Clock())
    call = talk(table)
    call.parsed["secret"] = 1
    assert (await router(call)).status == 503


async def test_a_fallback_that_would_have_to_be_asked_often_is_passed_over() -> None:
    class Often(Shouting):
        def request(self, body: dict[str, Any], terms: Terms) -> Sent:
            return super().request(body, terms)._replace(copies=2)

    table = routing(Rule("*", (Way("other", "*"), Way("loud", "*"), Way("default", "*"))))
    table.translations[OPENAI_CHAT.name, "shout"] = Often()  # type: ignore[assignment]
    fakes = {"other": Fake(503), "loud": Fake(), "default": Fake()}
    call = talk(table)
    assert (await Router(table, fakes, sticky=100, wall=Clock())(call)).status == 200
    assert (len(fakes["loud"].calls), call.trace.upstream) == (0, "default")


async def test_another_name_for_a_model_changes_nothing_else() -> None:
    fake = Fake()
    table, router, _ = fleet(other=fake)
    call = talk(table, model="fast")
    await router(call)
    assert isinstance(call.body, bytes)
    assert fake.calls[0].body == call.body.replace(b' "fast"', b'"gpt-5-mini"')
    assert fake.calls[0].model == "gpt-5-mini"
    assert call.trace.modified_bytes == len('"gpt-5-mini"') - len(' "fast"')


@pytest.mark.parametrize(
    ("headers", "target", "name"),
    [
        ({}, "/models", "default"),
        ({"anthropic-version": "2026-10-21"}, "/models", "claude"),
        ({"Anthropic-Version": "2026-10-21"}, "/files", "claude"),
        ({}, "/messages/count_tokens", "claude"),
        ({}, "/messages/batches", "claude"),
        ({}, "/audio/speech", "default"),
    ],
)
async def test_what_nobody_here_reads_goes_to_whose_client_it_is(
    headers: dict[str, str], target: str, name: str
) -> None:
    fakes = {"default": Fake(), "claude": Fake()}
    _, router, _ = fleet(**fakes)
    call = Call("GET", target, CIMultiDict(headers), b"")
    await router.elsewhere(call)
    assert [each for each in fakes if fakes[each].calls] == [name]
    assert call.trace.upstream == name
