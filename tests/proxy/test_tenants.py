"""Who is calling: nobody is taken for somebody else, and no key outlives the provider's word."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from multidict import CIMultiDict

from adapters.errors import Refused, UpstreamError
from adapters.openai_chat import OPENAI_CHAT
from adapters.sse import Frame
from adapters.vocabulary import Call, Form, Reply
from cache.entry import Entry, Shape
from proxy.tenants import CREDENTIALS, SHARED, Admitted, Identity, Managed, PassThrough, Trusted

SECRET = b"s" * 32
KEY = "sk-provider-0123456789"


def headers(**lines: str) -> CIMultiDict[str]:
    """As aiohttp gives them: whatever their letter case."""
    return CIMultiDict((name.replace("_", "-"), value) for name, value in lines.items())


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


# Pass-through


def through(*, share: bool = False, secret: bytes = SECRET, **lines: str) -> Identity:
    return PassThrough(secret, share_cache=share).identify(headers(**lines))


SHOWN: list[dict[str, Any]] = [
    {},
    {"authorization": "Bearer a"},
    {"authorization": "Bearer b"},
    {"authorization": "bearer a"},
    {"authorization": "Bearer A"},
    {"authorization": "Bearer a "},
    {"authorization": "a"},
    {"x_api_key": "a"},
    {"api_key": "a"},
    {"cookie": "a"},
    {"authorization": "Bearer a", "x_api_key": "a"},
    {"authorization": "Bearer a", "cookie": "session=1"},
    {"authorization": "Bearer a", "cookie": "session=2"},
    {"x_api_key": "aa", "api_key": "b"},
    {"x_api_key": "a", "api_key": "ab"},
]


def test_whoever_shows_something_else_is_somebody_else() -> None:
    tenants = [through(**shown).tenant for shown in SHOWN]
    assert len(set(tenants)) == len(SHOWN)


def test_whoever_shows_the_same_is_the_same() -> None:
    one = through(authorization="Bearer a", user_agent="x", x_request_id="1")
    assert one == through(AUTHORIZATION="Bearer a", cache_control="no-cache")


def test_these_headers_prove_who_somebody_is() -> None:
    assert CREDENTIALS == ("Authorization", "x-api-key", "api-key", "Cookie")


def test_a_tenant_is_a_hash_that_means_nothing_elsewhere() -> None:
    here, elsewhere = (through(secret=secret, authorization=f"Bearer {KEY}") for secret in (SECRET, b"t" * 32))
    assert here.tenant != elsewhere.tenant
    assert here.tenant == here.credential
    assert len(bytes.fromhex(here.tenant)) == 16
    assert KEY not in here.tenant
    assert here.tenant != hashlib.blake2b(f"Bearer {KEY}".encode(), digest_size=16).hexdigest()


def test_tenants_who_share_a_cache_keep_their_own_credential() -> None:
    one, other = through(share=True, authorization="Bearer a"), through(share=True, authorization="Bearer b")
    assert one.tenant == other.tenant == SHARED
    assert one.credential != other.credential
    assert one.credential == through(authorization="Bearer a").credential


@pytest.mark.parametrize("secret", [b"s" * 16, b"s" * 64])
def test_a_secret_of_any_allowed_length(secret: bytes) -> None:
    assert through(secret=secret).tenant


def test_a_header_of_any_bytes_has_a_tenant() -> None:
    tenants = {through(authorization=byte.decode(errors="surrogateescape")).tenant for byte in (b"\xff", b"\xfe")}
    assert len(tenants) == 2


# Managed

KEYS = {"wg-1": "team-a", "wg-2": "team-b", "wg-3": "team-b"}


def managed(*, share: bool = False, **lines: str) -> Identity:
    return Managed(KEYS, share_cache=share).identify(headers(**lines))


@pytest.mark.parametrize(
    ("shown", "tenant"),
    [
        ({"authorization": "Bearer wg-1"}, "team-a"),
        ({"authorization": "bearer wg-2"}, "team-b"),
        ({"authorization": "BEARER  wg-3 "}, "team-b"),
        ({"x_api_key": "wg-1"}, "team-a"),
        ({"api_key": "wg-1"}, "team-a"),
        ({"authorization": "Basic eDp5", "x_api_key": "wg-2"}, "team-b"),
        ({"x_api_key": "", "api_key": "wg-2"}, "team-b"),
    ],
)
def test_an_issued_key_names_its_tenant(shown: dict[str, Any], tenant: str) -> None:
    assert managed(**shown).tenant == tenant


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer wg-"},
        {"authorization": "Bearer WG-1"},
        {"authorization": "Bearer wg-11"},
        {"authorization": "Bearer wg-1,wg-2"},
        {"authorization": "Basic wg-1"},
        {"authorization": "wg-1"},
        {"authorization": "Bearer team-a"},
        {"authorization": f"Bearer {hashlib.sha256(b'wg-1').hexdigest()}"},
        # What was shown as a bearer is what counts, not the next header that might do.
        {"authorization": "Bearer wrong", "x_api_key": "wg-1"},
        {"cookie": "wg-1"},
    ],
    ids=repr,
)
def test_who_shows_no_issued_key_is_refused(shown: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        managed(**shown)
    assert (refused.value.status, refused.value.code) == (401, "invalid_api_key")
    assert refused.value.kind == "authentication_error"
    assert "wrong" not in refused.value.message


def test_two_keys_of_a_tenant_are_two_credentials() -> None:
    one, other = managed(authorization="Bearer wg-2"), managed(authorization="Bearer wg-3")
    assert one.tenant == other.tenant
    assert one.credential != other.credential


def test_managed_tenants_share_only_where_that_is_asked_for() -> None:
    assert managed(authorization="Bearer wg-1", share=True).tenant == SHARED
    with pytest.raises(Refused):
        managed(authorization="Bearer wrong", share=True)


def test_the_issued_keys_are_not_kept() -> None:
    tenancy = Managed(KEYS, share_cache=False)
    assert not any(key in repr(vars(tenancy)) for key in KEYS)


@pytest.mark.parametrize("issued", ["", " ", "\n"])
@pytest.mark.parametrize("shown", [{}, {"authorization": "Bearer "}, {"x_api_key": ""}])
def test_an_empty_key_opens_nothing_even_if_it_was_issued(shown: dict[str, Any], issued: str) -> None:
    tenancy = Managed({issued: "nobody", "wg-1": "team-a"}, share_cache=False)
    with pytest.raises(Refused):
        tenancy.identify(headers(**shown))


def test_white_space_around_an_issued_key_is_no_part_of_it() -> None:
    tenancy = Managed({" wg-1\n": "team-a"}, share_cache=False)
    assert tenancy.identify(headers(authorization="Bearer wg-1")).tenant == "team-a"


# Admission


class Body:
    """The frames of a reply, and whether they were closed."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = list(parts)
        self.closed = 0

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        if not self.parts:
            raise StopAsyncIteration
        return Frame(self.parts.pop(0))

    def ready(self) -> list[Frame]:
        return []

    async def aclose(self) -> None:
        self.closed += 1


