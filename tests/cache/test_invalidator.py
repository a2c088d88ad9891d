from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from cache.dependencies import Dependencies
from cache.entry import Entry, Shape
from cache.files import Files
from cache.invalidation import Invalidation
from cache.invalidation_events import BadEvent, Events, UnknownEvent
from cache.invalidator import UNSWEPT, Hearing, Invalidator, Matching, Outcome, name_of
from cache.labels import BadLabel, entry_label
from cache.memory import Memory
from cache.replicas import Nobody, Reached
from cache.tiers import Tiers
from cache.wildcard import BadPattern
from tests.cache.contract import Clock, entry_of, key_of


class Steps:
    """Levels, a semantic store and replicas that write down what is asked of them, each in its place."""

    trusted = True

    def __init__(self) -> None:
        self.told: list[tuple[str, Invalidation]] = []
        self.fails: dict[str, Any] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.entries: list[Entry] = []
        self.cascade: Callable[[Invalidation], Awaitable[object]] = self.hear

    async def _step(self, name: str, what: Invalidation, result: Any) -> Any:
        if name in self.gates:
            await self.gates[name].wait()
        await asyncio.sleep(0)
        self.told.append((name, what))
        return self.fails.get(name, result)

    async def invalidate(self, what: Invalidation) -> set[bytes] | None:
        gone = {entry.key for entry in self.entries if what.covers(entry)}
        removed: set[bytes] | None = await self._step("levels", what, gone)
        return removed

    async def hear(self, what: Invalidation) -> None:
        await self._step("hear", what, None)

    async def sweep(self, what: Invalidation) -> bool:
        return bool(await self._step("sweep", what, True))

    async def publish(self, what: Invalidation) -> Reached:
        reached: Reached = await self._step("publish", what, Reached(complete=True))
        return reached

    async def look(self, key: bytes) -> tuple[Entry, str] | None:
        await asyncio.sleep(0)
        return next(((entry, "l1") for entry in self.entries if entry.key == key), None)

    def starting(self, prefix: bytes) -> list[bytes]:
        return [entry.key for entry in self.entries] + [key_of("gone meanwhile")]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.told]


class Rows:
    def __init__(self, steps: Steps) -> None:
        self.steps = steps

    async def invalidate(self, what: Invalidation) -> int | None:
        rows: int | None = await self.steps._step("semantic", what, 2)
        return rows


@pytest.fixture
def steps() -> Steps:
    return Steps()


def made(steps: Steps, **other: Any) -> Invalidator:
    depends = {"prompt:a": ["file:/p"]}
    return Invalidator(steps, Rows(steps), steps, Dependencies(depends), **other)


WHAT = Invalidation("team", labels=("x",))


async def test_it_is_acknowledged_when_all_have_done_their_part_in_order(steps: Steps) -> None:
    steps.entries = [entry_of(1, Clock(), tenant="team", labels=("x",)), entry_of(2, Clock(), tenant="team")]
    assert await made(steps).invalidate(WHAT) == Outcome(1, 2, Reached(complete=True), failed=False)
    assert steps.told == [(name, WHAT) for name in ("levels", "semantic", "publish", "sweep")]


async def test_an_invalidation_takes_what_depends_on_it(steps: Steps) -> None:
    invalidator = made(steps)
    await invalidator.invalidate(Invalidation("team", labels=("file:/p",), keys=(key_of(1),)))
    assert {what for _, what in steps.told} == {
        Invalidation("team", (key_of(1),), ("file:/p", entry_label(key_of(1)), "prompt:a"))
    }


async def test_names_of_tenants_go_for_their_tenants(steps: Steps) -> None:
    depends = Dependencies({"prompt:a": ["file:/p"]})
    depends.add("mine", ["prompt:a"], "team")
    steps.fails = {"levels": {b"k"}}
    outcome = await Invalidator(steps, None, steps, depends).invalidate(Invalidation(labels=("file:/p",)))
    assert [what for name, what in steps.told if name == "publish"] == [
        Invalidation(labels=("file:/p", "prompt:a")),
        Invalidation("team", labels=("mine",)),
    ]
    assert outcome == Outcome(1, 0, Reached(complete=True), failed=False)


