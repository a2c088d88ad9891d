"""Who may speak for a tenant."""

from __future__ import annotations

import pytest

from adapters.errors import Refused, UpstreamError
from adapters.vocabulary import Call, Reply, Route, Way
from cache.entry import Entry
from proxy.cache_gate import owner_refusal, refusal
from proxy.tenants import Trusted

NO = Reply.whole(401, (), b"no", source="upstream")


class Said:
    """Admission that knows which upstreams accepted the key lately, and what each says when it is asked."""

    def __init__(self, fresh: set[str], says: Reply | UpstreamError | None) -> None:
        self.lately, self.says, self.asked = fresh, says, list[str]()

    def fresh(self, call: Call, entry: Entry) -> bool:
        assert entry.tenant != call.tenant  # or the entry itself would be a proof
        return call.route.ways[0].upstream in self.lately

    async def refusal(self, call: Call) -> Reply | None:
        self.asked.append(call.route.ways[0].upstream)
        if isinstance(self.says, UpstreamError):
            raise self.says
        return self.says


def call(tenant: str = "shared", *, upstream: str = "a") -> Call:
    return Call("POST", "/x", {}, b"", tenant=tenant, credential="c", route=Route((Way(upstream, "m"),)))


async def test_whom_the_upstream_accepted_lately_nobody_is_asked_about() -> None:
    admission = Said({"a"}, NO)
    assert await refusal(admission, call()) is None
    assert admission.asked == []
    assert await refusal(Trusted(), call()) is None


async def test_others_are_asked_about() -> None:
    assert await refusal(Said({"b"}, NO), call()) is NO
    assert await refusal(Said(set(), None), call()) is None
    assert await refusal(Said({"b"}, NO), call("c")) is NO  # texts are shown to no refused key, its own neither


async def test_where_nobody_can_say_a_shared_tenant_is_closed() -> None:
    admission = Said(set(), UpstreamError("x"))
    with pytest.raises(Refused) as refused:
        await refusal(admission, call())
    assert (refused.value.status, refused.value.code) == (503, "key_not_verified")
    assert await refusal(admission, call("c")) is None


async def test_a_call_of_no_route() -> None:
    admission = Said({"b"}, NO)
    assert await owner_refusal(admission, call("c"), "a", ["a", "b"]) is None  # its credential is its tenant
    assert await owner_refusal(admission, call(), "a", ["a", "b"]) is None
    assert admission.asked == []
    assert await owner_refusal(admission, call(upstream="z"), "a", ["a", "c"]) is NO
    assert admission.asked == ["a"]  # nobody else is shown the key