def kept(tenant: str, stored_at: float) -> Entry:
    return Entry(b"k", tenant, "", "m", Shape.MESSAGE, 200, (), b"{}", True, None, None, stored_at, stored_at + 3600)


FOREIGN = kept("nobody", 0.0)
"""An answer that says nothing about who asks for it."""


class Provider:
    """A handler that answers with the status it was given, or raises."""

    def __init__(self, *statuses: int | UpstreamError, anonymous: int = 401) -> None:
        self.statuses = list(statuses)
        self.anonymous = anonymous
        """What it answers to somebody who shows nothing."""
        self.asked: list[Call] = []
        self.bodies: list[Body] = []

    async def __call__(self, call: Call) -> Reply:
        if not call.headers:
            return Reply(self.anonymous, (), "upstream", Form.BYTES, Body(b"{}"))
        self.asked.append(call)
        status = self.statuses.pop(0)
        if isinstance(status, UpstreamError):
            raise status
        self.bodies.append(Body(b'{"error":', b'"no"}'))
        return Reply(status, (("x-request-id", "1"),), "upstream", Form.BYTES, self.bodies[-1])


def call_of(credential: str = "c", **lines: str) -> Call:
    lines = lines or {"authorization": "Bearer a"}
    return Call("POST", "/chat/completions", headers(**lines), b"{}", OPENAI_CHAT, credential=credential)


def admitted(
    *statuses: Any, window: float = 60, most: int = 10, anonymous: int = 401
) -> tuple[Admitted, Provider, Clock]:
    provider, clock = Provider(*statuses, anonymous=anonymous), Clock()
    return Admitted(provider, window=window, clock=clock, most=most), provider, clock


async def test_a_credential_is_fresh_once_the_provider_accepted_it() -> None:
    admission, _, _ = admitted(200)
    assert not admission.fresh(call_of(), FOREIGN)
    reply = await admission(call_of())
    assert reply.status == 200
    assert admission.fresh(call_of(), FOREIGN)
    assert not admission.fresh(call_of("other"), FOREIGN)


async def test_it_is_fresh_for_the_window_and_no_longer() -> None:
    admission, _, clock = admitted(200, 200, window=60)
    await admission(call_of())
    clock.now += 59.9
    assert admission.fresh(call_of(), FOREIGN)
    await admission(call_of())
    clock.now += 59.9
    assert admission.fresh(call_of(), FOREIGN), "the window begins anew with every acceptance"
    clock.now += 0.2
    assert not admission.fresh(call_of(), FOREIGN)


@pytest.mark.parametrize(
    ("status", "fresh"),
    [*[(status, True) for status in (200, 201, 302, 400, 404, 429, 500)], (401, False), (403, False)],
)
async def test_only_a_refusal_of_the_key_takes_it_back(status: int, fresh: bool) -> None:
    admission, _, _ = admitted(200, status)
    await admission(call_of())
    await admission(call_of())
    assert admission.fresh(call_of(), FOREIGN) is fresh


