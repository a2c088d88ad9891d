"""Values of applications over HTTP: what is kept, given back, refused, and for whom."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.replicas import Reached
from cache.tiers import Tiers
from cache.value_key import value_key
from proxy.edge import Gate
from proxy.events import Event
from proxy.value_desk import Bounds
from tests.fakes import CHAT, provider, until
from tests.proxy.desks import Doors, doors, tenant_of
from tests.proxy.invalidating import entries_of
from tests.proxy.test_cache_desk import accepting

BODY = b'{"result": [1, 2.0, "\xc3\xbc"]}'
ETAG = f'"{hashlib.sha256(BODY).hexdigest()[:32]}"'


async def put(there: Doors, path: str = "tool/a", body: bytes = BODY, **headers: str) -> tuple[int, dict[str, Any]]:
    status, _, raw = await there.value("PUT", path, body, **headers)
    return status, json.loads(raw)


async def got(there: Doors, path: str = "tool/a", **headers: str) -> bytes | None:
    status, _, body = await there.value("GET", path, **headers)
    assert status in (200, 404)
    return body if status == 200 else None


def seen_by(there: Doors) -> list[Event]:
    seen: list[Event] = []
    sinks: Any = there.ours.app.edge.telling.sinks
    sinks.append(seen.append)
    return seen


# Keeping and giving back


async def test_bytes_come_back_as_they_went(tmp_path: Path) -> None:
    async with doors("simulated", tmp_path) as there:
        status, headers, body = await there.value("PUT", "tool/a", BODY, content_type="application/json; v=1")
        assert status == 201
        assert json.loads(body) == {"stored": True, "etag": ETAG, "ttl": 3600.0, "complete": True, "missing": []}
        assert (headers["ETag"], headers["Cache-Status"]) == (ETAG, "warmgate; fwd=miss; stored")
        there.wall.by = 100
        status, headers, body = await there.value("GET", "tool/a")
        assert (status, body) == (200, BODY)
        assert headers["Content-Type"] == "application/json; v=1"
        assert (headers["ETag"], headers["Age"], headers["Accept-Ranges"]) == (ETAG, "100", "none")
        assert headers["Cache-Control"] in ("private, no-cache, max-age=3499", "private, no-cache, max-age=3500")
        assert headers["Cache-Status"].startswith("warmgate; hit; ttl=3")
        assert headers["Cache-Status"].endswith("; detail=l1")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in headers["Content-Security-Policy"]
        memory = there.ours.app.levels.l1
        assert memory is not None
        memory.clear()
        _, headers, body = await there.value("GET", "tool/a")
        assert (body, headers["Cache-Status"].rpartition("=")[2]) == (BODY, "l2")


async def test_a_head_tells_without_the_body_and_counts_as_nothing() -> None:
    async with doors("simulated") as there:
        assert (await there.value("HEAD", "tool/a"))[0] == 404
        await put(there)
        before = there.ours.app.levels.stats()
        status, headers, body = await there.value("HEAD", "tool/a")
        assert (status, body, headers["Content-Length"], headers["ETag"]) == (200, b"", str(len(BODY)), ETAG)
        assert there.ours.app.levels.stats() == before


async def test_without_a_type_it_is_bytes_and_an_empty_value_is_one() -> None:
    async with doors("simulated") as there:
        await put(there, body=b"")
        status, headers, body = await there.value("GET", "tool/a")
        assert (status, body, headers["Content-Type"]) == (200, b"", "application/octet-stream")


async def test_a_second_value_takes_the_place_of_the_first() -> None:
    async with doors("simulated") as there:
        assert (await put(there))[0] == 201
        assert (await put(there, body=b"two"))[0] == 200
        assert await got(there) == b"two"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tool/a", "tool/A"),
        ("tool/a", "tools/a"),
        ("tool/a/b", "tool/a"),
        ("tool/a//b", "tool/a/b"),
        ("tool/a+b", "tool/a%20b"),
        ("tool/%C3%BC", "tool/u%CC%88"),
        ("tool/a%2fb", "tool/a%2Fb%20"),
        ("tool/a%3Fb", "tool/a"),
        ("tool/a%25", "tool/a%2525"),
        ("a.b/c", "a/b.c"),
    ],
)
async def test_different_keys_are_different(one: str, other: str) -> None:
    async with doors("simulated") as there:
        await put(there, one, b"one")
        assert await got(there, other) is None
        await put(there, other, b"other")
        assert (await got(there, one), await got(there, other)) == (b"one", b"other")


async def test_one_key_however_it_is_encoded() -> None:
    async with doors("simulated") as there:
        await put(there, "tool/a/b~", b"x")
        assert await got(there, "tool/%61%2Fb%7E") == b"x"
        assert await got(there, "%74ool/a%2fb~") == b"x"


# Time


@pytest.mark.parametrize(
    ("query", "control", "ttl"),
    [
        ("", "", 3600.0),
        ("?ttl=90", "", 90.0),
        ("?ttl=1.5", "", 1.5),
        ("", "max-age=60", 60.0),
        ("", 'public, Max-Age="60"', 60.0),
        ("?ttl=90", "max-age=60", 60.0),
        ("?ttl=50", "max-age=60", 50.0),
        ("?ttl=999999999999999999", "", 3600.0),
    ],
)
async def test_how_long_it_is_kept(query: str, control: str, ttl: float, tmp_path: Path) -> None:
    async with doors("simulated", tmp_path, bounds=Bounds(ttl=1e9)) as there:
        status, told = await put(there, f"tool/a{query}", **({"cache_control": control} if control else {}))
        assert (status, told["ttl"]) == (201, ttl)
        there.wall.by = ttl - 1
        assert await got(there) == BODY
        there.wall.by = ttl
        assert await got(there) is None
        assert (await there.value("HEAD", "tool/a"))[0] == 404


@pytest.mark.parametrize(
    ("query", "headers"),
    [("?ttl=0", {}), ("", {"cache_control": "max-age=0"}), ("", {"cache_control": "no-store"})],
)
async def test_what_is_not_to_be_kept_takes_the_place_of_what_was(query: str, headers: dict[str, str]) -> None:
    async with doors("simulated") as there:
        await put(there, body=b"old")
        seen = seen_by(there)
        status, told = await put(there, f"tool/a{query}", **headers)
        assert (status, told) == (200, {"stored": False, "why": "ttl 0", "complete": True, "missing": []})
        assert await got(there) is None
        assert (seen[0].trace.stored, seen[0].trace.refused_to_store) == (False, "ttl 0")


async def test_what_is_not_kept_here_is_not_served_by_others_either() -> None:
    """They may have one of which nothing is known here."""
    async with doors("simulated") as there:
        assert (await put(there, "tool/a?ttl=0"))[0] == 200
        (what,) = there.replicas.seen
        assert what.keys == (value_key(await tenant_of(there), "tool", "a"),)


async def test_a_value_that_no_level_keeps_does_not_leave_the_old_one() -> None:
    small = "cache: {multi_level: {l1: {max_bytes: 20kB}}}"
    async with doors("simulated", config=small) as there:
        await put(there, body=b"old")
        status, told = await put(there, body=bytes(20_000))
        assert (status, told["stored"], told["why"]) == (200, False, "not kept")
        assert await got(there) is None


async def test_a_reader_may_ask_for_nothing_old() -> None:
    async with doors("simulated") as there:
        await put(there)
        there.wall.by = 100
        assert await got(there, cache_control="max-age=90") is None
        assert await got(there, cache_control="max-age=110, no-cache") == BODY


# Conditions


async def test_a_client_that_has_it_is_told_so() -> None:
    async with doors("simulated") as there:
        await put(there)
        for condition in (ETAG, f"W/{ETAG}", f'"x", {ETAG}', "*"):
            status, headers, body = await there.value("GET", "tool/a", if_none_match=condition)
            assert (status, body, headers["ETag"]) == (304, b"", ETAG)
        assert (await there.value("HEAD", "tool/a", if_none_match=ETAG))[0] == 304
        assert (await there.value("GET", "tool/a", if_none_match='"x"'))[0] == 200
        assert (await there.value("GET", "tool/a", if_match=ETAG))[0] == 200
        assert (await there.value("GET", "tool/a", if_match=f"W/{ETAG}"))[0] == 412
        assert (await there.value("GET", "tool/b", if_none_match="*"))[0] == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PURGE"])
async def test_nothing_is_changed_that_is_not_as_the_condition_says(method: str) -> None:
    async with doors("simulated") as there:
        assert (await there.value(method, "tool/a", b"new", if_match=ETAG))[0] == 412
        assert (await there.value(method, "tool/a", b"new", if_match="*"))[0] == 412
        await put(there)
        for name, condition in (("if_match", '"x"'), ("if_match", f"W/{ETAG}"), ("if_none_match", "*")):
            status, _, body = await there.value(method, "tool/a", b"new", **{name: condition})
            assert (status, json.loads(body)["error"]["code"]) == (412, "precondition_failed")
            assert await got(there) == BODY
        status, _, _ = await there.value(method, "tool/a", b"new", if_match=f'"x", {ETAG}')
        assert status == 200
        assert await got(there) == (b"new" if method == "PUT" else None)


async def test_first_comes_only_the_first() -> None:
    async with doors("simulated") as there:
        assert (await put(there, body=b"1", if_none_match="*"))[0] == 201
        assert (await put(there, body=b"2", if_none_match="*"))[0] == 412
        assert await got(there) == b"1"


class Crowded:
    """Levels that tell nobody what they have until a crowd has come."""

    def __init__(self, levels: Tiers, gate: Gate, crowd: int) -> None:
        self.get, self.put, self.mark, self.ttl_of = levels.get, levels.put, levels.mark, levels.ttl_of
        self.levels, self.gate, self.crowd = levels, gate, crowd
        self.come = asyncio.Event()

    async def look(self, key: bytes) -> tuple[Entry, str] | None:
        found = await self.levels.look(key)
        await until(lambda: self.come.is_set() or self.gate.in_flight == self.crowd)
        self.come.set()
        return found


async def test_of_many_that_swap_at_once_one_does() -> None:
    async with doors("simulated") as there:
        await put(there)
        app = there.ours.app
        there.values.levels = Crowded(app.levels, app.edge.gate, 20)
        answers = await asyncio.gather(*[put(there, body=b"%d" % n, if_match=ETAG) for n in range(20)])
        assert sorted(status for status, _ in answers) == [200] + [412] * 19
        (winner,) = [n for n, (status, _) in enumerate(answers) if status == 200]
        assert await got(there) == b"%d" % winner
        assert len(there.values.turns) == 0


async def test_a_namespace_has_no_etag() -> None:
    async with doors("simulated") as there:
        await put(there)
        assert (await there.value("DELETE", "tool", if_match=ETAG))[0] == 412
        assert await got(there) == BODY


# Taking out


@pytest.mark.parametrize("method", ["DELETE", "PURGE"])
async def test_deleting(method: str) -> None:
    async with doors("simulated") as there:
        await put(there)
        await put(there, "tool/b")
        status, _, body = await there.value(method, "tool/a")
        told = {"deleted": 1, "semantic": 0, "exact": 1, "complete": True, "missing": []}
        assert (status, json.loads(body)) == (200, told)
        assert (await got(there), await got(there, "tool/b")) == (None, BODY)
        status, _, body = await there.value(method, "tool/a")
        assert (status, json.loads(body)["deleted"]) == (200, 0)


@pytest.mark.parametrize("method", ["DELETE", "PURGE"])
async def test_a_namespace_is_cleared_as_a_whole(method: str) -> None:
    async with doors("simulated") as there:
        await put(there)
        await put(there, "tool/b")
        await put(there, "file/a")
        await put(there, key="sk-two")
        status, _, body = await there.value(method, "tool")
        assert (status, json.loads(body)["deleted"]) == (200, 2)
        assert (await got(there), await got(there, "file/a"), await got(there, key="sk-two")) == (None, BODY, BODY)


async def test_an_empty_key_clears_no_namespace() -> None:
    async with doors("simulated") as there:
        await put(there)
        assert (await there.value("DELETE", "tool/"))[0] == 400
        assert await got(there) == BODY


async def test_what_is_deleted_is_not_put_by_who_began_before() -> None:
    async with doors("simulated") as there:
        _, headers, _ = await there.value("GET", "tool/a")
        mark = headers["X-Warmgate-Mark"]
        await there.ask({"tags": ["t"]}, "/cache/purge")
        status, told = await put(there, cache_tags="t", x_warmgate_mark=mark)
        assert (status, told["why"]) == (200, "not kept")
        status, told = await put(there, "tool/b", cache_tags="u", x_warmgate_mark=mark)
        assert (status, told["stored"]) == (201, True)
        status, told = await put(there, cache_tags="u", x_warmgate_mark="of-another-process")
        assert (told["stored"], told["why"], await got(there)) == (False, "mark unknown", None)
        status, told = await put(there, cache_tags="t")
        assert told["stored"]


async def test_an_invalidation_during_a_put_is_obeyed() -> None:
    async with doors("simulated") as there:
        tenant = await tenant_of(there)
        key = value_key(tenant, "tool", "a")
        async with there.values.turns.of(key):
            asked = asyncio.ensure_future(put(there, cache_tags="t"))
            await until(lambda: there.ours.app.edge.gate.in_flight == 1)
            await there.invalidator.invalidate(Invalidation(tenant, labels=("t",)))
        assert (await asked)[1]["stored"] is False
        assert await got(there) is None


async def test_copies_of_what_was_replaced_go_wherever_they_are() -> None:
    async with doors("simulated") as there:
        assert (await put(there, body=b"1", cache_tags="t"))[0] == 201
        assert there.replicas.seen == []  # nobody can have a copy of what was not there
        there.replicas.reached = Reached(False, ("b",))
        status, answer = await put(there, body=b"2", cache_tags="t")
        assert (status, answer["stored"], answer["complete"], answer["missing"]) == (202, True, False, ["b"])
        (what,) = there.replicas.seen
        entries = {entry.body: entry for entry in await entries_of(there.ours.app.levels)}
        assert list(entries) == [b"2"]
        old = replace(entries[b"2"], labels=("t", *what.labels))
        assert (what.covers(old), what.covers(entries[b"2"])) == (True, False)
        assert await got(there) == b"2"
        await put(there, body=b"2", cache_tags="u")  # the same bytes may have other tags
        assert len(there.replicas.seen) == 2


async def test_what_was_made_of_the_one_before_goes_and_of_the_new_one_stays() -> None:
    async with doors("simulated") as there:
        await put(there)
        await put(there, "sum/x", x_warmgate_depends="entry:tool/a")
        await put(there, body=b"2")
        assert await got(there, "sum/x") is None
        await put(there, "sum/x", x_warmgate_depends="entry:tool/a")
        assert await got(there, "sum/x") == BODY


# What it depends on


async def test_an_analysis_goes_with_its_file(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = 1")
    async with doors("simulated") as there:
        named = f"file:{file};mtime={file.stat().st_mtime_ns}"
        assert (await put(there, x_warmgate_depends=named))[0] == 201
        assert await got(there) == BODY
        os.utime(file, ns=(5, 5))
        status, headers, _ = await there.value("GET", "tool/a")
        assert (status, there.replicas.seen) == (404, [])  # nobody serves it, so nobody has to be told
        anew = {"x_warmgate_depends": f"file:{file};mtime=5", "x_warmgate_mark": headers["X-Warmgate-Mark"]}
        assert (await put(there, **anew))[1]["stored"]
        os.utime(file, ns=(6, 6))
        status, told = await put(there, x_warmgate_depends=named)
        assert (status, told["error"]["code"]) == (409, "dependency_changed")
        assert (await put(there, x_warmgate_depends=f"file:{file};mtime=6"))[0] in (200, 201)
        file.unlink()
        assert await got(there) is None


async def test_a_value_goes_with_what_it_was_made_of() -> None:
    async with doors("simulated") as there:
        depends = "entry:tool/%C3%BC, prompt:support"
        status, told = await put(there, "sum/x", x_warmgate_depends=depends)
        assert (status, told["error"]["code"]) == (409, "dependency_missing")
        await put(there, "tool/%C3%BC", key="sk-two")
        assert (await put(there, "sum/x", x_warmgate_depends=depends))[0] == 409
        await put(there, "tool/%C3%BC", cache_tags="inner")
        for what in ({"tags": ["inner"]}, {"keys": ["tool/ü"]}, {"depends": "prompt:support"}):
            await put(there, "tool/%C3%BC", cache_tags="inner")
            assert (await put(there, "sum/x", x_warmgate_depends=depends))[0] == 201
            assert (await there.ask(what, "/cache/purge"))[0] == 200
            assert await got(there, "sum/x") is None


async def test_an_expired_value_is_nothing_to_depend_on() -> None:
    async with doors("simulated") as there:
        await put(there, "tool/a?ttl=10")
        there.wall.by = 10
        assert (await put(there, "sum/x", x_warmgate_depends="entry:tool/a"))[0] == 409


# Whose it is


async def test_what_is_another_tenants_is_not_there() -> None:
    async with doors("simulated") as there:
        nothing = await there.value("GET", "tool/a", key="sk-two")
        await put(there)
        for method in ("GET", "HEAD"):
            assert (await there.value(method, "tool/a", key="sk-two"))[0] == 404
        other = await there.value("GET", "tool/a", key="sk-two")
        hidden = ("Date", "X-Warmgate-Mark")
        for answer in (nothing, other):
            for name in hidden:
                answer[1].pop(name)
        assert other == nothing
        assert (await there.value("DELETE", "tool/a", key="sk-two"))[0] == 200
        assert (await put(there, body=b"mine", key="sk-two", if_none_match="*"))[0] == 201
        assert (await got(there), await got(there, key="sk-two")) == (BODY, b"mine")


async def test_two_credentials_are_somebody_else() -> None:
    async with doors("simulated") as there:
        await put(there)
        assert await got(there, x_api_key="sk-one") is None
        assert await got(there, key="", x_api_key="sk-one") is None


async def test_where_tenants_share_a_cache_nobody_unknown_may_touch_it() -> None:
    config = "tenants: {share_cache: true}"
    async with provider(accepting({"sk-one", "sk-two"})) as fake, doors(fake.base_url, config=config) as there:
        await there.ours.chat(key="sk-one")
        assert (await put(there))[0] == 201
        for method in ("GET", "HEAD", "PUT", "DELETE", "PURGE"):
            assert (await there.value(method, "tool/a", b"x", key="sk-bad"))[0] == 401
        assert await got(there, key="sk-two") == BODY


async def test_issued_keys_come_before_everything() -> None:
    config = "tenants: {mode: managed, keys: [{tenant: a, key_env: TEAM_A}]}\nupstream: {api_key_env: PROVIDER_KEY}"
    async with provider() as fake, doors(fake.base_url, config=config) as there:
        for method, path in (("GET", "tool/a"), ("PUT", "tool/a"), ("GET", "tool"), ("DELETE", "-")):
            assert (await there.value(method, path))[0] == 401
        assert (await put(there, key="wg-team-a"))[0] == 201


async def test_no_value_answers_a_request_and_no_answer_is_a_value() -> None:
    async with provider() as fake, doors(fake.base_url) as there:
        await there.ours.chat(key="sk-one")
        assert (await there.value("PUT", "llm.response/x", b"{}"))[0] == 400
        assert (await there.value("PUT", "embedding/x", b"{}"))[0] == 400
        assert (await there.value("GET", "llm.response/x"))[0] == 404
        assert (await there.ours.chat(CHAT, key="sk-one"))[1]["X-Cache-Status"] == "hit"


# What is told


async def test_statistics_are_of_this_tenant() -> None:
    async with doors("simulated") as there:
        await put(there)
        await put(there, "tool/b?ttl=0")
        await put(there, key="sk-two")
        await got(there)
        await got(there, "tool/none")
        await there.value("HEAD", "tool/a")
        status, headers, body = await there.value("GET", "tool")
        assert (status, headers["Content-Type"]) == (200, "application/json")
        assert json.loads(body) == {
            "namespace": "tool",
            "entries": 1,
            "examples": ["tool/a"],
            "hits": 1,
            "misses": 1,
            "stored": 1,
            "refused": 1,
            "ttl": 300.0,
        }


async def test_events_say_which_level_gave_it() -> None:
    async with doors("simulated") as there:
        seen = seen_by(there)
        await put(there)
        await got(there)
        await got(there, "tool/none")
        told = [(event.route, event.method, event.status, event.source, event.trace.why) for event in seen]
        assert told == [
            ("cache", "PUT", 201, "proxy", ""),
            ("cache", "GET", 200, "l1", ""),
            ("cache", "GET", 404, "proxy", "miss"),
        ]
        assert (seen[0].trace.stored, seen[1].trace.saved, seen[1].trace.ttl) == (
            True,
            None,
            pytest.approx(300, abs=9),
        )


# What can't be done


async def test_a_value_of_too_many_bytes() -> None:
    async with doors("simulated", bounds=Bounds(max_value=10)) as there:
        assert (await put(there, body=b"0123456789"))[0] == 201
        status, told = await put(there, body=b"0123456789!")
        assert (status, told["error"]["code"]) == (413, "value_too_large")
        assert await got(there) == b"0123456789"


async def test_a_large_value_is_kept_as_any_other() -> None:
    body = bytes(range(256)) * 4096
    async with doors("simulated") as there:
        assert (await put(there, body=body))[1]["etag"] == f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        assert await got(there) == body


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("-tool/a", "namespace"),
        ("t%20l/a", "namespace"),
        ("t%00l/a", "namespace"),
        ("x" * 65 + "/a", "namespace"),
        ("..%2Fa/b", "namespace"),
        ("tool/%", "key"),
        ("tool/%4", "key"),
        ("tool/%zz", "key"),
        ("tool/%ff", "key"),
        ("tool/%ED%A0%80", "key"),
        ("tool/%00", "key"),
        ("tool/a%0Ab", "key"),
        ("tool/%C2%85", "key"),
        ("tool/", "key"),
        ("tool/../a", "key"),
        ("tool/a/..", "key"),
        ("tool/%2e%2E/a", "key"),
        ("tool/a%5C..%5Cb", "key"),
        ("tool/./a", "key"),
        ("tool/" + "x" * 513, "key"),
        ("tool/" + "%C3%BC" * 257, "key"),
        ("tool/a?ttl=-1", "ttl"),
        ("tool/a?ttl=1e3", "ttl"),
        ("tool/a?ttl=nan", "ttl"),
        ("tool/a?ttl=", "ttl"),
        ("tool/a?ttl=1&ttl=2", "ttl"),
        ("tool/a?tll=1", "tll"),
    ],
)
async def test_paths_that_can_not_be_read(path: str, param: str) -> None:
    async with doors("simulated") as there:
        status, told = await put(there, path)
        assert (status, told["error"]["param"]) == (400, param)
        status, _, _ = await there.value("DELETE", path)
        assert status == 400
        assert there.replicas.seen == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Cache-Control", "max-age=x"),
        ("Cache-Control", "max-age=-1"),
        ("Cache-Control", "max-age"),
        ("Cache-Tags", ", ".join(map(str, range(65)))),
        ("Cache-Tags", "x" * 257),
        ("Cache-Tags", "a b"),
        ("Cache-Tags", "file:/x"),
        ("X-Warmgate-Depends", ", ".join(f"file:/{n}" for n in range(65))),
        ("X-Warmgate-Depends", "file:x"),
        ("X-Warmgate-Depends", "file:/x;mtime=1.5"),
        ("X-Warmgate-Depends", "file:/x;inode=1"),
        ("X-Warmgate-Depends", "file:/x;mtime=1;mtime=1"),
        ("X-Warmgate-Depends", "file:/a%5C..%5Cb/../c"),
        ("X-Warmgate-Depends", "file:/dev"),
        ("X-Warmgate-Depends", ", ".join(f"file:/{n}" for n in range(17))),
        ("X-Warmgate-Depends", "file:/x%00"),
        ("X-Warmgate-Depends", "file:/%zz"),
        ("X-Warmgate-Depends", "file:/" + "x" * 4096),
        ("X-Warmgate-Depends", "entry:tool"),
        ("X-Warmgate-Depends", "entry:tool/%00"),
        ("X-Warmgate-Depends", "entry:tool/../x"),
        ("X-Warmgate-Depends", "prompt:x;mtime=1"),
        ("X-Warmgate-Depends", "a b"),
        ("If-Match", "x"),
        ("If-Match", ""),
        ("If-None-Match", '"a'),
        ("If-None-Match", '"a" "b"'),
        ("Content-Type", "x" * 257),
        ("Content-Range", "bytes 0-1/2"),
        ("X-Warmgate-Mark", "a b"),
    ],
)
async def test_header_lines_that_can_not_be_read(name: str, value: str) -> None:
    async with doors("simulated") as there:
        status, told = await put(there, **{name: value})
        assert (status, told["error"]["param"]) == (400, name)
        assert await got(there) is None


async def test_a_body_in_a_coding_is_refused_as_everywhere() -> None:
    async with doors("simulated") as there:
        assert (await put(there, content_encoding="br"))[0] == 415


async def test_where_values_are_off() -> None:
    async with doors("simulated") as there:
        there.desk.values = None
        for method in ("GET", "PUT", "DELETE"):
            status, _, body = await there.value(method, "tool/a")
            assert (status, json.loads(body)["error"]["code"]) == (404, "values_off")


async def test_header_lines_in_no_utf_8(tmp_path: Path) -> None:
    async with doors("simulated", tmp_path) as there:
        host, _, port = there.ours.root.removeprefix("http://").rpartition(":")
        for line in (b"Cache-Tags: \xff", b"X-Warmgate-Depends: \xe9", b"Content-Type: \xe9", b"If-Match: \xff"):
            reader, writer = await asyncio.open_connection(host, int(port))
            head = [b"PUT /cache/v1/tool/a HTTP/1.1", b"Host: x", b"Connection: close", b"Content-Length: 1", line]
            writer.write(b"\r\n".join([*head, b"", b"x"]))
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
            writer.close()


LINES = st.dictionaries(
    st.sampled_from(
        ["Cache-Tags", "X-Warmgate-Depends", "Cache-Control", "If-Match", "If-None-Match", "X-Warmgate-Mark"]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
    | st.sampled_from(["*", ETAG, "t", "entry:tool/a", "file:/nowhere", "max-age=0", "max-age=9", "word-1"]),
    max_size=4,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["GET", "HEAD", "PUT", "DELETE", "PURGE"]),
            st.sampled_from(["tool", "tool/a", "tool/b", "tool/", "t/%", "tool/%00", "-/x", ""]),
            LINES,
        ),
        min_size=5,
        max_size=20,
    )
)
def test_whatever_is_asked_is_answered(asked: list[tuple[str, str, dict[str, str]]]) -> None:
    async def ask() -> None:
        async with doors("simulated") as there:
            for method, path, lines in asked:
                status, _, _ = await there.value(method, path, b"body", **lines)
                assert status in (200, 201, 304, 400, 404, 405, 409, 412)

    asyncio.run(ask())
