from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.dependencies import Cycle, Dependencies, Missing
from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.labels import MOST, BadLabel, entry_label
from tests.cache.contract import Clock, entry_of, key_of

CONFIGURED = {"agent": ["prompt:support", "tool:search"], "prompt:support": ["file:/p", "style"], "style": ["file:/s"]}


def labels_of(found: list[Invalidation]) -> dict[str | None, set[str]]:
    return {each.tenant: set(each.labels) for each in found}


def looking(*entries: Entry):  # type: ignore[no-untyped-def] # a closure
    kept = {entry.key: entry for entry in entries}

    async def look(key: bytes) -> Entry | None:
        await asyncio.sleep(0)
        return kept.get(key)

    return look


def kept(name: str, *labels: str, tenant: str = "team") -> Entry:
    return entry_of(name, Clock(), tenant=tenant, labels=labels)


def test_an_entry_carries_all_that_it_depends_on() -> None:
    known = Dependencies(CONFIGURED)
    assert known.upward(["agent", "x"], "team") == (
        *("agent", "x", "prompt:support", "tool:search", "file:/p", "style", "file:/s"),
    )
    assert known.upward(["tool:search"], "team") == ("tool:search",)
    assert known.upward([], "team") == ()


def test_an_invalidation_is_widened_by_all_that_depends_on_what_it_names() -> None:
    known = Dependencies(CONFIGURED)
    assert known.downward(Invalidation("team", labels=("file:/s",), namespaces=("n",))) == [
        Invalidation("team", labels=("file:/s", "entry:@n", "style", "prompt:support", "agent"), namespaces=("n",))
    ]
    for what in (Invalidation("team"), Invalidation(everything=True, labels=("style",)), Invalidation(labels=("x",))):
        assert known.downward(what) == [what]


def test_what_depends_on_an_entry_goes_with_its_key() -> None:
    known = Dependencies({"report": [entry_label(key_of("a"))]})
    (found,) = known.downward(Invalidation(keys=(key_of("a"),)))
    assert found.keys == (key_of("a"),)
    assert set(found.labels) == {"report", entry_label(key_of("a"))}


def test_what_is_added_later_counts_for_entries_that_are_there() -> None:
    known = Dependencies()
    known.add("prompt:a", ["file:/a"])
    known.add("prompt:a", ["file:/b", "file:/a"])
    for path in "ab":
        assert known.downward(Invalidation(labels=(f"file:/{path}",)))[0].labels == (f"file:/{path}", "prompt:a")
    assert known.remove("prompt:a")
    assert not known.remove("prompt:a")
    assert not known.remove("prompt:a", "nobody")
    assert len(known) == 0
    assert known.downward(Invalidation(labels=("file:/a",)))[0].labels == ("file:/a",)


def test_dependencies_of_a_tenant_are_its_own() -> None:
    known = Dependencies({"shared": ["mine"], "base": ["file:/x"]})
    known.add("mine", ["base"], "a")
    known.add("other", ["base"], "b")
    known.add("unconcerned", ["z"], "c")
    assert known.upward(["shared"], "a") == ("shared", "mine", "base", "file:/x")
    assert known.upward(["shared"], "b") == ("shared", "mine")
    file = ("file:/x",)
    assert labels_of(known.downward(Invalidation("a", labels=file))) == {"a": {"file:/x", "base", "mine", "shared"}}
    assert labels_of(known.downward(Invalidation("b", labels=file))) == {"b": {"file:/x", "base", "other"}}
    assert labels_of(known.downward(Invalidation("d", labels=file))) == {"d": {"file:/x", "base"}}
    assert labels_of(known.downward(Invalidation(labels=file))) == {
        None: {"file:/x", "base"},
        "a": {"mine", "shared"},
        "b": {"other"},
    }


NAMES = st.sampled_from(["a", "b", "c", "d", "file:/x", "file:/y"])
GRAPHS = st.dictionaries(st.sampled_from("abcd"), st.lists(NAMES, max_size=4), max_size=4)


@given(GRAPHS, st.lists(NAMES, max_size=3), NAMES)
def test_an_entry_goes_with_everything_that_it_depends_on(
    graph: dict[str, list[str]], labels: list[str], gone: str
) -> None:
    """Up the graph when it is kept, or down when something is invalidated: both find the same. Circles included."""
    known = Dependencies(graph)
    entry = kept("e", *labels)
    (what,) = known.downward(Invalidation(labels=(gone,)))
    flat = replace(entry, labels=known.upward(labels, "team"))
    assert what.covers(entry) == what.covers(flat) == Invalidation(labels=(gone,)).covers(flat)


