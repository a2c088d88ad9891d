"""What translation costs: a translated call against one that passes as it is, in turns; and its functions alone."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import perf_counter
from typing import Any

import msgspec
from bench_client import chat_body
from bench_fleet import Fleet, Generator, Server
from bench_servers import EVENTS, MESSAGE_EVENTS
from bench_table import aligned

from adapters.chat_over_messages import CHAT_OVER_MESSAGES
from adapters.messages_over_chat import MESSAGES_OVER_CHAT
from adapters.sse import Frame
from adapters.translation import Terms, Translation

SIZES = (1_000, 30_000)
ROUNDS = 31
"""Of each function, in turns with the others; the median counts."""


def translation(fleet: Fleet, generator: Generator, upstream: Server, pairs: int, missing: str) -> None:
    if missing:
        raise SystemExit(missing)
    native, foreign = fleet.warmgate("warmgate-off", upstream), fleet.warmgate("warmgate-translated", upstream)
    lines = [("answer", "body", "native ms", "translated ms", "added ms")]
    for stream in (False, True):
        for size in SIZES:
            told = generator.order(
                do="alternate", ports=[native.port, foreign.port], size=size, stream=stream, count=pairs
            )
            if told["failure"]:
                raise SystemExit(told["failure"])
            plain, ours = told["firsts"]
            added = statistics.median(mine - bare for mine, bare in zip(ours, plain, strict=True))
            figures = (statistics.median(plain), statistics.median(ours), added)
            kind = "stream, first byte" if stream else "whole"
            lines.append((kind, f"{size // 1000} kB", *(f"{seconds * 1e3:.3f}" for seconds in figures)))
    print("a chat completion from a provider that speaks Anthropic's API, one call at a time")
    print(aligned(lines))
    print("\nthe functions alone")
    print(aligned(functions()))


def functions() -> list[tuple[str, ...]]:
    """Medians of each function, all of them in turns."""
    bodies = {size: msgspec.json.decode(b"1".join(chat_body(size, stream=True))) for size in SIZES}
    messages = {size: _messages(body) for size, body in bodies.items()}
    timed: dict[tuple[str, str], Callable[[], float]] = {}
    for size in SIZES:
        timed["request to Anthropic", f"{size // 1000} kB"] = _request(CHAT_OVER_MESSAGES, bodies[size])
        timed["request to OpenAI", f"{size // 1000} kB"] = _request(MESSAGES_OVER_CHAT, messages[size])
    timed["chunk from Anthropic", "text"] = _chunks(CHAT_OVER_MESSAGES, MESSAGE_EVENTS)
    timed["chunk from OpenAI", "text"] = _chunks(MESSAGES_OVER_CHAT, EVENTS)
    taken: dict[tuple[str, str], list[float]] = {name: [] for name in timed}
    for _ in range(ROUNDS):
        for name, run in timed.items():
            taken[name].append(run())
    rows = [(*name, f"{statistics.median(times) * 1e6:.1f}") for name, times in taken.items()]
    return [("function", "of", "microseconds"), *rows]


def _messages(body: dict[str, Any]) -> dict[str, Any]:
    """The same request as a client of Anthropic's sends it."""
    system, *turns = body["messages"]
    return {"model": "gpt-4o-mini", "max_tokens": 256, "system": system["content"], "messages": turns, "stream": True}


def _request(way: Translation, body: dict[str, Any]) -> Callable[[], float]:
    def run() -> float:
        began = perf_counter()
        for _ in range(10):
            way.request(body, Terms("claude-sonnet-5-5"))
        return (perf_counter() - began) / 10

    return run


def _chunks(way: Translation, events: list[bytes]) -> Callable[[], float]:
    """Of one event of a text, as it arrives: nothing of it is decoded before."""
    head, texts = events[:2], events[2:-3]

    def run() -> float:
        turned = way.stream(Terms("claude-sonnet-5-5"), 0.0)
        for event in head:
            turned.feed(Frame(event))
        began = perf_counter()
        for event in texts:
            turned.feed(Frame(event))
        return (perf_counter() - began) / len(texts)

    return run
