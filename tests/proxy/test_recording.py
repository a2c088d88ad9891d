"""Traffic through the running proxy, as the recording holds it and as the replay reads it."""

from __future__ import annotations

import asyncio
import io
import json
import os
import stat
from pathlib import Path
from typing import Any

from aiohttp import web

from proxy.replay import Options, run
from proxy.sessions import Recorded, Skipped, read_file
from tests.fakes import KEY, Seen, answers, chunks, completion, provider, send, until
from tests.running import proxy

COOKIE = "session=cookie-0123456789"
OTHER_KEY = "other-key-9876543210"


def say(*texts: str, **more: Any) -> dict[str, Any]:
    """A conversation in which user and assistant take turns."""
    roles = ("user", "assistant")
    messages = [{"role": roles[place % 2], "content": text} for place, text in enumerate(texts)]
    return {"model": "gpt-4o", "messages": messages} | more


def streamed(body: dict[str, Any]) -> dict[str, Any]:
    return body | {"stream": True, "stream_options": {"include_usage": True}}


async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
    """Says what the last message asks for; does badly where it is told to."""
    body = json.loads(seen.body)
    last = body["messages"][-1]["content"]
    if last == "fail":
        return await answers({"error": {"message": "no"}}, 400)(request, seen)
    if not body.get("stream"):
        return await answers(completion(f"re: {last}"))(request, seen)
    events = chunks(f"re: {last}", usage=True)
    return await send(request, events[:3] if last == "tear" else events)


