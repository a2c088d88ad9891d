"""The doors of the cache, as the settings want them."""

from __future__ import annotations

import secrets
from functools import partial

from adapters.vocabulary import Clock
from cache.exact import Exact
from cache.items import Items
from proxy.beside import Beside
from proxy.cache_desk import CacheDesk
from proxy.cache_desk import Semantic as Answers
from proxy.cache_notes import Notes
from proxy.config import Settings
from proxy.equivalents import Equivalents
from proxy.storage import Storage
from proxy.upstreams import Upstreams
from proxy.value_depends import Labels
from proxy.value_desk import Bounds, ValueDesk


def cache_room(
    settings: Settings,
    store: Storage,
    aside: Beside,
    exact: Exact | None,
    items: Items | None,
    near: Equivalents | None,
    upstreams: Upstreams,
    notes: Notes,
    wall: Clock,
) -> CacheDesk:
    given, on = settings.cache.values, settings.cache.enabled and settings.cache.exact.enabled
    labelled = settings.cache.invalidation
    hybrid = labelled.strategy == "hybrid"
    values = ValueDesk(
        levels=store.tiers,
        invalidator=aside.invalidator,
        depends=Labels(
            store.depending,
            tags=labelled.enable_tagging and hybrid,
            dependencies=labelled.enable_dependencies and hybrid,
        ),
        bounds=Bounds(given.max_value, given.max_key, settings.cache.invalidation.default_ttl),
        wall=wall,
        words=partial(secrets.token_hex, 16),
    )
    return CacheDesk(
        levels=store.tiers,
        exact=exact,
        items=items,
        semantic=Answers(near.layer, near.store, near.audit.heard) if near else None,
        admission=upstreams.admission,
        notes=notes,
        wall=wall,
        invalidator=aside.invalidator if on or near is not None else None,
        values=values if on and given.enabled else None,
    )
