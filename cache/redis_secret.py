"""The secret with which replicas hash credentials into tenants: the same for all who share a Redis, or they would share
nothing."""

from __future__ import annotations

from cache.redis_asking import Client, Refused, Unavailable
from cache.redis_names import Names


async def common_secret(client: Client, prefix: str, own: bytes) -> bytes | None:
    """The secret of the first replica that came, ours where that was this one; None where nobody can be asked."""
    name = f"{Names(prefix).base('secret')}tenants"
    try:
        await client.ask(("SET", name, own, "NX"))
        found = await client.ask(("GET", name))
    except (Unavailable, Refused):
        return None
    return found if isinstance(found, bytes) and found else None
