"""`POST /v1/fanout` and the header that declares a fan-out, over HTTP."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from adapters.openai_fold import fold
from adapters.sse import Frame, Splitter, frame_of
from adapters.vocabulary import Call, Fanout, Reply
from proxy.fanout_bodies import APIS
from tests.fakes import CHAT, Seen, answer, chunks, completion, provider, send, until
from tests.proxy.test_upstreams import anthropic, behind, two
from tests.running import Proxy, proxy

QUESTIONS = ("red?", "green?", "blue?")
SHARED: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "system", "content": "A long document."}]}


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]} | more


def fanned(*questions: str, **more: Any) -> dict[str, Any]:
    return {"request": SHARED, "branches": [ask(each) for each in questions or QUESTIONS]} | more


def plain(question: str) -> dict[str, Any]:
    return SHARED | {"messages": [*SHARED["messages"], *ask(question)["messages"]]}


def last(seen: Seen) -> str:
    said: str = json.loads(seen.body)["messages"][-1]["content"]
    return said


async def echo(request: web.Request, seen: Seen) -> web.StreamResponse:
    """A provider that repeats the question; words in it make it fail."""
    body, said = json.loads(seen.body), last(seen)
    if "refused" in said:
        error = {"error": {"message": "slow down", "type": "rate_limit_error", "param": None, "code": "x"}}
        return web.json_response(error, status=429, headers={"Retry-After": "77", "x-should-retry": "false"})
    if not body.get("stream"):
        return web.json_response(completion(said), headers={"x-request-id": f"req-{said}"})
    events = chunks(said, usage=bool(body.get("stream_options")))
    return await send(request, events[:2] if "torn" in said else events)


def spied(ours: Proxy) -> list[Call]:
    """The calls that reach the onions."""
    seen = list[Call]()
    doors: Any = ours.app.edge.doors
    for target, door in doors.items():

        async def spy(call: Call, inner: Any = door.handler) -> Reply:
            seen.append(call)
            reply: Reply = await inner(call)
            return reply

        doors[target] = door._replace(handler=spy)
    return seen


def lines(raw: bytes) -> list[Any]:
    frames = Splitter().feed(raw)
    assert frames[-1].data == b"[DONE]"
    assert frames.count(frames[-1]) == 1
    return [frame.json() for frame in frames[:-1]]


def events(told: list[Any], place: int) -> list[Any]:
    return [each["event"] for each in told if each["index"] == place and "event" in each]


def end(told: list[Any], place: int) -> dict[str, Any]:
    """The branch's last line, which is the only one of its kind."""
    (found,) = [each for each in told if each["index"] == place and "done" in each]
    assert [each for each in told if each["index"] == place][-1] is found
    return dict(found)


async def requests(ours: Proxy) -> dict[str, float]:
    metrics = ours.app.metrics.requests
    return {f"{route} {source} {status}": count for (route, source, status), count in metrics.items()}


async def test_a_list_of_answers_each_as_if_it_had_been_asked_alone() -> None:
    async with provider(echo) as fake, proxy(fake.base_url) as ours:
        status, headers, body = await ours.chat(fanned(), path="/fanout")
        told = json.loads(body)
        assert (status, headers["Content-Type"]) == (200, "application/json")
        assert told["object"] == "list"
        assert [each["index"] for each in told["data"]] == [0, 1, 2]
        assert [each["status"] for each in told["data"]] == [200] * 3
        assert [each["body"] for each in told["data"]] == [completion(text) for text in QUESTIONS]
        shown = told["data"][1]["headers"]
        assert shown["x-cache-status"] == "miss"
        assert shown["x-request-id"] == "req-green?"
        assert shown["x-warmgate-cost"].startswith("cost=0.00472")
        assert told["cost"] == pytest.approx(3 * 0.00472)
        assert told["saved"] == 0
        assert {last(seen): json.loads(seen.body) for seen in fake.seen} == {q: plain(q) for q in QUESTIONS}
        assert await requests(ours) == {"chat upstream 200": 3, "fanout proxy 200": 1}


