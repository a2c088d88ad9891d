"""What the exact cache would do with a request, and which recent request it is most like. Nothing is changed by asking,
nothing is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from adapters.embeddings import items_of
from adapters.vocabulary import Call, Clock
from cache.difference import MOST, excerpts
from cache.entry import Entry
from cache.exact import Exact
from cache.items import Items
from cache.key import item_keys, key_of
from cache.recall import too_old
from cache.recent import Recent, Seen, closest, differing, seen_of
from cache.tiers import Tiers
from proxy.redact import redact_text

LOOKED = 256
"""Items of a batch of embeddings that are looked up."""


async def exact_told(exact: Exact | None, call: Call, recent: Recent) -> dict[str, Any]:
    """`outcome` is `hit`, `miss`, `bypass` (answered by the provider whatever is kept) or `off`; `why` says why it is
    no hit, `stores` whether a complete answer would be kept. On a miss `closest` is the request that differs least."""
    if exact is None:
        return {"outcome": "off", "why": "the exact cache is off"}
    told: dict[str, Any] = {"key": key_of(call).hex(), "cacheable": exact.policy.cacheable(call)}
    if not told["cacheable"]:
        return told | {"outcome": "bypass", "why": bypassed(call), "stores": False}
    controls = call.controls
    told["stores"] = not controls.no_store and controls.ttl != 0
    found = await exact.levels.look(key_of(call))
    told |= _outcome(call, found, exact.clock())
    if found is None:
        told["closest"] = await closest_told(exact.levels, call, recent, exact.clock)
    return told


def bypassed(call: Call) -> str:
    """Why the policy keeps this request from the cache."""
    stateful = call.dialect.stateful(call.parsed) if call.dialect is not None else ""
    stateful = stateful or (call.sent.stateful if call.sent is not None else "")
    if stateful:
        return f"the provider keeps or does something: {stateful}"
    asked = call.sent.parsed if call.sent is not None else call.parsed
    if "temperature" not in asked:
        return "no temperature is set, and only answers at temperature 0 are kept"
    return "the temperature is not 0, and only answers at temperature 0 are kept"


def _outcome(call: Call, found: tuple[Entry, str] | None, now: float) -> dict[str, Any]:
    if found is None:
        return {"outcome": "miss", "why": "no identical request is in the cache"}
    entry, level = found
    age = max(0.0, now - entry.stored_at)
    told: dict[str, Any] = {"level": level, "age": round(age, 1), "ttl": round(max(0.0, entry.expires_at - now), 1)}
    oldest = call.controls.max_age
    why = ""
    if call.controls.no_cache:
        why = "no-cache was asked"
    elif oldest is not None and too_old(entry, call.controls, now):
        why = f"older than the {oldest:g} s that were asked"
    elif not entry.serves(stream=call.stream, wants_usage=call.wants_usage):
        why = "kept in a form that can't answer this request (streamed, or without usage)"
    return told | {"outcome": "miss" if why else "hit", "why": why}


async def closest_told(levels: Tiers, call: Call, recent: Recent, clock: Clock) -> dict[str, Any] | None:
    """None where nothing was asked lately. Large bodies take a while, so it is done in a thread."""
    others = recent.of(call.tenant)
    if not others:
        return None
    asked = seen_of(call, clock())
    near = await asyncio.to_thread(_nearest, asked, others)
    if near is None:
        return None
    seen, told = near
    told["seconds_ago"] = round(max(0.0, asked.at - seen.at), 1)
    told["cached"] = await levels.look(seen.key) is not None
    return told


def _nearest(asked: Seen, others: Sequence[Seen]) -> tuple[Seen, dict[str, Any]] | None:
    """`differences` go from that request to this one."""
    seen = closest(asked, others)
    if seen is None:
        return None
    told: dict[str, Any] = {"key": seen.key.hex(), "identical": seen.key == asked.key}
    if seen.refused:
        told["not_kept"] = seen.refused
    found = differing(asked, seen, most=MOST)
    listed = []
    for each in found.differences:
        there, here = excerpts(each, clean=redact_text)
        listed.append({"path": each.path, "kind": each.kind, "there": there, "here": here})
    return seen, told | {"differences": listed, "more": not found.complete}


async def items_told(items: Items | None, call: Call) -> dict[str, Any]:
    """The same for embeddings, which are kept item by item: how many of them there are, how many are held, and the
    places of those that are not."""
    if items is None:
        return {"outcome": "off", "why": "the exact cache is off"}
    asked = items_of(call.parsed)
    if asked is None or (call.sent is not None and items_of(call.sent.parsed) != asked):
        return {"outcome": "bypass", "cacheable": False, "why": "`input` is nothing that can be kept item by item"}
    keys = item_keys(call, "input", asked[:LOOKED])
    held = [await items.levels.look(key) is not None for key in keys]
    if call.controls.no_cache:
        outcome, why = "miss", "no-cache was asked"
    else:
        outcome, why = ("hit", "") if all(held) else ("miss", f"{held.count(False)} of {len(held)} items are not kept")
    missing = [place for place, each in enumerate(held) if not each]
    told = {"outcome": outcome, "why": why, "cacheable": True, "items": len(asked), "looked": len(held)}
    return told | {"held": held.count(True), "missing": missing[:MOST]}
