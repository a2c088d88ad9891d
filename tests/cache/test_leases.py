from cache.leases import Free


async def test_who_is_alone_has_every_lease():
    free = Free()
    first, second = await free.acquire(b"a", 1.0), await free.acquire(b"a", 1.0)
    assert first is not None
    assert second is not None
    await free.release(b"a", first)
    assert await free.ended(b"a", 1.0)
