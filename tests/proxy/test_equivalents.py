"""The semantic cache as it is served: the default model, a real store, the official client, and the doors beside."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import EmbeddingError
from cache.decide import Terms
from cache.semantic_store import SemanticStore
from cache.verifier import Verifier
from proxy.app import build
from proxy.config_file import loads, override
from proxy.config_problem import ConfigError
from proxy.equivalents import Equivalents, embedder_for, grey_for, terms_of, verifier_for
from proxy.pricing import prices_of
from tests.adapters import tiny_bert
from tests.cache.contract import Clock
from tests.cache.neighbours import kept, scattered, scope
from tests.fakes import CHAT, KEY, answers, completion, provider, until
from tests.proxy.semantics import Words
from tests.running import ENV, Proxy, proxy

ON = "cache: {semantic: {enabled: true, mode: 'on'}}"
QUESTION, SAME = "How do I reset the password of my account?", "How can I reset my account's password?"


def asked(text: str, **more: Any) -> dict[str, Any]:
    return CHAT | {"messages": [{"role": "user", "content": text}]} | more


@asynccontextmanager
async def running(directory: Path | None, config: str = ON, text: str = "Paris.") -> AsyncIterator[tuple[Proxy, Any]]:
    tiny_bert.default_model()
    async with provider(answers(completion(text))) as fake, proxy(fake.base_url, directory, config) as ours:
        yield ours, fake


async def settled(ours: Proxy) -> None:
    """When everything is kept that is to be kept."""
    await ours.app.tasks.drain(10)


async def test_an_equivalent_question_is_answered_and_says_so(tmp_path: Path) -> None:
    async with running(tmp_path) as (ours, fake):
        assert (await ours.chat(asked(QUESTION)))[1]["X-Cache-Status"] == "miss"
        await settled(ours)
        status, headers, body = await ours.chat(asked(SAME))
        assert (status, fake.calls) == (200, 1)
        assert json.loads(body)["choices"][0]["message"]["content"] == "Paris."
        assert "; hit; " in headers["Cache-Status"]
        assert "detail=semantic; sim=0.9" in headers["Cache-Status"]
        assert headers["X-Warmgate-Semantic"].startswith("hit; entry=1; sim=0.9")
        # A guess is never kept as an exact answer: the same question is looked at again.
        again = (await ours.chat(asked(SAME)))[1]
        assert "detail=semantic" in again["Cache-Status"]


ALIKE = (
    "How can I not reset my account's password?",
    "How can I reset the passwords of my 2 accounts?",
    "How can I reset your account's password?",
    "How can I reset my account's password? Answer in French.",
    "Why can I reset my account's password?",
)


async def test_what_only_looks_alike_is_asked() -> None:
    async with running(None) as (ours, fake):
        await ours.chat(asked(QUESTION))
        await settled(ours)
        for asked_before, other in enumerate(ALIKE, 1):
            _, headers, _ = await ours.chat(asked(other), Cache_Control="no-store")
            assert fake.calls == asked_before + 1, other
            assert "X-Warmgate-Semantic" not in headers


async def test_an_exact_hit_waits_for_no_embedding(tmp_path: Path) -> None:
    async with running(tmp_path) as (ours, _):
        await ours.chat(asked(QUESTION))
        await settled(ours)
        near = ours.app.near
        assert near is not None
        await near.embedder.close()  # whoever asks it now is told so
        assert "detail=l1" in (await ours.chat(asked(QUESTION)))[1]["Cache-Status"]
        status, headers, _ = await ours.chat(asked(SAME))
        assert (status, headers["X-Cache-Status"]) == (200, "miss")


ODD = ("", " ", "?", "word " * 20_000, "\x00", "é" * 50_000, "{" * 500)


async def test_odd_questions_are_misses() -> None:
    async with running(None) as (ours, fake):
        for text in (*ODD, *ODD):
            status, headers, _ = await ours.chat(asked(text), Cache_Control="no-store")
            await settled(ours)
            assert (status, headers["X-Cache-Status"]) == (200, "miss"), text[:20]
        assert fake.calls == 2 * len(ODD)


async def test_entries_of_another_embedder_are_embedded_anew(tmp_path: Path) -> None:
    tiny_bert.default_model()
    async with provider(answers(completion())) as fake:
        async with proxy(fake.base_url, tmp_path, ON) as ours:
            await ours.chat(asked(QUESTION))
            await settled(ours)
        with sqlite3.connect(tmp_path / "semantic.sqlite") as rows:
            assert rows.execute("UPDATE semantic_embedders SET identity = 'another'").rowcount == 1
        async with proxy(fake.base_url, tmp_path, ON) as ours:
            near = ours.app.near
            assert near is not None
            await until(lambda: near.store.stats()["scopes"] == 1)
            assert "detail=semantic" in (await ours.chat(asked(SAME)))[1]["Cache-Status"]


async def test_a_text_that_no_embedder_takes_does_not_hold_up_the_others(tmp_path: Path) -> None:
    clock, embedder, where = Clock(), Words(), tmp_path / "semantic.sqlite"
    texts = ("How do I reset it?", "?!", "How do I turn it on?", "...")

    def store(identity: str) -> SemanticStore:
        return SemanticStore(where, identity, embedder.dimension, max_size=9, max_bytes=10**6, clock=clock)

    before = store("another")
    await before.open()
    for number, row in enumerate(scattered(len(texts), embedder.dimension)):
        assert await before.put(kept(number, clock, row, text=texts[number]))
    await before.close()

    now = store(embedder.identity)
    await now.open()
    assert now.stats()["stale"] == 4
    near = Equivalents(None, now, embedder, None)  # type: ignore[arg-type]  # neither has a part in this
    await near.reembed(_never)
    found = await now.near(scope(0), (await embedder.embed(texts[:1])).vectors[0], 9)
    assert [each.text for each in found] == [texts[0], texts[2]]
    assert (now.stats()["stale"], now.stats()["entries"]) == (0, 2)
    await now.close()


async def _never(seconds: float) -> None:
    raise AssertionError("there was nothing to wait for")


async def test_where_no_text_is_taken_there_is_no_vector() -> None:
    near = Equivalents(None, None, Words(), None)  # type: ignore[arg-type]
    assert await near._vectors([(1, "?!"), (2, "...")]) == ({}, [1, 2])


BOUGHT = """
upstream: {base_url: simulated}
simulated: {first_token: 0.001, tokens_per_second: 100000}
cache:
  exact: {enabled: false}
  semantic:
    enabled: true
    mode: "on"
    policy: static
    embedding_model: text-embedding-3-small
    embedding: {kind: upstream}
