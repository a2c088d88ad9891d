"""The identity of what an application keeps itself: tenant, namespace and its own name for it. Pure.

The version differs from that of requests, so that no value ever stands where an answer is looked for.
"""

from __future__ import annotations

import hashlib

VERSION = b"warmgate/value/1"
"""Changes whenever the meaning of a key does; values of another version are simply never found."""


def value_key(tenant: str, namespace: str, name: str) -> bytes:
    """32 bytes. Of any texts, lone surrogates included; two different triples never give the same bytes to the hash,
    because each part is preceded by its length."""
    digest = hashlib.sha256(VERSION)
    for part in (tenant, namespace, name):
        text = part.encode(errors="surrogatepass")
        digest.update(b"%d:" % len(text) + text)
    return digest.digest()
