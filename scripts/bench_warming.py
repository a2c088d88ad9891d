"""What the gate costs a request that has no sibling, and what it remembers: CPU time and memory, nothing sent.

python scripts/bench_warming.py [--rounds 30] [--prefixes 100000]
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import resource
import statistics
import time
import tracemalloc
from collections.abc import Callable
from functools import partial

from bench_outline import outlines, sharing
from bench_table import aligned
from multidict import CIMultiDict

from adapters.anthropic_messages import ANTHROPIC_MESSAGES
from adapters.openai_chat import OPENAI_CHAT
from adapters.prices import Prices
from adapters.profiles import multipliers, profile_of
from adapters.prompt import Point, Prompt
from adapters.tasks import Tasks
from adapters.usage import Usage
from adapters.vocabulary import Answer, Call, Dialect, Reply
from warming.ledger import Ledger
from warming.options import Options
from warming.planner import Planner
from warming.reading import Market, Reading
from warming.terms import Terms
from warming.warm import Warm

PRICES = Prices()
PREFIXES = 100_000


def bodies(size: int, dialect: Dialect, model: str, count: int, turn: int) -> list[Call]:
    """Different requests of about `size` bytes: nobody shares anything with anybody."""
    calls = []
    for number in range(count):
        text = f"{turn}.{number} is the number of this request. " + "Some words of a prompt. " * (size // 24)
        messages = [{"role": "user", "content": text[:size]}]
        raw = json.dumps({"model": model, "max_tokens": 100, "stream": True, "messages": messages}).encode()
        parsed = dialect.parse(raw)
        calls.append(Call("POST", "/messages", CIMultiDict(), raw, dialect, parsed, credential="c", stream=True))
    return calls


async def bare(call: Call) -> Reply:
    call.trace.usage = Usage(uncached=1000, output=5)
    return Reply.whole(200, (), b"{}", source="upstream", answer=Answer(OPENAI_CHAT, body=b"{}"))


def gate() -> Warm:
    market = Market("up", partial(profile_of, "maker"), partial(multipliers, PRICES), PRICES.split, lambda *_: 1e-6)
    options = Options()
    reading = Reading(market, options, lambda call: call.credential)
    return Warm(bare, Planner(), reading, options, Ledger(), Tasks(), clock=time.perf_counter, sleep=asyncio.sleep)


async def cost(handler: Callable[[Call], object], calls: list[Call]) -> float:
    """Microseconds of CPU for each request."""
    began = time.process_time()
    for call in calls:
        await handler(call)  # type: ignore[misc]
    return (time.process_time() - began) / len(calls) * 1e6


async def speed(rounds: int) -> None:
    print("microseconds a request, median of the rounds, contestants in turns")
    for size in (1_000, 8_000, 30_000):
        for dialect, model in (
            (OPENAI_CHAT, "gpt-5.4"),
            (ANTHROPIC_MESSAGES, "claude-sonnet-5"),
            (OPENAI_CHAT, "vllm"),
        ):
            with_gate, without, warm = [], [], gate()
            for turn in range(rounds):
                calls = bodies(size, dialect, model, 50, turn)
                without.append(await cost(bare, calls))
                with_gate.append(await cost(warm, calls))
            added = statistics.median(with_gate) - statistics.median(without)
            print(f"{size:>7,} bytes  {model:<16} +{added:.1f}")


def memory(prefixes: int) -> None:
    planner = Planner()
    terms = Terms(profile_of("maker", "claude-sonnet-5"), multipliers(PRICES, "claude-sonnet-5"), name="m")
    tracemalloc.start()
    for number in range(prefixes):
        digest = hashlib.sha256(b"%d" % number).digest()[:16]
        prompt = Prompt((Point(digest, 4000, 0, "", "system"), Point(digest[::-1], 4030, 1, "", "message")), 1024)
        plan = planner.plan(prompt, terms, number / 1000)
        planner.content(plan, number / 1000)
        planner.settle(plan, Usage(write_5m=4000, uncached=30), number / 1000)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    live = len(planner.beliefs.warm)
    print(f"{live:,} live prefixes hold {held / 1e6:.0f} MB (process: {resource.getrusage(0).ru_maxrss / 1e3:.0f} MB)")


def warming(rounds: int) -> None:
    asyncio.run(speed(rounds))
    memory(PREFIXES)
    print("\nmicroseconds to outline a prompt, the fastest of the rounds")
    print(aligned(outlines()))
    print(f"what two prompts of 400 points share: {sharing() * 1e6:.1f} microseconds")