"""


async def test_embeddings_may_be_a_providers_and_are_paid_for() -> None:
    async with proxy("simulated", None, BOUGHT) as ours:
        await ours.chat(asked("How do I reset my password?"))
        await settled(ours)
        # The simulated provider's vectors are near for equal texts alone.
        _, headers, _ = await ours.chat(asked("How do I reset my password?"))
        assert "detail=semantic" in headers["Cache-Status"]
        assert headers["X-Warmgate-Cost"].startswith("cost=0;")  # its vector was known
        _, headers, _ = await ours.chat(asked("How do I delete my account?"))
        assert "; embeddings=0.0000" in headers["X-Warmgate-Cost"]


async def test_tenants_namespaces_and_opting_out(tmp_path: Path) -> None:
    async with running(tmp_path) as (ours, fake):
        await ours.chat(asked(QUESTION))
        await settled(ours)
        for more in ({"key": "sk-another"}, {"X_Warmgate_Semantic": "off"}, {"X_Warmgate_Similarity": "0.9999"}):
            before = fake.calls
            await ours.chat(asked(SAME), Cache_Control="no-store", **more)
            assert fake.calls == before + 1
        status, _, body = await ours.chat(asked(SAME), X_Warmgate_Similarity="1.5")
        assert (status, json.loads(body)["error"]["param"]) == (400, "X-Warmgate-Similarity")


async def test_it_outlives_the_process(tmp_path: Path) -> None:
    tiny_bert.default_model()
    async with provider(answers(completion())) as fake:
        async with proxy(fake.base_url, tmp_path, ON) as ours:
            await ours.chat(asked(QUESTION))
            await settled(ours)
        async with proxy(fake.base_url, tmp_path, ON) as ours:
            assert "detail=semantic" in (await ours.chat(asked(SAME)))[1]["Cache-Status"]


async def test_shadow_serves_nothing_and_metrics_tell(tmp_path: Path) -> None:
    async with running(tmp_path, "cache: {semantic: {enabled: true}}") as (ours, fake):
        for text in (QUESTION, SAME):
            _, headers, _ = await ours.chat(asked(text))
            await settled(ours)
            assert "X-Warmgate-Semantic" not in headers
        assert fake.calls == 2
        async with ours.session.get(f"{ours.root}/metrics") as response:
            page = await response.text()
        assert 'warmgate_semantic_audits_total{what="judged"} 1.0' in page
        assert 'warmgate_store{fact="entries",level="semantic"} 1.0' in page


async def test_feedback_takes_an_answer_back(tmp_path: Path) -> None:
    async with running(tmp_path) as (ours, fake):
        await ours.chat(asked(QUESTION))
        await settled(ours)
        _, headers, _ = await ours.chat(asked(SAME))
        entry = int(headers["X-Warmgate-Semantic"].split("entry=")[1].split(";")[0])
        assert await _report(ours, entry, key="sk-somebody-else") == 404
        assert await _report(ours, entry, key=KEY) == 200
        before = fake.calls
        await ours.chat(asked(SAME))
        assert fake.calls == before + 1


async def _report(ours: Proxy, entry: int, *, key: str) -> int:
    named = {"Authorization": f"Bearer {key}"}
    told = {"entry": entry, "correct": False}
    async with ours.session.post(f"{ours.root}/cache/feedback", json=told, headers=named) as response:
        return int(response.status)


async def test_why_is_told_with_the_words(tmp_path: Path) -> None:
    async with running(tmp_path) as (ours, _):
        await ours.chat(asked(QUESTION))
        await settled(ours)
        other = asked("How can I not reset my account's password?")
        named = {"Authorization": f"Bearer {KEY}"}
        async with ours.session.post(f"{ours.root}/cache/explain", json=other, headers=named) as response:
            told = await response.json()
        assert "not" in json.dumps(told["semantic"])
        assert "negation" in json.dumps(told["semantic"])


# ---------------------------------------------------------------- what is closed


async def test_a_second_model_is_closed_with_the_others(tmp_path: Path) -> None:
    tiny_bert.written(tmp_path, tiny_bert.weights(4, labels=1))
    second = f"cross_encoder: {{model: someone/tiny, model_dir: '{tmp_path}'}}"
    async with running(None, f"cache: {{semantic: {{enabled: true, {second}}}}}") as (ours, _):
        near = ours.app.near
        assert near is not None
        grey = near.layer.decide.grey
        assert grey is not None
        assert len(await grey.pairs.score([("turn on", "turn off")])) == 1
    with pytest.raises(EmbeddingError, match="closed"):
        await grey.pairs.score([("turn on", "turn off")])


MISSING = (
    ("{upstream: {api_key_env: PROVIDER_KEY}, tenants: {mode: managed, keys: [{tenant: a, key_env: NONE}]}}", "NONE"),
    ("cache: {semantic: {enabled: true, calibration: none.toml}}", "can't be read"),
    ("cache: {semantic: {enabled: true, cross_encoder: {model: x, model_dir: NOWHERE}}}", "cross_encoder"),
)


@pytest.mark.parametrize(("config", "told"), MISSING)
async def test_a_proxy_that_can_t_start_leaves_nothing_open(tmp_path: Path, config: str, told: str) -> None:
    tiny_bert.default_model()
    path = str(tmp_path / "answers.sqlite")
    changes = {"upstream.base_url": "http://127.0.0.1:9/v1", "pruning.mode": "on"}
    changes["cache.multi_level.l2.persistence_path"] = path
    settings = override(loads(config.replace("NOWHERE", str(tmp_path)), "test", needs=False), changes)
    with pytest.raises(ConfigError, match=told):
        await build(settings, ENV)
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("warmgate")] == []
    gc.collect()  # a session that nobody closed says so now


# ---------------------------------------------------------------- what is missing at start


def opened(config: str) -> tuple[Terms, Verifier]:
    tiny_bert.default_model()
    settings = loads(config, "test")
    embedder = asyncio.run(embedder_for(settings, os.environ, None, prices_of(settings, 0.0)))
    verifier = verifier_for(settings.cache.semantic, os.environ, embedder.identity)
    assert asyncio.run(grey_for(settings.cache.semantic, os.environ)) is None
    assert verifier is not None
    return terms_of(settings.cache.semantic, verifier), verifier


@pytest.mark.parametrize(
    ("semantic", "told"),
    [
        ("embedding: {model_dir: NOWHERE}", "cache.semantic.embedding"),
        (f"embedding: {{sha256: '{'0' * 64}'}}", "sha256"),
        ("embedding: {quantised: true}", "warmgate semantic calibrate"),
        ("max_error: 0.00001", "as strict as"),
        ("calibration: NOWHERE/none.toml", "can't be read"),
        ("cross_encoder: {model: x, model_dir: NOWHERE}", "cache.semantic.cross_encoder"),
    ],
)
def test_what_is_missing_is_told_with_what_to_do(tmp_path: Path, semantic: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        opened(f"cache: {{semantic: {{{semantic.replace('NOWHERE', str(tmp_path))}}}}}")


def test_the_packaged_verifier_is_for_the_default_embedder() -> None:
    terms, verifier = opened("")
    assert terms.threshold == verifier.threshold(0.005) < 1
    assert opened("cache: {semantic: {max_error: 0.01}}")[0].threshold < terms.threshold