async def test_they_meet_ordinary_requests_in_the_cache_both_ways() -> None:
    async with provider(echo) as fake, proxy(fake.base_url) as ours:
        await ours.chat(plain("green?"))
        told = json.loads((await ours.chat(fanned(), path="/fanout"))[2])
        assert [each["headers"]["x-cache-status"] for each in told["data"]] == ["miss", "hit", "miss"]
        assert told["data"][1]["body"] == completion("green?")
        assert (told["cost"], told["saved"]) == (pytest.approx(2 * 0.00472), pytest.approx(0.00472))
        assert (await ours.chat(plain("blue?")))[1]["X-Cache-Status"] == "hit"
        assert len(fake.seen) == 3


async def test_all_are_under_way_at_once_as_one_group_and_each_call_has_its_own() -> None:
    gate, waiting = asyncio.Event(), list[str]()

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        waiting.append(last(seen))
        await gate.wait()
        return await echo(request, seen)

    async with provider(script) as fake, proxy(fake.base_url) as ours:
        calls = spied(ours)
        asking = asyncio.ensure_future(ours.chat(fanned(), path="/fanout"))
        await until(lambda: len(waiting) == 3)
        gate.set()
        assert (await asking)[0] == 200
        await ours.chat(fanned("x?", "y?"), path="/fanout")
        first, second = {call.fanout for call in calls[:3]}, {call.fanout for call in calls[3:]}
        assert len(first | second) == 2
        assert {fanout.n for fanout in first if fanout} == {3}
        assert {fanout.n for fanout in second if fanout} == {2}
        assert all(seen.body.startswith(json.dumps(SHARED).encode()[:-2]) for seen in fake.seen)


@pytest.mark.parametrize(
    ("config", "control", "expected"),
    [("", {}, 2), ("", {"Cache_Control": "no-cache"}, 4), ("cache: {coalesce: {enabled: false}}", {}, 3)],
)
async def test_the_group_is_as_large_as_those_who_will_come_to_the_provider(
    config: str, control: dict[str, str], expected: int
) -> None:
    async with provider(echo) as fake, proxy(fake.base_url, config=config) as ours:
        await ours.chat(plain("known?"))
        calls = spied(ours)
        await ours.chat(fanned("known?", "new?", "new?", "other?"), path="/fanout", **control)
        assert [call.fanout and call.fanout.n for call in calls] == [expected] * 4
        assert len(fake.seen) == 1 + expected


async def test_a_group_of_which_nobody_comes_is_one_all_the_same() -> None:
    async with provider(echo) as fake, proxy(fake.base_url) as ours:
        await ours.chat(fanned(), path="/fanout")
        calls = spied(ours)
        await ours.chat(fanned(), path="/fanout")
        assert [call.fanout and call.fanout.n for call in calls] == [1] * 3
        assert len(fake.seen) == 3


async def test_one_that_fails_stands_in_its_place() -> None:
    async with provider(echo) as fake, proxy(fake.base_url) as ours:
        status, _, body = await ours.chat(fanned("a?", "refused?", "c?"), path="/fanout")
        data = json.loads(body)["data"]
        assert status == 200
        assert [each["status"] for each in data] == [200, 429, 200]
        assert data[1]["body"]["error"]["message"] == "slow down"
        assert data[1]["headers"]["retry-after"] == "77"
        assert json.loads(body)["cost"] == pytest.approx(2 * 0.00472)
        assert await requests(ours) == {"chat upstream 200": 2, "chat upstream 429": 1, "fanout proxy 200": 1}


async def test_a_provider_that_is_not_there_fails_each_of_them() -> None:
    async with proxy("http://127.0.0.1:9/v1", config="upstream: {retries: 0}") as ours:
        status, _, body = await ours.chat(fanned(), path="/fanout")
        assert status == 200
        assert [each["status"] for each in json.loads(body)["data"]] == [502] * 3
        assert {each["body"]["error"]["code"] for each in json.loads(body)["data"]} == {"upstream_unreachable"}
        told = lines((await ours.chat(fanned(stream=True), path="/fanout"))[2])
        assert [end(told, place)["status"] for place in range(3)] == [502] * 3
        assert await requests(ours) == {"chat upstream 502": 6, "fanout proxy 200": 2}


