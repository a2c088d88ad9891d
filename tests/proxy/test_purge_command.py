"""`warmgate cache clear | event`: what they ask for, what they print, and of whom."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cache.invalidation import Invalidation
from cache.replicas import Reached
from proxy.config_problem import ConfigError
from tests.proxy.commands import against, at, command
from tests.proxy.desks import Doors, doors
from tests.proxy.test_purge_store import Store

GONE = {"deleted": 1, "semantic": 0, "exact": 1, "complete": True, "missing": []}
WOULD = {"dry_run": True, "would_delete": 2, "examples": ["a/b", "a/\x1b[31m"]}


async def filled(there: Doors) -> None:
    for name in ("tool/a", "tool/b", "file/c"):
        await there.value("PUT", name, b"x", cache_tags=f"t:{name[-1]}, all", x_warmgate_depends=f"prompt:{name[-1]}")


async def test_the_whole_way() -> None:
    async with doors("simulated") as there:
        await filled(there)
        told = "would delete 2; nothing has been done (--yes does it)\n    tool/a\n    tool/b\n"
        assert await at(there, "clear", "--pattern", "tool/*") == (0, told, "")
        assert (await at(there, "clear", "--tag", "all", "--dry-run"))[1].startswith("would delete 3;")
        gone = "deleted: 0 semantic, {} exact\n"
        assert await at(there, "clear", "--pattern", "tool/*", "--yes") == (0, gone.format(2), "")
        await filled(there)
        assert (await at(there, "clear", "--key", "tool/a", "--key", "tool/x"))[1] == gone.format(1)
        assert (await at(there, "clear", "--tag", "t:b", "--tag", "t:x"))[1] == gone.format(1)
        await filled(there)
        assert (await at(there, "clear", "--namespace", "file"))[1] == gone.format(1)
        assert (await at(there, "clear", "--depends", "prompt:b"))[1] == gone.format(1)
        assert (await at(there, "clear", "--everything"))[1] == gone.format(1)
        await there.value("PUT", "tool/a", b"x", cache_tags="tool:search")
        assert (await at(there, "event", "tool_changed", "name=search"))[1] == "noted; " + gone.format(1)
        code, _, err = await at(there, "event", "unheard")
        assert (code, err.count("unheard")) == (1, 1)


async def test_what_is_asked() -> None:
    _, fake = await against(WOULD, "clear", "--pattern", "a*")
    (seen,) = fake.seen
    assert (seen.method, seen.path, seen.headers["Authorization"]) == ("POST", "/cache/purge", "Bearer sk-one")
    assert json.loads(seen.body) == {"pattern": "a*", "dry_run": True}
    for flags, body in (
        (("--pattern", "a*", "--yes"), {"pattern": "a*", "dry_run": False}),
        (("--everything",), {"everything": True, "dry_run": False}),
        (("--everything", "--yes"), {"everything": True, "dry_run": False}),
        (("--key", "a/b", "--key", "c/d"), {"keys": ["a/b", "c/d"], "dry_run": False}),
        (("--tag", "t"), {"tags": ["t"], "dry_run": False}),
    ):
        _, fake = await against(GONE, "clear", *flags)
        assert json.loads(fake.seen[0].body) == body
    _, fake = await against(GONE | {"events": 1}, "event", "deploy", "version=a=b", "n=")
    assert fake.seen[0].path == "/cache/events"
    assert json.loads(fake.seen[0].body) == {"kind": "deploy", "version": "a=b", "n": ""}


async def test_what_is_printed_steers_no_terminal() -> None:
    (code, out, _), _ = await against(WOULD, "clear", "--pattern", "a*")
    assert (code, "\x1b" in out, out.splitlines()[2]) == (0, False, "    a/\\u001b[31m")
    (_, out, _), _ = await against(WOULD, "clear", "--pattern", "a*", "--json")
    assert json.loads(out) == WOULD


async def test_a_replica_that_is_late_is_named() -> None:
    async with doors("simulated") as there:
        there.replicas.reached = Reached(False, ("b", "c"), "no answer for 2 s")
        code, out, err = await at(there, "clear", "--tag", "x")
        told = "not confirmed yet by b, c (no answer for 2 s): what it holds may be served until its lease is over\n"
        assert (code, out, err) == (1, f"deleted: 0 semantic, 0 exact\n{told}", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("event", "deploy", "nonsense"),
        ("event", "deploy", "=x"),
        ("event", "deploy", "kind=x"),
        ("event", "deploy", "a=1", "a=2"),
        ("clear", "--everything", "--tenant", "a"),
        ("clear", "--everything", "--config", "x.yaml"),
        ("clear", "--everything", "--store"),
        ("clear", "--everything", "--store", "--config", "x.yaml"),
    ],
)
def test_what_can_not_be_asked(arguments: tuple[str, ...]) -> None:
    code, out, err = command(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    "arguments",
    [("clear",), ("clear", "--tag", "a", "--key", "b"), ("clear", "--tag", "a", "--yes", "--dry-run"), ("event",)],
)
def test_usage(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        command(*arguments)
    assert ended.value.code == 2


# The store itself


def test_a_store_is_told_first_and_cleared_when_told(tmp_path: Path) -> None:
    config, store = tmp_path / "c.yaml", Store()
    config.write_text("cache: {multi_level: {l1: {ttl: 5}}}")
    flags = ("clear", "--store", "--config", str(config))
    code, out, err = command(*flags, "--everything", opens=store)
    assert (code, out.splitlines()[0], err) == (0, "would delete 2; nothing has been done (--yes does it)", "")
    assert store.seen == []
    code, out, _ = command(*flags, "--everything", "--yes", opens=store)
    assert (code, out) == (0, "deleted: 0 semantic, 0 exact\n")
    assert store.seen == [Invalidation(everything=True)]
    assert store.settings is not None
    assert store.settings.cache.multi_level.l1.ttl == 5
    code, out, _ = command(*flags, "--tag", "t", "--tenant", "a", "--yes", "--json", opens=store)
    assert (code, json.loads(out)["complete"]) == (0, True)
    assert store.seen[1:] == [Invalidation("a", labels=("t",))]
    assert store.closed == 3


def test_a_store_that_fails_or_is_not_everywhere(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("")
    flags = ("clear", "--store", "--config", str(config), "--everything", "--yes")
    code, out, err = command(*flags, opens=Store(failed=True))
    assert (code, out) == (1, "")
    assert "a level failed" in err
    assert command(*flags, opens=Store(reached=Reached(False, ("b",))))[0] == 1


def test_a_store_of_no_configuration(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("cach: {}")
    with pytest.raises(ConfigError):
        command("clear", "--store", "--config", str(config), "--everything", opens=Store())
    config.write_text("")
    flags = ("clear", "--store", "--config", str(config), "--yes")
    for what in (("--key", "tool/a"), ("--depends", "entry:tool/a"), ("--key", "0123456789abcdef"), ("--tag", "a b")):
        code, out, err = command(*flags, *what, opens=Store())
        assert (code, out, err.count("\n")) == (2, "", 1)
