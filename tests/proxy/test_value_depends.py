"""What stands for a thing that a value depends on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from adapters.errors import Refused
from cache.dependencies import Dependencies
from cache.depending import Depending
from cache.entry import Entry
from cache.files import Files
from cache.value_key import value_key
from proxy.value_depends import Labels, label_of
from proxy.value_path import Place
from proxy.value_told import entry_of
from proxy.value_wish import Answer, Depend, File, Named
from tests.fakes import Clock

KEY = value_key("t", "n", "k")


class Kept:
    """Entries of the tenant `t`, by name, in the namespace `n`."""

    def __init__(self, root: Path) -> None:
        self.clock = Clock(2e9)  # no file is young
        self.depending = Depending(Dependencies({"prompt:x": ["doc:y"]}), Files(self.clock, [root]))
        self.labels = Labels(self.depending)
        self.entries: dict[bytes, Entry] = {}

    def add(self, name: str, *labels: str, tenant: str = "t") -> Entry:
        place, key = Place("n", name), value_key(tenant, "n", name)
        entry = entry_of(
            tenant, place, key, b"", content_type="x/y", etag='"e"', labels=labels, now=self.clock(), ttl=60.0
        )
        self.entries[key] = entry
        return entry

    async def look(self, key: bytes) -> Entry | None:
        return self.entries.get(key)

    async def of(self, *depends: Depend) -> tuple[str, ...]:
        return await self.labels.labels(["tag"], depends, "t", KEY, self.look)


def test_labels() -> None:
    assert label_of(File("//a/./b//c"), "t") == "file:/a/b/c"
    assert label_of(File("/a b,c", 5), "t") == "file:/a b,c"
    assert label_of(Answer(b"\x01" * 32), "t") == "entry:" + "01" * 32
    assert label_of(Named("prompt:x"), "t") == "prompt:x"


def test_an_entry_is_one_of_this_tenant() -> None:
    one, other = (label_of(Place("n", "k"), tenant) for tenant in ("one", "other"))
    assert one == "entry:" + value_key("one", "n", "k").hex() != other


async def test_an_entry_carries_what_it_depends_on_has(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    source = kept.add("source", "inner", "put:1")
    found = await kept.of(Place("n", "source"), Named("prompt:x"))
    assert set(found) == {"tag", "prompt:x", "doc:y", f"entry:{source.key.hex()}", "entry:@n", "inner", "put:1"}
    assert set(await kept.of(Answer(source.key))) == {"tag", f"entry:{source.key.hex()}", "entry:@n", "inner", "put:1"}


async def test_a_file_is_witnessed(tmp_path: Path) -> None:
    kept, file = Kept(tmp_path), tmp_path / "a,b"
    file.write_text("x")
    status = file.stat()
    labels = await kept.of(File(str(file), status.st_mtime_ns, status.st_size))
    assert label_of(File(str(file)), "t") in labels
    entry = replace(kept.add("k"), labels=labels)
    assert kept.depending.current(entry)
    file.write_text("xy")
    assert not kept.depending.current(entry)


@pytest.mark.parametrize(("mtime", "size"), [(5, None), (None, 2), (5, 1)])
async def test_a_file_that_changed_since_it_was_read(tmp_path: Path, mtime: int | None, size: int | None) -> None:
    kept, file = Kept(tmp_path), tmp_path / "a"
    file.write_text("x")
    with pytest.raises(Refused) as refused:
        await kept.of(File(str(file), mtime, size))
    assert (refused.value.status, refused.value.code) == (409, "dependency_changed")


async def test_what_can_not_be_depended_upon(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.add("other", tenant="u")
    kept.entries[value_key("t", "n", "mine")] = kept.add("theirs", tenant="u")
    kept.add("circle", f"entry:{KEY.hex()}")
    full = [Named(f"t:{n}") for n in range(64)]
    for depends, status, code in (
        ([Place("n", "nothing")], 409, "dependency_missing"),
        ([Place("n", "other")], 409, "dependency_missing"),
        ([Place("n", "mine")], 409, "dependency_missing"),
        ([Place("n", "k")], 409, "dependency_missing"),
        ([Place("n", "circle")], 409, "dependency_cycle"),
        ([File("/etc/hostname")], 400, None),
        ([File(f"{tmp_path}/../x")], 400, None),
        ([File(str(tmp_path))], 400, None),
        ([File(str(tmp_path / "\udcff"))], 400, None),
        (full, 400, None),
    ):
        with pytest.raises(Refused) as refused:
            await kept.of(*depends)
        assert (refused.value.status, refused.value.code) == (status, code)
        assert refused.value.param == "X-Warmgate-Depends"
    with pytest.raises(Refused) as refused:
        await kept.labels.labels([f"t:{n}" for n in range(65)], [], "t", KEY, kept.look)
    assert (refused.value.status, refused.value.param) == (400, "Cache-Tags")


async def test_what_is_turned_off_is_not_ignored(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    off = Labels(kept.depending, tags=False, dependencies=False)
    assert await off.labels([], [], "t", KEY, kept.look) == ()
    for tags, depends, param in ((["a"], [], "Cache-Tags"), ([], [Named("prompt:x")], "X-Warmgate-Depends")):
        with pytest.raises(Refused) as caught:
            await off.labels(tags, depends, "t", KEY, kept.look)
        assert (caught.value.status, caught.value.param) == (400, param)