async def test_one_stream_of_all_events() -> None:
    async with provider(echo) as fake, proxy(fake.base_url) as ours:
        body = fanned(stream=True, request=SHARED | {"stream_options": {"include_usage": True}})
        status, headers, raw = await ours.chat(body, path="/fanout")
        assert (status, headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
        told = lines(raw)
        for place, question in enumerate(QUESTIONS):
            expected = [frame.json() for frame in map(Frame, chunks(question, usage=True)[:-1])]
            assert events(told, place) == expected
            finished = end(told, place)
            assert finished == {
                "index": place,
                "status": 200,
                "done": True,
                "cost": pytest.approx(0.00472),
                "saved": 0.0,
                "cache": "miss",
            }
        again = lines((await ours.chat(body, path="/fanout"))[2])
        assert [end(again, place)["cache"] for place in range(3)] == ["hit"] * 3
        whole = fold([frame_of(json.dumps(event).encode()) for event in events(again, 2)])
        assert whole["choices"][0]["message"]["content"] == "blue?"
        assert await requests(ours) == {"chat upstream 200": 3, "chat l1 200": 3, "fanout proxy 200": 2}


async def test_events_come_as_they_come_wherever_they_come_from() -> None:
    gates = {question: asyncio.Semaphore(0) for question in ("a b", "c d")}

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        async def hold(place: int) -> None:
            await gates[last(seen)].acquire()

        return await send(request, chunks(last(seen)), after=hold)

    async with provider(script) as fake, proxy(fake.base_url) as ours:
        async with ours.post(fanned("a b", "c d", stream=True), path="/fanout") as response:
            order, splitter = list[int](), Splitter()

            async def more() -> None:
                frames = splitter.feed(await response.content.readany())
                order.extend(frame.json()["index"] for frame in frames if frame.data != b"[DONE]")

            while len(order) < 2:
                await more()
            assert sorted(order) == [0, 1]
            for question in ("c d", "a b", "a b", "c d"):
                gates[question].release()
                await more()
            assert order[2:] == [1, 0, 0, 1]
            for gate in gates.values():
                for _ in range(5):
                    gate.release()
            while not response.content.at_eof():
                await more()
        assert order.count(0) == order.count(1)


async def test_what_fails_in_a_stream_ends_nobody_elses() -> None:
    async with provider(echo) as fake, proxy(fake.base_url) as ours:
        raw = (await ours.chat(fanned("a?", "refused?", "torn", "d e f?", stream=True), path="/fanout"))[2]
        told = lines(raw)
        assert [end(told, place)["status"] for place in range(4)] == [200, 429, 502, 200]
        assert events(told, 1) == []
        assert end(told, 1)["body"]["error"]["message"] == "slow down"
        assert end(told, 1)["headers"]["retry-after"] == "77"
        assert end(told, 2)["error"] == "upstream_torn"
        assert [("error" in event) for event in events(told, 2)] == [False, False, True]
        assert len(events(told, 3)) == 5


async def test_a_client_that_hangs_up_hangs_up_on_all_branches() -> None:
    gone, begun = list[str](), list[str]()

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        async def hold(place: int) -> None:
            begun.append(last(seen))
            try:
                await asyncio.Event().wait()
            finally:
                gone.append(last(seen))

        return await send(request, chunks(last(seen)), after=hold)

    async with provider(script) as fake, proxy(fake.base_url) as ours:
        async with ours.post(fanned(stream=True), path="/fanout") as response:
            assert (await response.content.readline()).startswith(b"data:")
            await until(lambda: len(begun) == 3)
            response.close()
        await until(lambda: sorted(gone) == sorted(QUESTIONS))
        await until(lambda: not ours.app.edge.gate.in_flight and not len(ours.app.tasks))
        counted = await requests(ours)
        assert sum(count for name, count in counted.items() if name.startswith("chat") and name.endswith("499")) == 3
        assert counted["fanout proxy 499"] == 1


async def test_a_client_that_hangs_up_on_a_list_does_too() -> None:
    gone, begun = list[str](), list[str]()

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        begun.append(last(seen))
        try:
            await asyncio.Event().wait()
        finally:
            gone.append(last(seen))
        raise AssertionError

    async with provider(script) as fake, proxy(fake.base_url) as ours:
        asking = asyncio.ensure_future(ours.chat(fanned(), path="/fanout"))
        await until(lambda: len(begun) == 3)
        asking.cancel()
        await until(lambda: len(gone) == 3)
        await until(lambda: not ours.app.edge.gate.in_flight)
        assert sum(count for name, count in (await requests(ours)).items() if name.endswith("499")) == 4


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(ZeroDivisionError, 500, "internal"), (ConnectionResetError, 502, "upstream_unreachable")],
)
async def test_a_layer_that_breaks_breaks_its_branch_alone(error: type[Exception], status: int, code: str) -> None:
    async with provider(echo) as fake, proxy(fake.base_url) as ours:
        doors: Any = ours.app.edge.doors
        door = doors["/chat/completions"]

        async def broken(call: Call) -> Reply:
            if b"green" in call.body:  # type: ignore[operator]
                raise error
            return await door.handler(call)  # type: ignore[no-any-return]

        doors["/chat/completions"] = door._replace(handler=broken)
        data = json.loads((await ours.chat(fanned(), path="/fanout"))[2])["data"]
        told = lines((await ours.chat(fanned(stream=True), path="/fanout"))[2])
    assert [each["status"] for each in data] == [200, status, 200]
    assert data[1]["body"]["error"]["code"] == code
    assert [end(told, place)["status"] for place in range(3)] == [200, status, 200]


