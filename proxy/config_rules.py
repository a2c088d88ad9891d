"""What no single type can say: settings that contradict each other, and what they need from their surroundings.

Contradictions are found whenever settings are read. Variables and files are looked at only where a process is about to
depend on them (`check`, `serve`): a configuration must be readable on a machine that holds none of its secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from proxy.config import SIMULATED, Settings, Upstream
from proxy.config_problem import ConfigError, Problem, Trail
from proxy.config_value import TEXTS
from proxy.providers import DEFAULT, KNOWN, keyless, network, variable_of, ways

KEYS: Trail = ("tenants", "keys")
MODE: Trail = ("tenants", "mode")
PROVIDER: Trail = ("upstream", "api_key_env")

NEEDS_KEY = "managed mode needs the name of the variable that holds the provider's key"
ONLY_MANAGED = "takes effect only with `tenants.mode: managed`"
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token (RFC 9110 §5.6.2)."""

SHORTEST_SECRET = 8
"""Characters; a shorter value of a header (`1`, `true`) is none, and taking it out of logs would tear them up."""

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
            yield Objection(PROVIDER, NEEDS_KEY, (MODE, ("upstream", "base_url")))
    else:
        # Ignored in silence, both would leave their author with a proxy that is open where it looks closed.
        if tenants.keys:
            yield Objection(KEYS, "keys take effect only with `tenants.mode: managed`", (MODE,))
        if upstream.api_key_env is not None:
            yield Objection(PROVIDER, ONLY_MANAGED, (MODE,))
    if settings.listen.unix is not None and settings.listen.workers > 1:
        yield Objection(("listen", "workers"), "a Unix socket is served by one process", (("listen", "unix"),))
    if settings.pruning.mode != "off" and not settings.warming.enabled:
        message = "needs `warming.enabled`: what it may take out depends on what the provider is believed to hold"
        yield Objection(("pruning", "mode"), message, (("warming", "enabled"),))
    yield from _levels(settings)
    yield from _semantic(settings)
    yield from _key_entries(settings)
    yield from _upstreams(settings)
    yield from _routes(settings)


def _levels(settings: Settings) -> Iterator[Objection]:
    given = settings.cache
    l1: Trail = ("cache", "multi_level", "l1")
    adaptive = given.multi_level.l1.adaptive
    if adaptive.enabled and not adaptive.min_size <= given.multi_level.l1.max_size <= adaptive.max_size:
        told = "must lie between `adaptive.min_size` and `adaptive.max_size`: sizing begins with it"
        yield Objection((*l1, "max_size"), told, ((*l1, "adaptive"),))
    trail: Trail = ("cache", "invalidation")
    for index, rule in enumerate(given.invalidation.tag_rules):
        if not any((rule.model, rule.tenant, rule.namespace, rule.path, rule.contains)):
            told = 'has no condition and would tag everything; if that is meant, say `model: "*"`'
            yield Objection((*trail, "tag_rules", index), told)
    for name in given.namespaces:
        if TEXTS["name"](name):
            yield Objection(("cache", "namespaces", name), TEXTS["name"](name))
    if given.warming.strategy == "time_based" and not given.warming.enable_time_based:
        told = "needs `enable_time_based`: else nobody keeps track of the hour"
        yield Objection(("cache", "warming", "strategy"), told, (("cache", "warming", "enable_time_based"),))
    if given.stale.while_revalidate and not given.stale.dollars:
        told = "needs `dollars`: what is stale is served because it is being asked for anew"
        yield Objection(("cache", "stale", "while_revalidate"), told, (("cache", "stale", "dollars"),))


def _semantic(settings: Settings) -> Iterator[Objection]:
    given = settings.cache.semantic
    trail: Trail = ("cache", "semantic")
    if given.audit.judge == "model" and given.audit.model is None:
        told = "is missing: `audit.judge: model` needs the name of one"
        yield Objection((*trail, "audit", "model"), told, ((*trail, "audit", "judge"),))
    if given.embedding.kind != "upstream":
        return
    name, where = given.embedding.upstream, (*trail, "embedding", "upstream")
    if name != DEFAULT and name not in KNOWN and name not in settings.upstreams:
        yield Objection(where, f"is no upstream; known: {', '.join((DEFAULT, *settings.upstreams, *KNOWN))}")
        return
    simulated = name == DEFAULT and settings.upstream.base_url == SIMULATED
    if settings.tenants.mode != "managed" and not simulated and not keyless(settings, name):
        message = "needs `tenants.mode: managed`, or an engine that takes any key: questions of many go together"
        yield Objection(where, message, (MODE,))


