from cache.invalidation import Invalidation
from cache.replicas import Nobody


async def test_who_has_no_replicas_has_reached_them_all():
    nobody = Nobody()
    assert nobody.trusted
    assert (await nobody.publish(Invalidation(everything=True))).complete
