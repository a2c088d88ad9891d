"""Clearing a store without asking a running proxy: for the operator, who is no tenant and may be all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

from adapters.errors import Refused
from cache.invalidation import Invalidation
from cache.value_key import value_key
from proxy.config import Settings
from proxy.purge_desk import WHOLE, removed
from proxy.purge_told import Answered, Invalidates, done, would_go
from proxy.purge_wish import Purge
from proxy.value_depends import label_of
from proxy.value_path import Place

Opens = Callable[[Settings, Mapping[str, str]], AbstractAsyncContextManager[Invalidates]]
"""Opens the files and the Redis of a configuration. Proxies that run on them hear of what is invalidated."""


async def clear_store(
    settings: Settings, env: Mapping[str, str], opens: Opens, purge: Purge, tenant: str | None
) -> Answered:
    """`tenant`: None for all of them. Raises `Refused` for what can't be said so, and where a level fails."""
    labels, keys = _labels(purge, tenant), _keys(purge, tenant)
    namespaces = () if purge.namespace is None else (purge.namespace,)
    what = Invalidation(tenant, keys, labels, namespaces, purge.everything)
    pattern = purge.pattern or ("*" if purge.everything else "")
    async with opens(settings, env) as invalidator:
        if purge.dry_run:
            found = await invalidator.matching(tenant, pattern=pattern, labels=labels, namespaces=namespaces)
            return would_go(found)
        if purge.pattern:
            found = await invalidator.matching(tenant, pattern=pattern)
            return done(await removed(invalidator, tenant, found.keys))
        return done(await invalidator.invalidate(what))


def _labels(purge: Purge, tenant: str | None) -> tuple[str, ...]:
    if tenant is None and any(isinstance(each, Place) for each in purge.depends):
        raise Refused(400, "a value is named by its tenant as well: say --tenant", param="depends")
    return (*purge.tags, *[label_of(each, tenant or "") for each in purge.depends])


def _keys(purge: Purge, tenant: str | None) -> tuple[bytes, ...]:
    if purge.keys and purge.dry_run:
        raise Refused(400, "a key names one entry, which is not told before: say --yes", param="keys")
    found = []
    for each in purge.keys:
        if isinstance(each, Place):
            if tenant is None:
                raise Refused(400, "a value is named by its tenant as well: say --tenant", param="keys")
            found.append(value_key(tenant, each.namespace, each.name or ""))
        elif len(each) < WHOLE:
            raise Refused(400, f"a key of a store is told as a whole, in {WHOLE} hexadecimal digits", param="keys")
        else:
            found.append(bytes.fromhex(each))
    return tuple(found)