class Recording:
    """Runs a proxy that records, then reads what it left."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "recordings"
        self.config = f"record: {{dir: '{self.directory}'}}\nupstream: {{retries: 0}}"

    @property
    def path(self) -> Path:
        (path,) = self.directory.iterdir()
        return path

    def read(self) -> list[Recorded]:
        skipped: list[Skipped] = []
        found = list(read_file(self.path, skipped.append))
        assert skipped == []
        return found

    def replay(self, strategy: str = "exact") -> dict[str, Any]:
        out, err = io.StringIO(), io.StringIO()
        assert run(Options([self.path], json=True), out, err, progress=False) == 0
        report: dict[str, Any] = json.loads(out.getvalue())
        strategies: dict[str, dict[str, Any]] = report["strategies"]
        return strategies[strategy]


def text(recorded: Recorded) -> str | None:
    return recorded.response.message["content"] if recorded.response and recorded.response.message else None


async def test_conversations_are_recorded_as_they_were_whatever_answered(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    first, second = say("one"), say("one", "re: one", "two")
    third = streamed(say("one", "re: one", "two", "re: two", "three", temperature=0.5))
    stranger = streamed(say("hello"))
    asked = [first, stranger, second, first, third, third]
    async with provider(script) as fake, proxy(fake.base_url, config=recording.config) as ours:
        for body in asked:
            assert (await ours.chat(body))[0] == 200
        assert fake.calls == 4
    found = recording.read()
    assert [one.body for one in found] == asked
    assert [text(one) for one in found] == ["re: one", "re: hello", "re: two", "re: one", "re: three", "re: three"]
    assert [one.response and one.response.finish_reason for one in found] == ["stop"] * 6
    assert all(one.usage is not None and one.usage.read == 1024 for one in found)
    assert [one.model for one in found] == ["gpt-4o"] * 6
    # The conversation goes on; a repeat and a stranger begin their own.
    sessions = [one.session for one in found]
    assert sessions[0] == sessions[2]
    assert len({sessions[0], sessions[1], sessions[3]}) == 3
    assert len({one.tenant for one in found}) == 1
    times = [one.ts for one in found if one.ts is not None]
    assert len(times) == 6
    assert times == sorted(times)


async def test_the_replay_finds_the_hits_that_there_were(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    asked = [
        say("a"),
        say("b"),
        say("a"),
        say("a", "re: a", "c"),
        streamed(say("b")),
        say("d", seed=1),
        say("d", seed=2),
    ]
    async with provider(script) as fake, proxy(fake.base_url, config=recording.config) as ours:
        statuses = [(await ours.chat(body))[1]["X-Cache-Status"] for body in asked]
    assert statuses.count("hit") == 2
    assert recording.replay()["hits"] == 2
    assert (recording.replay()["requests"], recording.replay("none")["hits"]) == (7, 0)
    assert recording.replay("none")["dollars"] > recording.replay()["dollars"] > 0


async def test_a_crowd_is_recorded_head_by_head(tmp_path: Path) -> None:
    recording, gate = Recording(tmp_path), asyncio.Event()

    async def waits(request: web.Request, seen: Seen) -> web.StreamResponse:
        await gate.wait()
        return await script(request, seen)

    async with provider(waits) as fake, proxy(fake.base_url, config=recording.config) as ours:
        crowd = [asyncio.ensure_future(ours.chat(streamed(say("x")))) for _ in range(5)]
        await until(lambda: ours.app.edge.gate.in_flight == 5)
        gate.set()
        await asyncio.gather(*crowd)
        assert fake.calls == 1
    found = recording.read()
    assert [(one.body, text(one)) for one in found] == [(streamed(say("x")), "re: x")] * 5
    assert recording.replay()["hits"] == 4


async def test_errors_are_not_recorded_and_what_broke_off_has_no_answer(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    async with provider(script) as fake, proxy(fake.base_url, config=recording.config) as ours:
        assert (await ours.chat(say("fail")))[0] == 400
        assert (await ours.chat(b'{"model": 1}'))[0] == 400
        assert (await ours.chat(say("x"), Cache_Control="only-if-cached"))[0] == 504
        status, _, body = await ours.chat(streamed(say("tear")))
        assert (status, b"upstream_torn" in body) == (200, True)
        async with ours.post({"input": "x"}, path="/embeddings"):
            pass
        await ours.chat(say("fine"))
    found = recording.read()
    assert [(one.body, text(one)) for one in found] == [(streamed(say("tear")), None), (say("fine"), "re: fine")]
    assert recording.replay()["hits"] == 0


async def test_a_client_that_hangs_up_is_not_recorded(tmp_path: Path) -> None:
    recording = Recording(tmp_path)

    async def stalls(request: web.Request, seen: Seen) -> web.StreamResponse:
        async def wait(index: int) -> None:
            await asyncio.Event().wait()

        last = json.loads(seen.body)["messages"][-1]["content"]
        return await send(request, chunks(), after=wait if last == "stall" else None)

    async with provider(stalls) as fake, proxy(fake.base_url, config=recording.config) as ours:
        left = await ours.post(streamed(say("stall")))
        await left.content.readany()
        left.close()
        await until(lambda: not ours.app.edge.gate.in_flight)
        await ours.chat(streamed(say("fine")))
    assert [one.body for one in recording.read()] == [streamed(say("fine"))]


async def test_a_conversation_that_the_client_names(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    async with provider(script) as fake, proxy(fake.base_url, config=recording.config) as ours:
        await ours.chat(say("a"), X_Session_Id="person@example.org")
        await ours.chat(say("b"), X_Session_Id="person@example.org")
        await ours.chat(say("a"), X_Session_Id="another")
        await ours.chat(say("a"), X_Session_Id="another", key=OTHER_KEY)
    sessions = [one.session for one in recording.read()]
    assert sessions[0] == sessions[1]
    assert len(set(sessions)) == 3
    assert b"person@example.org" not in recording.path.read_bytes()


async def test_nobody_else_may_read_it_and_no_credential_is_in_it(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    async with provider(script) as fake, proxy(fake.base_url, config=recording.config) as ours:
        for key in (KEY, OTHER_KEY):
            await ours.chat(say("x"), key=key, Cookie=COOKIE, x_api_key="header-key-1234", OpenAI_Organization="org-77")
        # Also where somebody talks about it.
        told = say(
            f"my key is {KEY}", tools=[{"type": "function", "function": {"name": "f", "api_key": "k-123456789"}}]
        )
        _, _, body = await ours.chat(told)
        assert KEY.encode() in body, "what is recorded is redacted, not what is answered"
    assert stat.S_IMODE(recording.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(recording.path.stat().st_mode) == 0o600
    raw = recording.path.read_bytes()
    for secret in (KEY, OTHER_KEY, COOKIE, "header-key-1234", "org-77", "Bearer", "k-123456789"):
        assert secret.encode() not in raw
    found = recording.read()
    assert len(found) == 3
    assert len({one.tenant for one in found}) > 1
    assert "[redacted]" in (text(found[2]) or "")


async def test_nothing_is_recorded_where_that_is_not_set(tmp_path: Path) -> None:
    async with provider(script) as fake, proxy(fake.base_url, tmp_path) as ours:
        await ours.chat(say("x"))
        assert ours.app.recorder is None
    assert not [name for name in os.listdir(tmp_path) if "session" in name]


async def test_the_other_apis_are_recorded_and_replayed_too(tmp_path: Path) -> None:
    """Twice each: the proxy answers the second from memory, and so does the replay, at the provider's own usage."""
    message = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5-5", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "re"}], "stop_sequence": None,
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 0,
                  "output_tokens": 5},
    }  # fmt: skip
    item = {
        "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": "re", "annotations": []}],
    }  # fmt: skip
    response = {
        "id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-4o", "status": "completed",
        "output": [item], "error": None,
        "usage": {"input_tokens": 50, "input_tokens_details": {"cached_tokens": 30}, "output_tokens": 5},
    }  # fmt: skip

    async def both(request: web.Request, seen: Seen) -> web.StreamResponse:
        return web.json_response(message if "/messages" in seen.path else response)

    turns = [{"role": "user", "content": "one"}]
    more = [*turns, {"role": "assistant", "content": [{"type": "text", "text": "re"}]}, *turns]
    asked: list[tuple[str, dict[str, Any]]] = [
        ("/messages", {"model": "claude-opus-5-5", "max_tokens": 9, "system": "s", "messages": turns}),
        ("/messages", {"model": "claude-opus-5-5", "max_tokens": 9, "system": "s", "messages": more}),
        ("/responses", {"model": "gpt-4o", "input": "one", "instructions": "s"}),
        ("/responses", {"model": "gpt-4o", "input": turns}),
        ("/responses", {"model": "gpt-4o", "input": [*turns, {"type": "message", "role": "assistant"}]}),
        ("/embeddings", {"model": "gpt-4o", "input": "nobody replays vectors"}),
    ]
    recording = Recording(tmp_path)
    async with (
        provider(both) as fake,
        proxy(fake.base_url, config=recording.config.replace("0}", "0, speaks: both}")) as ours,
    ):
        for path, body in [each for each in asked for _ in range(2)]:
            await ours.chat(body, path=path)
    found = recording.read()
    assert [(each.route, each.body) for each in found] == [
        (path[1:], body) for path, body in asked[:-1] for _ in range(2)
    ]
    assert [each.usage and each.usage.read for each in found] == [100] * 4 + [30] * 6
    report = recording.replay()
    assert (report["requests"], report["hits"]) == (10, 5)
    assert report["tokens"]["read"] == 2 * 100 + 3 * 30
