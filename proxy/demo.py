"""`warmgate demo`: the main job from end to end, with the official client and the simulated provider.

Starts the proxy as a user would, drives repeated, streamed, multi-turn and simultaneous traffic through it, checks
every answer, and prints what each layer saved. The exit code is 0 only if all of it held.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TextIO

import aiohttp
from rich.console import Console
from rich.table import Table

from proxy import demo_semantic, demo_warming
from proxy.demo_clients import Row, all_clients, table
from proxy.demo_ledger import Layer, Ledger
from proxy.demo_semantic import Tried
from proxy.demo_warming import Burst

CONFIG = """\
listen: {{port: 0}}
upstream: {{base_url: simulated}}
simulated: {{first_token: 0.15, tokens_per_second: 400}}
cache:
  multi_level: {{l2: {{persistence_path: "{store}"}}}}
  warming: {{startup: false}} # else what was asked for comes to memory before it is asked for again
  semantic: {{enabled: {semantic}, mode: "on"}}
log: {{level: warning}}
"""

MODEL = "gpt-4o-mini"
SYSTEM = "You are the help desk of a travel agency. Answer briefly. " + "Be kind, be exact, name your source. " * 120
TALKS = (
    ("Which documents do I need for Japan?", "And for my daughter, who is 7?", "How long does it take?"),
    ("Can I take my bicycle on the night train to Vienna?", "What does it cost?", "And on the way back?"),
    ("My flight was cancelled. What am I owed?", "It was 1,800 km.", "How do I claim it?"),
)
CROWD = 16


def run(out: TextIO) -> int:
    """The exit code: 0 only if every check held."""
    began = time.perf_counter()
    missing = demo_semantic.missing()
    ledger, rows, fans, tried = asyncio.run(_demo(semantic=not missing))
    return report(ledger, rows, fans, tried, time.perf_counter() - began, out, missing)


def report(
    ledger: Ledger,
    rows: list[Row],
    fans: list[Burst],
    tried: list[Tried],
    seconds: float,
    out: TextIO,
    missing: str = "",
) -> int:
    """Writes what was measured and what did not hold; the exit code."""
    console = Console(file=out, highlight=False)
    console.print(_table(ledger))
    console.print(table(rows))
    console.print(demo_warming.table(fans))
    console.print(demo_semantic.table(tried) if tried else f"no semantic cache here: {missing}")
    for failure in ledger.failures:
        console.print(f"[red]failed[/red]: {failure}")
    verdict = "[red]not all of it held[/red]" if ledger.failures else "[green]all of it held[/green]"
    console.print(f"{verdict} ({seconds:.1f} s; simulated provider, prices of {MODEL})")
    return 1 if ledger.failures else 0


async def _demo(*, semantic: bool) -> tuple[Ledger, list[Row], list[Burst], list[Tried]]:
    ledger, languages = Ledger(), Ledger()
    tried: list[Tried] = []
    with tempfile.TemporaryDirectory(prefix="warmgate-demo-") as directory:
        config = Path(directory) / "demo.yaml"
        config.write_text(CONFIG.format(store=Path(directory) / "answers.sqlite", semantic="false"))
        async with _proxy(config) as base_url:
            texts = await _conversations(ledger, base_url)
            await _repeats(ledger, base_url, texts)
            await _crowd(ledger, base_url)
            await _strangers(ledger, base_url)
            await _bill(ledger, base_url)
        async with _proxy(config) as base_url:
            await _restarted(ledger, base_url, texts)
            await _bill(ledger, base_url)
            rows = await all_clients(languages, base_url, lambda: _spent(base_url))
            async with _client(base_url) as client:
                fans = await demo_warming.bursts(client, languages, lambda: _figures(base_url))
        if semantic:
            config.write_text(CONFIG.format(store=Path(directory) / "answers.sqlite", semantic="true"))
            async with _proxy(config) as base_url, _client(base_url) as client:
                tried = await demo_semantic.questions(client, languages, base_url, MODEL)
    ledger.failures += languages.failures
    return ledger, rows, fans, tried


@asynccontextmanager
async def _proxy(config: Path) -> AsyncIterator[str]:
    """The proxy as a process of its own, on a free port; ended by SIGTERM."""
    command = [sys.executable, "-m", "proxy.cli", "serve", "--config", str(config)]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    try:
        yield await asyncio.wait_for(_address(process), 30)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def _address(process: Process) -> str:
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    found = re.search(r"(http://\S+)", line)
    if found is None:
        raise RuntimeError(f"the proxy did not start: {line.strip() or 'see above'}")
    return found.group(1)


def _client(base_url: str, key: str = "sk-demo") -> Any:
    import openai  # costs a second of CPU that no other command should pay

    return openai.AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=30)


async def _ask(
    client: Any, ledger: Ledger, messages: list[dict[str, str]], *, stream: bool, **more: Any
) -> tuple[str, str]:
    """One question; the answer's text and the layer that gave it."""
    began = time.perf_counter()
    create = client.chat.completions.with_raw_response.create
    if not stream:
        raw = await create(model=MODEL, messages=messages, **more)
        answer = raw.parse()
        text, usage = answer.choices[0].message.content or "", answer.usage
    else:
        raw = await create(model=MODEL, messages=messages, stream=True, stream_options={"include_usage": True}, **more)
        pieces, usage = [], None
        async for chunk in raw.parse():
            pieces += [choice.delta.content or "" for choice in chunk.choices]
            usage = chunk.usage or usage
        text = "".join(pieces)
    return text, ledger.note(raw.headers, time.perf_counter() - began, usage)


