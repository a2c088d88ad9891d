"""The end of the way for requests that want an answer from memory or none (RFC 9111 §5.2.1.7)."""

from __future__ import annotations

from adapters.vocabulary import Call, Handler, Reply


class IfCached:
    """Stands behind all caches: what comes here with `only-if-cached` was in none of them."""

    def __init__(self, inner: Handler) -> None:
        self.inner = inner

    async def __call__(self, call: Call) -> Reply:
        if call.controls.only_if_cached and call.dialect is not None:
            body = call.dialect.error("not in the cache, and only-if-cached was asked", kind="cache_miss")
            return Reply.whole(504, (("Content-Type", "application/json"),), body, source="proxy")
        return await self.inner(call)