@given(GRAPHS)
def test_circles_are_those_who_reach_themselves(graph: dict[str, list[str]]) -> None:
    known = Dependencies(graph)
    in_circles = {name for circle in known.cycles() for name in circle}
    for name, labels in graph.items():
        assert (name in in_circles) == (name in known.upward(labels, ""))


def test_circles_are_told_once_each() -> None:
    assert Dependencies(CONFIGURED).cycles() == []
    circles = {"a": ["b"], "b": ["c"], "c": ["a", "d"], "d": ["d"], "e": ["a"]}
    assert Dependencies(circles).cycles() == [("a", "b", "c"), ("d",)]


async def test_an_entry_takes_the_labels_of_those_that_it_depends_on() -> None:
    known = Dependencies(CONFIGURED)
    known.add("doc:1", ["file:/late"])
    first = entry_label(key_of("first"))
    look = looking(kept("first", "doc:1", "entry:00"))
    found = await known.labels_for(["tool:search", first, "style"], "team", look, key_of("own"))
    assert sorted(found) == sorted(
        ["tool:search", first, "style", "file:/s", "doc:1", "entry:00", "file:/late", "entry:@"]
    )
    assert await known.labels_for([], "team", look, key_of("own")) == ()
    known.add("doc:1", [entry_label(key_of("second"))])
    look = looking(kept("first", "doc:1"), kept("second", "deep"))
    found = await known.labels_for([first], "team", look)
    assert sorted(found) == sorted([first, "doc:1", "file:/late", entry_label(key_of("second")), "deep", "entry:@"])
    with pytest.raises(Missing):
        await known.labels_for([first], "team", looking(kept("first", "doc:1")))


async def test_who_depends_on_an_entry_goes_with_its_namespace() -> None:
    """Also where that entry itself is not there any more."""
    known = Dependencies()
    tool = replace(kept("a"), namespace="tool é")
    labels = await known.labels_for([entry_label(tool.key)], "team", looking(tool))
    (what,) = known.downward(Invalidation("team", namespaces=("tool é",)))
    assert what.covers(replace(kept("b"), labels=labels))
    assert not what.covers(kept("c"))
    with pytest.raises(BadLabel):
        await known.labels_for(["entry:@x"], "team", looking())


async def test_an_entry_that_is_not_there_can_not_be_depended_upon() -> None:
    known = Dependencies()
    look = looking(kept("theirs", tenant="other"))
    for name in ("theirs", "nothing"):
        with pytest.raises(Missing, match=key_of(name).hex()):
            await known.labels_for([entry_label(key_of(name))], "team", look)


async def test_an_entry_can_not_depend_on_itself() -> None:
    known = Dependencies({"report": [entry_label(key_of("a"))]})
    a, b = entry_label(key_of("a")), entry_label(key_of("b"))
    look = looking(kept("a"), kept("b", a))
    assert await known.labels_for([b], "team", look, key_of("c")) == (b, a, "entry:@")
    for labels in ([a], [b], ["report"]):
        with pytest.raises(Cycle):
            await known.labels_for(labels, "team", look, key_of("a"))


async def test_too_many_labels_are_refused() -> None:
    known = Dependencies({"all": [f"t{n}" for n in range(MOST)]})
    with pytest.raises(BadLabel):
        known.upward(["all"], "team")
    look = looking(kept("a", *[f"t{n}" for n in range(MOST)]))
    with pytest.raises(BadLabel):
        await known.labels_for([entry_label(key_of("a"))], "team", look)
    with pytest.raises(BadLabel):
        known.add("all", ["more"])


@pytest.mark.parametrize(
    ("name", "labels"),
    [("two words", ["a"]), ("", ["a"]), ("a", [""]), ("a", ["entry:x"]), ("file:/x", ["a"]), ("entry:00", ["a"])],
)
def test_what_is_no_label_is_refused(name: str, labels: Iterable[str]) -> None:
    with pytest.raises(BadLabel):
        Dependencies({name: labels})


def test_there_are_not_more_than_so_many() -> None:
    known = Dependencies({"a": ["x"]}, most=2)
    known.add("b", ["x"], "team")
    known.add("a", ["y"])
    with pytest.raises(BadLabel, match="2 things"):
        known.add("c", ["x"], "other")
    assert len(known) == 2
