"""Who is calling, decided before anything is looked up.

Pass-through: the client's own provider key is forwarded; the tenant is a keyed hash of it, and a stored answer is
served only while the provider has accepted that key recently. Managed: the proxy issues the keys and holds the
provider's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import aclosing
from typing import NamedTuple, Protocol

from multidict import CIMultiDict

from adapters.errors import Refused, UpstreamError
from adapters.vocabulary import Call, Clock, Handler, Reply
from cache.entry import Entry
from cache.key import STEERING_HEADERS
from cache.recall import Admission

CREDENTIALS = ("Authorization", "x-api-key", "api-key", "Cookie")
"""Request headers that may prove who somebody is to a provider."""

SHARED = "shared"
"""The one tenant there is when tenants share a cache."""


class Identity(NamedTuple):
    tenant: str
    """Whose cache this is."""
    credential: str
    """A keyed hash of what was shown: what the provider's acceptance is remembered by."""


class Tenancy(Protocol):
    def identify(self, headers: Mapping[str, str]) -> Identity:
        """Raises `Refused` (401) where the caller may not use this proxy."""


class PassThrough:
    """`secret`: 16 to 64 bytes, kept with the store, so that hashes outlive a restart and mean nothing elsewhere."""

    def __init__(self, secret: bytes, *, share_cache: bool) -> None:
        self.secret, self.share_cache = secret, share_cache

    def identify(self, headers: Mapping[str, str]) -> Identity:
        shown = "\0".join([headers.get(name, "") for name in CREDENTIALS])
        mark = hashlib.blake2b(shown.encode(errors="surrogateescape"), key=self.secret, digest_size=16).hexdigest()
        return Identity(SHARED if self.share_cache else mark, mark)


class Managed:
    """`keys`: the issued keys and the tenant of each. Only their hashes are kept, and none of an empty one: a variable
    that was left blank must not let everybody in."""

    def __init__(self, keys: Mapping[str, str], *, share_cache: bool) -> None:
        self._tenants = {_mark(key.strip()): tenant for key, tenant in keys.items() if key.strip()}
        self.share_cache = share_cache

    def identify(self, headers: Mapping[str, str]) -> Identity:
        shown = headers.get("Authorization", "")
        scheme, _, key = shown.partition(" ")
        if scheme.lower() != "bearer":
            key = headers.get("x-api-key") or headers.get("api-key") or ""
        mark = _mark(key.strip())
        tenant = self._tenants.get(mark)
        if tenant is None:
            raise Refused(
                401,
                "no valid key of this proxy was sent (Authorization: Bearer KEY)",
                kind="authentication_error",
                code="invalid_api_key",
            )
        return Identity(SHARED if self.share_cache else tenant, mark)


def _mark(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()


class Trusted:
    """Admission where the proxy itself checked the key."""

    def fresh(self, call: Call, entry: Entry) -> bool:
        return True

    async def refusal(self, call: Call) -> Reply | None:
        return None


class Doors:
    """Admission where there are several upstreams: each knows the keys that it accepted itself."""

    def __init__(self, doors: Mapping[str, Admission]) -> None:
        self.doors = doors

    def fresh(self, call: Call, entry: Entry) -> bool:
        return self.doors[call.route.ways[0].upstream].fresh(call, entry)

    async def refusal(self, call: Call) -> Reply | None:
        return await self.doors[call.route.ways[0].upstream].refusal(call)


class Admitted:
    """Around the upstream: remembers for `window` seconds which credentials the provider accepted. `clock`: epoch
    seconds, as entries are dated.

    Being asked about one it does not know, it lists the models with it, which costs nothing; unless the provider lists
    them to anybody, and so says nothing about a key. Then only a request that is answered counts.
    """

    def __init__(self, inner: Handler, *, window: float, clock: Clock, most: int = 100_000) -> None:
        self.inner, self.window, self.clock, self.most = inner, window, clock, most
        self._accepted: dict[str, float] = {}
        """Until when each credential counts as accepted, the longest not renewed first."""
        self._refused: dict[str, float] = {}
        """When the provider last refused a credential."""
        self._tells: bool | None = None
        """Whether the list of models tells about a key; None until asked."""

    async def __call__(self, call: Call) -> Reply:
        reply = await self.inner(call)
        if call.dialect is not None or reply.status >= 400:
            self._learn(call.credential, reply.status)
        return reply

    def _learn(self, credential: str, status: int) -> None:
        if 200 <= status < 300:
            self._note(self._accepted, credential, self.clock() + self.window)
        elif status in (401, 403):
            self._accepted.pop(credential, None)
            self._note(self._refused, credential, self.clock())

    def _note(self, times: dict[str, float], credential: str, time: float) -> None:
        times.pop(credential, None)
        times[credential] = time
        if len(times) > self.most:
            del times[next(iter(times))]

    def fresh(self, call: Call, entry: Entry) -> bool:
        now, credential = self.clock(), call.credential
        if now < self._accepted.get(credential, 0.0):
            return True
        # A tenant that is this credential got the answer by it: the provider accepted it then. So a restart, which
        # forgets all else, is no reason to ask.
        since = max(now - self.window, self._refused.get(credential, 0.0))
        return entry.tenant == credential and since < entry.stored_at <= now

    async def refusal(self, call: Call) -> Reply | None:
        if self._tells is None:
            anonymous = await self._models(call.credential, CIMultiDict())
            self._tells = None if anonymous.status >= 500 else anonymous.status in (401, 403)
        if not self._tells:
            raise UpstreamError("the provider's list of models says nothing about a key")
        names = (*CREDENTIALS, *STEERING_HEADERS)
        shown = CIMultiDict({name: value for name in names if (value := call.headers.get(name))})
        reply = await self._models(call.credential, shown)
        self._learn(call.credential, reply.status)
        if reply.status < 300:
            return None
        if reply.status not in (401, 403):
            raise UpstreamError(f"the provider answered {reply.status} when asked about a key")
        return reply

    async def _models(self, credential: str, headers: CIMultiDict[str]) -> Reply:
        reply = await self.inner(Call("GET", "/models", headers, b"", credential=credential))
        async with aclosing(reply.frames):
            body = b"".join([frame.raw async for frame in reply.frames]) if reply.status >= 400 else b""
        return Reply.whole(reply.status, reply.headers, body, source="upstream")
