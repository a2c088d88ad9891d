from cache.redis_secret import common_secret
from tests.redis_server import Server, connected, new_prefix, redis_for_all, server  # noqa: F401


async def test_the_secret_of_the_first_is_that_of_all(redis: Server) -> None:
    prefix = new_prefix()
    async with connected(redis.url) as one, connected(redis.url) as other:
        assert await common_secret(one, prefix, b"1" * 32) == b"1" * 32
        assert await common_secret(other, prefix, b"2" * 32) == b"1" * 32
        assert await common_secret(one, prefix, b"3" * 32) == b"1" * 32


async def test_other_prefixes_have_others(redis: Server) -> None:
    async with connected(redis.url) as one:
        assert await common_secret(one, new_prefix(), b"1" * 32) == b"1" * 32
        assert await common_secret(one, new_prefix(), b"2" * 32) == b"2" * 32


async def test_where_nobody_can_be_asked_there_is_none() -> None:
    with server() as mine:
        async with connected(mine.url) as one:
            mine.kill()
            assert await common_secret(one, new_prefix(), b"1" * 32) is None


async def test_what_else_has_that_name_is_none(redis: Server) -> None:
    prefix = new_prefix()
    redis("LPUSH", f"{{{prefix}#secret}}:tenants", "x")
    async with connected(redis.url) as one:
        assert await common_secret(one, prefix, b"1" * 32) is None
