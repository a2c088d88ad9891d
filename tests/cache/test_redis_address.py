from __future__ import annotations

import pytest

from cache.redis_address import server_of


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("redis://me:secret@h:7000/3?ssl_cert_reqs=none", "h:7000"),
        ("rediss://h", "h:6379"),
        ("redis://", "localhost:6379"),
        ("unix://me:secret@/run/redis.sock?db=1", "/run/redis.sock"),
    ],
)
def test_where_a_server_is(url: str, where: str) -> None:
    assert server_of(url) == where


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://secret@127.0.0.1",
        "127.0.0.1:6379",
        "redis://secret@h?socket_timeout=100",
        "redis://secret@h?decode_responses=1",
        "redis://secret@h?protocol=3",
        "redis://secret@h:99999",
        "redis://me:secret/word@h",
        "unix://",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match=r".+") as error:
        server_of(url)
    assert "secret" not in str(error.value)


def test_a_cluster_is_not_reached_through_a_file() -> None:
    with pytest.raises(ValueError, match="socket file"):
        server_of("unix:///run/redis.sock", cluster=True)