@pytest.mark.parametrize(
    ("fails", "outcome"),
    [
        ({"levels": None}, Outcome(0, 2, Reached(complete=True), failed=True)),
        ({"semantic": None}, Outcome(0, 0, Reached(complete=True), failed=True)),
        ({"sweep": False}, Outcome(0, 2, Reached(False, (), UNSWEPT), failed=False)),
        ({"publish": Reached(False, ("b",), "x")}, Outcome(0, 2, Reached(False, ("b",), "x"), failed=False)),
        ({"publish": Reached(False, ("b",)), "sweep": 0}, Outcome(0, 2, Reached(False, ("b",)), failed=False)),
    ],
)
async def test_what_fails_is_told_and_everybody_else_does_his_part(
    fails: dict[str, Any], outcome: Outcome, steps: Steps
) -> None:
    steps.fails = fails
    assert await made(steps).invalidate(WHAT) == outcome
    assert steps.names == ["levels", "semantic", "publish", "sweep"]


async def test_several_at_once_do_not_wait_for_each_other(steps: Steps) -> None:
    steps.gates["publish"] = asyncio.Event()
    invalidator = made(steps)
    both = asyncio.gather(invalidator.invalidate(WHAT), invalidator.invalidate(WHAT))
    for _ in range(20):
        await asyncio.sleep(0)
    assert steps.names == ["levels", "levels", "semantic", "semantic"]
    steps.gates["publish"].set()
    assert [outcome.failed for outcome in await both] == [False, False]


async def test_what_went_is_told_to_who_makes_it_anew(steps: Steps) -> None:
    steps.entries = [entry_of(n, Clock(), tenant="team", labels=("x",)) for n in range(3)]
    told: list[set[bytes]] = []
    invalidator = made(steps, rewarm=told.append)
    await invalidator.invalidate(WHAT)
    await invalidator.invalidate(Invalidation("team", labels=("other",)))
    assert told == [{key_of(n) for n in range(3)}]


async def test_no_text_is_no_label(steps: Steps) -> None:
    for what in (Invalidation("\ud800"), Invalidation(labels=("\ud800",)), Invalidation(namespaces=("a", "\udfff"))):
        with pytest.raises(BadLabel):
            await made(steps).invalidate(what)
    assert steps.told == []


async def test_a_replica_that_hears_does_the_same_for_itself(steps: Steps) -> None:
    depends = Dependencies({"prompt:a": ["file:/p"]})
    await Hearing(steps, Rows(steps), depends)(Invalidation(labels=("file:/p",)))
    wide = Invalidation(labels=("file:/p", "prompt:a"))
    assert steps.told == [("hear", wide), ("semantic", wide)]
    await Hearing(steps, None, depends)(WHAT)
    assert steps.told[2:] == [("hear", WHAT)]


# -- events --------------------------------------------------------------------------------------------------------


async def test_an_event_takes_what_it_means(steps: Steps) -> None:
    events = Events({"deploy": ["release:{service}"], "reset": ["*"]})
    invalidator = made(steps, events=events)
    await invalidator.event("deploy", {"service": "api"}, "team")
    await invalidator.event("reset", {}, "team")
    await invalidator.event("file_changed", {"path": "/p"}, None)
    assert [what for name, what in steps.told if name == "levels"] == [
        Invalidation("team", labels=("release:api",)),
        Invalidation("team", everything=True),
        Invalidation(labels=("file:/p", "prompt:a")),
    ]
    with pytest.raises(UnknownEvent):
        await invalidator.event("nothing", {}, None)
    with pytest.raises(BadEvent):
        await invalidator.event("deploy", {}, None)
    with pytest.raises(BadLabel):
        await invalidator.event("reset", {}, "\ud800")


async def test_an_event_of_a_link_is_one_of_its_file(tmp_path: Path, steps: Steps) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("file")
    invalidator = made(steps, files=Files(Clock(), [tmp_path]))
    await invalidator.event("file_changed", {"path": f"{tmp_path}//link"}, "team")
    await invalidator.event("file_changed", {"path": "/elsewhere/file"}, "team")
    assert [what.labels for name, what in steps.told if name == "levels"] == [
        (f"file:{tmp_path}/link", f"file:{tmp_path}/file"),
        ("file:/elsewhere/file",),
    ]


async def test_files_that_changed_are_forgotten_when_what_depends_on_them_is_gone(tmp_path: Path, steps: Steps) -> None:
    files = Files(Clock(), [tmp_path])
    for n in range(100):
        files.witnessed(files.labels(f"{tmp_path}/{n}"))
        (tmp_path / str(n)).write_text("")
    invalidator = made(steps, files=files)
    moved = files.moved(files.paths)
    steps.fails = {"levels": None}
    with pytest.raises(OSError, match="could not be removed"):
        await invalidator.files_changed(moved)
    assert len(files.paths) == 100
    steps.fails, steps.told = {"levels": {b"k"}}, []
    outcome = await invalidator.files_changed(moved)
    assert (outcome.removed, outcome.failed) == (2, False)
    assert not files.paths
    labels = [label for name, what in steps.told if name == "levels" for label in what.labels]
    assert labels == [f"file:{tmp_path}/{n}" for n in range(100)]


