"""What no single type can say: settings that contradict each other, and what they need from their surroundings.

Contradictions are found whenever settings are read. Variables and files are looked at only where a process is about to
depend on them (`check`, `serve`): a configuration must be readable on a machine that holds none of its secrets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from proxy.config import SIMULATED, Settings
from proxy.config_problem import ConfigError, Problem, Trail
from proxy.config_value import TEXTS

KEYS: Trail = ("tenants", "keys")
MODE: Trail = ("tenants", "mode")
PROVIDER: Trail = ("upstream", "api_key_env")

SOCKET_LIMIT = 107
"""Bytes of a Unix socket's path (unix(7): 108 with the final NUL; macOS allows 103)."""


@dataclass(frozen=True, slots=True)
class Objection:
    """`because` names further settings that it rests on: where one of those is wrong, so may this be."""

    trail: Trail
    message: str
    because: tuple[Trail, ...] = ()


def contradictions(settings: Settings) -> Iterator[Objection]:
    tenants, upstream = settings.tenants, settings.upstream
    if tenants.mode == "managed":
        if not tenants.keys:
            yield Objection(KEYS, "managed mode needs at least one key", (MODE,))
        if upstream.api_key_env is None and upstream.base_url != SIMULATED:
            message = "managed mode needs the name of the variable that holds the provider's key"
            yield Objection(PROVIDER, message, (MODE, ("upstream", "base_url")))
    else:
        # Ignored in silence, both would leave their author with a proxy that is open where it looks closed.
        if tenants.keys:
            yield Objection(KEYS, "keys take effect only with `tenants.mode: managed`", (MODE,))
        if upstream.api_key_env is not None:
            yield Objection(PROVIDER, "takes effect only with `tenants.mode: managed`", (MODE,))
    if settings.listen.unix is not None and settings.listen.workers > 1:
        yield Objection(("listen", "workers"), "a Unix socket is served by one process", (("listen", "unix"),))
    yield from _key_entries(settings)


def _key_entries(settings: Settings) -> Iterator[Objection]:
    seen: dict[tuple[str, str], int] = {}
    for index, entry in enumerate(settings.tenants.keys):
        if (entry.key is None) == (entry.key_env is None):
            yield Objection((*KEYS, index), "needs exactly one of `key` and `key_env`")
            continue
        name, value = ("key", entry.key) if entry.key is not None else ("key_env", entry.key_env)
        first = seen.setdefault((name, value or ""), index)
        if first != index:
            yield Objection((*KEYS, index, name), f"is the same as in tenants.keys[{first}]")


def unmet(settings: Settings, env: Mapping[str, str]) -> Iterator[Objection]:
    """What the surroundings lack: variables that are not set, places in the file system that can't be used."""
    yield from _variables(settings, env)
    if settings.listen.unix is not None:
        path = located(settings.listen.unix, env)
        if len(bytes(path)) > SOCKET_LIMIT:
            yield Objection(
                ("listen", "unix"), f"is longer than the {SOCKET_LIMIT} bytes that a socket's path may have"
            )
        elif not path.parent.is_dir():
            yield Objection(("listen", "unix"), "lies in a directory that does not exist")
    if stores_on_disk(settings):
        trail: Trail = ("cache", "multi_level", "l2", "persistence_path")
        path = store_path(settings, env)
        if path.is_dir():
            yield Objection(trail, "is a directory; it must name the file in it")
        elif _blocked(path.parent):
            yield Objection(trail, "can't be created: a part of the path is a file")
    if settings.record.dir is not None and _blocked(located(settings.record.dir, env)):
        yield Objection(("record", "dir"), "is no directory: it, or a part of the path, is a file")


def _variables(settings: Settings, env: Mapping[str, str]) -> Iterator[Objection]:
    provider = settings.upstream.api_key_env
    if provider is not None and not env.get(provider, "").strip():
        yield Objection(PROVIDER, f"the variable {provider} is not set")
    seen: dict[str, int] = {}
    for index, entry in enumerate(settings.tenants.keys):
        value = entry.key if entry.key_env is None else env.get(entry.key_env, "").strip()
        trail: Trail = (*KEYS, index, "key" if entry.key_env is None else "key_env")
        if entry.key_env is not None and not value:
            yield Objection(trail, f"the variable {entry.key_env} is not set")
        elif value and TEXTS["secret"](value):
            yield Objection(trail, f"the variable {entry.key_env} holds no key: it {TEXTS['secret'](value)}")
        elif value:
            first = seen.setdefault(value, index)
            other = settings.tenants.keys[first]
            # Two entries that are written alike are a contradiction, and reported as one.
            if first != index and (other.key, other.key_env) != (entry.key, entry.key_env):
                yield Objection(trail, f"is the same key as that of tenants.keys[{first}]")


def _blocked(directory: Path) -> bool:
    """Whether something that is no directory stands where this one, or one above it, would have to be."""
    for path in (directory, *directory.parents):
        if path.exists():
            return not path.is_dir()
    return False


def resolve_keys(settings: Settings, env: Mapping[str, str]) -> dict[str, str]:
    """The tenant of every key that the proxy issued; white space around a variable's value does not count.

    Raises `ConfigError` naming the variable that is not set, holds no key, or holds a key of another entry.
    """
    lacking = [Problem(entry.trail, entry.message) for entry in _variables(settings, env) if entry.trail[:2] == KEYS]
    if lacking:
        raise ConfigError(lacking)
    keys = settings.tenants.keys
    return {entry.key if entry.key_env is None else env[entry.key_env].strip(): entry.tenant for entry in keys}  # type: ignore[misc]


def provider_key(settings: Settings, env: Mapping[str, str]) -> str | None:
    """The provider's key of managed mode; None where there is none to send. Raises `ConfigError`."""
    name = settings.upstream.api_key_env
    if name is None:
        return None
    value = env.get(name, "").strip()
    if not value:
        raise ConfigError([Problem(PROVIDER, f"the variable {name} is not set")])
    return value


def stores_on_disk(settings: Settings) -> bool:
    cache = settings.cache
    return cache.enabled and cache.exact.enabled and cache.multi_level.enabled and cache.multi_level.l2.enabled


def store_path(settings: Settings, env: Mapping[str, str]) -> Path:
    """The file of L2. The XDG base directory specification: a relative `XDG_CACHE_HOME` is ignored."""
    path = settings.cache.multi_level.l2.persistence_path
    if path is not None:
        return located(path, env)
    base = env.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else located("~/.cache", env)) / "warmgate" / "answers.sqlite"


def located(path: str, env: Mapping[str, str]) -> Path:
    if not path.startswith("~/"):
        return Path(path)
    home = env.get("HOME", "")
    return (Path(home) if home else Path.home()) / path[2:]
