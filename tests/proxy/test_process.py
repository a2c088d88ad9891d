"""The real thing: processes that are started, killed, stopped and started again."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from cache.disk import Disk
from tests.fakes import CHAT, KEY, Clock, Provider, Seen, answer, chunks, completion, provider, send

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 20.0
"""Seconds that any single thing may take here; a machine under load is slow, none of them is waited for by time."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals, forks and Unix sockets")


@dataclass
class Running:
    """One process of the proxy."""

    process: asyncio.subprocess.Process
    address: str = ""
    log: list[str] = field(default_factory=list)
    reading: asyncio.Future[None] | None = None

    async def ended(self) -> int:
        """The exit code, once it has ended and all that it wrote is read."""
        code = await asyncio.wait_for(self.process.wait(), LIMIT)
        assert self.reading is not None
        await asyncio.wait_for(self.reading, LIMIT)
        return code

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    async def stop(self) -> int:
        self.send(signal.SIGTERM)
        return await self.ended()


def environment(directory: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "VIRTUAL_ENV")}
    return kept | {"HOME": str(directory), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"} | more


async def launched(directory: Path, *arguments: str, **env: str) -> Running:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "proxy.cli", *arguments, cwd=ROOT, env=environment(directory, **env),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    running = Running(process)

    async def read() -> None:
        assert process.stderr is not None
        while line := await process.stderr.readline():
            running.log.append(line.decode().rstrip("\n"))

    running.reading = asyncio.ensure_future(read())
    return running


@asynccontextmanager
async def serving(directory: Path, config: str = "", *flags: str, **env: str) -> AsyncIterator[Running]:
    """`warmgate serve` on a port of its own, once it says that it listens; killed at the end if it still runs."""
    file = directory / "warmgate.yaml"
    file.write_text(config)
    running = await launched(directory, "serve", "--config", str(file), "--port", "0", *flags, **env)
    try:
        assert running.process.stdout is not None
        line = (await asyncio.wait_for(running.process.stdout.readline(), LIMIT)).decode()
        match = re.fullmatch(r"warmgate is listening on (\S+) -> \S+\n", line)
        assert match, (line, running.log)
        running.address = match[1]
        yield running
    finally:
        if running.process.returncode is None:
            running.process.kill()
            await running.ended()


def config_of(fake: Provider, directory: Path, **more: str) -> str:
    """A configuration with its store below `directory`; `more` are further lines of the sections named."""
    sections = {
        "upstream": f"base_url: {fake.base_url}, retries: 0",
        "cache": f"multi_level: {{l2: {{persistence_path: {directory / 'store' / 'answers.sqlite'}}}}}",
        **more,
    }
    return "".join(f"{name}: {{{inner}}}\n" for name, inner in sections.items())


def post(session: aiohttp.ClientSession, address: str, body: Any, **headers: str) -> Any:
    named = {"Authorization": f"Bearer {KEY}"} | headers
    return session.post(f"{address}/chat/completions", json=body, headers=named)


async def asked(session: aiohttp.ClientSession, address: str, body: Any) -> tuple[int, str, bytes]:
    async with post(session, address, body) as reply:
        return reply.status, reply.headers.get("X-Cache-Status", ""), await reply.read()


async def until(condition: Callable[[], bool]) -> None:
    async def wait() -> None:
        while not condition():  # noqa: ASYNC110 - what another process does has no event here
            await asyncio.sleep(0)

    await asyncio.wait_for(wait(), LIMIT)


async def refused(address: str) -> None:
    """Waits until nobody listens there any more."""
    host, _, port = address.removeprefix("http://").removesuffix("/v1").rpartition(":")

    async def wait() -> None:
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                continue  # it was in the queue when the socket was closed
            writer.close()

    await asyncio.wait_for(wait(), LIMIT)


async def echo(request: web.Request, seen: Seen) -> web.StreamResponse:
    """Answers with the question, whole or streamed."""
    if not seen.path.startswith("/v1/chat"):
        return await answer(request, seen)
    body = json.loads(seen.body)
    text = body["messages"][0]["content"]
    return await send(request, chunks(text)) if body.get("stream") else web.json_response(completion(text))


def question(number: int) -> dict[str, Any]:
    words = f"question {number} " + "and more of it " * (number % 50)
    return {"model": "m", "messages": [{"role": "user", "content": words}], "stream": number % 3 == 0}


@pytest.mark.parametrize("moment", [1, 23, 60])
async def test_what_was_answered_completely_survives_a_kill(moment: int, tmp_path: Path) -> None:
    complete: dict[int, bytes] = {}

    async with provider(echo) as fake:
        config = config_of(fake, tmp_path)
        async with serving(tmp_path, config) as running, aiohttp.ClientSession() as session:

            async def ask(first: int) -> None:
                for number in range(first, 10_000, 8):
                    status, _, told = await asked(session, running.address, question(number))
                    assert status == 200
                    complete[number] = told
                    if len(complete) == moment:
                        running.process.kill()

            ends = await asyncio.gather(*map(ask, range(8)), return_exceptions=True)
            assert all(isinstance(end, aiohttp.ClientError | OSError) for end in ends), ends
            assert await running.ended() == -signal.SIGKILL
        calls = fake.calls
        assert len(complete) >= moment
        async with serving(tmp_path, config) as running, aiohttp.ClientSession() as session:
            for number, told in complete.items():
                status, cached, again = await asked(session, running.address, question(number))
                assert (status, cached) == (200, "hit"), number
                assert text_of(again) == text_of(told)
            assert fake.calls == calls
            assert await running.stop() == 0
    assert await faults_of(tmp_path / "store" / "answers.sqlite") == []


def text_of(told: bytes) -> str:
    if not told.startswith(b"data: "):
        return str(json.loads(told)["choices"][0]["message"]["content"])
    events = [json.loads(line[6:]) for line in told.splitlines() if line.startswith(b"data: {")]
    return "".join(event["choices"][0]["delta"].get("content") or "" for event in events)


async def faults_of(path: Path) -> list[str]:
    disk = Disk(path, 10_000, 1 << 30, 3600.0, Clock())
    await disk.open()
    try:
        return await disk.check()
    finally:
        await disk.close()


@dataclass
class Gated:
    """A provider that sends two events, says so, and waits for its gate with the rest."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        async def wait(index: int) -> None:
            if index == 1:
                self.begun.set()
                await self.gate.wait()

        return await send(request, chunks(), after=wait)


STREAM = CHAT | {"stream": True}


async def test_a_stream_that_is_open_ends_before_the_process_does(tmp_path: Path) -> None:
    script = Gated()
    async with provider(script) as fake, serving(tmp_path, config_of(fake, tmp_path)) as running:
        async with aiohttp.ClientSession() as session, post(session, running.address, STREAM) as reply:
            await asyncio.wait_for(script.begun.wait(), LIMIT)
            running.send(signal.SIGTERM)
            await refused(running.address)
            assert running.process.returncode is None
            script.gate.set()
            assert await reply.read() == b"".join(chunks())
        assert await running.ended() == 0
        assert len([line for line in running.log if "stopping" in line]) == 1
        # It was kept, too.
        async with serving(tmp_path, config_of(fake, tmp_path)) as again, aiohttp.ClientSession() as session:
            assert (await asked(session, again.address, STREAM))[1] == "hit"


async def test_readiness_is_told_while_it_drains(tmp_path: Path) -> None:
    """A connection that is busy when the signal comes is the only way in; the load balancer's next one is refused."""
    script = Gated()
    async with provider(script) as fake, serving(tmp_path, config_of(fake, tmp_path)) as running:
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{running.address.removesuffix('/v1')}/readyz") as ready:
                assert ready.status == 200
            async with post(session, running.address, STREAM) as reply:
                await asyncio.wait_for(script.begun.wait(), LIMIT)
                running.send(signal.SIGTERM)
                await refused(running.address)
                try:
                    async with session.get(f"{running.address.removesuffix('/v1')}/readyz") as ready:
                        assert ready.status == 503
                except aiohttp.ClientError:
                    pass  # not reachable: as good
                script.gate.set()
                await reply.read()
        assert await running.ended() == 0


async def test_a_stream_that_does_not_end_is_cut_at_the_deadline(tmp_path: Path) -> None:
    script = Gated()
    async with provider(script) as fake:
        async with serving(tmp_path, config_of(fake, tmp_path, listen="shutdown: 300ms")) as running:
            async with aiohttp.ClientSession() as session, post(session, running.address, STREAM) as reply:
                await asyncio.wait_for(script.begun.wait(), LIMIT)
                running.send(signal.SIGTERM)
                with pytest.raises(aiohttp.ClientError):
                    await reply.read()
            assert await running.ended() == 0
            assert not [line for line in running.log if "Traceback" in line]
        script.gate.set()


async def test_an_impatient_user_interrupts_twice(tmp_path: Path) -> None:
    script = Gated()
    async with provider(script) as fake, serving(tmp_path, config_of(fake, tmp_path)) as running:
        async with aiohttp.ClientSession() as session, post(session, running.address, STREAM):
            await asyncio.wait_for(script.begun.wait(), LIMIT)
            running.send(signal.SIGINT)
            await refused(running.address)
            running.send(signal.SIGINT)
            assert await running.ended() == -signal.SIGINT
            assert not [line for line in running.log if "Traceback" in line]
        script.gate.set()


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_port_in_use_is_one_line(workers: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        running = await launched(
            tmp_path, "serve", "--upstream", "simulated", "--port", str(port), "--workers", workers
        )
        assert await running.ended() == 1
    assert running.log == [f"warmgate: can't listen on 127.0.0.1:{port}: Address already in use"]


async def test_workers_share_one_port_and_end_together(tmp_path: Path) -> None:
    async with provider() as fake, serving(tmp_path, config_of(fake, tmp_path), "--workers", "2") as running:
        levels: set[str] = set()

        # The second worker to answer has it from the disk, or asks for itself where it has not looked yet.
        async def both() -> None:
            while "l2" not in levels and fake.calls < 2:
                async with aiohttp.ClientSession() as session, post(session, running.address, CHAT) as reply:
                    assert reply.status == 200
                    levels.add(reply.headers["Cache-Status"].rpartition("detail=")[2])

        await asyncio.wait_for(both(), LIMIT)
        assert await running.stop() == 0
        assert len([line for line in running.log if "stopping" in line]) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_to_the_whole_group_lets_streams_end(number: signal.Signals, tmp_path: Path) -> None:
    """As a terminal and systemd send it: to each worker, and to the supervisor, which tells the workers, too."""
    script = Gated()
    async with provider(script) as fake, serving(tmp_path, config_of(fake, tmp_path), "--workers", "2") as running:
        async with aiohttp.ClientSession() as session, post(session, running.address, STREAM) as reply:
            await asyncio.wait_for(script.begun.wait(), LIMIT)
            os.killpg(running.process.pid, number)
            await refused(running.address)
            script.gate.set()
            assert await reply.read() == b"".join(chunks())
        assert await running.ended() == 0
        assert not [line for line in running.log if "Traceback" in line]


async def test_told_twice_the_workers_end_at_once(tmp_path: Path) -> None:
    script = Gated()
    async with provider(script) as fake, serving(tmp_path, config_of(fake, tmp_path), "--workers", "2") as running:
        async with aiohttp.ClientSession() as session, post(session, running.address, STREAM):
            await asyncio.wait_for(script.begun.wait(), LIMIT)
            running.send(signal.SIGTERM)
            await refused(running.address)
            running.send(signal.SIGTERM)
            assert await running.ended() == 1
            assert not [line for line in running.log if "Traceback" in line]
        script.gate.set()


def children_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if not children.exists():
        pytest.skip("children are looked up in /proc")
    return [int(child) for child in children.read_text().split()]


async def test_a_worker_that_dies_ends_all(tmp_path: Path) -> None:
    async with provider() as fake, serving(tmp_path, config_of(fake, tmp_path), "--workers", "2") as running:
        first, second = children_of(running.process.pid)
        os.kill(second, signal.SIGKILL)
        assert await running.ended() == 1
        assert f"warmgate: worker {second} ended with -9" in running.log
        with pytest.raises(ProcessLookupError):
            os.kill(first, 0)


async def test_a_unix_socket_also_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "warmgate.sock"
    async with provider() as fake:
        config = config_of(fake, tmp_path, listen=f"unix: {path}")
        for code in (-signal.SIGKILL, 0):
            async with serving(tmp_path, config) as running:
                assert running.address == f"unix:{path}"
                async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session:
                    assert (await asked(session, "http://localhost/v1", CHAT))[0] == 200
                running.send(-code or signal.SIGTERM)
                assert await running.ended() == code
        assert fake.calls == 1


async def test_a_damaged_store_is_set_aside_and_told_of_once(tmp_path: Path) -> None:
    store = tmp_path / "store" / "answers.sqlite"
    store.parent.mkdir()
    store.write_bytes(b"this is no database, whatever it was before\n" * 1000)
    async with provider() as fake, serving(tmp_path, config_of(fake, tmp_path)) as running:
        async with aiohttp.ClientSession() as session:
            assert [(await asked(session, running.address, CHAT))[1] for _ in range(2)] == ["miss", "hit"]
        assert await running.stop() == 0
    (told,) = [line for line in running.log if "set aside" in line]
    (aside,) = [path for path in store.parent.iterdir() if path.name.startswith("answers.sqlite.")]
    assert aside.name in told
    assert aside.read_bytes().startswith(b"this is no database")
    assert not [line for line in running.log if "Traceback" in line]


async def test_a_store_that_another_process_holds_hinders_nobody(tmp_path: Path) -> None:
    store = tmp_path / "store" / "answers.sqlite"
    async with provider() as fake:
        async with serving(tmp_path, config_of(fake, tmp_path)) as running, aiohttp.ClientSession() as session:
            await asked(session, running.address, CHAT)
            assert await running.stop() == 0
        with closing(sqlite3.connect(store, isolation_level=None)) as holder:
            holder.execute("PRAGMA locking_mode = EXCLUSIVE")
            holder.execute("BEGIN EXCLUSIVE")
            async with serving(tmp_path, config_of(fake, tmp_path)) as running, aiohttp.ClientSession() as session:
                for number in range(5):
                    body = CHAT | {"seed": number}
                    assert [(await asked(session, running.address, body))[:2] for _ in range(2)] == [
                        (200, "miss"),
                        (200, "hit"),
                    ]
                assert await running.stop() == 0
        assert not [line for line in running.log if " error " in line or "Traceback" in line]
    assert await faults_of(store) == []


async def test_a_store_below_a_file_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    file = tmp_path / "warmgate.yaml"
    file.write_text(
        f"upstream: {{base_url: simulated}}\n\ncache:\n  multi_level:\n    l2:\n"
        f"      persistence_path: {tmp_path}/store/answers.sqlite\n"
    )
    running = await launched(tmp_path, "serve", "--config", str(file), "--port", "0")
    assert await running.ended() == 1
    (line,) = running.log
    assert line.startswith(f"{file}:6:")
    assert "cache.multi_level.l2.persistence_path" in line


async def test_a_mistake_in_the_configuration_is_told_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "warmgate.yaml"
    file.write_text(f"upstream:\n  base_url: simulated\nlisten:\n  port: {KEY}\ncache: {{enabbled: true}}\n")
    running = await launched(tmp_path, "serve", "--config", str(file))
    assert await running.ended() == 1
    assert [line.partition(": ")[0] for line in running.log] == [f"{file}:4:9", f"{file}:5:9"]
    assert KEY not in "".join(running.log)


async def test_the_log_is_json_by_line_and_holds_no_secret(tmp_path: Path) -> None:
    issued = "no-shape-of-a-key-at-all-77"
    managed = {
        "tenants": "mode: managed, keys: [{tenant: a, key_env: TEAM_A}]",
        "log": "level: debug, format: json, requests: true",
    }
    async with provider() as fake:
        config = config_of(fake, tmp_path, **managed).replace("retries: 0", "retries: 0, api_key_env: PROVIDER_KEY")
        async with serving(tmp_path, config, TEAM_A=issued, PROVIDER_KEY=KEY) as running:
            async with aiohttp.ClientSession() as session:
                for key, status in ((issued, 200), (issued, 200), (f"{issued}x", 401)):
                    async with post(session, running.address, CHAT, Authorization=f"Bearer {key}") as reply:
                        assert reply.status == status
            host, _, port = running.address.removeprefix("http://").removesuffix("/v1").rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"GET /v1/models HTTP/1.1\r\nAuthorization {issued}\r\nCookie\t{KEY}\r\n\r\n".encode())
            told = await asyncio.wait_for(reader.read(), LIMIT)
            writer.close()
            assert await running.stop() == 0
    assert issued.encode() not in told
    records = [json.loads(line) for line in running.log]
    assert len([record for record in records if record["logger"] == "warmgate.request"]) == 3
    assert {"ts", "level", "logger", "message"} <= set.intersection(*map(set, records))
    assert issued not in "".join(running.log)
    assert KEY not in "".join(running.log)
