"""`/cache/...` over HTTP: what is told, what is changed, and for whom."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.vocabulary import Nearness
from cache.look import Look
from cache.near import Judgement
from proxy.cache_notes import Served
from tests.fakes import CHAT, Script, Seen, answer, answers, provider
from tests.proxy.desks import GONE, SCOPE, doors, key_of, tenant_of

OTHER: dict[str, Any] = CHAT | {"messages": [{"role": "user", "content": "What is the capital of Spain?"}]}
MESSAGE: dict[str, Any] = CHAT | {"max_tokens": 5}


# Why


async def test_a_hit_is_told_and_nothing_is_changed_by_telling(tmp_path: Path) -> None:
    async with provider() as fake, doors(fake.base_url, tmp_path) as there:
        _, headers, _ = await there.ours.chat(key="sk-one")
        before, calls = there.ours.app.levels.stats(), fake.calls
        seen: list[Any] = []
        sinks: Any = there.ours.app.edge.telling.sinks
        sinks.append(seen.append)
        status, told = await there.ask(CHAT)
        assert (status, told["route"], told["model"]) == (200, "chat", "gpt-4o")
        exact = told["exact"]
        assert exact.pop("age") >= 0
        assert 0 < exact.pop("ttl") <= 3600
        assert exact.pop("key")[:16] in headers["Cache-Status"]
        assert exact == {"cacheable": True, "stores": True, "outcome": "hit", "why": "", "level": "l1"}
        assert there.ours.app.levels.stats() == before
        assert fake.calls == calls
        assert [(event.route, event.source, event.trace.saved) for event in seen] == [("cache", "proxy", None)]


async def test_a_miss_says_what_differs_from_the_nearest_request() -> None:
    async with provider() as fake, doors(fake.base_url) as there:
        await there.ours.chat(CHAT | {"temperature": 0.5}, key="sk-one", OpenAI_Beta="assistants=v2")
        await there.ours.chat(OTHER | {"seed": 1, "tools": []}, key="sk-one")
        _, told = await there.ask(CHAT | {"temperature": 0})
        exact = told["exact"]
        assert (exact["outcome"], exact["why"]) == ("miss", "no identical request is in the cache")
        closest = exact["closest"]
        assert closest["differences"] == [
            {"path": "headers.openai-beta", "kind": "removed", "there": "assistants=v2", "here": None},
            {"path": "temperature", "kind": "changed", "there": "0.5", "here": "0"},
        ]
        assert (closest["identical"], closest["cached"], closest["more"]) == (False, True, False)
        assert closest["seconds_ago"] >= 0
        _, told = await there.ask({"body": CHAT | {"temperature": 0.5}, "headers": {"openai-beta": "assistants=v2"}})
        assert told["exact"]["outcome"] == "hit"
        assert fake.calls == 2


async def test_texts_are_shown_around_the_difference_and_without_credentials() -> None:
    secret = "sk-proj-" + "a1B2" * 8
    long = "All of this is the same. " * 40

    def saying(end: str) -> dict[str, Any]:
        return CHAT | {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": long + end}]}

    async with provider() as fake, doors(fake.base_url) as there:
        await there.ours.chat(saying(f"The key {secret} is mine, Anna"), key="sk-one")
        _, told = await there.ask(saying(f"The key {secret} is mine, Berta"))
    (difference,) = told["exact"]["closest"]["differences"]
    assert difference["path"] == "messages[1].content"
    assert difference["there"].endswith("[redacted] is mine, Anna")
    assert difference["here"].endswith("[redacted] is mine, Berta")
    assert max(len(difference["there"]), len(difference["here"])) <= 80
    assert "sk-proj" not in json.dumps(told)


async def test_what_another_tenant_asked_is_told_to_nobody() -> None:
    async with provider() as fake, doors(fake.base_url) as there:
        await there.ours.chat(key="sk-one")
        _, told = await there.ask(OTHER, key="sk-two")
        assert told["exact"]["closest"] is None
        _, told = await there.ask(CHAT, key="sk-two")
        assert (told["exact"]["outcome"], told["exact"]["closest"]) == ("miss", None)


async def test_a_request_that_was_asked_and_is_not_kept_says_why() -> None:
    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        body = json.loads(seen.body) if seen.body else {}
        if body.get("seed") == 7:
            cut = {"choices": [{"index": 0, "message": {"content": "x"}, "finish_reason": "length"}]}
            return web.json_response(cut)
        return await answer(request, seen)

    async with provider(script) as fake, doors(fake.base_url) as there:
        await there.ours.chat(CHAT | {"seed": 7}, key="sk-one")
        _, told = await there.ask(CHAT | {"seed": 7})
    closest = told["exact"]["closest"]
    assert (closest["identical"], closest["differences"], closest["cached"]) == (True, [], False)
    assert "length" in closest["not_kept"]


async def test_a_request_that_was_refused_is_no_recent_one() -> None:
    async with provider(answers({"error": {"message": "no"}}, 400)) as fake, doors(fake.base_url) as there:
        await there.ours.chat(key="sk-one")
        _, told = await there.ask(OTHER)
    assert told["exact"]["closest"] is None


@pytest.mark.parametrize(
    ("body", "headers", "config", "expected"),
    [
        (CHAT | {"store": True}, {}, "", {"outcome": "bypass", "cacheable": False, "stores": False}),
        (CHAT, {}, "cache: {exact: {temperature: zero}}", {"outcome": "bypass", "stores": False}),
        (CHAT, {"cache_control": "no-cache"}, "", {"outcome": "miss", "why": "no-cache was asked", "stores": True}),
        (CHAT | {"cache": {"no-cache": True}}, {}, "", {"outcome": "miss", "why": "no-cache was asked"}),
        (CHAT, {"cache_control": "no-store"}, "", {"outcome": "hit", "stores": False}),
        (CHAT | {"cache": {"namespace": "n"}}, {}, "", {"outcome": "miss"}),
        (CHAT | {"stream": True}, {}, "", {"outcome": "hit"}),
        (CHAT, {}, "cache: {exact: {enabled: false}}", {"outcome": "off", "why": "the exact cache is off"}),
    ],
)
async def test_policy_and_controls(body: Any, headers: dict[str, str], config: str, expected: dict[str, Any]) -> None:
    async with provider() as fake, doors(fake.base_url, config=config) as there:
        await there.ours.chat(key="sk-one")
        _, told = await there.ask(body, **headers)
        assert told["exact"] | expected == told["exact"]


async def test_what_was_kept_as_a_stream_without_usage_is_told() -> None:
    async with provider() as fake, doors(fake.base_url) as there:
        await there.ours.chat(CHAT | {"stream": True}, key="sk-one")
        _, told = await there.ask(CHAT)
        assert (told["exact"]["outcome"], told["exact"]["level"]) == ("miss", "l1")
        assert "without usage" in told["exact"]["why"]


async def test_what_is_too_old_is_told() -> None:
    async with provider() as fake, doors(fake.base_url) as there:
        await there.ours.chat(key="sk-one")
        await asyncio.sleep(0)
        _, told = await there.ask(CHAT, cache_control="max-age=0")
        assert (told["exact"]["outcome"], told["exact"]["why"]) == ("miss", "older than the 0 s that were asked")


async def test_what_the_semantic_cache_says() -> None:
    async with provider() as fake, doors(fake.base_url) as there:
        _, told = await there.ask(CHAT)
        (call,) = there.layer.calls
        assert (call.model, call.target, call.body) == ("gpt-4o", "/chat/completions", json.dumps(CHAT).encode())
    assert told["semantic"] == {
        "mode": "on",
        "outcome": "refused",
        "why": "units: km / miles",
        "scope": SCOPE.hex(),
        "in_scope": 7,
        "would_serve": False,
        "entry": None,
        "score": None,
        "threshold": 0.97,
        "spent": 0.0001,
        "neighbours": [
            {
                "entry": 123,
                "similarity": 0.93,
                "score": None,
                "served": False,
                "text": "How long is a marathon in miles?",
                "age": 1000.0,
                "ttl": 3600.0,
                "observed": {"right": 1, "wrong": 1},
                "vetoes": [{"guard": "units", "here": ["km"], "there": ["miles"]}],
            }
        ],
    }


async def test_where_the_semantic_cache_is_off_the_rest_is_told() -> None:
    async with provider() as fake, doors(fake.base_url, semantic=False) as there:
        _, told = await there.ask(CHAT)
        assert (told["semantic"]["mode"], told["semantic"]["outcome"]) == ("off", "not looked")
        assert told["exact"]["outcome"] == "miss"
        assert there.layer.calls == []


@pytest.mark.parametrize(
    ("body", "path", "headers", "target"),
    [
        (CHAT, "/cache/explain", {}, "/chat/completions"),
        (MESSAGE, "/cache/explain", {"anthropic_version": "2023-06-01"}, "/messages"),
        (MESSAGE, "/cache/explain?route=messages", {}, "/messages"),
        ({"route": "messages", "body": MESSAGE}, "/cache/explain", {}, "/messages"),
        ({"route": "chat", "body": CHAT}, "/cache/explain?route=messages", {}, "/chat/completions"),
        ({"body": {"model": "m", "input": "x"}}, "/cache/explain?route=responses", {}, "/responses"),
        ({"route": "/v1/chat/completions?x=1", "body": CHAT}, "/cache/explain", {}, "/chat/completions?x=1"),
        ({"body": MESSAGE, "headers": {"Anthropic-Version": "x"}}, "/cache/explain", {}, "/messages"),
    ],
)
async def test_whose_request_it_is(body: Any, path: str, headers: dict[str, str], target: str) -> None:
    async with doors("simulated") as there:
        status, _ = await there.ask(body, path, **headers)
        assert status == 200
        assert [call.target for call in there.layer.calls] == [target]


async def test_embeddings_are_told_item_by_item() -> None:
    body = {"model": "text-embedding-3-small", "input": ["a", "b"]}
    async with doors("simulated") as there:
        await there.ours.chat(body, path="/embeddings", key="sk-one")
        before = there.ours.app.levels.stats()
        _, told = await there.ask(body | {"input": ["a", "c", "b"]}, "/cache/explain?route=embeddings")
        assert told["exact"] == {
            "outcome": "miss",
            "why": "1 of 3 items are not kept",
            "cacheable": True,
            "items": 3,
            "looked": 3,
            "held": 2,
            "missing": [1],
        }
        assert told["semantic"]["why"] == "embeddings"
        assert there.layer.calls == []
        _, told = await there.ask(body, "/cache/explain?route=embeddings")
        assert (told["exact"]["outcome"], told["exact"]["why"]) == ("hit", "")
        assert there.ours.app.levels.stats() == before


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "m"}, "messages"),
        ({"body": {"model": "m"}}, "body.messages"),
        ({"body": [CHAT]}, "body"),
        ({"route": 5, "body": CHAT}, "route"),
        ({"route": "video", "body": CHAT}, "route"),
        ({"route": "/video", "body": CHAT}, "route"),
        ({"body": CHAT, "model": "m"}, "model"),
        ({"body": CHAT, "headers": ["x"]}, "headers"),
        ({"body": CHAT, "headers": {"x": 1}}, "headers.x"),
        ({"body": CHAT, "headers": {"x y": "1"}}, "headers.x y"),
        ({"body": CHAT, "headers": {"x": "a\r\nb: c"}}, "headers.x"),
        ({"body": CHAT, "headers": {"AUTHORIZATION": "Bearer sk-two"}}, "headers.AUTHORIZATION"),
        ({"body": CHAT, "headers": {"x-api-key": "sk-two"}}, "headers.x-api-key"),
        (b"[]", None),
        (b"", None),
        (b'{"body":{},"body":{}}', None),
    ],
)
async def test_requests_that_can_not_be_explained(body: Any, param: str | None) -> None:
    async with doors("simulated") as there:
        status, told = await there.ask(body)
        assert (status, told["error"]["param"], told["error"]["type"]) == (400, param, "invalid_request_error")
        assert there.layer.calls == []


# Whose it is


def accepting(keys: set[str]) -> Script:
    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        if seen.headers.get("Authorization", "").removeprefix("Bearer ") not in keys:
            return await answers({"error": {"message": "Incorrect API key"}}, 401)(request, seen)
        return await answer(request, seen)

    return script


async def test_a_key_that_the_provider_refuses_is_told_so_in_its_words() -> None:
    async with provider(accepting({"sk-good"})) as fake, doors(fake.base_url) as there:
        status, told = await there.ask(CHAT, key="sk-bad")
        assert (status, told) == (401, {"error": {"message": "Incorrect API key"}})
        assert there.layer.calls == []
        assert (await there.ask(CHAT, key="sk-good"))[0] == 200
        assert fake.calls == 0  # a key is asked about by listing models


async def test_where_tenants_share_a_cache_nobody_unknown_may_touch_it() -> None:
    config = "tenants: {share_cache: true}"
    keys = {"sk-one", "sk-two"}
    async with provider(accepting(keys)) as fake, doors(fake.base_url, config=config) as there:
        await there.ours.chat(key="sk-one")
        key = await key_of(there)
        there.store.add(1, "shared")
        for path, method, body in (
            ("/cache/purge", "POST", {"everything": True}),
            ("/cache/feedback", "POST", {"entry": 1, "correct": False}),
            (f"/cache/keys/{key}", "DELETE", None),
            ("/cache/entries/1", "DELETE", None),
        ):
            assert (await there.ask(body, path, method, key="sk-bad"))[0] == 401
        assert there.store.entries
        status, told = await there.ask({"everything": True}, "/cache/purge", key="sk-two")
        assert (status, told) == (200, {"deleted": 2, "semantic": 1, "exact": 1} | GONE)


async def test_where_nobody_can_say_whether_a_key_is_good_a_shared_cache_is_closed() -> None:
    """The provider lists its models to anybody: that says nothing about a key."""
    config = "tenants: {share_cache: true}"
    async with provider() as fake, doors(fake.base_url, config=config) as there:
        status, told = await there.ask({"everything": True}, "/cache/purge", key="sk-bad")
        assert (status, told["error"]["code"]) == (503, "key_not_verified")
        assert (await there.ask(CHAT, key="sk-bad"))[0] == 503
        await there.ours.chat(key="sk-one")
        assert (await there.ask({"everything": True}, "/cache/purge"))[0] == 200
        assert (await there.ask(CHAT))[0] == 200
    async with provider() as fake, doors(fake.base_url) as there:
        assert (await there.ask(CHAT, key="sk-bad"))[0] == 200  # its own tenant, which is empty


async def test_issued_keys_come_before_everything() -> None:
    config = "tenants: {mode: managed, keys: [{tenant: a, key_env: TEAM_A}]}\nupstream: {api_key_env: PROVIDER_KEY}"
    async with provider() as fake, doors(fake.base_url, config=config) as there:
        for path, method in (
            ("/cache/explain", "POST"),
            ("/cache/purge", "POST"),
            ("/cache/entries/1", "DELETE"),
            ("/cache/nothing", "POST"),
        ):
            assert (await there.ask({"everything": True}, path, method))[0] == 401
        assert (await there.ask(CHAT, key="wg-team-a"))[0] == 200
        assert there.layer.calls[-1].tenant == "a"


@pytest.mark.parametrize(
    ("path", "method", "status", "allow"),
    [
        ("/cache/explain", "DELETE", 405, "POST"),
        ("/cache/feedback", "DELETE", 405, "POST"),
        ("/cache/purge", "DELETE", 405, "POST"),
        ("/cache/entries/1", "POST", 405, "DELETE"),
        ("/cache/explain", "GET", 405, "POST"),
        ("/cache/explain", "PATCH", 405, "GET, HEAD, POST, PUT, DELETE, PURGE"),
        ("/cache/events", "GET", 405, "POST"),
        ("/cache/keys/0123456789abcdef", "PURGE", 405, "DELETE"),
        ("/cache/tags/x", "GET", 405, "DELETE, PURGE"),
        ("/cache/v1/n", "PUT", 405, "GET, HEAD, DELETE, PURGE"),
        ("/cache/v1/n/k", "POST", 405, "GET, HEAD, PUT, DELETE, PURGE"),
        ("/cache/v1", "GET", 404, None),
        ("/cache/v1/", "GET", 404, None),
        ("/cache/tags", "DELETE", 404, None),
        ("/cache", "POST", 404, None),
        ("/cache/", "POST", 404, None),
        ("/cache/entries", "DELETE", 404, None),
        ("/cache/entries/-1", "DELETE", 404, None),
        ("/cache/entries/x", "DELETE", 404, None),
        ("/cache/keys/abc", "DELETE", 404, None),
        ("/cached", "POST", 404, None),
    ],
)
async def test_paths_and_methods(path: str, method: str, status: int, allow: str | None) -> None:
    async with doors("simulated") as there:
        headers = {"Authorization": "Bearer sk-one"}
        async with there.ours.session.request(method, there.ours.root + path, headers=headers) as response:
            assert (response.status, response.headers.get("Allow")) == (status, allow)


async def test_errors_look_as_the_client_knows_them() -> None:
    async with doors("simulated") as there:
        _, told = await there.ask({"entry": 1}, "/cache/feedback", anthropic_version="2023-06-01")
        assert told["type"] == "error"
        _, told = await there.ask({"route": "messages", "body": {}})
        assert told["type"] == "error"


# What somebody says of an answer


async def test_a_wrong_answer_is_quarantined_and_judged() -> None:
    async with doors("simulated") as there:
        tenant = await tenant_of(there)
        there.store.add(5, tenant)
        there.desk.notes.served[5] = Served("messages", 0.91, 0.98)
        status, told = await there.ask({"entry": 5, "correct": False}, "/cache/feedback")
        expected = {"entry": 5, "correct": False, "quarantined": True, "similarity": 0.91, "route": "messages"}
        assert (status, told) == (200, expected)
        assert there.store.quarantined == {5}
        assert there.store.observed == [(5, 0.91, False)]
        judgement = Judgement(1_000_000.0, "messages", "feedback", 5, 0.91, 0.98, False, "feedback")
        assert there.store.judgements == there.heard == [judgement]


async def test_a_right_answer_is_observed() -> None:
    async with doors("simulated") as there:
        there.store.add(5, await tenant_of(there))
        body = {"entry": 5, "correct": True, "similarity": 0.875, "route": "responses"}
        status, told = await there.ask(body, "/cache/feedback")
        assert (status, told["quarantined"], told["route"]) == (200, False, "responses")
        assert there.store.quarantined == set()
        assert there.store.observed == [(5, 0.875, True)]
        await there.ask({"entry": 5, "correct": True}, "/cache/feedback")
        assert there.store.observed[1:] == [(5, 1.0, True)]
        assert [each.route for each in there.store.judgements] == ["responses", "chat"]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_what_is_another_tenants_is_not_there(method: str) -> None:
    async with doors("simulated") as there:
        there.store.add(5, await tenant_of(there))
        answers = []
        for number, key in ((5, "sk-two"), (6, "sk-two"), (6, "sk-one")):
            body = {"entry": number, "correct": False} if method == "POST" else None
            path = "/cache/feedback" if method == "POST" else f"/cache/entries/{number}"
            answers.append(await there.ask(body, path, method, key=key))
        assert [status for status, _ in answers] == [404] * 3
        assert answers[0] == answers[1] == answers[2]
        assert (there.store.quarantined, there.store.observed, list(there.store.entries)) == (set(), [], [5])


async def test_a_wrong_exact_answer_is_deleted_by_what_cache_status_tells() -> None:
    async with provider() as fake, doors(fake.base_url, semantic=False) as there:
        await there.ours.chat(key="sk-one")
        await there.ours.chat(OTHER, key="sk-one")
        prefix = (await key_of(there))[:16]
        body = {"key": prefix, "correct": False}
        assert (await there.ask(body, "/cache/feedback", key="sk-two"))[0] == 404
        assert (await there.ask(body | {"correct": True}, "/cache/feedback", key="sk-two"))[0] == 404
        assert (await there.ask(body | {"correct": True}, "/cache/feedback"))[1]["deleted"] == 0
        assert (await there.ours.chat(key="sk-one"))[1]["X-Cache-Status"] == "hit"
        status, told = await there.ask(body, "/cache/feedback")
        assert (status, told["deleted"], told["exact"]) == (200, 1, 1)
        assert (await there.ask(body, "/cache/feedback"))[0] == 404
        assert (await there.ours.chat(key="sk-one"))[1]["X-Cache-Status"] == "miss"
        assert (await there.ours.chat(OTHER, key="sk-one"))[1]["X-Cache-Status"] == "hit"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "entry"),
        ({"correct": False}, "entry"),
        ({"entry": 1, "key": "0123456789abcdef", "correct": False}, "entry"),
        ({"entry": "1", "correct": False}, "entry"),
        ({"entry": True, "correct": False}, "entry"),
        ({"entry": 0, "correct": False}, "entry"),
        ({"entry": 1.0, "correct": False}, "entry"),
        ({"entry": 1}, "correct"),
        ({"entry": 1, "correct": None}, "correct"),
        ({"entry": 1, "correct": "no"}, "correct"),
        ({"entry": 1, "correct": False, "similarity": 2}, "similarity"),
        ({"entry": 1, "correct": False, "similarity": True}, "similarity"),
        ({"entry": 1, "correct": False, "route": 1}, "route"),
        ({"entry": 1, "correct": False, "why": "x"}, "why"),
        ({"key": "0123", "correct": False}, "key"),
        ({"key": "x" * 16, "correct": False}, "key"),
        ({"key": "0" * 65, "correct": False}, "key"),
        ({"key": 5, "correct": False}, "key"),
        ([], None),
    ],
)
async def test_feedback_that_can_not_be_read(body: Any, param: str | None) -> None:
    async with doors("simulated") as there:
        status, told = await there.ask(body, "/cache/feedback")
        assert (status, told["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    ("path", "method", "body"),
    [
        ("/cache/feedback", "POST", {"entry": 5, "correct": False}),
        ("/cache/entries/5", "DELETE", None),
        ("/cache/purge", "POST", {"scope": "0" * 64}),
    ],
)
async def test_without_a_semantic_cache_there_are_no_entries(path: str, method: str, body: Any) -> None:
    async with doors("simulated", semantic=False) as there:
        status, told = await there.ask(body, path, method)
        assert (status, told["error"]["code"]) == (404, "semantic_off")


async def test_how_an_answer_was_served_is_known_from_its_event() -> None:
    async with doors("simulated", look=Look()) as there:
        seen: list[Any] = []
        sinks: Any = there.ours.app.edge.telling.sinks
        sinks.append(seen.append)
        await there.ours.chat(key="sk-one")
        (event,) = seen
        event.trace.nearness = Nearness("on", "hit", entry=5, similarity=0.9, score=0.99)
        there.desk.notes.note(event)
        assert 5 not in there.desk.notes.served
        event.source = "semantic"
        there.desk.notes.note(event)
        assert there.desk.notes.served[5] == Served("chat/completions gpt-4o", 0.9, 0.99)


BODIES = st.dictionaries(
    st.sampled_from(
        ["entry", "key", "correct", "scope", "scope_of", "everything", "body", "route", "headers", "model"]
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["body", "route", "headers", "messages", "x"]), inner, max_size=3)
        ),
        max_leaves=6,
    ),
    max_size=4,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(BODIES, min_size=5, max_size=20))
def test_whatever_is_asked_is_answered(bodies: list[Any]) -> None:
    async def ask() -> None:
        async with doors("simulated") as there:
            for body in bodies:
                raw = json.dumps(body).encode(errors="replace")
                for path in ("/cache/explain", "/cache/feedback", "/cache/purge"):
                    assert (await there.ask(raw, path))[0] in (200, 400, 404)

    asyncio.run(ask())
