"""Judging an answer that would have been served: by reading, by likeness, by a model, and by nobody."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from multidict import CIMultiDict

from adapters.embedder import Embedded
from adapters.errors import EmbeddingError, Refused, Torn, UpstreamError
from adapters.openai_chat import OPENAI_CHAT
from adapters.prices import Prices
from adapters.simulated import INSTANT, Simulated
from adapters.sse import Frame
from adapters.vocabulary import Answer, Call, Form, OneFrame, Reply
from cache.budget import Budget
from cache.judging import Judge, Likeness, Model, Verdict
from tests.fakes import KEY, Clock, Time, chunks, completion

PRICES = Prices()
QUESTION, OTHER = "Why does water boil sooner on a mountain?", "Why do pots boil early up high?"
REAL = "Because the air presses less on the water, so it needs less heat."
WOULD_BE = "Up there air pressure is lower, and with it the temperature at which water boils."


class Vectors:
    """An embedder with a table; everything else points elsewhere."""

    identity, dimension = "table", 2

    def __init__(self, cosine: float = 1.0, fails: BaseException | None = None) -> None:
        self.second, self.fails = (cosine, math.sqrt(max(0.0, 1 - cosine * cosine))), fails
        self.asked: list[Sequence[str]] = []

    async def embed(self, texts: Sequence[str]) -> Embedded:
        self.asked.append(texts)
        if self.fails is not None:
            raise self.fails
        return Embedded(np.array([(1.0, 0.0), self.second], dtype=np.float32), None, 0.25)

    async def close(self) -> None: ...


class Says:
    """A handler that says one thing and puts down what it was asked."""

    def __init__(self, text: object = "SAME", status: int = 200, **more: object) -> None:
        self.message, self.status = completion("", **more), status
        self.message["choices"][0]["message"]["content"] = text
        self.calls: list[Call] = []

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        body = json.dumps(self.message).encode()
        return Reply.whole(self.status, (), body, source="upstream", answer=Answer(OPENAI_CHAT, body=body))

    @property
    def asked(self) -> dict[str, str]:
        return json.loads(self.calls[-1].parsed["messages"][-1]["content"])


def budget(dollars: float = 1.0) -> Budget:
    return Budget(dollars, Clock())


def model(handler, of: Budget | None = None, name: str = "gpt-4o-mini", **more) -> Model:
    return Model(handler, name, OPENAI_CHAT, of or budget(), PRICES.split, **more)


async def judged(judge: Judge, would_be: str = WOULD_BE, real: str = REAL, call: Call | None = None) -> Verdict:
    return await judge.judge(QUESTION, OTHER, would_be, real, call)


async def test_what_can_be_read_off_is_not_asked():
    vectors, says = Vectors(), Says()
    judge = Judge(Likeness(vectors), model(says))
    assert await judged(judge, "Yes.", "yes") == Verdict(True, "same answer")
    assert await judged(judge, "No.", "Yes, it does.") == Verdict(False, "contradiction")
    assert (vectors.asked, says.calls) == ([], [])


async def test_without_other_judges_nobody_can_tell():
    assert await judged(Judge()) == Verdict(None, "undecided")


@pytest.mark.parametrize(
    ("cosine", "correct", "how"),
    [(0.97, True, "similar"), (0.3, False, "dissimilar"), (0.8, None, "similarity 0.80")],
)
async def test_by_likeness(cosine, correct, how):
    vectors = Vectors(cosine)
    assert await judged(Judge(Likeness(vectors))) == Verdict(correct, how, 0.25)
    assert vectors.asked == [[WOULD_BE, REAL]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It takes about 20 minutes, as a rule, in a large pot.", "As a rule it takes 25 minutes or so in a pot."),
        ("You may return what you have opened within a week.", "What you have opened you may not return, that week."),
    ],
)
async def test_answers_that_differ_in_what_embeddings_do_not_see_are_not_similar(one, other):
    assert (await judged(Judge(Likeness(Vectors(0.99))), one, other)).correct is None


@pytest.mark.parametrize("fault", [EmbeddingError("status 503"), EmbeddingError("timeout")])
async def test_an_embedder_that_fails_judges_nothing(fault):
    verdict = await judged(Judge(Likeness(Vectors(fails=fault))))
    assert verdict == Verdict(None, f"embedding: {fault}")


async def test_an_embedder_that_never_answers_is_not_waited_for():
    class Silent(Vectors):
        async def embed(self, texts: Sequence[str]) -> Embedded:
            await asyncio.Event().wait()
            raise AssertionError

    assert await judged(Judge(Likeness(Silent(), timeout=0.0))) == Verdict(None, "embedding: timeout")


@pytest.mark.parametrize("bounds", [(0.5, 0.6), (0.5, 0.5), (1.1, 0.0), (math.nan, 0.0)])
def test_bounds_that_overlap_are_refused(bounds):
    with pytest.raises(ValueError, match="similar"):
        Likeness(Vectors(), same=bounds[0], different=bounds[1])


@pytest.mark.parametrize(("reply", "correct"), [("SAME", True), ("DIFFERENT", False)])
async def test_by_a_model(reply, correct):
    says = Says(reply)
    verdict = await judged(Judge(model=model(says)))
    assert (verdict.correct, verdict.how) == (correct, "model")
    assert says.asked == {"question": QUESTION, "answer": REAL, "other_question": OTHER, "other_answer": WOULD_BE}


async def test_what_it_costs_is_the_bill_and_is_taken_off_the_budget():
    of, says = budget(), Says()
    verdict = await judged(Judge(model=model(says, of)))
    usage = OPENAI_CHAT.usage(says.message)
    assert usage is not None
    assert verdict.dollars == PRICES.cost("gpt-4o-mini", usage)
    assert of.spent == pytest.approx(verdict.dollars)
    assert of.left == pytest.approx(1.0 - verdict.dollars)


async def test_a_model_is_asked_where_likeness_could_not_tell_and_both_are_paid():
    says = Says("DIFFERENT")
    verdict = await judged(Judge(Likeness(Vectors(0.8)), model(says)))
    assert (verdict.correct, verdict.how) == (False, "model")
    assert verdict.dollars > 0.25


async def test_beyond_the_budget_nobody_is_asked():
    says, of = Says(), budget(1e-9)
    assert await judged(Judge(model=model(says, of))) == Verdict(None, "budget")
    assert says.calls == []


async def test_a_model_without_a_price_is_within_a_budget_all_the_same():
    of = Budget(0.05, Clock(), unknown=0.02)
    judge = Judge(model=model(Says(), of, name="house-model-7"))
    assert [(await judged(judge)).how for _ in range(4)] == ["model", "model", "budget", "budget"]
    assert (await judged(Judge(model=model(Says(), budget(), name="house-model-7")))).dollars == 0.0


async def test_the_call_is_the_clients_in_credential_and_nothing_else():
    says = Says()
    client = Call(
        "POST",
        "/messages?beta=true",
        CIMultiDict({"Authorization": f"Bearer {KEY}"}),
        b"{}",
        tenant="t",
        credential="c",
        stream=True,
        key=b"k" * 32,
        digests={"canonical": b"x"},
    )
    client.trace.source = "upstream"
    await judged(Judge(model=model(says)), call=client)
    (call,) = says.calls
    assert (call.tenant, call.credential, call.headers) == ("t", "c", client.headers)
    assert (call.target, call.stream, call.key, call.digests, call.sent) == ("/chat/completions", False, b"", {}, None)
    assert call.controls.no_store
    assert call.trace is not client.trace
    assert json.loads(call.body) == call.parsed
    assert call.model == "gpt-4o-mini"


async def test_without_a_client_it_is_the_base():
    says = Says()
    base = Call("POST", "/", CIMultiDict({"Authorization": "Bearer operator"}), b"", tenant="house")
    await judged(Judge(model=model(says, base=base)))
    assert (says.calls[0].tenant, says.calls[0].headers) == ("house", base.headers)


@pytest.mark.parametrize("reply", ["", None, 7, "They are the same I think", ["SAME"], {"a": 1}])
async def test_a_reply_that_is_no_verdict_is_none_and_is_paid(reply):
    of = budget()
    verdict = await judged(Judge(model=model(Says(reply), of)))
    assert (verdict.correct, verdict.how) == (None, "no verdict")
    assert of.spent == verdict.dollars > 0


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"<html>", b'{"choices": 3}', b'{"choices": [{"message": 1}]}'])
async def test_bodies_of_any_kind(body):
    async def handler(call: Call) -> Reply:
        return Reply.whole(200, (), body, source="upstream")

    assert (await judged(Judge(model=model(handler)))).how == "no verdict"


@pytest.mark.parametrize("status", [400, 401, 429, 500, 529])
async def test_a_refusal_judges_nothing_and_costs_nothing(status):
    async def handler(call: Call) -> Reply:
        return Reply.whole(status, (), b"{}", source="upstream")

    of = budget()
    assert await judged(Judge(model=model(handler, of))) == Verdict(None, f"refused: {status}")
    assert (of.spent, of.left) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("fault", "how", "paid"),
    [
        (UpstreamError("gone"), "failed: upstream_unreachable", False),
        (UpstreamError("late", status=504, code="upstream_timeout"), "failed: upstream_timeout", True),
        (Torn("torn"), "failed: torn", True),
        (ConnectionResetError(), "failed: connectionreseterror", True),
        (Refused(400, "no"), "failed: refused", False),
        (Refused(400, "no", code="unsupported_api"), "failed: unsupported_api", False),
    ],
)
async def test_a_handler_that_fails_judges_nothing(fault, how, paid):
    async def handler(call: Call) -> Reply:
        raise fault

    of = budget()
    verdict = await judged(Judge(model=model(handler, of)))
    assert (verdict.correct, verdict.how) == (None, how)
    assert (of.spent > 0) is paid


async def test_one_that_never_answers_is_not_waited_for_and_counts_as_paid():
    async def handler(call: Call) -> Reply:
        await asyncio.Event().wait()
        raise AssertionError

    of = budget()
    verdict = await judged(Judge(model=model(handler, of, timeout=0.0)))
    assert (verdict.correct, verdict.how) == (None, "timeout")
    assert of.spent == verdict.dollars > 0


async def test_whoever_is_cancelled_leaves_nothing_reserved():
    async def handler(call: Call) -> Reply:
        raise asyncio.CancelledError

    of = budget()
    with pytest.raises(asyncio.CancelledError):
        await judged(Judge(model=model(handler, of)))
    assert of.left + of.spent == pytest.approx(1.0)


class Stream:
    """Frames that remember whether they were closed, and may break off."""

    def __init__(self, raws: list[bytes], torn: bool = False) -> None:
        self.raws, self.torn, self.closed = list(raws), torn, False

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> Frame:
        if self.raws:
            return Frame(self.raws.pop(0))
        if self.torn:
            raise Torn("broke off")
        raise StopAsyncIteration

    def ready(self) -> list[Frame]:
        return []

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize("torn", [False, True])
async def test_a_stream_is_read_to_its_end_and_closed(torn):
    raws = chunks("SAME", usage=True)
    stream = Stream(raws[:-2] if torn else raws, torn)

    async def handler(call: Call) -> Reply:
        return Reply(200, (), "upstream", Form.EVENTS, stream)

    verdict = await judged(Judge(model=model(handler)))
    assert (verdict.correct, verdict.how) == ((None, "failed: torn") if torn else (True, "model"))
    assert stream.closed


async def test_a_refusal_in_bytes_is_read_too():
    async def handler(call: Call) -> Reply:
        return Reply(502, (), "upstream", Form.BYTES, OneFrame(b"<html>"))

    assert (await judged(Judge(model=model(handler)))).how == "refused: 502"


def simulated() -> Simulated:
    time = Time()
    return Simulated(OPENAI_CHAT, INSTANT, sleep=time.sleep, clock=time)


BASE = Call("POST", "/", CIMultiDict({"authorization": f"Bearer {KEY}"}), b"")


async def test_the_simulated_provider_takes_the_question_and_says_nothing_that_is_a_verdict():
    of = budget()
    verdict = await judged(Judge(model=model(simulated(), of, base=BASE)))
    assert (verdict.correct, verdict.how) == (None, "no verdict")
    assert of.spent == verdict.dollars > 0


@pytest.mark.parametrize(
    ("name", "how"),
    [("sim-error-429", "refused: 429"), ("sim-error-500", "refused: 500"), ("sim-error-529", "refused: 503")],
)
async def test_and_its_faults_judge_nothing(name, how):
    assert await judged(Judge(model=model(simulated(), name=name, base=BASE))) == Verdict(None, how)


async def test_nor_does_a_credential_that_it_refuses():
    assert (await judged(Judge(model=model(simulated())))).how == "refused: 401"