def _upstreams(settings: Settings) -> Iterator[Objection]:
    for name, upstream in settings.upstreams.items():
        trail: Trail = ("upstreams", name)
        if name == DEFAULT or TEXTS["name"](name):
            yield Objection(trail, "is taken: it stands for `upstream`" if name == DEFAULT else TEXTS["name"](name))
        if upstream.base_url is None and name not in KNOWN:
            yield Objection((*trail, "base_url"), f"is missing; known without one: {', '.join(KNOWN)}")
        if upstream.api_key_env is not None and settings.tenants.mode != "managed":
            yield Objection((*trail, "api_key_env"), ONLY_MANAGED, (MODE,))
    for name, upstream in (("upstream", settings.upstream), *settings.upstreams.items()):
        for header in upstream.headers:
            if not HEADER_NAME.fullmatch(header):
                where: Trail = ("upstream",) if name == "upstream" else ("upstreams", name)
                yield Objection((*where, "headers", header), "is no name of a header")


def _routes(settings: Settings) -> Iterator[Objection]:
    managed = settings.tenants.mode == "managed"
    for index, route in enumerate(settings.routes):
        for place, way in enumerate(ways(route)):
            trail: Trail = ("routes", index, *(("fallback", place - 1) if place else ()), "upstream")
            name = way.upstream
            if name != DEFAULT and name not in KNOWN and name not in settings.upstreams:
                known = ", ".join((DEFAULT, *settings.upstreams, *(name for name in KNOWN)))
                yield Objection(trail, f"is no upstream; known: {known}")
            elif managed and name != DEFAULT and not keyless(settings, name) and not _has_key(settings, name):
                yield Objection(("upstreams", name, "api_key_env"), NEEDS_KEY, (MODE, trail))
        if route.fallback and not managed:
            message = "needs `tenants.mode: managed`: a client's own key is good for one provider only"
            yield Objection(("routes", index, "fallback"), message, (MODE,))


def _has_key(settings: Settings, name: str) -> bool:
    return name in settings.upstreams and settings.upstreams[name].api_key_env is not None


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
    for name, upstream in network(settings).upstreams.items():
        where: Trail = ("upstream",) if name == DEFAULT else ("upstreams", name)
        provider = upstream.api_key_env
        if provider is not None and not env.get(provider, "").strip():
            yield Objection((*where, "api_key_env"), f"the variable {provider} is not set")
        for header, text in upstream.headers.items():
            variable = variable_of(text)
            if variable is not None and not env.get(variable, "").strip():
                yield Objection((*where, "headers", header), f"the variable {variable} is not set")
    redis = settings.cache.multi_level.l3
    if redis.enabled and find_spec("redis") is None:
        yield Objection(("cache", "multi_level", "l3"), "needs the extra: pip install 'warmgate[redis]'")
    if redis.enabled and redis.url_env is not None and not env.get(redis.url_env, "").strip():
        yield Objection(("cache", "multi_level", "l3", "url_env"), f"the variable {redis.url_env} is not set")
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


def provider_key(upstream: Upstream, env: Mapping[str, str], name: str = DEFAULT) -> str | None:
    """The provider's key of managed mode; None where there is none to send. Raises `ConfigError`."""
    variable = upstream.api_key_env
    if variable is None:
        return None
    value = env.get(variable, "").strip()
    if not value:
        where: Trail = PROVIDER if name == DEFAULT else ("upstreams", name, "api_key_env")
        raise ConfigError([Problem(where, f"the variable {variable} is not set")])
    return value


def provider_headers(upstream: Upstream, env: Mapping[str, str]) -> dict[str, str]:
    """The headers that go with every request to a provider, variables filled in."""
    named = {name: (variable_of(value), value) for name, value in upstream.headers.items()}
    return {name: env.get(var, "").strip() if var else value for name, (var, value) in named.items()}


def secrets_of(settings: Settings, env: Mapping[str, str]) -> set[str]:
    """Everything in the configuration and its variables that must never be shown. Raises `ConfigError`."""
    found = set(resolve_keys(settings, env))
    for name, upstream in network(settings).upstreams.items():
        sent = provider_headers(upstream, env).values()
        found |= {provider_key(upstream, env, name) or "", *(value for value in sent if len(value) >= SHORTEST_SECRET)}
    found.add(unquote(urlsplit(redis_url(settings, env)).password or ""))
    return found - {""}


def redis_url(settings: Settings, env: Mapping[str, str]) -> str:
    """Of L3."""
    given = settings.cache.multi_level.l3
    return env.get(given.url_env, "").strip() if given.url_env is not None else given.url


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
