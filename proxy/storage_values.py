"""From the settings of the cache to the values that its parts take."""

from __future__ import annotations

import os

from cache.files import Files
from cache.level import Share
from cache.presets import TIMES
from cache.tag_rules import BadRule, Rule, TagRules
from cache.tiers import Options
from proxy.config import Settings
from proxy.config_cache import Namespace
from proxy.config_problem import ConfigError, Problem, Trail

INVALIDATION: Trail = ("cache", "invalidation")


def grace_of(settings: Settings) -> float:
    """Seconds that levels keep what has expired."""
    stale = settings.cache.stale
    return max(stale.if_error, stale.while_revalidate)


def settle_of(settings: Settings) -> float:
    """Seconds in which an invalidation has reached all replicas, or is said not to have: longer than it waits for them
    and empties the shared level twice."""
    return max(30.0, 10.0 + 2 * settings.cache.invalidation.patience)


def options_of(settings: Settings) -> Options:
    store = settings.cache.multi_level
    return Options(
        policy=store.write_policy,
        flush_interval=store.flush_interval,
        promote_after=store.promote_after,
        grace=grace_of(settings),
        settle=settle_of(settings),
        ttls={name: ttl for name, given in settings.cache.namespaces.items() if (ttl := ttl_of(given)) is not None},
    )


def ttl_of(given: Namespace) -> float | None:
    """Seconds that anything of a namespace lives; None: as long as the levels keep it."""
    if given.ttl is not None:
        return given.ttl
    times = [each.ttl for each in (given.l1, given.l2, given.l3) if each.ttl is not None]
    times += TIMES[given.data] if given.data is not None else ()
    return max(times, default=None)


def shares_of(settings: Settings, level: int) -> dict[str, Share]:
    """What namespaces may take of L1 (0), L2 (1) and L3 (2)."""
    found = {}
    for name, given in settings.cache.namespaces.items():
        portion = (given.l1, given.l2, given.l3)[level]
        kind = TIMES[given.data] if given.data is not None else None
        usual = (kind[level] if level < len(kind) else kind[-1]) if kind is not None else None
        ttl = portion.ttl if portion.ttl is not None else given.ttl if given.ttl is not None else usual
        if portion.max_size is not None or portion.max_bytes is not None or ttl is not None:
            found[name] = Share(portion.max_size, portion.max_bytes, ttl)
    return found


def rules_of(settings: Settings) -> TagRules:
    rules = [
        Rule((each.tag,), each.model, each.tenant, each.namespace, each.path, each.contains)
        for each in settings.cache.invalidation.tag_rules
    ]
    try:
        return TagRules(rules)
    except BadRule as error:
        raise ConfigError([Problem((*INVALIDATION, "tag_rules"), str(error))]) from error


def depends_of(settings: Settings, files: Files) -> dict[str, tuple[str, ...]]:
    """Raises `BadLabel`."""
    given = settings.cache.invalidation.depends
    return {name: files.named(labels, os.getcwd()) for name, labels in given.items()}
