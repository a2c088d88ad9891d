"""The part of the demo in which both official clients ask both kinds of providers, by every API that is read.

Each conversation calls tools, goes on with their results, and is then repeated the other way (what came whole as a
stream and the reverse): the repeats must come from memory and say the same.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from rich.table import Table

from proxy.demo_ledger import Ledger

GPT, CLAUDE = "gpt-4o-mini", "claude-sonnet-5-5"
SYSTEM = "You are the weather desk of a shipping line. Answer briefly. " + "Name the harbour and the hour. " * 150
QUESTION = "What is the weather in Hamburg and in Oslo?"
FUNCTION = {
    "name": "weather",
    "description": "The weather of a place",
    "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
}
MARK = {"cache_control": {"type": "ephemeral"}}


class Row(NamedTuple):
    """What one conversation was charged, in the client's own words for it."""

    client: str
    model: str
    api: str
    read: int
    written: int
    spent: float = 0.0


Said = tuple[Any, int, int]
"""What an answer says (text and tool calls, comparable), and the tokens that were read from and written to the
provider's prompt cache."""


class Asked:
    """The requests of one conversation: checks who answered, adds up what it cost."""

    def __init__(self, ledger: Ledger, name: str) -> None:
        self.ledger, self.name = ledger, name
        self.read = self.written = 0

    async def once(self, layer: str, ask: Callable[[], Awaitable[tuple[Any, Said, Any]]]) -> Any:
        """`ask` gives the response's headers, what it said, and the answer itself."""
        began = time.perf_counter()
        headers, (said, read, written), answer = await ask()
        came = self.ledger.note(headers, time.perf_counter() - began, None)
        self.ledger.expect(came == layer, f"{self.name}: {came} answered instead of {layer}")
        self.ledger.expect(bool(said), f"{self.name}: an empty answer")
        if layer == "provider":
            self.read, self.written = self.read + read, self.written + written
        return said, answer

    def same(self, first: Any, again: Any) -> None:
        self.ledger.expect(first == again, f"{self.name}: the repeat says something else")

    def row(self, client: str, model: str, api: str) -> Row:
        return Row(client, model, api, self.read, self.written)


async def all_clients(ledger: Ledger, base_url: str, spent: Callable[[], Awaitable[float]]) -> list[Row]:
    """Every client with every API and model. `spent`: US dollars that the proxy has spent so far."""
    import anthropic  # two seconds of CPU, and one for the other: no other command should pay them
    import openai

    root = base_url.removesuffix("/v1")
    rows: list[Row] = []
    async with (
        openai.AsyncOpenAI(base_url=base_url, api_key="sk-demo", max_retries=0, timeout=30) as ours,
        anthropic.AsyncAnthropic(base_url=root, api_key="sk-demo", max_retries=0, timeout=30) as theirs,
    ):
        for talk in (
            _chat(ledger, ours, GPT),
            _chat(ledger, ours, CLAUDE),
            _responses(ledger, ours),
            _embeddings(ledger, ours),
            _messages(ledger, theirs, CLAUDE),
            _messages(ledger, theirs, GPT),
        ):
            before = await spent()
            row = await talk
            rows.append(row._replace(spent=await spent() - before))
    ledger.expect(all(row.spent > 0 for row in rows), "a conversation cost nothing")
    written = {(row.client, row.model): (row.read, row.written) for row in rows}
    for client in ("openai", "anthropic"):
        read, wrote = written[client, CLAUDE]
        ledger.expect(read > 0, f"{client}, {CLAUDE}: nothing was read from the provider's prompt cache")
        ledger.expect(wrote > 0 or client == "anthropic", f"{client}, {CLAUDE}: nothing was written to it")
    return rows


def table(rows: list[Row]) -> Table:
    view = Table(
        title="Both clients, both kinds of providers, and their prompt caches", title_justify="left", pad_edge=False
    )
    for name in ("client", "API", "model", "read", "written", "spent $"):
        view.add_column(name, justify="right" if name in ("read", "written", "spent $") else "left", no_wrap=True)
    for row in rows:
        view.add_row(
            row.client,
            row.api,
            row.model,
            f"{row.read:,}",
            f"{row.written:,}",
            f"{row.spent:.6f}" if row.spent >= 1e-6 else "<0.000001",
        )
    return view


async def _chat(ledger: Ledger, client: Any, model: str) -> Row:
    create = client.chat.completions.with_raw_response.create
    asked = Asked(ledger, f"openai, {model}")
    system = {"role": "system", "content": [{"type": "text", "text": SYSTEM, **MARK}]}
    messages: list[Any] = [system, {"role": "user", "content": QUESTION}]
    shared = {"model": model, "max_tokens": 400, "tools": [{"type": "function", "function": FUNCTION}]}

    async def whole() -> tuple[Any, Said, Any]:
        raw = await create(messages=messages, **shared)
        answer = raw.parse()
        message = answer.choices[0].message
        calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()]
        return raw.headers, (_nothing_empty(message.content, calls), *_cached(answer.usage)), message

    async def streamed() -> tuple[Any, Said, Any]:
        raw = await create(messages=messages, stream=True, stream_options={"include_usage": True}, **shared)
        text, calls, usage = "", list[list[str]](), None
        async for chunk in raw.parse():
            usage = chunk.usage or usage
            for choice in chunk.choices:
                text += choice.delta.content or ""
                for call in choice.delta.tool_calls or ():
                    if call.index == len(calls):
                        calls.append([call.id, call.function.name, ""])
                    calls[call.index][2] += call.function.arguments or ""
        return raw.headers, (_nothing_empty(text, [tuple(call) for call in calls]), *_cached(usage)), None

    first, message = await asked.once("provider", whole)
    asked.same(first, (await asked.once("L1 memory", streamed))[0])
    results = [{"role": "tool", "tool_call_id": call.id, "content": "rain, 8 degrees"} for call in message.tool_calls]
    ledger.expect(bool(results), f"openai, {model}: no tool was called")
    messages = [*messages, message, *results]
    second, _ = await asked.once("provider", streamed)
    asked.same(second, (await asked.once("L1 memory", whole))[0])
    return asked.row("openai", model, "chat")


