"""Whether a caller may be told of what a cache holds, and may change it: never before his credential is known to be
good. What a tenant may see is asked elsewhere; here it is whether this caller may speak for the tenant.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from adapters.errors import Refused, UpstreamError
from adapters.vocabulary import Call, Reply, Route, Way
from cache.entry import Entry, Shape
from cache.recall import Admission

NOTHING = Entry(b"", "", "", "", Shape.MESSAGE, 0, (), b"", False, None, None, float("-inf"), float("-inf"))
"""An entry that nobody was given: whether a credential is good for it is whether it was accepted lately."""


async def refusal(admission: Admission, call: Call, others: Iterable[str] = ()) -> Reply | None:
    """None: the caller may go on. Else the provider's refusal of his credential, in its words.

    The upstream of the call's route is asked; `others` are upstreams by name of which one having accepted it lately
    will do, and none of which is shown a credential that may not be meant for it. Raises `Refused` (503) where nobody
    can say now whether it is good, and others share its tenant; who has a tenant of his own proves that by his
    credential alone.
    """
    if any(admission.fresh(_at(call, name), NOTHING) for name in others) or admission.fresh(call, NOTHING):
        return None
    try:
        return await admission.refusal(call)
    except UpstreamError:
        if call.tenant == call.credential:
            return None
        told = "the provider can't say now whether it accepts this key, and others share its cache; try again later"
        raise Refused(503, told, kind="api_error", code="key_not_verified") from None


def _at(call: Call, upstream: str) -> Call:
    return replace(call, route=Route((Way(upstream, ""),)))


async def owner_refusal(admission: Admission, call: Call, upstream: str, others: Iterable[str]) -> Reply | None:
    """The same for a call that is of no route, such as one that deletes: `upstream` is where requests go that nobody
    reads. A tenant that is one credential needs no more than that."""
    if call.tenant == call.credential:
        return None
    return await refusal(admission, _at(call, upstream), others)