async def test_a_branch_may_change_anything_but_how_many_answers_there_are() -> None:
    async with provider(echo) as fake, proxy(fake.base_url) as ours:
        branches = [ask("a?"), ask("b?", model="gpt-4o-mini", temperature=0.5), {"seed": 1}]
        status, _, _ = await ours.chat({"request": SHARED, "branches": branches}, path="/fanout")
        sent = sorted((json.loads(seen.body) for seen in fake.seen), key=lambda body: len(json.dumps(body)))
        assert status == 200
        assert sent == [
            SHARED | {"seed": 1},
            plain("a?"),
            plain("b?") | {"model": "gpt-4o-mini", "temperature": 0.5},
        ]


async def test_identical_branches_are_one_request_unless_nothing_may_be_kept() -> None:
    async with provider(echo) as fake, proxy(fake.base_url) as ours:
        data = json.loads((await ours.chat({"request": plain("a?"), "branches": [{}, {}]}, path="/fanout"))[2])["data"]
        assert [each["body"] for each in data] == [completion("a?")] * 2
        assert len(fake.seen) == 1
        request = plain("b?") | {"cache": {"no-store": True}}
        await ours.chat({"request": request, "branches": [{}, {}]}, path="/fanout")
        await ours.chat({"request": plain("c?"), "branches": [{}, {}]}, path="/fanout", Cache_Control="no-store")
        assert len(fake.seen) == 1 + 2 + 2
        assert not any(b"no-store" in seen.body for seen in fake.seen)


async def test_the_other_apis() -> None:
    config = "simulated: {first_token: 0, tokens_per_second: 100000}"
    async with proxy("simulated", config=config) as ours:
        request: dict[str, Any] = {"model": "claude-opus-5-5", "max_tokens": 50, "messages": []}
        native = {"anthropic-version": "2026-10-21"}
        body = {"request": request, "branches": [ask("a?"), ask("b?")]}
        data = json.loads((await ours.chat(body, path="/fanout", **native))[2])["data"]
        assert [(each["status"], each["body"]["type"]) for each in data] == [(200, "message")] * 2
        told = lines((await ours.chat(body | {"stream": True}, path="/fanout", **native))[2])
        assert [event["type"] for event in events(told, 1)][::99999] == ["message_start"]
        assert events(told, 0)[-1] == {"type": "message_stop"}
        body = {
            "api": "responses",
            "request": {"model": "gpt-5.5", "input": "A document."},
            "branches": [{"input": "q"}],
        }
        (only,) = json.loads((await ours.chat(body, path="/fanout"))[2])["data"]
        assert (only["status"], only["body"]["object"]) == (200, "response")
        told = lines((await ours.chat(body | {"stream": True, "branches": [{"input": "z"}]}, path="/fanout"))[2])
        assert events(told, 0)[-1]["type"] == "response.completed"
        assert {name.split()[0] for name in await requests(ours)} == {"messages", "responses", "fanout"}


