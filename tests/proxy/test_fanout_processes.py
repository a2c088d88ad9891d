"""Requests of official clients in several processes at the same instant: the shared prefix is written once."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

from tests.fakes import KEY
from tests.running import proxy

PROCESSES, EACH = 4, 8

SIMULATED = "simulated: {first_token: 0.4, tokens_per_second: 1000000, prefill_per_second: 100000}\n"

CLIENT = """
import asyncio, json, sys

async def openai(url, key, ask):
    from openai import AsyncOpenAI
    client = AsyncOpenAI(base_url=url, api_key=key, max_retries=0)

    async def one(question):
        messages = [{"role": "system", "content": ask["system"]}, {"role": "user", "content": question}]
        answer = await client.chat.completions.create(model=ask["model"], messages=messages)
        details, choice = answer.usage.prompt_tokens_details, answer.choices[0]
        return [getattr(details, "cache_write_tokens", 0) or 0, details.cached_tokens, choice.finish_reason]

    return one

async def anthropic(url, key, ask):
    from anthropic import AsyncAnthropic
    client = AsyncAnthropic(base_url=url.removesuffix("/v1"), api_key=key, max_retries=0)

    async def one(question):
        answer = await client.messages.create(
            model=ask["model"], max_tokens=50, system=ask["system"], messages=[{"role": "user", "content": question}]
        )
        return [answer.usage.cache_creation_input_tokens, answer.usage.cache_read_input_tokens, answer.stop_reason]

    return one

async def main():
    ask = json.loads(sys.stdin.readline())
    one = await {"openai": openai, "anthropic": anthropic}[ask["client"]](ask["url"], ask["key"], ask)
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(await asyncio.gather(*map(one, ask["questions"]))), flush=True)

asyncio.run(main())
"""


async def client(ask: dict[str, Any], ready: asyncio.Barrier) -> list[tuple[int, int, str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CLIENT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(ask).encode() + b"\n")
        assert await process.stdout.readline() == b"ready\n"
        await ready.wait()
        process.stdin.write(b"go\n")
        found: list[tuple[int, int, str]] = json.loads(await process.stdout.readline())
        await process.wait()
        return found
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize(("official", "model"), [("anthropic", "claude-sonnet-5"), ("openai", "gpt-6-sol")])
async def test_thirty_two_requests_of_four_processes_write_once(official: str, model: str) -> None:
    system = "You are a careful assistant. " * 1500
    async with proxy("simulated", config=SIMULATED) as running:
        ready = asyncio.Barrier(PROCESSES)
        asks = [
            {
                "client": official, "model": model, "url": running.base_url, "key": KEY, "system": system,
                "questions": [f"Question {process}.{number}?" for number in range(EACH)],
            }
            for process in range(PROCESSES)
        ]  # fmt: skip
        answers = [each for found in await asyncio.gather(*(client(ask, ready) for ask in asks)) for each in found]
    assert len(answers) == PROCESSES * EACH
    assert all(finish for _, _, finish in answers)
    assert sum(written > 1000 for written, _, _ in answers) == 1
    assert sum(read > 5000 for _, read, _ in answers) == PROCESSES * EACH - 1
