"""Vectors of a provider: the simulated one, and providers that answer something else."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adapters.embedder import Embedder
from adapters.embedding_batches import Limits
from adapters.errors import EmbeddingError, Torn, UpstreamError
from adapters.openai_chat import OPENAI_CHAT
from adapters.remote_embedder import RemoteEmbedder, Service
from adapters.simulated import INSTANT, Simulated
from adapters.simulated_embedding import vector
from adapters.sse import Frame
from adapters.usage import Usage
from adapters.vocabulary import Call, Form, Handler, OneFrame, Reply
from tests.fakes import Time, until

KEY = (("Authorization", "Bearer sk-test"),)
PATIENT = Limits(timeout=None)


def service(handler: Handler, **more: Any) -> Service:
    return Service(handler, **{"model": "text-embedding-3-small", "dimension": 4, "headers": KEY, **more})


def simulated() -> Simulated:
    time = Time()
    return Simulated(OPENAI_CHAT, INSTANT, sleep=time.sleep, clock=time, seed=7)


class Provider:
    """Answers by its script and puts down what it was asked."""

    def __init__(self, script: Callable[[dict[str, Any]], Any], status: int = 200) -> None:
        self.script, self.status = script, status
        self.asked: list[dict[str, Any]] = []
        self.calls: list[Call] = []

    async def __call__(self, call: Call) -> Reply:
        assert isinstance(call.body, bytes)
        body = json.loads(call.body)
        self.asked.append(body)
        self.calls.append(call)
        answer = self.script(body)
        raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return Reply.whole(self.status, (), raw, source="upstream")


def answer(body: dict[str, Any], vectors: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    """One vector for each input: its length, and three more numbers."""
    vectors = vectors or [[float(len(text)), 1.0, 0.0, 0.0] for text in body["input"]]
    data = [{"object": "embedding", "index": place, "embedding": each} for place, each in enumerate(vectors)]
    return {"object": "list", "data": data, "model": "m-1", "usage": {"prompt_tokens": 7, "total_tokens": 7}} | more


async def test_the_simulated_provider() -> None:
    embedder: Embedder = RemoteEmbedder(service(simulated(), dimension=64, shorten=True), PATIENT)
    made = await embedder.embed(["one", "two", "one"])
    wanted = [vector(f"7:text-embedding-3-small:{text}", 64) for text in ("one", "two", "one")]
    assert np.allclose(made.vectors, wanted, atol=1e-6)
    assert made.usage is not None
    assert made.usage.uncached > 0
    assert made.cost is None, "no price was given"
    again = await embedder.embed(["one"])
    assert (again.usage, again.cost) == (None, 0.0)
    await embedder.close()
    with pytest.raises(EmbeddingError, match="closed"):
        await embedder.embed(["late"])


async def test_a_key_that_is_refused() -> None:
    embedder = RemoteEmbedder(service(simulated(), headers=()), PATIENT)
    with pytest.raises(EmbeddingError, match="status 401"):
        await embedder.embed(["one", "two"])


async def test_what_is_asked() -> None:
    provider = Provider(answer)
    embedder = RemoteEmbedder(service(provider, prefix="query: "), PATIENT)
    made = await embedder.embed(["ab", "abcd"])
    assert provider.asked == [
        {"model": "text-embedding-3-small", "input": ["query: ab", "query: abcd"], "encoding_format": "base64"}
    ]
    call = provider.calls[0]
    assert (call.method, call.target) == ("POST", "/embeddings")
    assert call.headers["authorization"] == "Bearer sk-test"
    assert call.headers["content-type"] == "application/json"
    assert np.allclose(made.vectors[0], np.array([9, 1, 0, 0]) / np.sqrt(82))
    assert (await RemoteEmbedder(service(provider, shorten=True), PATIENT).embed(["x"])).vectors.shape == (1, 4)
    assert provider.asked[-1]["dimensions"] == 4


async def test_numbers_and_base64_and_any_order() -> None:
    def script(body: dict[str, Any]) -> dict[str, Any]:
        packed = base64.b64encode(np.array([0, 2, 0, 0], "<f4").tobytes()).decode()
        said = answer(body, [[3, 0, 0, 0], packed])
        said["data"].reverse()
        return said

    made = await RemoteEmbedder(service(Provider(script)), PATIENT).embed(["a", "b"])
    assert made.vectors.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0]]


async def test_the_bill() -> None:
    def price(model: str, usage: Usage) -> float | None:
        return usage.prompt * 2e-8 if model == "text-embedding-3-small" else None

    embedder = RemoteEmbedder(service(Provider(answer), price=price), PATIENT)
    made = await embedder.embed(["a", "b"])
    assert made.usage == Usage(uncached=7)
    assert made.cost == pytest.approx(7 * 2e-8)


async def test_without_usage_the_tokens_are_estimated() -> None:
    embedder = RemoteEmbedder(service(Provider(lambda body: answer(body, usage=None))), PATIENT)
    made = await embedder.embed(["some words of a question"])
    assert made.usage is not None
    assert made.usage.estimated
    assert made.usage.uncached > 2


WRONG: list[Any] = [
    b"",
    b"no json",
    b"\xff\xff",
    b"[" * 100_000,
    [],
    None,
    {"error": {"message": "no"}},
    {"data": []},
    {"data": [{"index": 0, "embedding": [1.0, 0, 0, 0]}]},
    {"data": [{"index": place, "embedding": [1.0, 0, 0, 0]} for place in range(3)]},
    {"data": [{"index": 0, "embedding": [1.0, 0, 0, 0]}, {"index": 0, "embedding": [1.0, 0, 0, 0]}]},
    {"data": [{"index": place, "embedding": [1.0, 0, 0]} for place in range(2)]},
    {"data": [{"index": place, "embedding": [0.0, 0, 0, 0]} for place in range(2)]},
    {"data": [{"index": place, "embedding": [1e300, 0, 0, 0]} for place in range(2)]},
    {"data": [{"index": place, "embedding": [10**400, 0, 0, 0]} for place in range(2)]},
    {"data": [{"index": place, "embedding": [None, 0, 0, 0]} for place in range(2)]},
    {"data": [{"index": place, "embedding": "AAAA"} for place in range(2)]},
    {"data": [{"index": place, "embedding": "AACAPwAAgD8AAIA/"} for place in range(2)]},
    {"data": [{"index": place, "embedding": "*"} for place in range(2)]},
    {"data": [{"index": place, "embedding": "ü"} for place in range(2)]},
    {"data": [{"index": "0", "embedding": [1.0]}, 3]},
    {"data": {"index": 0}},
]


@pytest.mark.parametrize("said", WRONG, ids=lambda value: repr(value)[:40])
async def test_what_is_no_answer_is_an_error_and_not_asked_again(said: Any) -> None:
    provider = Provider(lambda body: said)
    with pytest.raises(EmbeddingError):
        await RemoteEmbedder(service(provider), PATIENT).embed(["one", "two"])
    assert len(provider.asked) == 1


@pytest.mark.parametrize(("status", "asked"), [(400, 3), (413, 3), (429, 1), (500, 1), (302, 1)])
async def test_only_what_a_text_may_be_at_fault_for_is_tried_one_by_one(status: int, asked: int) -> None:
    provider = Provider(lambda body: {"error": {"message": "no"}}, status)
    with pytest.raises(EmbeddingError, match=f"status {status}"):
        await RemoteEmbedder(service(provider), PATIENT).embed(["one", "two"])
    await until(lambda: len(provider.asked) == asked)


@pytest.mark.parametrize("error", [UpstreamError("gone", code="upstream_timeout"), Torn("half")])
async def test_an_upstream_that_is_down(error: Exception) -> None:
    async def down(call: Call) -> Reply:
        raise error

    with pytest.raises(EmbeddingError, match=r"upstream_timeout: gone|torn: half"):
        await RemoteEmbedder(service(down), PATIENT).embed(["one"])


async def test_an_upstream_that_is_slow() -> None:
    given_up = asyncio.Event()

    async def slow(call: Call) -> Reply:
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()
        raise AssertionError

    embedder = RemoteEmbedder(service(slow), Limits(timeout=0.001))
    with pytest.raises(EmbeddingError, match="timeout"):
        await embedder.embed(["one"])
    await given_up.wait()
    await embedder.close()


async def test_an_answer_in_pieces() -> None:
    class Pieces(OneFrame):
        def __init__(self, *pieces: bytes) -> None:
            super().__init__(b"")
            self.pieces = list(pieces)

        async def __anext__(self) -> Frame:
            if not self.pieces:
                raise StopAsyncIteration
            return Frame(self.pieces.pop(0))

    async def handler(call: Call) -> Reply:
        raw = json.dumps(answer({"input": ["a"]})).encode()
        return Reply(200, (), "upstream", Form.BYTES, Pieces(raw[:20], raw[20:]))

    assert (await RemoteEmbedder(service(handler), PATIENT).embed(["a"])).vectors.shape == (1, 4)


async def test_a_model_that_changes_behind_its_name() -> None:
    names = iter(["m-1", "m-1", "m-2"])
    embedder = RemoteEmbedder(service(Provider(lambda body: answer(body, model=next(names)))), PATIENT)
    await embedder.embed(["a"])
    await embedder.embed(["b"])
    with pytest.raises(EmbeddingError, match="changed the model from m-1 to m-2"):
        await embedder.embed(["c"])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nothing"),
        (" \n", "nothing"),
        ("word " * 600, "too long"),
        ("x" * 100_000, "too long"),
        ("字" * 900, "too long"),
        ("\ud800", "Unicode"),
        (3, "not a text"),
    ],
    ids=lambda value: repr(value)[:12],
)
async def test_what_is_not_sent(text: Any, why: str) -> None:
    provider = Provider(answer)
    with pytest.raises(EmbeddingError, match=why):
        await RemoteEmbedder(service(provider, window=512), PATIENT).embed([text])
    assert provider.asked == []


async def test_long_texts_that_fit_are_sent() -> None:
    provider = Provider(answer)
    await RemoteEmbedder(service(provider, window=512), PATIENT).embed(["word " * 400])
    assert len(provider.asked) == 1


def test_the_identity_names_who_is_asked_for_what() -> None:
    handler = simulated()
    identities = {
        RemoteEmbedder(service(handler, **more), PATIENT).identity
        for more in ({}, {"model": "m"}, {"dimension": 5}, {"prefix": "q: "}, {"upstream": "azure"})
    }
    assert len(identities) == 5