# -- dry runs ------------------------------------------------------------------------------------------------------


def value(name: str, namespace: str = "tool", tenant: str = "team", labels: tuple[str, ...] = ()) -> Entry:
    headers = (("X-Warmgate-Key", name),)
    facts = {"namespace": namespace, "tenant": tenant, "headers": headers, "labels": labels}
    return entry_of(f"{tenant}{namespace}{name}"[-32:], Clock(), shape=Shape.VALUE, **facts)


ENTRIES = [
    value("weather%2FBerlin", labels=("doc:1", "file:@1.2.3.@/x/doc:2")),
    value("weather%2FRome", labels=("doc:2",)),
    value("weather%2FRome", tenant="other", labels=("doc:1",)),
    entry_of("answer", Clock(), tenant="team", namespace="llm.response", headers=()),
]


@pytest.mark.parametrize(
    ("tenant", "asked", "found"),
    [
        ("team", {"pattern": "tool/*"}, [0, 1]),
        ("team", {"pattern": "tool/weather/?o*"}, [1]),
        ("team", {"pattern": "*"}, [0, 1, 3]),
        (None, {"pattern": "*/Rome"}, [1, 2]),
        ("team", {"pattern": "llm.response/*"}, [3]),
        ("team", {"pattern": f"llm.response/{key_of('answer').hex()}"}, [3]),
        ("team", {"pattern": "tool"}, []),
        ("team", {"labels": ["doc:1"]}, [0]),
        ("team", {"labels": ["doc:*"]}, [0, 1]),
        ("team", {"labels": ["*doc:2"]}, [1]),
        ("team", {"namespaces": ["t*"], "labels": ["doc:1"]}, [0, 1]),
        ("team", {"namespaces": ["tool", "llm.response"]}, [0, 1, 3]),
        ("nobody", {"pattern": "*"}, []),
        ("team", {}, []),
    ],
)
async def test_a_dry_run_tells_what_would_go(
    tenant: str | None, asked: dict[str, Any], found: list[int], steps: Steps
) -> None:
    steps.entries = ENTRIES
    matching = await made(steps).matching(tenant, **asked)
    expected = [steps.entries[at] for at in found]
    assert matching == Matching(tuple(e.key for e in expected), tuple(map(name_of, expected)))
    assert steps.told == []


async def test_a_dry_run_tells_ten_names(steps: Steps) -> None:
    steps.entries = [value(f"n{n}") for n in range(300)]
    matching = await made(steps).matching("team", pattern="tool/*")
    assert (len(matching.keys), matching.examples) == (300, tuple(f"tool/n{n}" for n in range(10)))
    with pytest.raises(BadPattern):
        await made(steps).matching("team", pattern="*a" * 20)


# -- over real levels ----------------------------------------------------------------------------------------------


class Telling(Nobody):
    def __init__(self) -> None:
        self.told: list[Invalidation] = []

    async def publish(self, what: Invalidation) -> Reached:
        self.told.append(what)
        return await super().publish(what)


async def test_an_entry_that_is_replaced_takes_those_that_depend_on_it() -> None:
    clock = Clock()
    tiers = Tiers(Memory(10, 1 << 20, 100, clock), None, clock=clock)
    depends = Dependencies()
    replicas = Telling()
    invalidator = Invalidator(tiers, None, replicas, depends)
    base = value("base")

    async def look(key: bytes) -> Entry | None:
        found = await tiers.look(key)
        return found[0] if found is not None else None

    async def keep(name: str, *on: str, namespace: str = "analysis") -> Entry:
        labels = await depends.labels_for(on, "team", look)
        entry = value(name, namespace, labels=labels)
        assert await tiers.put(entry, tiers.mark())
        return entry

    await tiers.put(base)
    first = await keep("first", entry_label(base.key))
    second = await keep("second", entry_label(first.key))
    assert await tiers.put(base)
    assert [tiers.holds(entry.key) for entry in (base, first, second)] == [True, False, False]
    assert replicas.told == [Invalidation("team", labels=(entry_label(base.key),))]
    await keep("first", entry_label(base.key))
    outcome = await invalidator.invalidate(Invalidation("team", namespaces=("tool",)))
    assert outcome == Outcome(2, 0, Reached(complete=True), failed=False)
    assert tiers.starting(b"") == []
