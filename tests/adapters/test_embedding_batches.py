"""What goes together, what is computed once, and what becomes of callers, errors and bills."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.embedder import Embedded
from adapters.embedding_batches import Batches, Bill, Limits, WholeBatchError, shares
from adapters.errors import EmbeddingError
from adapters.usage import Usage
from tests.fakes import until

PATIENT = Limits(timeout=None)


class Model:
    """Gives for a text its length; each batch waits until it is let go."""

    def __init__(self, *, open_: bool = False) -> None:
        self.batches: list[list[str]] = []
        self.gate = asyncio.Event()
        if open_:
            self.gate.set()

    async def __call__(self, texts: list[str]) -> Embedded:
        self.batches.append(texts)
        await self.gate.wait()
        for text in texts:
            if text == "bad":
                raise EmbeddingError("bad text")
            if text == "odd":
                raise RuntimeError("a bug somewhere")
            if text == "down":
                raise WholeBatchError("status 503")
        rows = [[float(len(text))] for text in texts]
        return Embedded(np.array(rows, np.float32), Usage(uncached=10 * len(texts)), 0.5 * len(texts))


def batches(model: Model, limits: Limits = PATIENT, at_once: int = 1) -> Batches[str]:
    return Batches(model, limits, len, at_once=at_once)


async def lengths(asked: Batches[str], *texts: str) -> list[float]:
    rows, _ = await asked.ask(texts)
    return [float(row[0]) for row in rows]


async def test_one_goes_at_once_and_the_others_together() -> None:
    model = Model()
    asked = batches(model)
    tasks = [asyncio.ensure_future(lengths(asked, "x" * n)) for n in range(1, 6)]
    await until(lambda: len(model.batches) == 1)
    model.gate.set()
    assert await asyncio.gather(*tasks) == [[1.0], [2.0], [3.0], [4.0], [5.0]]
    assert model.batches == [["x"], ["xx", "xxx", "xxxx", "xxxxx"]]
    await asked.close()


async def test_several_batches_at_once() -> None:
    model = Model()
    asked = batches(model, at_once=2)
    tasks = [asyncio.ensure_future(lengths(asked, "x" * n)) for n in range(1, 5)]
    await until(lambda: len(model.batches) == 2)
    model.gate.set()
    await asyncio.gather(*tasks)
    assert model.batches == [["x"], ["xx"], ["xxx", "xxxx"]]


async def test_a_batch_has_at_most_so_many_texts_and_characters() -> None:
    model = Model(open_=True)
    asked = batches(model, PATIENT._replace(size=3, heaviest=10))
    assert await lengths(asked, "a", "b", "c", "d", "12345", "123456", "x" * 50, "e") == [1, 1, 1, 1, 5, 6, 50, 1]
    assert model.batches == [["a", "b", "c"], ["d", "12345"], ["123456"], ["x" * 50], ["e"]]


async def test_the_same_text_is_computed_once() -> None:
    model = Model()
    asked = batches(model)
    tasks = [asyncio.ensure_future(lengths(asked, "same", "same")) for _ in range(5)]
    await until(lambda: bool(model.batches))
    model.gate.set()
    assert await asyncio.gather(*tasks) == [[4.0, 4.0]] * 5
    assert await lengths(asked, "same", "other") == [4.0, 5.0]
    assert model.batches == [["same"], ["other"]]


async def test_vectors_are_forgotten_the_oldest_first_and_long_texts_at_once() -> None:
    model = Model(open_=True)
    asked = batches(model, PATIENT._replace(recent=2, longest=5))
    for text in ("a", "b", "c", "a", "c", "longer", "longer"):
        await lengths(asked, text)
    assert model.batches == [["a"], ["b"], ["c"], ["a"], ["longer"], ["longer"]]


async def test_a_bad_text_fails_alone() -> None:
    model = Model()
    asked = batches(model)
    tasks = [asyncio.ensure_future(lengths(asked, text)) for text in ("first", "one", "bad", "odd", "three")]
    await until(lambda: bool(model.batches))
    model.gate.set()
    made = await asyncio.gather(*tasks, return_exceptions=True)
    assert made[:2] == [[5.0], [3.0]]
    assert made[4] == [5.0]
    assert [str(error) for error in made[2:4]] == ["bad text", "RuntimeError: a bug somewhere"]
    assert all(isinstance(error, EmbeddingError) for error in made[2:4])
    assert model.batches[2:] == [["one"], ["bad"], ["odd"], ["three"]]
    with pytest.raises(EmbeddingError, match="bad text"):
        await asked.ask(["fine", "bad"])


async def test_an_error_of_the_whole_batch_is_tried_no_further() -> None:
    model = Model(open_=True)
    asked = batches(model)
    with pytest.raises(EmbeddingError, match="status 503"):
        await asked.ask(["one", "down", "two"])
    assert model.batches == [["one", "down", "two"]]
    assert await lengths(asked, "one") == [3.0]


async def test_a_caller_that_goes_leaves_the_others() -> None:
    model = Model()
    asked = batches(model)
    running, shared, dropped = (
        asyncio.ensure_future(lengths(asked, text)) for text in ("running", "shared", "dropped")
    )
    stays = asyncio.ensure_future(lengths(asked, "shared"))
    await until(lambda: bool(model.batches))
    for task in (running, shared, dropped):
        task.cancel()
    await asyncio.wait([running, shared, dropped])
    model.gate.set()
    assert await stays == [6.0]
    assert model.batches == [["running"], ["shared"]], "what nobody wants any more is not computed"
    assert await lengths(asked, "running") == [7.0]
    assert len(model.batches) == 2, "what was computed for nobody is remembered"


async def test_a_caller_waits_only_so_long() -> None:
    model = Model()
    asked = batches(model, Limits(timeout=0.001))
    with pytest.raises(EmbeddingError, match="timeout"):
        await asked.ask(["slow"])
    model.gate.set()
    await until(lambda: not asked._running)
    assert await lengths(asked, "slow") == [4.0]
    assert model.batches == [["slow"]]


async def test_no_more_wait_than_may() -> None:
    model = Model()
    asked = batches(model, PATIENT._replace(waiting=2))
    tasks = [asyncio.ensure_future(lengths(asked, text)) for text in ("a", "b", "c")]
    await until(lambda: len(asked._waiting) == 2)
    with pytest.raises(EmbeddingError, match="busy"):
        await asked.ask(["d"])
    joins = asyncio.ensure_future(lengths(asked, "b"))
    model.gate.set()
    assert await asyncio.gather(*tasks, joins) == [[1.0]] * 4
    assert await lengths(asked, "d") == [1.0]


async def test_closing_lets_what_runs_end_and_refuses_the_rest() -> None:
    model = Model()
    asked = batches(model)
    running, waiting = (asyncio.ensure_future(lengths(asked, text)) for text in ("running", "waiting"))
    await until(lambda: bool(model.batches))
    closing = asyncio.ensure_future(asked.close())
    with pytest.raises(EmbeddingError, match="closed"):
        await waiting
    model.gate.set()
    assert await running == [7.0]
    assert await closing is True
    with pytest.raises(EmbeddingError, match="closed"):
        await asked.ask(["late"])
    assert await asked.close() is True


async def test_closing_while_texts_of_a_failed_batch_are_tried_again() -> None:
    model = Model(open_=True)
    asked = batches(model)
    task = asyncio.ensure_future(asked.ask(["one", "bad", "three"]))
    await until(lambda: len(model.batches) == 2)
    await asked.close()
    with pytest.raises(EmbeddingError, match="closed"):
        await task
    assert model.batches == [["one", "bad", "three"], ["one"]]


async def test_what_nobody_waits_for_is_not_tried_again() -> None:
    model = Model(open_=True)

    async def compute(texts: list[str]) -> Embedded:
        if texts == ["bad"]:
            tasks[2].cancel()
            await asyncio.wait([tasks[2]])
        return await model(texts)

    asked: Batches[str] = Batches(compute, PATIENT, len)
    tasks = [asyncio.ensure_future(asked.ask([text])) for text in ("first", "bad", "gone")]
    await asyncio.wait(tasks)
    assert tasks[2].cancelled()
    await asked.ask(["last"])
    assert model.batches == [["first"], ["bad", "gone"], ["bad"], ["last"]]


async def test_a_model_that_gives_too_few() -> None:
    async def miscounts(texts: list[str]) -> Embedded:
        return Embedded(np.ones((1, 1), np.float32))

    asked: Batches[str] = Batches(miscounts, PATIENT, len)
    with pytest.raises(EmbeddingError, match="1 vectors for 2 texts"):
        await asked.ask(["a", "b"])


async def test_rows_are_nobody_else_s() -> None:
    shared = np.ones((1, 1), np.float32)

    async def reuses(texts: list[str]) -> Embedded:
        return Embedded(shared)

    asked: Batches[str] = Batches(reuses, PATIENT, len)
    await asked.ask(["a"])
    shared[0, 0] = 7.0
    assert await lengths(asked, "a") == [1.0]


# Bills


async def test_who_asks_pays_and_what_is_remembered_costs_nothing() -> None:
    asked = batches(Model(open_=True))
    _, bill = await asked.ask(["a", "b"])
    assert bill == Bill(Usage(uncached=20), 1.0)
    _, bill = await asked.ask(["a", "b"])
    assert bill == Bill(None, 0.0)


async def test_those_who_share_a_batch_share_its_bill_and_none_pays_twice() -> None:
    model = Model()
    asked = batches(model)
    tasks = [asyncio.ensure_future(asked.ask([text])) for text in ("x", "aa", "bb", "aa")]
    await until(lambda: bool(model.batches))
    model.gate.set()
    bills = [bill for _, bill in await asyncio.gather(*tasks)]
    assert [bill.cost for bill in bills] == [0.5, 0.5, 0.5, 0.0]
    assert [bill.usage and bill.usage.uncached for bill in bills] == [10, 10, 10, None]


async def test_what_nobody_waited_for_is_on_the_next_bill() -> None:
    model = Model()
    asked = batches(model)
    task = asyncio.ensure_future(asked.ask(["gone"]))
    await until(lambda: bool(model.batches))
    task.cancel()
    await asyncio.wait([task])
    model.gate.set()
    await until(lambda: not asked._running)
    assert (await asked.ask(["next"]))[1] == Bill(Usage(uncached=20), 1.0)
    with pytest.raises(EmbeddingError):
        await asked.ask(["paid", "down"])
    with pytest.raises(EmbeddingError):
        await asked.ask(["paid for", "bad"])
    assert (await asked.ask(["last"]))[1].cost == 1.0, "`paid for`, when it was tried alone, and `last`"


@given(
    st.lists(st.integers(0, 5000), min_size=1, max_size=40),
    st.integers(0, 10**6),
    st.one_of(st.none(), st.floats(0, 10)),
)
def test_parts_of_a_bill_add_up(weights: Sequence[int], tokens: int, cost: float | None) -> None:
    if not sum(weights):
        return
    bills = shares(Embedded(np.zeros((len(weights), 1), np.float32), Usage(uncached=tokens), cost), weights)
    assert sum(bill.usage.uncached for bill in bills if bill.usage) == tokens
    if cost is None:
        assert all(bill.cost is None for bill in bills)
    else:
        assert sum(bill.cost or 0.0 for bill in bills) == pytest.approx(cost)


def test_sums_of_bills() -> None:
    known, free, unpriced = Bill(Usage(uncached=3), 0.5), Bill(), Bill(Usage(uncached=2, estimated=True), None)
    assert known + free == free + known == known
    assert known + unpriced == Bill(Usage(uncached=5, estimated=True), None)