async def _messages(ledger: Ledger, client: Any, model: str) -> Row:
    create = client.messages.with_raw_response.create
    asked = Asked(ledger, f"anthropic, {model}")
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    tool = {"name": "weather", "description": FUNCTION["description"], "input_schema": FUNCTION["parameters"]}
    shared = {
        "model": model,
        "max_tokens": 400,
        "system": [{"type": "text", "text": SYSTEM, **MARK}],
        "tools": [tool],
    }

    async def whole() -> tuple[Any, Said, Any]:
        raw = await create(messages=messages, **shared)
        answer = await raw.parse()
        said = [block.model_dump(exclude_none=True) for block in answer.content]
        return raw.headers, (said, *_beside(answer.usage)), answer

    async def streamed() -> tuple[Any, Said, Any]:
        async with client.messages.stream(messages=messages, **shared) as stream:
            answer = await stream.get_final_message()
            said = [block.model_dump(exclude_none=True, exclude={"parsed_output"}) for block in answer.content]
            return stream.response.headers, (said, *_beside(answer.usage)), answer

    first, answer = await asked.once("provider", whole)
    asked.same(first, (await asked.once("L1 memory", streamed))[0])
    calls = [block.id for block in answer.content if block.type == "tool_use"]
    ledger.expect(bool(calls), f"anthropic, {model}: no tool was called")
    results = [{"type": "tool_result", "tool_use_id": call, "content": "rain, 8 degrees"} for call in calls]
    messages = [*messages, {"role": "assistant", "content": first}, {"role": "user", "content": results}]
    second, _ = await asked.once("provider", streamed)
    asked.same(second, (await asked.once("L1 memory", whole))[0])
    return asked.row("anthropic", model, "messages")


async def _responses(ledger: Ledger, client: Any) -> Row:
    create = client.responses.with_raw_response.create
    asked = Asked(ledger, f"openai, {GPT}, responses")
    shared = {"model": GPT, "instructions": SYSTEM, "input": QUESTION}

    async def whole(**more: Any) -> tuple[Any, Said, Any]:
        raw = await create(**shared, **more)
        answer = raw.parse()
        return raw.headers, (answer.output_text, answer.usage.input_tokens_details.cached_tokens, 0), answer

    async def streamed() -> tuple[Any, Said, Any]:
        raw = await create(stream=True, **shared)
        text, answer = "", None
        async for event in raw.parse():
            text += event.delta if event.type == "response.output_text.delta" else ""
            answer = event.response if event.type == "response.completed" else answer
        ledger.expect(answer is not None and answer.output_text == text, "the response's stream is not its answer")
        return raw.headers, (text, 0, 0), answer

    first, _ = await asked.once("provider", streamed)
    asked.same(first, (await asked.once("L1 memory", whole))[0])
    await asked.once("provider", lambda: whole(store=True))  # the provider is to keep it, so it has to hear of it
    return asked.row("openai", GPT, "responses")


async def _embeddings(ledger: Ledger, client: Any) -> Row:
    asked = Asked(ledger, "openai, embeddings")

    async def embedded(*texts: str) -> tuple[Any, Said, Any]:
        raw = await client.embeddings.with_raw_response.create(model="text-embedding-3-small", input=list(texts))
        return raw.headers, ([item.embedding for item in raw.parse().data], 0, 0), raw.headers

    first, _ = await asked.once("provider", lambda: embedded("Hamburg", "Oslo"))
    again, headers = await asked.once("provider", lambda: embedded("Oslo", "Bergen"))
    ledger.expect("1 of 2" in headers["cache-status"], "an item that was known was embedded again")
    asked.same(first[1], again[0])
    third, _ = await asked.once("L1 memory", lambda: embedded("Bergen", "Hamburg"))
    asked.same([again[1], first[0]], third)
    return asked.row("openai", "text-embedding-3-small", "embeddings")


def _nothing_empty(text: str | None, calls: list[Any]) -> Any:
    return [part for part in (text, *calls) if part]


def _cached(usage: Any) -> tuple[int, int]:
    """OpenAI's words: both stand inside the prompt."""
    details = usage.prompt_tokens_details if usage else None
    extra = (details.model_extra or {}) if details else {}
    written = getattr(details, "cache_write_tokens", None) or extra.get("cache_write_tokens") or 0
    return (details.cached_tokens or 0 if details else 0), written


def _beside(usage: Any) -> tuple[int, int]:
    """Anthropic's: beside the input."""
    return usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
