"""Taking out of the cache over HTTP: what goes, what is told, and whose it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cache.invalidation import Invalidation
from cache.key import scope_of
from cache.replicas import Reached
from tests.fakes import CHAT, provider
from tests.proxy.desks import GONE, Doors, doors, key_of, tenant_of

OTHER: dict[str, Any] = CHAT | {"messages": [{"role": "user", "content": "What is the capital of Spain?"}]}


async def test_deleting_an_entry_takes_the_exact_answer_with_it() -> None:
    async with provider() as fake, doors(fake.base_url) as there:
        await there.ours.chat(key="sk-one")
        there.store.add(5, await tenant_of(there), key=bytes.fromhex(await key_of(there)))
        status, told = await there.ask(None, "/cache/entries/5", "DELETE")
        assert (status, told) == (200, {"entry": 5, "deleted": 2, "semantic": 1, "exact": 1} | GONE)
        assert there.store.entries == {}
        assert (await there.ask(None, "/cache/entries/5", "DELETE"))[0] == 404
        assert (await there.ours.chat(key="sk-one"))[1]["X-Cache-Status"] == "miss"


async def test_deleting_by_key(tmp_path: Path) -> None:
    async with provider() as fake, doors(fake.base_url, tmp_path, semantic=False) as there:
        await there.ours.chat(key="sk-one")
        key = await key_of(there)
        memory = there.ours.app.levels.l1
        assert memory is not None
        memory.clear()  # on the disk it still is
        for name in (key[:15], key[:17] + "0" * 40, "0" * 64):
            assert (await there.ask(None, f"/cache/keys/{name}", "DELETE"))[0] == 404
        assert (await there.ask(None, f"/cache/keys/{key}", "DELETE", key="sk-two"))[0] == 404
        status, told = await there.ask(None, f"/cache/keys/{key[:17].upper()}", "DELETE")
        assert (status, told["deleted"]) == (200, 1)
        assert (await there.ours.chat(key="sk-one"))[1]["X-Cache-Status"] == "miss"


async def test_purging_everything_is_the_callers_own_everything(tmp_path: Path) -> None:
    async with provider() as fake, doors(fake.base_url, tmp_path) as there:
        for key in ("sk-one", "sk-two"):
            await there.ours.chat(key=key)
            await there.ours.chat(OTHER, key=key)
            there.store.add(len(there.store.entries) + 1, await tenant_of(there, key))
        status, told = await there.ask({"everything": True}, "/cache/purge")
        assert (status, told) == (200, {"deleted": 3, "semantic": 1, "exact": 2} | GONE)
        assert list(there.store.entries) == [2]
        assert (await there.ask(CHAT))[1]["exact"]["closest"] is None
        assert (await there.ours.chat(key="sk-two"))[1]["X-Cache-Status"] == "hit"
        assert (await there.ours.chat(key="sk-one"))[1]["X-Cache-Status"] == "miss"


async def test_purging_a_scope() -> None:
    async with provider() as fake, doors(fake.base_url) as there:
        await there.ours.chat(key="sk-one")
        tenant = await tenant_of(there)
        scope = scope_of(there.layer.calls[-1])
        assert scope is not None
        there.store.add(1, tenant, scope)
        there.store.add(2, tenant, b"x" * 32)
        there.store.add(3, "other", scope)
        there.store.add(4, tenant, b"y" * 32)
        assert (await there.ask({"scope": (b"y" * 32).hex()}, "/cache/purge"))[1]["deleted"] == 1
        status, told = await there.ask({"scope_of": CHAT}, "/cache/purge")
        assert (status, told) == (200, {"deleted": 2, "semantic": 1, "exact": 1} | GONE)
        assert list(there.store.entries) == [2, 3]
        status, told = await there.ask({"scope_of": {"route": "chat", "body": OTHER}}, "/cache/purge")
        assert (status, told["deleted"]) == (200, 0)


async def test_purging_around_a_request_without_a_semantic_cache() -> None:
    async with provider() as fake, doors(fake.base_url, semantic=False) as there:
        await there.ours.chat(key="sk-one")
        assert (await there.ask({"scope_of": CHAT}, "/cache/purge", key="sk-two"))[1]["deleted"] == 0
        _, told = await there.ask({"scope_of": CHAT}, "/cache/purge")
        assert told == {"deleted": 1, "semantic": 0, "exact": 1} | GONE


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "scope_of"),
        ({"everything": True, "scope": "0" * 64}, "scope_of"),
        ({"everything": False}, "everything"),
        ({"everything": "yes"}, "everything"),
        ({"scope": "abc"}, "scope"),
        ({"scope": 5}, "scope"),
        ({"scope_of": "x"}, "scope_of"),
        ({"scope_of": {"model": "m"}}, "scope_of.messages"),
        ({"scope_of": {"body": {"model": "m"}}}, "scope_of.body.messages"),
        ({"scope_of": {"body": CHAT, "route": "x"}}, "scope_of.route"),
        ({"scope_of": {"body": CHAT, "x": 1}}, "scope_of.x"),
        ({"all": True}, "all"),
    ],
)
async def test_purges_that_can_not_be_read(body: Any, param: str) -> None:
    async with provider() as fake, doors(fake.base_url) as there:
        await there.ours.chat(key="sk-one")
        status, told = await there.ask(body, "/cache/purge")
        assert (status, told["error"]["param"]) == (400, param)
        assert (await there.ours.chat(key="sk-one"))[1]["X-Cache-Status"] == "hit"


async def test_a_request_of_no_scope_says_what_to_do() -> None:
    image: Any = [{"type": "image_url", "image_url": {"url": "data:,"}}]
    async with doors("simulated") as there:
        body = CHAT | {"messages": [{"role": "user", "content": image}]}
        status, told = await there.ask({"scope_of": body}, "/cache/purge")
        assert (status, told["error"]["param"]) == (400, "scope_of")


async def tagged(there: Doors, *names: str, key: str = "sk-one", **headers: str) -> None:
    for name in names:
        status, _, _ = await there.value("PUT", name, name.encode(), key=key, **headers)
        assert status == 201


async def kept(there: Doors, key: str = "sk-one") -> list[str]:
    tenant = await tenant_of(there, key)
    return sorted((await there.invalidator.matching(tenant, pattern="*")).examples)


async def test_purging_by_tag_takes_what_has_any_of_them() -> None:
    async with doors("simulated") as there:
        await tagged(there, "tool/a", cache_tags="one, two")
        await tagged(there, "tool/b", cache_tags="three")
        await tagged(there, "tool/c", cache_tags="four")
        await tagged(there, "tool/d", key="sk-two", cache_tags="one")
        status, told = await there.ask({"tags": ["two", "three"], "dry_run": True}, "/cache/purge")
        assert (status, told) == (200, {"dry_run": True, "would_delete": 2, "examples": ["tool/a", "tool/b"]})
        status, told = await there.ask({"tags": ["two", "three"]}, "/cache/purge")
        assert (status, told) == (200, {"deleted": 2, "semantic": 0, "exact": 2} | GONE)
        assert (await kept(there), await kept(there, "sk-two")) == (["tool/c"], ["tool/d"])


@pytest.mark.parametrize("method", ["PURGE", "DELETE"])
async def test_a_tag_has_a_path_of_its_own(method: str) -> None:
    async with doors("simulated") as there:
        await tagged(there, "tool/a", cache_tags="doc:42/ü")
        assert (await there.ask(None, "/cache/tags/doc:42%2F%C3%BC", method, key="sk-two"))[1]["deleted"] == 0
        status, told = await there.ask(None, "/cache/tags/doc:42%2F%C3%BC", method)
        assert (status, told["deleted"]) == (200, 1)


@pytest.mark.parametrize("tag", ["", "a%20b", "a%2Cb", "%00", "%zz", "%", "%ff", "file:%2Fx", "entry:00", "x" * 257])
async def test_what_is_no_tag(tag: str) -> None:
    async with doors("simulated") as there:
        status, told = await there.ask(None, f"/cache/tags/{tag}", "DELETE")
        assert (status, told["error"]["param"]) == (400, "tag")
        assert there.replicas.seen == []


async def test_purging_a_namespace_leaves_the_others() -> None:
    async with provider() as fake, doors(fake.base_url) as there:
        await there.ours.chat(CHAT | {"cache": {"namespace": "tool"}}, key="sk-one")
        await tagged(there, "tool/a", "tools/b")
        await tagged(there, "tool/c", key="sk-two")
        _, told = await there.ask({"namespace": "tool", "dry_run": True}, "/cache/purge")
        assert "tool/a" in told["examples"]
        _, told = await there.ask({"namespace": "tool"}, "/cache/purge")
        assert (told["deleted"], await kept(there)) == (2, ["tools/b"])
        assert await kept(there, "sk-two") == ["tool/c"]


async def test_a_pattern_is_tried_first_and_done_when_told() -> None:
    async with doors("simulated") as there:
        await tagged(there, "tool/search-1", "tool/search-2", "tool/calc", "other/search-3")
        status, told = await there.ask({"pattern": "tool/search-?"}, "/cache/purge")
        assert (status, told["dry_run"], told["would_delete"]) == (200, True, 2)
        assert sorted(told["examples"]) == ["tool/search-1", "tool/search-2"]
        assert len(await kept(there)) == 4
        status, told = await there.ask({"pattern": "tool/search-*", "dry_run": False}, "/cache/purge")
        assert (status, told) == (200, {"deleted": 2, "semantic": 0, "exact": 2} | GONE)
        assert await kept(there) == ["other/search-3", "tool/calc"]
        _, told = await there.ask({"pattern": "nothing*", "dry_run": False}, "/cache/purge")
        assert told == {"deleted": 0, "semantic": 0, "exact": 0} | GONE


async def test_a_pattern_of_many_goes_in_several_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.purge_desk.TOGETHER", 2)
    async with doors("simulated") as there:
        await tagged(there, *[f"n/{number}" for number in range(5)])
        there.replicas.reached = Reached(False, ("b",), "late")
        status, told = await there.ask({"pattern": "n/*", "dry_run": False}, "/cache/purge")
        assert (status, told["deleted"], told["missing"], told["why"]) == (202, 5, ["b"], "late")
        assert [len(what.keys) for what in there.replicas.seen if what.keys] == [2, 2, 1]


async def test_examples_are_ten_at_most() -> None:
    async with doors("simulated") as there:
        await tagged(there, *[f"n/{number:02}" for number in range(12)])
        for body in ({"pattern": "n/*"}, {"everything": True, "dry_run": True}):
            _, told = await there.ask(body, "/cache/purge")
            assert (told["would_delete"], len(told["examples"])) == (12, 10)


async def test_purging_by_key_names_values_and_answers() -> None:
    async with provider() as fake, doors(fake.base_url) as there:
        await there.ours.chat(key="sk-one")
        answer = await key_of(there)
        await tagged(there, "tool/a/b", "tool/c")
        wanted = [answer[:16], "tool/a/b", "tool/nothing", "f" * 20]
        _, told = await there.ask({"keys": wanted, "dry_run": True}, "/cache/purge")
        expected = {"dry_run": True, "would_delete": 2, "examples": [answer[:16], "tool/a/b"], "unknown": ["f" * 20]}
        assert told == expected
        for names in (wanted, [answer]):
            _, told = await there.ask({"keys": names, "dry_run": True}, "/cache/purge", key="sk-two")
            assert (told["would_delete"], told["examples"]) == (0, [])
        assert (await there.ask({"keys": wanted[:2]}, "/cache/purge", key="sk-two"))[1]["deleted"] == 0
        status, told = await there.ask({"keys": wanted}, "/cache/purge")
        assert (status, told) == (200, {"deleted": 2, "semantic": 0, "exact": 2, "unknown": ["f" * 20]} | GONE)
        assert await kept(there) == ["tool/c"]


async def test_purging_what_depends_on_something(tmp_path: Path) -> None:
    file = tmp_path / "a,b.py"
    file.write_text("x")
    named = str(file).replace(",", "%2C")
    async with doors("simulated") as there:
        await tagged(there, "tool/schema")
        await tagged(there, "analysis/a", x_warmgate_depends=f"file:{named}, prompt:support")
        await tagged(there, "analysis/b", x_warmgate_depends="entry:tool/schema")
        await tagged(there, "analysis/c", x_warmgate_depends="prompt:other")
        body = {"depends": [f"file:{named}", "entry:tool/schema"], "dry_run": True}
        assert (await there.ask(body, "/cache/purge"))[1]["examples"] == ["analysis/a", "analysis/b"]
        assert (await there.ask({"depends": "prompt:support"}, "/cache/purge"))[1]["deleted"] == 1
        assert (await there.ask({"depends": "entry:tool/schema"}, "/cache/purge"))[1]["deleted"] == 1
        assert await kept(there) == ["analysis/c", "tool/schema"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"keys": []}, "keys"),
        ({"keys": "tool/a"}, "keys"),
        ({"keys": [1]}, "keys[0]"),
        ({"keys": ["tool/a", "0123"]}, "keys[1]"),
        ({"keys": ["tool/"]}, "keys[0]"),
        ({"keys": ["-/a"]}, "keys[0]"),
        ({"keys": ["tool/../a"]}, "keys[0]"),
        ({"keys": ["tool/a\u0000"]}, "keys[0]"),
        ({"keys": ["tool/" + "x" * 513]}, "keys[0]"),
        ({"keys": ["tool/a"] * 1001}, "keys"),
        ({"tags": {}}, "tags"),
        ({"tags": [None]}, "tags[0]"),
        ({"tags": ["a b"]}, "tags[0]"),
        ({"tags": ["file:/x"]}, "tags[0]"),
        ({"namespace": ""}, "namespace"),
        ({"namespace": ["tool"]}, "namespace"),
        ({"pattern": 5}, "pattern"),
        ({"pattern": "x" * 1025}, "pattern"),
        ({"depends": 1}, "depends"),
        ({"depends": ["file:relative"]}, "depends[0]"),
        ({"depends": "file:/a;mtime=x"}, "depends[0]"),
        ({"depends": "entry:nothing"}, "depends[0]"),
        ({"depends": "a b"}, "depends[0]"),
        ({"namespace": "tool", "dry_run": "yes"}, "dry_run"),
        ({"scope": "0" * 64, "dry_run": True}, "dry_run"),
        ({"scope_of": CHAT, "dry_run": True}, "dry_run"),
        ({"dry_run": True}, "scope_of"),
        ({"tags": ["a"], "keys": ["n/a"]}, "scope_of"),
    ],
)
async def test_targets_that_can_not_be_read(body: Any, param: str) -> None:
    async with doors("simulated") as there:
        status, told = await there.ask(body, "/cache/purge")
        assert (status, told["error"]["param"]) == (400, param)
        assert there.replicas.seen == []


async def test_how_far_it_came() -> None:
    async with doors("simulated") as there:
        there.store.add(1, await tenant_of(there))
        await tagged(there, "n/a", "n/b", cache_tags="t")
        there.replicas.reached = Reached(False, ("replica-b",), "no answer for 2 s")
        far = {"complete": False, "missing": ["replica-b"], "why": "no answer for 2 s"}
        status, told = await there.ask({"tags": ["t"]}, "/cache/purge")
        assert (status, told) == (202, {"deleted": 2, "semantic": 0, "exact": 2} | far)
        status, told = await there.ask({"key": "0" * 64, "correct": False}, "/cache/feedback")
        assert (status, told["deleted"], told["complete"], told["correct"]) == (202, 0, False, False)
        status, told = await there.ask(None, "/cache/entries/1", "DELETE")
        assert (status, told["missing"]) == (202, ["replica-b"])


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/cache/purge", {"everything": True}),
        ("POST", "/cache/purge", {"keys": ["n/a"]}),
        ("POST", "/cache/purge", {"scope": "0" * 64}),
        ("POST", "/cache/purge", {"pattern": "n/*", "dry_run": False}),
        ("POST", "/cache/events", {"kind": "tool_changed", "name": "x"}),
        ("POST", "/cache/feedback", {"key": "0" * 64, "correct": False}),
        ("DELETE", "/cache/keys/" + "0" * 64, None),
        ("DELETE", "/cache/entries/1", None),
        ("DELETE", "/cache/tags/x", None),
        ("PURGE", "/cache/v1/n/a", None),
        ("DELETE", "/cache/v1/n", None),
    ],
)
async def test_a_level_that_fails_is_told(method: str, path: str, body: Any) -> None:
    async with doors("simulated") as there:
        await tagged(there, "n/a")
        there.store.add(1, await tenant_of(there))
        there.rows.failed = True
        status, told = await there.ask(body, path, method)
        assert (status, told["error"]["code"]) == (503, "level_failed")


async def test_a_whole_key_goes_also_where_it_is_not_here() -> None:
    """Another process may have it."""
    async with doors("simulated") as there:
        tenant = await tenant_of(there)
        assert (await there.ask(None, "/cache/keys/" + "ab" * 32, "DELETE"))[0] == 404
        assert (await there.ask(None, "/cache/keys/" + "ab" * 31, "DELETE"))[0] == 404
        (what,) = there.replicas.seen
        assert (what.tenant, what.keys) == (tenant, (b"\xab" * 32,))


async def test_a_scope_is_told_to_replicas_by_its_label() -> None:
    async with doors("simulated") as there:
        tenant = await tenant_of(there)
        await there.ask({"scope": "AB" * 32}, "/cache/purge")
        assert there.replicas.seen == [Invalidation(tenant, labels=("scope:" + "ab" * 32,))]


# What happened


async def test_an_event_takes_what_it_makes_wrong() -> None:
    async with doors("simulated") as there:
        tenant = await tenant_of(there)
        await tagged(there, "n/a", cache_tags="tool:search")
        await tagged(there, "n/b", cache_tags="tool:7")
        await tagged(there, "n/c", key="sk-two", cache_tags="tool:search")
        status, told = await there.ask({"kind": "tool_changed", "name": "search"}, "/cache/events")
        assert (status, told) == (200, {"events": 1, "deleted": 1, "semantic": 0, "exact": 1} | GONE)
        listed = [{"kind": "tool_changed", "name": "other"}, {"kind": "tool_changed", "name": 7}]
        status, told = await there.ask(listed, "/cache/events")
        assert (status, told["events"], told["deleted"]) == (200, 2, 1)
        assert there.replicas.seen[-1] == Invalidation(tenant, labels=("tool:7",))
        assert await kept(there, "sk-two") == ["n/c"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "kind"),
        ({"kind": 5}, "kind"),
        ({"kind": ""}, "kind"),
        ({"kind": "a b"}, "kind"),
        ({"kind": "x" * 65}, "kind"),
        ({"kind": "unheard"}, "kind"),
        ({"kind": "tool_changed"}, "kind"),
        ({"kind": "tool_changed", "name": None}, "name"),
        ({"kind": "tool_changed", "name": ["x"]}, "name"),
        ({"kind": "tool_changed", "name": True}, "name"),
        ({"kind": "tool_changed", "name": ""}, "name"),
        ({"kind": "tool_changed", "name": "x" * 1025}, "name"),
        ({"kind": "tool_changed"} | {str(number): 1 for number in range(40)}, "kind"),
        ([], None),
        ([5], "[0]"),
        ([{"kind": "tool_changed", "name": "a"}, {"kind": "unheard"}], "[1].kind"),
        ([{"kind": "tool_changed", "name": "a"}] * 1001, None),
        (b'[{"kind": "a", "kind": "b"}]', None),
        (b'[{"kind": "a"}], "more": [1]', None),
        (b"[", None),
        (b"5", None),
    ],
)
async def test_events_that_can_not_be_read(body: Any, param: str | None) -> None:
    async with doors("simulated") as there:
        status, told = await there.ask(body, "/cache/events")
        assert (status, told["error"]["param"]) == (400, param)