async def _conversations(ledger: Ledger, base_url: str) -> dict[str, tuple[list[dict[str, str]], str]]:
    """Each turn asked once, streamed and whole in turn; returns what was asked and answered."""
    texts: dict[str, tuple[list[dict[str, str]], str]] = {}
    async with _client(base_url) as client:
        for talk in TALKS:
            messages = [{"role": "system", "content": SYSTEM}]
            for turn, question in enumerate(talk):
                messages = [*messages, {"role": "user", "content": question}]
                text, layer = await _ask(client, ledger, messages, stream=turn % 2 == 0)
                ledger.expect(layer == "provider" and len(text) > 0, f"first asking of {question!r} ({layer})")
                texts[question] = (messages, text)
                messages = [*messages, {"role": "assistant", "content": text}]
    return texts


async def _repeats(ledger: Ledger, base_url: str, texts: dict[str, tuple[list[dict[str, str]], str]]) -> None:
    """Everything again, both ways: what was streamed serves whole requests and the reverse."""
    async with _client(base_url) as client:
        for question, (messages, first) in texts.items():
            for stream in (False, True):
                text, layer = await _ask(client, ledger, messages, stream=stream)
                ledger.expect(layer == "L1 memory", f"repeat of {question!r} came from {layer}")
                ledger.expect(text == first, f"repeat of {question!r} differs")


async def _crowd(ledger: Ledger, base_url: str) -> None:
    """Identical questions at the same instant: one upstream call."""
    async with _client(base_url) as client:
        messages = [{"role": "user", "content": "Is the museum island open on Mondays?"}]
        asked = [_ask(client, ledger, messages, stream=True) for _ in range(CROWD)]
        answers = await asyncio.gather(*asked)
        layers = [layer for _, layer in answers]
        ledger.expect(len({text for text, _ in answers}) == 1, "the crowd got different answers")
        ledger.expect(layers.count("provider") == 1, f"{layers.count('provider')} upstream calls for one question")


async def _strangers(ledger: Ledger, base_url: str) -> None:
    """What must not be answered from memory: another tenant's question, a truncated answer, a refused refresh."""
    messages = [{"role": "user", "content": "Is the museum island open on Mondays?"}]
    async with _client(base_url, "sk-somebody-else") as client:
        _, layer = await _ask(client, ledger, messages, stream=False)
        ledger.expect(layer == "provider", f"another tenant was answered from {layer}")
    async with _client(base_url) as client:
        for _ in range(2):
            _, layer = await _ask(client, ledger, messages, stream=False, max_tokens=5)
            ledger.expect(layer == "provider", f"a truncated answer came from {layer}")
        _, layer = await _ask(client, ledger, messages, stream=False, extra_headers={"Cache-Control": "no-cache"})
        ledger.expect(layer == "provider", f"no-cache was answered from {layer}")


async def _restarted(ledger: Ledger, base_url: str, texts: dict[str, tuple[list[dict[str, str]], str]]) -> None:
    """The same store under a new process."""
    async with _client(base_url) as client:
        for question, (messages, first) in texts.items():
            text, layer = await _ask(client, ledger, messages, stream=True)
            ledger.expect(layer == "L2 disk" and text == first, f"{question!r} after the restart came from {layer}")


async def _bill(ledger: Ledger, base_url: str) -> None:
    """Adds what this process spent and saved."""
    for what, dollars in (await _dollars(base_url)).items():
        ledger.dollars[what] += dollars
    ledger.expect(not ledger.dollars["saved", "upstream"], "a request that was paid for is said to have saved money")


async def _figures(base_url: str) -> dict[tuple[str, ...], float]:
    page = await _metrics(base_url)
    dollars = dict(re.findall(r'warmgate_warming_dollars\{kind="(\w+)"\} (\S+)', page))
    calls = re.findall(r"warmgate_warming_calls_total\{.*?\} (\S+)", page)
    return {
        ("spent",): await _spent(base_url),
        ("saved",): float(dollars["saved"]),
        ("warm",): float(dollars["warm"]),
        ("calls",): sum(map(float, calls)),
    }


async def _spent(base_url: str) -> float:
    return (await _dollars(base_url)).get(("spent", "upstream"), 0.0)


async def _dollars(base_url: str) -> dict[tuple[str, str], float]:
    """From the metrics: streams know their cost only at their end, after the headers."""
    page = await _metrics(base_url)
    found = re.findall(r'warmgate_dollars_total\{kind="(\w+)",source="(\w+)"\} (\S+)', page)
    return {(kind, source): float(value) for kind, source, value in found}


async def _metrics(base_url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(base_url.removesuffix("/v1") + "/metrics") as response:
        return await response.text()


def _table(ledger: Ledger) -> Table:
    table = Table(title="What answered, and what it saved", title_justify="left")
    for name in ("answered by", "requests", "tokens", "ms seen", "ms inside", "spent $", "saved $"):
        table.add_column(name, justify="left" if name == "answered by" else "right")
    for name, source in (("provider", "upstream"), ("coalesced", "collapsed"), ("L1 memory", "l1"), ("L2 disk", "l2")):
        layer = ledger.layers.get(name, Layer(name))
        seen, inside = _median(layer.seconds, 1), _median(layer.inside, 2)
        spent, saved = ledger.dollars["spent", source], ledger.dollars["saved", source]
        table.add_row(name, str(len(layer.seconds)), f"{layer.tokens:,}", seen, inside, f"{spent:.6f}", f"{saved:.6f}")
    return table


def _median(seconds: list[float], digits: int) -> str:
    return f"{statistics.median(seconds) * 1000:.{digits}f}" if seconds else "-"
