"""What an address of a Redis may say. Pure."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

_TLS = ("cert_reqs", "ca_certs", "ca_path", "certfile", "keyfile", "password", "check_hostname", "ciphers")
OPTIONS = frozenset({"db", "username", "password", "client_name", *[f"ssl_{name}" for name in _TLS]})
"""What may stand after its `?`. The rest of what the library takes there would undo what `cache.redis_client` chose."""


def server_of(url: str, *, cluster: bool = False) -> str:
    """Where the server is, for logs: without user and password. Raises `ValueError` for what is no address; the message
    does not repeat it."""
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise ValueError("the address of a Redis has the scheme redis, rediss or unix")
    if strange := sorted(set(parse_qs(parts.query)) - OPTIONS):
        raise ValueError(f"the address of a Redis may not say `{strange[0]}`")
    if parts.scheme != "unix":
        try:
            return f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
        except ValueError:  # it says what it found there, which may be half of a password
            raise ValueError(
                "the port in the address of the Redis is none (is the password percent-encoded?)"
            ) from None
    if cluster:
        raise ValueError("a cluster is not reached through a socket file")
    if not parts.path:
        raise ValueError("the address of a Redis begins with unix:// and the path of its socket file")
    return parts.path
