"""What the outline of a request costs, by API and size: CPU time, the fastest of many rounds, all of them in turns.

Run as `python scripts/bench_outline.py`, or by `outlines()` from a larger benchmark.
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from typing import Any, NamedTuple

import msgspec
from bench_client import SENTENCE

from adapters.outline import outline
from adapters.profiles import Profile, profile_of

SHAPES = ((20, 30_000), (20, 300_000), (200, 300_000))
"""Messages, and bytes of all of them."""

TARGETS = {30_000: 100, 300_000: 600}
"""Microseconds."""

ROUNDS, RUNS = 60, 20


class Case(NamedTuple):
    api: str
    model: str
    messages: int
    size: int
    tools: int
    run: Callable[[], object]


def outlines() -> list[tuple[str, ...]]:
    """A table; its first line is the head."""
    cases = [
        _case(api, profile_of(provider, model), model, count, size, tools)
        for api, provider, model in (
            ("openai-chat", "openai", "gpt-5.6"),
            ("openai-chat", "openai", "gpt-5.4"),
            ("openai-responses", "openai", "gpt-5.6"),
            ("anthropic-messages", "anthropic", "claude-opus-5"),
        )
        for count, size in SHAPES
        for tools in (0, 14)
    ]
    best = [float("inf")] * len(cases)
    for _ in range(ROUNDS):
        for place, case in enumerate(cases):
            began = process_time()
            for _ in range(RUNS):
                case.run()
            best[place] = min(best[place], (process_time() - began) / RUNS)
    head = ("API", "model", "messages", "kB", "tools", "microseconds", "target")
    rows = []
    for case, seconds in zip(cases, best, strict=True):
        counts = map(str, (case.messages, case.size // 1000, case.tools))
        rows.append((case.api, case.model, *counts, f"{seconds * 1e6:.0f}", f"{TARGETS[case.size]}"))
    return [head, *rows]


def _case(api: str, profile: Profile, model: str, count: int, size: int, tools: int) -> Case:
    body = _body(api, model, count, size, tools)
    return Case(api, model, count, size, tools, lambda: outline(body, api=api, profile=profile, salt=b"salt"))


def _body(api: str, model: str, count: int, size: int, tools: int) -> dict[str, Any]:
    """As it is decoded. Tools come on top of `size`, 500 bytes each."""
    text = (SENTENCE * (size // count // len(SENTENCE) + 1))[: size // count]
    messages = [{"role": ("user", "assistant")[number % 2], "content": f"{number} {text}"} for number in range(count)]
    function = {"name": "f", "description": text[:300], "parameters": {"type": "object", "properties": {"a": {}}}}
    listed = [{"type": "function", "function": {**function, "name": f"f{number}"}} for number in range(tools)]
    name = "input" if api == "openai-responses" else "messages"
    body: dict[str, Any] = msgspec.json.decode(msgspec.json.encode({"model": model, "tools": listed, name: messages}))
    return body


def sharing() -> float:
    """Seconds to find what two prompts of 400 points share."""
    profile = profile_of("anthropic", "claude-opus-5")
    first = _body("anthropic-messages", "m", 400, 400_000, 0)
    second = {**first, "messages": [*first["messages"][:237], {"role": "user", "content": "else"}]}
    one, other = (outline(body, api="anthropic-messages", profile=profile, salt=b"") for body in (first, second))
    if one.shares(other) != 237:
        raise SystemExit("two prompts share other than they should")
    began = process_time()
    for _ in range(10_000):
        one.shares(other)
    return (process_time() - began) / 10_000