@pytest.mark.parametrize("status", [302, 400, 404, 429, 500, 401])
async def test_an_answer_that_says_nothing_about_the_key_accepts_none(status: int) -> None:
    admission, _, _ = admitted(status)
    await admission(call_of())
    assert not admission.fresh(call_of(), FOREIGN)


async def test_an_upstream_that_fails_changes_nothing() -> None:
    error = UpstreamError("gone")
    admission, _, _ = admitted(200, error)
    await admission(call_of())
    with pytest.raises(UpstreamError) as raised:
        await admission(call_of())
    assert raised.value is error
    assert admission.fresh(call_of(), FOREIGN)


async def test_no_more_credentials_are_remembered_than_allowed() -> None:
    admission, _, _ = admitted(*[200] * 20, most=10)
    for number in range(20):
        await admission(call_of(str(number)))
    assert sum(admission.fresh(call_of(str(number)), FOREIGN) for number in range(20)) == 10
    assert admission.fresh(call_of("19"), FOREIGN)


async def test_asked_about_a_key_it_lists_the_models_with_it_and_nothing_else_of_the_request() -> None:
    admission, provider, _ = admitted(200)
    shown = {"authorization": "Bearer a", "openai_organization": "o", "openai_project": "p", "openai_beta": "b"}
    asking = call_of(
        **shown, x_api_key="k", api_key="l", cookie="m", content_type="application/json", content_length="2"
    )
    assert await admission.refusal(asking) is None
    (asked,) = provider.asked
    assert (asked.method, asked.target, asked.body, asked.dialect) == ("GET", "/models", b"", None)
    assert {name.lower(): value for name, value in asked.headers.items()} == {
        "authorization": "Bearer a",
        "x-api-key": "k",
        "api-key": "l",
        "cookie": "m",
        "openai-organization": "o",
        "openai-project": "p",
        "openai-beta": "b",
    }
    assert admission.fresh(asking, FOREIGN)
    assert asked.trace is not asking.trace, "it is no part of what the request cost"
    assert provider.bodies[0].closed == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_told_in_the_providers_words(status: int) -> None:
    admission, provider, _ = admitted(200, status)
    await admission(call_of())
    reply = await admission.refusal(call_of())
    assert reply is not None
    assert (reply.status, reply.body, reply.form) == (status, b'{"error":"no"}', Form.WHOLE)
    assert reply.headers == (("x-request-id", "1"),)
    assert provider.bodies[1].closed == 1
    assert not admission.fresh(call_of(), FOREIGN)


@pytest.mark.parametrize("status", [302, 404, 429, 500, 503])
async def test_a_provider_that_does_not_say_is_no_answer(status: int) -> None:
    admission, provider, _ = admitted(status)
    with pytest.raises(UpstreamError, match=str(status)):
        await admission.refusal(call_of())
    assert provider.bodies[0].closed == 1
    assert not admission.fresh(call_of(), FOREIGN)


@pytest.mark.parametrize("anonymous", [200, 404, 503])
async def test_a_list_that_does_not_depend_on_the_key_is_not_believed(anonymous: int) -> None:
    admission, provider, _ = admitted(200, anonymous=anonymous)
    with pytest.raises(UpstreamError, match="says nothing about a key"):
        await admission.refusal(call_of())
    assert not provider.asked
    assert not admission.fresh(call_of(), FOREIGN)


async def test_what_other_routes_answer_accepts_no_key() -> None:
    admission, _, _ = admitted(200, 200, 401)
    await admission(replace(call_of(), dialect=None))
    assert not admission.fresh(call_of(), FOREIGN), "a list of models may be anybody's"
    await admission(call_of())
    await admission(replace(call_of(), dialect=None))
    assert not admission.fresh(call_of(), FOREIGN), "but a refusal is a refusal"


async def test_who_got_the_answer_was_accepted_then() -> None:
    admission, _, clock = admitted(401, window=60)
    call = call_of("mine")
    assert admission.fresh(call, kept("mine", clock.now - 59))
    assert not admission.fresh(call, kept("mine", clock.now - 60)), "too long ago"
    assert not admission.fresh(call, kept("mine", clock.now + 1)), "a clock that was set back tells nothing"
    assert not admission.fresh(call, kept("shared", clock.now - 1)), "somebody else may have got it"
    clock.now += 10
    await admission(call)
    assert not admission.fresh(call, kept("mine", clock.now - 5)), "refused since"
    clock.now += 1
    assert admission.fresh(call, kept("mine", clock.now)), "and accepted again since"


async def test_where_the_proxy_checked_the_key_itself_nobody_is_asked() -> None:
    assert Trusted().fresh(call_of(""), FOREIGN)
    assert await Trusted().refusal(call_of()) is None
