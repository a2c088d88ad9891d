from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.invalidation import Invalidation
from cache.redis_stream import BEAT, BEGIN, CONFIRM, LEAVE, MEMBERS, MOST, SAY, order, parts
from tests.redis_server import Server, connected, new_prefix, redis_for_all

__all__ = ["redis_for_all"]  # fixtures

NAMES = st.lists(st.integers(0, 3 * MOST).map(str), max_size=5, unique=True)


@pytest.mark.parametrize(
    ("id", "comes"), [("0-0", (0, 0)), ("12-3", (12, 3)), ("", (0, 0)), ("x-1", (0, 0)), ("²-1", (0, 0))]
)
def test_ids_are_compared_as_numbers(id: str, comes: tuple[int, int]) -> None:
    assert order(id) == comes
    assert order("9-10") > order("9-9")
    assert order("10-0") > order("9-9")


@pytest.mark.parametrize("count", [0, 1, MOST, MOST + 1, 3 * MOST])
def test_a_long_invalidation_is_several(count: int) -> None:
    what = Invalidation(
        "t",
        keys=tuple(b"%d" % n for n in range(count)),
        labels=tuple(f"l{n}" for n in range(count // 2)),
        namespaces=("n",),
    )
    cut = list(parts(what))
    assert all(part.tenant == "t" for part in cut)
    assert all(max(len(part.keys), len(part.labels), len(part.namespaces)) <= MOST for part in cut)
    for field in ("keys", "labels", "namespaces"):
        assert sum((getattr(part, field) for part in cut), ()) == getattr(what, field)
    assert list(parts(Invalidation("t", everything=True))) == [Invalidation("t", everything=True)]


@given(NAMES, NAMES)
def test_a_short_one_stays_one(labels: list[str], namespaces: list[str]) -> None:
    what = Invalidation(labels=tuple(labels), namespaces=tuple(namespaces))
    assert list(parts(what)) == [what]


async def test_what_is_written_down(redis: Server) -> None:
    base = f"{{{new_prefix()}#r}}:"
    keys = [base + "s"]
    async with connected(redis.url) as client:
        last, members, now, first, whole = await client.ask(BEAT.of(keys, base, "a", 60_000, 5))
        assert (last, whole) == (first, 1), "that it joined is the first message"
        assert [(who, heard) for who, _, heard in members] == [(b"a", b"0-0")]
        await client.ask(BEAT.of(keys, base, "b", 1, 5))
        ids = [(await client.ask(SAY.of(keys, base, "a", 5, f"{n}")))[0] for n in range(3)]
        assert abs(now - order(ids[0].decode())[0]) < 60_000
        while len(await client.ask(MEMBERS.of(keys, base, "a"))) == 2:
            pass  # the part of b ends
        messages = await client.listen({base + "s": BEGIN}, 0.01)
        assert [message.id.encode() for message in messages[2:]] == ids
        assert [message.fields.get(b"joined") for message in messages[:3]] == [b"60000", b"1", None]
        assert [message.fields[b"after"] for message in messages[3:]] == ids[:2]
        assert messages[0].fields[b"after"] == b"0-0"
        assert await client.ask(CONFIRM.of(keys, base, "c", "1-1", "a")) == 0, "that is no message"
        assert await client.ask(CONFIRM.of(keys, base, "c", ids[1], "a")) == 1
        (told,) = await client.listen({f"{base}in:a": BEGIN}, 0.01)
        assert (told.fields[b"from"], told.fields[b"heard"]) == (b"c", ids[1])
        assert (await client.ask(BEAT.of(keys, base, "a", 60_000, 5)))[4] == 1
        await client.ask(SAY.of(keys, base, "a", 5, "more"))
        last, _, _, first, whole = await client.ask(BEAT.of(keys, base, "a", 60_000, 5))
        assert (first, whole) == (messages[1].id.encode(), 0), "one was cut off"
        await client.ask(BEAT.of(keys, base, "c", 60_000, 5))
        await client.ask(LEAVE.of(keys, base, "a", 5))
        joined, left = await client.listen({base + "s": last.decode()}, 0.01)
        assert (joined.fields[b"joined"], left.fields[b"left"]) == (b"60000", b"1")
        assert [who for who, *_ in await client.ask(MEMBERS.of(keys, base, "c"))] == [b"c"]
        assert all(int(redis("PTTL", name)) > 0 for name in redis.names(f"{base}*".replace("{", "?")))