async def test_branches_go_where_their_models_are() -> None:
    async with behind(answer, anthropic, two) as (openai, fake, ours):
        branches = [ask("a?"), ask("b?", model="claude-opus-5-5")]
        data = json.loads((await ours.chat({"request": SHARED, "branches": branches}, path="/fanout"))[2])["data"]
        assert [each["status"] for each in data] == [200, 200]
        assert data[1]["headers"]["x-warmgate-upstream"] == "claude"
        assert (len(openai.seen), len(fake.seen)) == (1, 1)


BAD: list[tuple[Any, int, str | None]] = [
    (fanned() | {"branches": []}, 400, "branches"),
    (fanned() | {"branches": [ask("x")] * 257}, 400, "branches"),
    (fanned() | {"branches": [ask("x"), "y"]}, 400, "branches[1]"),
    (fanned() | {"branches": [ask("x"), ask("y", n=2)]}, 400, "branches[1].n"),
    (fanned() | {"request": {"model": "gpt-4o"}, "branches": [ask("x"), {}]}, 400, "branches[1].messages"),
    (fanned() | {"request": {"messages": []}}, 400, "branches[0].model"),
    (fanned() | {"branches": [ask("x"), ask("y", cache={"ttl": "no"})]}, 400, "branches[1].cache.ttl"),
    (fanned() | {"branches": [ask("x"), ask("y", stream_options=7)]}, 400, "branches[1].stream_options"),
    (fanned() | {"branches": [ask("x", model="claude-1", logit_bias={"1": 2})]}, 400, "branches[0].logit_bias"),
    (fanned(api="video"), 400, "api"),
    (b"", 400, None),
    (b"[]", 400, None),
]


@pytest.mark.parametrize(("body", "status", "param"), BAD)
async def test_what_is_no_fanout_costs_nothing(body: Any, status: int, param: str | None) -> None:
    async with behind(echo, anthropic, two) as (fake, other, ours):
        for more in ({}, {"stream": True}):
            got, _, raw = await ours.chat(body | more if isinstance(body, dict) else body, path="/fanout")
            error = json.loads(raw)["error"]
            assert (got, error["param"], error["type"]) == (status, param, "invalid_request_error")
        assert not fake.seen
        assert not other.seen
        assert await requests(ours) == {"fanout proxy 400": 2}


async def test_errors_look_as_in_the_clients_own_api() -> None:
    async with provider(echo) as fake, proxy(fake.base_url) as ours:
        _, _, body = await ours.chat(fanned(branches=[]), path="/fanout", anthropic_version="2026-10-21")
        assert json.loads(body)["type"] == "error"


async def test_methods_codings_and_sizes() -> None:
    config = "limits: {body: 2000B}"
    async with provider(echo) as fake, proxy(fake.base_url, config=config) as ours:
        async with ours.session.get(ours.base_url + "/fanout", headers={"Authorization": "Bearer x"}) as response:
            assert (response.status, response.headers["Allow"]) == (405, "POST")
        assert (await ours.chat(fanned(), path="/fanout", Content_Encoding="gzip"))[0] == 415
        assert (await ours.chat(fanned("x" * 2000), path="/fanout"))[0] == 413
        shared = SHARED | {"messages": [{"role": "system", "content": "x" * 1500}]}
        assert (await ours.chat(fanned(request=shared), path="/fanout"))[0] == 200
        status, _, body = await ours.chat({"request": shared, "branches": [ask("q")] * 5}, path="/fanout")
        assert (status, json.loads(body)["error"]["param"]) == (413, "branches")
        assert len(fake.seen) == 3


async def test_who_may_not_use_the_proxy_may_not_fan_out() -> None:
    config = "tenants: {mode: managed, keys: [{tenant: a, key: wg-team-a}]}\nupstream: {api_key_env: PROVIDER_KEY}"
    async with provider(echo) as fake, proxy(fake.base_url, config=config) as ours:
        assert (await ours.chat(fanned(), path="/fanout", key="wg-other"))[0] == 401
        assert not fake.seen
        assert (await ours.chat(fanned(), path="/fanout", key="wg-team-a"))[0] == 200
        assert {seen.headers["Authorization"] for seen in fake.seen} == {"Bearer sk-provider"}


