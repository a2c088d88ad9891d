"""Embeddings item by item, between a small provider that embeds and real levels: what is asked, told, kept and paid."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from math import isclose
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from adapters.embeddings import items_of, weight
from adapters.errors import UpstreamError
from adapters.meter import Meter
from adapters.openai_embeddings import OPENAI_EMBEDDINGS
from adapters.tasks import Tasks
from adapters.usage import Usage
from adapters.vocabulary import Answer, Call, Controls, Form, Reply, Sent
from cache.coalesce import Coalesce
from cache.disk import Disk
from cache.entry import Entry, Shape
from cache.items import PEEKED, Items
from cache.key import item_keys, key_of
from cache.memory import Memory
from cache.tiers import Tiers
from tests.cache.scripted import Admission
from tests.fakes import Clock, dollars

TTL, PRICE = 300.0, 0.001
MODEL = "text-embedding-3-small"
DIGITS = ("0.10", "1e-7", "-0.0", "1E+2", "0.1000000000000000055511151231257827")


def vector(item: Any, form: str = "float") -> str:
    """JSON of the vector of an item: digits that a float would not bring back, and some of its own."""
    drawn = hashlib.sha256(json.dumps(item).encode()).digest()[:8]
    return (
        json.dumps(base64.b64encode(drawn).decode()) if form == "base64" else f"[{','.join([*DIGITS, str(drawn[0])])}]"
    )


def tokens(item: Any) -> int:
    return weight(item)


@dataclass
class Provider:
    """Embeds, counts what it is asked, and answers otherwise where it is told to."""

    model: str = MODEL
    scramble: bool = False
    answers: list[bytes | int | UpstreamError | None] = field(default_factory=list)
    """What the next calls get instead: a body, a status, nothing at all, or (None) an honest answer."""
    usage: bool = True
    asked: list[Call] = field(default_factory=list)
    tokens: int = 0
    more: str = ""
    around: str = ""

    async def __call__(self, call: Call) -> Reply:
        self.asked.append(call)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, UpstreamError):
            raise answer
        if isinstance(answer, int):
            return self._reply(answer, b'{"error": {"message": "no"}}')
        assert isinstance(call.body, bytes)
        body = json.loads(call.body)
        assert body == {name: value for name, value in call.parsed.items() if name != "cache"}
        return self._reply(200, self.body(body) if answer is None else answer)

    def body(self, body: dict[str, Any]) -> bytes:
        items = items_of(body)
        assert items
        form = body.get("encoding_format") or "float"
        data = [
            f'{{"object":"embedding","index":{place},"embedding":{vector(item, form)}{self.more}}}'
            for place, item in enumerate(items)
        ]
        if self.scramble:
            data.reverse()
        used = sum(map(tokens, items))
        self.tokens += used
        usage = f',"usage":{{"prompt_tokens":{used},"total_tokens":{used}}}' if self.usage else ""
        return f'{{"object":"list","data":[{",".join(data)}],"model":"{self.model}"{usage}{self.around}}}'.encode()

    def _reply(self, status: int, raw: bytes) -> Reply:
        lines = (("X-Request-Id", f"r{len(self.asked)}"), ("ETag", "e"), ("Content-Type", "application/json"))
        return Reply.whole(status, lines, raw, source="upstream", answer=Answer(OPENAI_EMBEDDINGS, body=raw))

    @property
    def inputs(self) -> list[Any]:
        """The `input` of each call."""
        return [call.parsed["input"] for call in self.asked]


@dataclass
class Scene:
    items: Items
    provider: Provider
    admission: Admission
    clock: Clock
    levels: Tiers

    async def ask(self, given: Any, **more: Any) -> tuple[Call, Reply, dict[str, Any]]:
        """A call, its reply, and the body decoded."""
        call = call_of(given, **more)
        reply = await self.items(call)
        raw = b"".join([frame.raw async for frame in reply.frames])
        assert raw == reply.body
        return call, reply, json.loads(raw)


def call_of(given: Any, *, members: Any = None, raw: bytes | None = None, **more: Any) -> Call:
    raw = raw or json.dumps({"model": MODEL, "input": given} | (members or {})).encode()
    parsed = OPENAI_EMBEDDINGS.parse(raw)
    more = {"dialect": OPENAI_EMBEDDINGS, "tenant": "t"} | more
    return Call("POST", "/embeddings", CIMultiDict(), raw, parsed=parsed, **more)


def scene(levels: Tiers | None = None, price: float | None = PRICE, clock: Clock | None = None, **more: Any) -> Scene:
    clock, provider, admission = clock or Clock(), Provider(), Admission()
    levels = levels or Tiers(Memory(10_000, 1 << 30, TTL, clock), None)
    meter = Meter(provider, lambda _, usage: None if price is None else dollars(usage.prompt * price), Clock())
    return Scene(Items(meter, levels, admission, clock, **more), provider, admission, clock, levels)


@asynccontextmanager
async def on_disk(path: Path) -> AsyncIterator[Scene]:
    clock = Clock()
    disk = Disk(path / "cache.db", 10_000, 1 << 30, TTL, clock, patience=30.0)
    levels = Tiers(Memory(10_000, 1 << 30, TTL, clock), disk)
    await levels.open()
    try:
        yield scene(levels, clock=clock)
    finally:
        await levels.close()


def expected(given: Any, form: str = "float", **more: Any) -> dict[str, Any]:
    """What the provider says when it is asked for all of it."""
    provider = Provider(**more)
    return dict(json.loads(provider.body({"input": given, "encoding_format": form})))


def text_of(reply: Reply, place: int) -> str:
    """The very text of one vector in an answer."""
    assert reply.body is not None
    return reply.body.decode().split('"embedding":')[place + 1].split("]")[0] + "]"


# ---------------------------------------------------------------- what is asked


async def test_the_first_time_bytes_pass_untouched_both_ways() -> None:
    at = scene()
    raw = b'{ "input" : ["a",\n"\\u0062"] , "model":"m" , "user": 1.50 }'
    call, reply, _ = await at.ask(None, raw=raw)
    assert at.provider.asked[0] is call
    assert call.body == raw
    assert reply.body == Provider().body({"input": ["a", "b"]})
    assert (reply.source, call.trace.why, call.trace.detail, call.trace.modified_bytes) == ("upstream", "miss", "", 0)
    assert call.trace.stored
    assert call.trace.saved is None
    assert call.trace.age is None


async def test_the_second_time_nobody_is_asked() -> None:
    at = scene()
    await at.ask(["a", "b"])
    at.clock.tick(7)
    call, reply, body = await at.ask(["a", "b"])
    assert len(at.provider.asked) == 1
    assert body == expected(["a", "b"])
    assert (reply.status, reply.source, reply.form) == (200, "l1", Form.WHOLE)
    assert reply.headers == (("Content-Type", "application/json"), ("X-Request-Id", "r1"))
    trace = call.trace
    assert (trace.source, trace.why, trace.detail, trace.age, trace.ttl) == ("l1", "", "", 7.0, TTL - 7)
    assert (trace.cost, trace.saved) == (0.0, pytest.approx(2 * PRICE))
    assert trace.usage == Usage(uncached=2, estimated=True)
    assert reply.answer is not None
    assert reply.answer.message() == body


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a", ["a"]),
        (["a"], "a"),
        (["a", "b"], ["b", "a"]),
        (["a", "b", "c"], "b"),
        ([1, 2], [[1, 2]]),
        ([[1, 2], [3]], [3]),
        (["a", "b"], ["a", "a", "b", "a"]),
    ],
)
async def test_an_item_is_the_same_in_every_batch(first: Any, second: Any) -> None:
    at = scene()
    await at.ask(first)
    call, _, body = await at.ask(second)
    assert len(at.provider.asked) == 1
    assert body == expected(second)
    assert call.trace.source == "l1"


@pytest.mark.parametrize(
    ("first", "second", "members"),
    [
        ("a", "A", {}),
        ("a", "a ", {}),
        ("[1,2]", [1, 2], {}),
        ("1", [1], {}),
        ([1, 2], [[1], [2]], {}),
        ([1, 2], [[2, 1]], {}),
        ("a", "a", {"dimensions": 3}),
        ("a", "a", {"user": "u"}),
        ("a", "a", {"encoding_format": "base64"}),
        ("a", "a", {"model": "other"}),
        ("a", "a", {"never_heard_of": None}),
    ],
)
async def test_what_differs_in_anything_is_another(first: Any, second: Any, members: Any) -> None:
    at = scene()
    await at.ask(first)
    _, reply, _ = await at.ask(second, members=members)
    assert reply.source == "upstream"
    assert at.provider.inputs[1:] == [second]


async def test_tenants_and_namespaces_are_apart() -> None:
    at = scene()
    await at.ask("a")
    for more in ({"tenant": "other"}, {"controls": Controls(namespace="n")}):
        assert (await at.ask("a", **more))[1].source == "upstream"
        assert (await at.ask("a", **more))[1].source == "l1"


async def test_only_what_is_unknown_is_asked_for_in_its_order() -> None:
    at = scene()
    await at.ask(["b", "d"])
    raw = b'{"user":"u\\u0065",  "input" : ["a", "b","c" , "d","e"]  ,"model":"' + MODEL.encode() + b'" }'
    await at.ask(["b", "d"], raw=raw.replace(b'["a", "b","c" , "d","e"]', b'["b","d"]'))
    call, reply, body = await at.ask(None, raw=raw)
    sent = at.provider.asked[-1].body
    assert sent == raw.replace(b'["a", "b","c" , "d","e"]', b'["a","c","e"]')
    assert call.body == raw
    assert body == expected(["a", "b", "c", "d", "e"])
    trace = call.trace
    assert (reply.source, trace.source, trace.why) == ("upstream", "", "miss")
    assert trace.detail == "2 of 5 items from memory"
    assert trace.modified_bytes == len(raw) - len(sent)
    assert trace.stored
    assert trace.age is None


async def test_an_item_that_stands_twice_is_asked_for_once() -> None:
    at = scene()
    call, reply, body = await at.ask(["a", "b", "a", "a"])
    assert at.provider.inputs == [["a", "b"]]
    assert body == expected(["a", "b", "a", "a"])
    assert reply.source == "upstream"
    assert call.trace.detail == "2 of 4 items repeated"
    assert (call.trace.cost, call.trace.saved) == (pytest.approx(2 * PRICE), pytest.approx(2 * PRICE))


async def test_repeated_and_known_items_in_one_batch() -> None:
    at = scene()
    await at.ask("k")
    call, _, body = await at.ask(["k", "a", "k", "a", "b"])
    assert at.provider.inputs[1:] == [["a", "b"]]
    assert body == expected(["k", "a", "k", "a", "b"])
    assert call.trace.detail == "2 of 5 items from memory"
    assert call.trace.saved == pytest.approx(3 * PRICE)


async def test_token_lists_are_asked_for_as_token_lists() -> None:
    at = scene()
    await at.ask([3, 4, 5])
    call, _, body = await at.ask([[1], [3, 4, 5], [2, 2]])
    assert at.provider.inputs[1:] == [[[1], [2, 2]]]
    assert body == expected([[1], [3, 4, 5], [2, 2]])
    assert call.trace.saved == pytest.approx(3 * PRICE)


async def test_base64_and_other_parameters_survive_the_merging() -> None:
    at = scene()
    members = {"encoding_format": "base64", "dimensions": 2, "user": "u"}
    await at.ask(["b"], members=members)
    _, reply, body = await at.ask(["a", "b"], members=members)
    assert body == expected(["a", "b"], "base64")
    assert reply.source == "upstream"
    assert {name: at.provider.asked[-1].parsed[name] for name in members} == members


async def test_an_answer_in_another_order_is_sorted() -> None:
    at = scene()
    at.provider.scramble = True
    await at.ask(["a", "b", "c"])
    assert (await at.ask(["c", "a", "b"]))[2] == expected(["c", "a", "b"])
    assert (await at.ask(["d", "c", "e", "a"]))[2] == expected(["d", "c", "e", "a"])


async def test_not_one_digit_changes() -> None:
    at = scene()
    at.provider.more = ',"truncated":1.50'
    await at.ask(["a"])
    for asked in ("a", ["a"], ["a", "b"], ["b", "a"]):
        _, reply, body = await at.ask(asked)
        for place, item in enumerate(asked):
            assert text_of(reply, place) == vector(item)
            assert list(body["data"][place]) == ["object", "index", "embedding", "truncated"]
        assert reply.body is not None
        assert reply.body.count(b'"truncated":1.50') == len(body["data"])


async def test_around_the_vectors_stands_what_came_last() -> None:
    at = scene()
    at.provider.around = ',"id":"first"'
    await at.ask("a")
    assert (await at.ask("a"))[2]["id"] == "first"
    at.provider.around = ',"id":"second"'
    assert (await at.ask(["a", "b"]))[2]["id"] == "second"


async def test_a_batch_of_2048_asks_for_the_one_that_is_new() -> None:
    at = scene()
    batch = [f"text {number}" for number in range(2048)]
    await at.ask(batch[:-1])
    call, _, body = await at.ask(batch)
    assert at.provider.inputs[1:] == [batch[-1:]]
    assert [item["index"] for item in body["data"]] == list(range(2048))
    assert body == expected(batch)
    assert call.trace.detail == "2047 of 2048 items from memory"
    assert (await at.ask(batch))[1].source == "l1"


async def test_a_request_in_translation_is_narrowed_on_both_sides() -> None:
    at = scene()
    await at.ask("a", sent=Sent("/e", b'{"input":"a","m":1}', {"input": "a", "m": 1}))
    sent = Sent("/e", b'{"m":1, "input": ["a","b"]}', {"m": 1, "input": ["a", "b"]}, ("user: dropped",))
    await at.ask(["a", "b"], sent=sent)
    asked = at.provider.asked[-1]
    assert asked.parsed["input"] == ["b"]
    assert asked.sent == Sent("/e", b'{"m":1, "input": ["b"]}', {"m": 1, "input": ["b"]}, ("user: dropped",))
    assert (await at.ask("b", sent=Sent("/e", b"", {"input": "b", "m": 1})))[1].source == "l1"


async def test_what_is_asked_otherwise_upstream_is_none_of_ours() -> None:
    at = scene()
    for _ in range(2):
        call, reply, _ = await at.ask("a", sent=Sent("/e", b'{"texts":["a"]}', {"texts": ["a"]}))
        assert (reply.source, call.trace.why, call.trace.stored) == ("upstream", "bypass", False)


async def test_a_call_that_nobody_reads_passes() -> None:
    at = scene()
    call = replace(call_of("a"), dialect=None)
    assert (await at.items(call)).source == "upstream"
    assert call.trace.why == "bypass"
    assert at.items.peek(call) is None


async def test_a_narrowed_call_has_a_key_of_its_own() -> None:
    at = scene()
    await at.ask("a")
    call = call_of(["a", "b"], lines=((b"x", b"y"),))
    whole = key_of(call)
    await at.items(call)
    assert call.key == whole
    assert key_of(at.provider.asked[-1]) == key_of(call_of(["b"]))


# ---------------------------------------------------------------- memory and disk


async def test_items_outlive_the_process(tmp_path: Path) -> None:
    async with on_disk(tmp_path) as at:
        await at.ask(["a", "b"])
    async with on_disk(tmp_path) as at:
        at.clock.tick(5)
        call, reply, body = await at.ask(["b", "a"])
        assert body == expected(["b", "a"])
        assert (reply.source, call.trace.source, call.trace.age, call.trace.ttl) == ("l2", "l2", 5.0, TTL - 5)
        assert at.provider.asked == []
        assert [(await at.ask(["b", "a"]))[1].source for _ in range(3)] == ["l2", "l2", "l1"]  # after three reads


async def test_one_item_from_disk_makes_it_a_hit_of_l2_and_the_oldest_tells_its_age(tmp_path: Path) -> None:
    async with on_disk(tmp_path) as at:
        await at.ask("a")
    async with on_disk(tmp_path) as at:
        at.clock.tick(50)
        await at.ask("b", controls=Controls(ttl=20))
        at.clock.tick(5)
        call, _, _ = await at.ask(["b", "a"])
        assert (call.trace.source, call.trace.age, call.trace.ttl) == ("l2", 55.0, 15.0)


async def test_the_disk_tells_money_as_memory_does(tmp_path: Path) -> None:
    async with on_disk(tmp_path) as at:
        await at.ask(["a", "one two three"])
    async with on_disk(tmp_path) as at:
        call, _, _ = await at.ask(["one two three", "a"])
        assert call.trace.saved == pytest.approx((weight("one two three") + 1) * PRICE)
        assert call.trace.usage == Usage(uncached=weight("one two three") + 1, estimated=True)


async def test_without_any_level_it_only_saves_repetitions() -> None:
    at = scene(Tiers(None, None))
    for _ in range(2):
        call, _, body = await at.ask(["a", "a"])
        assert body == expected(["a", "a"])
        assert not call.trace.stored
        assert call.trace.refused_to_store == "ttl 0"
    assert at.provider.inputs == [["a"], ["a"]]


async def test_a_disk_that_fails_fails_no_request(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"not a directory")
    clock = Clock()
    levels = Tiers(None, Disk(tmp_path / "file" / "cache.db", 100, 1 << 20, TTL, clock))
    await levels.open()
    at = scene(levels, clock=clock)
    for _ in range(2):
        call, reply, _ = await at.ask(["a", "b"])
        assert (reply.status, reply.source, call.trace.stored) == (200, "upstream", False)
    await levels.close()


async def test_an_entry_of_another_shape_is_no_item() -> None:
    at = scene()
    call = call_of("a")
    (key,) = item_keys(call, "input", ["a"])
    now = at.clock()
    entry = Entry(key, "t", "", "m", Shape.MESSAGE, 200, (), b"{}", True, None, None, now, now + 100)
    await at.levels.put(entry)
    assert at.items.peek(call) is None
    assert (await at.ask("a"))[1].source == "upstream"
    assert (await at.ask("a"))[1].source == "l1"


async def test_what_is_kept_of_an_item() -> None:
    at = scene()
    call, _, _ = await at.ask(["a", "one two three"], controls=Controls(namespace="n", ttl=10))
    for item, used in (("a", 1), ("one two three", weight("one two three"))):
        entry = at.levels.peek(item_keys(call, "input", [item])[0])
        assert entry is not None
        assert (entry.tenant, entry.namespace, entry.model, entry.shape) == ("t", "n", MODEL, Shape.ITEM)
        assert (entry.usage, entry.cost) == (Usage(uncached=used, estimated=True), pytest.approx(used * PRICE))
        assert (entry.stored_at, entry.expires_at, entry.status) == (at.clock(), at.clock() + 10, 200)
        assert entry.headers == (("Content-Type", "application/json"), ("X-Request-Id", "r1"))
        assert not entry.serves(stream=False, wants_usage=True)


async def test_headers_that_are_not_true_of_all_items_are_not_shown() -> None:
    at = scene()
    await at.ask("a")
    await at.ask("b")
    _, reply, _ = await at.ask(["a", "b"])
    assert reply.headers == (("Content-Type", "application/json"),)
    _, reply, _ = await at.ask(["a", "c"])
    assert reply.headers == (("X-Request-Id", "r3"), ("Content-Type", "application/json"))


async def test_an_item_that_is_too_large_is_not_kept() -> None:
    at = scene(max_item=10)
    for _ in range(2):
        call, reply, _ = await at.ask("a")
        assert (reply.source, call.trace.stored) == ("upstream", False)
        assert call.trace.refused_to_store == "an item larger than 10 bytes"


# ---------------------------------------------------------------- controls


async def test_no_cache_asks_for_everything_as_it_stands_and_keeps_it() -> None:
    at = scene()
    await at.ask(["a", "b"])
    at.clock.tick(9)
    call, reply, body = await at.ask(["a", "c", "a"], controls=Controls(no_cache=True))
    assert at.provider.asked[-1] is call
    assert (reply.source, call.trace.why, call.trace.modified_bytes) == ("upstream", "request", 0)
    assert body == expected(["a", "c", "a"])
    assert call.trace.saved is None
    call, reply, _ = await at.ask(["c", "a"])
    assert (reply.source, call.trace.age, call.trace.saved) == ("l1", 0.0, pytest.approx(2 * PRICE))


async def test_no_store_answers_from_memory_and_keeps_nothing() -> None:
    at = scene()
    await at.ask("a")
    call, _, body = await at.ask(["a", "b"], controls=Controls(no_store=True))
    assert at.provider.inputs[1:] == [["b"]]
    assert body == expected(["a", "b"])
    assert not call.trace.stored
    assert (await at.ask("b"))[1].source == "upstream"


async def test_max_age_counts_for_each_item() -> None:
    at = scene()
    await at.ask("a")
    at.clock.tick(10)
    await at.ask("b")
    call, _, body = await at.ask(["a", "b"], controls=Controls(max_age=9))
    assert at.provider.inputs[2:] == [["a"]]
    assert body == expected(["a", "b"])
    assert (call.trace.why, call.trace.detail) == ("request", "1 of 2 items from memory")
    at.clock.tick(9)
    assert (await at.ask(["a", "b"], controls=Controls(max_age=9)))[1].source == "l1"
    at.clock.tick(1)
    assert (await at.ask(["a", "c"], controls=Controls(max_age=9)))[0].trace.why == "miss"
    assert at.items.peek(call_of("b", controls=Controls(max_age=9))) is None


async def test_a_shorter_time_is_kept_and_no_time_is_not_kept_at_all() -> None:
    at = scene()
    await at.ask("a", controls=Controls(ttl=10))
    at.clock.tick(11)
    assert (await at.ask("a", controls=Controls(ttl=0)))[0].trace.refused_to_store == "ttl 0"
    assert (await at.ask("a", controls=Controls(ttl=TTL * 9)))[1].source == "upstream"
    assert (await at.ask("a"))[0].trace.ttl == TTL


async def test_only_if_cached_is_all_or_nothing() -> None:
    at = scene()
    only = Controls(only_if_cached=True)
    await at.ask("a")
    assert (await at.ask("a", controls=only))[1].source == "l1"
    call, reply, body = await at.ask(["a", "b"], controls=only)
    assert (reply.status, reply.source, call.trace.why) == (504, "proxy", "miss")
    assert body["error"]["type"] == "cache_miss"
    assert len(at.provider.asked) == 1


# ---------------------------------------------------------------- who may have it


async def test_a_credential_that_the_provider_refuses_gets_the_refusal() -> None:
    at = scene()
    await at.ask(["a", "b"])
    at.admission.known = False
    at.admission.answer = Reply.whole(401, (), b'{"error":{}}', source="upstream")
    call, reply, _ = await at.ask(["a", "b"])
    assert (reply.status, call.trace.source, call.trace.age) == (401, "", None)
    assert at.admission.asked == 1
    assert at.items.peek(call_of("a")) is None


async def test_one_that_it_accepts_is_asked_about_once_for_the_whole_batch() -> None:
    at = scene()
    await at.ask(["a", "b"])
    at.admission.known = False
    assert (await at.ask(["a", "b"]))[1].source == "l1"
    assert at.admission.asked == 1


async def test_where_nobody_can_say_the_request_itself_is_asked() -> None:
    at = scene()
    await at.ask(["a", "b"])
    at.admission.known, at.admission.answer = False, UpstreamError("down")
    call, reply, body = await at.ask(["a", "b"])
    assert (reply.source, call.trace.detail) == ("upstream", "key not verified")
    assert at.provider.asked[-1] is call
    assert body == expected(["a", "b"])
    _, reply, _ = await at.ask(["a", "b"], controls=Controls(only_if_cached=True))
    assert reply.status == 504


async def test_of_a_partial_answer_the_upstream_is_the_judge() -> None:
    at = scene()
    await at.ask("a")
    at.admission.known = False
    at.provider.answers = [401]
    _, reply, body = await at.ask(["a", "b"])
    assert (reply.status, body) == (401, {"error": {"message": "no"}})
    assert (await at.ask(["a", "b"]))[2] == expected(["a", "b"])
    assert at.admission.asked == 0


# ---------------------------------------------------------------- peek


async def test_a_peek_finds_what_all_lies_in_memory() -> None:
    at = scene()
    batch = [f"{number}" for number in range(PEEKED)]
    assert at.items.peek(call_of(batch)) is None
    await at.ask(batch)
    at.clock.tick(3)
    call = call_of(batch)
    reply = at.items.peek(call)
    assert reply is not None
    assert reply.body is not None
    assert json.loads(reply.body) == expected(batch)
    assert (call.trace.source, call.trace.age, call.trace.saved) == (
        "l1",
        3.0,
        pytest.approx(at.provider.tokens * PRICE),
    )
    assert at.items.peek(call_of([*batch[:-1], "new"])) is None
    assert at.items.peek(call_of(batch[:2], controls=Controls(no_cache=True))) is None


async def test_a_peek_leaves_large_batches_to_the_call() -> None:
    at = scene()
    batch = [f"{number}" for number in range(PEEKED + 1)]
    await at.ask(batch)
    assert at.items.peek(call_of(batch)) is None
    assert (await at.ask(batch))[1].source == "l1"


async def test_a_peek_does_not_look_at_the_disk(tmp_path: Path) -> None:
    async with on_disk(tmp_path) as at:
        await at.ask("a")
    async with on_disk(tmp_path) as at:
        assert at.items.peek(call_of("a")) is None


async def test_identical_batches_in_flight_are_one_and_later_ones_are_peeked() -> None:
    at = scene()
    tasks = Tasks()
    coalesce = Coalesce(at.items, at.items.peek, lambda _: True, lambda _: "", tasks, 1 << 20, 1 << 20)
    await at.ask("a")
    calls = [call_of(["a", "b"]) for _ in range(5)]
    replies = await asyncio.gather(*map(coalesce, calls))
    assert at.provider.inputs == ["a", ["b"]]
    assert {reply.body for reply in replies} == {replies[0].body}
    assert sum(call.trace.cost or 0.0 for call in calls) == pytest.approx(PRICE)
    assert [call.trace.detail for call in calls].count("1 of 2 items from memory") == 1
    assert (await coalesce(call_of(["b", "a"]))).source == "l1"
    await tasks.drain(1)


# ---------------------------------------------------------------- answers that are none


def twisted(**members: Any) -> bytes:
    return json.dumps(expected(["b", "c"]) | members).encode()


ITEM = {"object": "embedding", "index": 0, "embedding": [1]}

MALFORMED = {
    "one too few": twisted(data=[ITEM]),
    "one too many": twisted(data=[ITEM, ITEM | {"index": 1}, ITEM | {"index": 2}]),
    "none": twisted(data=[]),
    "no list": twisted(data={"0": ITEM}),
    "numbered twice": twisted(data=[ITEM, ITEM]),
    "numbered from 1": twisted(data=[ITEM | {"index": 1}, ITEM | {"index": 2}]),
    "no number": twisted(data=[ITEM, {"embedding": [1]}]),
    "no vector": twisted(data=[ITEM, ITEM | {"index": 1, "embedding": None}]),
    "no object": twisted(data=[ITEM, None]),
    "an error": twisted(error={"message": "m"}),
    "an empty object": b"{}",
}


@pytest.mark.parametrize("answer", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_answer_passes_and_is_not_kept(answer: bytes) -> None:
    at = scene()
    at.provider.answers = [answer]
    call, reply, _ = await at.ask(["b", "c"])
    assert (reply.status, reply.body) == (200, answer)
    assert not call.trace.stored
    assert call.trace.refused_to_store
    assert (await at.ask(["b", "c"]))[1].source == "upstream"


@pytest.mark.parametrize("answer", MALFORMED.values(), ids=MALFORMED)
async def test_after_a_malformed_answer_to_a_part_the_whole_is_asked_for(answer: bytes) -> None:
    at = scene()
    await at.ask("a")
    at.provider.answers = [answer]
    call, reply, body = await at.ask(["a", "b", "c"])
    assert at.provider.inputs[1:] == [["b", "c"], ["a", "b", "c"]]
    assert at.provider.asked[-1] is call
    assert reply.body == Provider().body({"input": ["a", "b", "c"]})
    assert body == expected(["a", "b", "c"])
    assert (call.trace.detail, call.trace.refused_to_store) == ("asked again as a whole", "")
    assert call.trace.saved is None
    assert (await at.ask(["c", "b", "a"]))[1].source == "l1"


async def test_the_whole_is_asked_for_only_once() -> None:
    at = scene()
    await at.ask("a")
    at.provider.answers = [b"{}", b'{"data":[]}']
    call, reply, _ = await at.ask(["a", "b"])
    assert (reply.body, call.trace.refused_to_store) == (b'{"data":[]}', "no embeddings")
    assert len(at.provider.asked) == 3
    assert (await at.ask("a"))[1].source == "l1"


async def test_both_answers_are_paid_for() -> None:
    at = scene()
    await at.ask("a")
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    at.provider.answers = [json.dumps({"data": [], "usage": usage}).encode()]
    call, _, _ = await at.ask(["a", "b"])
    assert call.trace.usage == Usage(uncached=7)
    assert call.trace.cost == pytest.approx(7 * PRICE)
    assert (await at.ask("b"))[0].trace.saved == pytest.approx(1 * PRICE)
    at.provider.answers = [json.dumps({"data": [], "usage": usage}).encode(), UpstreamError("down")]
    call = call_of(["a", "z"])
    with pytest.raises(UpstreamError):
        await at.items(call)
    assert call.trace.cost == pytest.approx(5 * PRICE)


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503, 302])
async def test_an_error_of_the_upstream_is_the_clients(status: int) -> None:
    at = scene()
    await at.ask("a")
    at.provider.answers = [status]
    call, reply, body = await at.ask(["a", "b"])
    assert (reply.status, body, reply.source) == (status, {"error": {"message": "no"}}, "upstream")
    assert (len(at.provider.asked), call.trace.stored, call.trace.saved) == (2, False, None)
    assert call.trace.refused_to_store == f"status {status}"


async def test_an_upstream_that_can_not_be_reached_is_told_of() -> None:
    at = scene()
    await at.ask("a")
    at.provider.answers = [UpstreamError("down")]
    with pytest.raises(UpstreamError):
        await at.items(call_of(["a", "b"]))


class Streaming(Provider):
    """Answers the first part it is asked for with a stream."""

    closed = 0

    async def __call__(self, call: Call) -> Reply:
        reply = await super().__call__(call)
        if len(self.asked) == 2:
            reply.form, reply.body, reply.frames = Form.EVENTS, None, self
        return reply

    def ready(self) -> list[Any]:
        return []

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed += 1


async def test_a_stream_is_no_answer_and_is_closed() -> None:
    at = scene()
    provider = at.items.inner = Streaming()
    await at.ask("a")
    assert (await at.ask(["a", "b"]))[2] == expected(["a", "b"])
    assert (provider.closed, len(provider.asked)) == (1, 3)


async def test_only_what_the_upstream_said_is_kept() -> None:
    at = scene()

    async def guess(call: Call) -> Reply:
        return replace(await at.provider(call), source="proxy")

    at.items.inner = guess
    call, _, _ = await at.ask("a")
    assert not call.trace.stored
    assert at.items.peek(call_of("a")) is None


# ---------------------------------------------------------------- two models never meet


async def test_vectors_of_another_model_are_not_put_between() -> None:
    at = scene()
    await at.ask(["a", "b"])
    at.clock.tick(1)
    at.provider.model = "text-embedding-3-small-v2"
    call, _, body = await at.ask(["a", "c"])
    assert at.provider.inputs[1:] == [["c"], ["a", "c"]]
    assert body == expected(["a", "c"], model=at.provider.model)
    assert call.trace.detail == "asked again as a whole"
    # What was kept of the older one makes room wherever it would meet the newer one.
    _, _, body = await at.ask(["b", "a", "c"])
    assert at.provider.inputs[3:] == [["b"]]
    assert body == expected(["b", "a", "c"], model=at.provider.model)
    assert (await at.ask(["b", "a"]))[1].source == "l1"


async def test_a_peek_does_not_mix_models_either() -> None:
    at = scene()
    await at.ask("a")
    at.provider.model = "v2"
    at.clock.tick(1)
    await at.ask("b")
    assert at.items.peek(call_of(["a", "b"])) is None
    assert at.items.peek(call_of("a")) is not None


# ---------------------------------------------------------------- money


async def test_a_provider_that_counts_nothing_costs_nobody_knows_what() -> None:
    at = scene()
    at.provider.usage = False
    await at.ask(["a"])
    call, _, body = await at.ask(["a"])
    assert "usage" not in body
    assert (call.trace.usage, call.trace.saved, call.trace.cost) == (None, None, 0.0)
    at.provider.usage = True
    call, _, body = await at.ask(["a", "b"])
    assert "usage" not in body
    assert (call.trace.usage, call.trace.cost, call.trace.saved) == (Usage(uncached=1), PRICE, None)


async def test_an_unknown_price_saves_nobody_knows_what() -> None:
    at = scene(price=None)
    await at.ask(["a"])
    call, _, body = await at.ask(["a", "b"])
    assert (call.trace.cost, call.trace.saved) == (None, None)
    assert body == expected(["a", "b"])
    assert (await at.ask(["a"]))[0].trace.saved is None


async def test_one_item_has_its_exact_share() -> None:
    at = scene()
    at.provider.answers = [twisted(data=[ITEM], usage={"prompt_tokens": 1234, "total_tokens": 1234})]
    await at.ask("a")
    call, _, body = await at.ask("a")
    assert call.trace.usage == Usage(uncached=1234)
    assert call.trace.saved == pytest.approx(1234 * PRICE)
    assert body["usage"] == {"prompt_tokens": 1234, "total_tokens": 1234}


TEXTS = ["a", "one two three", "a longer text of some words, with a number: 12345", "ünï", "x" * 300, [1, 2, 3], [7]]
BATCHES = st.lists(
    st.one_of(
        st.lists(st.sampled_from([text for text in TEXTS if isinstance(text, str)]), min_size=1, max_size=8),
        st.lists(st.sampled_from([text for text in TEXTS if isinstance(text, list)]), min_size=1, max_size=4),
        st.sampled_from(TEXTS),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
@given(BATCHES, st.booleans(), st.booleans())
async def test_money_adds_up_over_any_batches(batches: list[Any], forgetful: bool, scramble: bool) -> None:
    with TemporaryDirectory() as directory:
        async with on_disk(Path(directory)) as at:
            at.provider.scramble = scramble
            spent = saved = 0.0
            for batch in batches:
                if forgetful and at.levels.l1 is not None:
                    at.levels.l1.clear()
                call, _, body = await at.ask(batch)
                body["data"].sort(key=lambda item: item["index"])  # what passes untouched may be in any order
                assert body == expected(batch)
                spent += call.trace.cost or 0.0
                saved += call.trace.saved or 0.0
            would = sum(tokens(item) for batch in batches for item in items_of({"input": batch}) or [])
            assert isclose(spent, at.provider.tokens * PRICE, abs_tol=1e-9)
            assert isclose(spent + saved, would * PRICE, abs_tol=1e-9)
            distinct = {json.dumps(item) for batch in batches for item in items_of({"input": batch}) or []}
            asked = [json.dumps(item) for given in at.provider.inputs for item in items_of({"input": given}) or []]
            assert sorted(asked) == sorted(distinct)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=8, unique=True), st.integers(0, 1000))
async def test_shares_add_up_whatever_the_provider_counts(batch: list[str], billed: int) -> None:
    """A tokenizer that has nothing to do with ours: what an item is worth is a guess, the sum never is."""
    at = scene()
    data = [ITEM | {"index": place} for place in range(len(batch))]
    at.provider.answers = [json.dumps({"data": data, "usage": {"prompt_tokens": billed}}).encode()]
    first, _, _ = await at.ask(batch)
    again, _, body = await at.ask(batch[::-1])
    assert first.trace.cost == pytest.approx(billed * PRICE)
    assert body["usage"] == {"prompt_tokens": billed, "total_tokens": billed}
    assert again.trace.saved == pytest.approx(billed * PRICE)