async def test_a_client_that_waits_to_be_told_to_go_on() -> None:
    async with provider(echo) as fake, proxy(fake.base_url) as ours:
        headers = {"Authorization": "Bearer sk-x", "Content-Type": "application/json"}
        url, raw = ours.base_url + "/fanout", json.dumps(fanned()).encode()
        async with ours.session.post(url, data=raw, headers=headers, expect100=True) as response:
            assert response.status == 200


LONG = {"role": "system", "content": " ".join(f"Rule {number} of them all." for number in range(3000))}


@pytest.mark.parametrize("model", ["claude-opus-5-5", "gpt-5.6"])
async def test_a_fresh_context_is_written_once_and_read_by_every_branch(model: str) -> None:
    """The warm call writes; it is nobody's answer, and its price stands in the total."""
    config = "simulated: {first_token: 0, tokens_per_second: 100000, prefill_per_second: 10000000}"
    async with proxy("simulated", config=config) as ours:
        request = {"model": model, "messages": [LONG]}
        body = {"request": request, "branches": [ask(question) for question in QUESTIONS]}
        told = json.loads((await ours.chat(body, path="/fanout"))[2])
        details = [each["body"]["usage"]["prompt_tokens_details"] for each in told["data"]]
        assert min(each["cached_tokens"] for each in details) > 10_000
        assert max(each["cache_write_tokens"] for each in details) < 100
        shown = [float(each["headers"]["x-warmgate-cost"][5:15]) for each in told["data"]]
        assert told["cost"] > 2 * sum(shown)


# The header


async def test_the_header_declares_a_fanout_and_goes_no_further() -> None:
    async with provider(echo) as fake, proxy(fake.base_url) as ours:
        calls = spied(ours)
        _, headers, _ = await ours.chat(plain("a?"), **{"X-Warmgate-Fanout": "job-1; n=8"})
        await ours.chat(plain("b?"))
        assert [call.fanout for call in calls] == [Fanout("job-1", 8), None]
        assert "X-Warmgate-Warning" not in headers
        assert not any(name.lower().startswith("x-warmgate") for seen in fake.seen for name in seen.headers)


@pytest.mark.parametrize("value", ["job", "job; n=0", "job; n=x", "n=3", "a, b; n=2", '"x; n=1'])
async def test_a_header_that_can_not_be_read_is_as_good_as_none(value: str) -> None:
    async with provider(echo) as fake, proxy(fake.base_url) as ours:
        calls = spied(ours)
        status, headers, body = await ours.chat(plain("a?"), **{"X-Warmgate-Fanout": value})
        assert (status, json.loads(body)) == (200, completion("a?"))
        assert headers["X-Warmgate-Warning"].startswith("fanout header ignored: ")
        assert calls[0].fanout is None
        assert calls[0].trace.warnings == (headers["X-Warmgate-Warning"],)
        again = await ours.chat(plain("a?"), **{"X-Warmgate-Fanout": value})
        assert again[1]["X-Cache-Status"] == "hit"
        assert again[1]["X-Warmgate-Warning"].startswith("fanout header ignored: ")


async def test_two_lines_of_it_are_none() -> None:
    async with provider(echo) as fake, proxy(fake.base_url) as ours:
        lines = [("X-Warmgate-Fanout", "a; n=2"), ("X-Warmgate-Fanout", "b; n=2"), ("Authorization", "Bearer x")]
        url = ours.base_url + "/chat/completions"
        async with ours.session.post(url, data=json.dumps(CHAT).encode(), headers=lines) as response:
            assert "ignored" in response.headers["X-Warmgate-Warning"]


async def test_it_stands_beside_what_a_provider_never_sees() -> None:
    async with behind(answer, anthropic, two) as (_, _, ours):
        body = CHAT | {"model": "claude-opus-5-5", "seed": 1}
        _, headers, _ = await ours.chat(body, **{"X-Warmgate-Fanout": "x"})
        assert headers["X-Warmgate-Warning"].startswith("seed: dropped; fanout header ignored: ")


def test_every_api_has_its_door() -> None:
    assert {api.target for api in APIS.values()} == {"/chat/completions", "/messages", "/responses"}
