"""The settings: every name, its type, its unit and its default. A file of none of them is a complete configuration.

Kinds of values are in `proxy/config_types.py`, what concerns answers from memory in `proxy/config_cache.py`.
`proxy/config_value.py` reads by them, `proxy/config_file.py` loads and prints files, `proxy/config_rules.py` holds what
no single type can say.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from proxy.config_cache import Cache
from proxy.config_types import (
    MASK,
    Count,
    Directory,
    Dollars,
    File,
    HeaderValue,
    Name,
    Natural,
    Port,
    Rate,
    Secret,
    Size,
    Span,
    Text,
    Url,
    Variable,
    Wait,
    masked_url,
)

SIMULATED = "simulated"
OPENAI = "https://api.openai.com/v1"


class Listen(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the proxy accepts requests."""

    host: Text = "127.0.0.1"
    """Address to bind; 0.0.0.0 for all of IPv4, `::` for IPv6."""
    port: Port = 4100
    """0 lets the system choose."""
    unix: File | None = None
    """Path of a Unix socket to listen on instead of host and port."""
    workers: Count = 1
    """Processes. Each has an L1 and a coalescing of its own; they share the L2 file."""
    shutdown: Wait = 30.0
    """Seconds that requests in flight get to end once the proxy was told to stop."""


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client may send."""

    body: Size = 64 * 1024**2
    """Bytes of a request body; a longer one is refused with 413."""
    headers: Size = 64 * 1024
    """Bytes of one header line."""


class Upstream(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider behind the proxy."""

    base_url: Url | None = None
    """Everything in front of `/chat/completions` or `/messages`, or the word `simulated` for the provider inside the
    proxy. Null: known from its name in `upstreams` (see `proxy/providers.py`); that of `upstream` is OpenAI's."""
    speaks: Literal["openai", "anthropic", "both"] | None = None
    """Whose API it has; a request in the other's is translated. Null: known from its host or name, else `openai`."""
    api_key_env: Variable | None = None
    """Managed mode: the variable that holds the provider's key. The key itself never stands in a file."""
    auth: Literal["bearer", "x-api-key", "api-key"] | None = None
    """The header that carries the key, the proxy's or a client's. Null: `bearer`; `x-api-key` with an
    `anthropic_version` before 2026-10-21. Azure takes `api-key`."""
    headers: dict[str, HeaderValue] = {}
    """Sent with every request. A value such as `$NAME` is taken from that environment variable."""
    anthropic_version: Text = "2026-10-21"
    """Sent for clients that send none; from 2026-10-21 on sampling parameters are an error at the provider."""
    max_tokens: Count | None = None
    """Translated requests without a limit get this one. Null: the most that the model can."""
    unsupported: Literal["warn", "reject"] = "warn"
    """Translated requests: parameters that the provider does not have are dropped with a warning, or refused."""
    reasoning_content: bool = False
    """Whether clients of chat completions see the thinking of Claude models."""
    connect_timeout: Span = 10.0
    """Seconds."""
    first_byte_timeout: Span = 600.0
    """Seconds from the request sent to the first byte; long, because models that reason stay silent for minutes."""
    read_timeout: Span = 300.0
    """Seconds between two chunks of an answer."""
    retries: Natural = 2
    """Further attempts, only before the first byte: connection failures and 408, 429, 500, 502, 503, 504."""
    retry_max_wait: Wait = 10.0
    """Seconds to wait at most before a retry; an answer with a longer Retry-After goes to the client instead."""
    connections: Count = 1024
    """Connections open at a time, per worker."""
    prompt_cache: Text | None = None
    """Whose rules its prompt cache has: a table of `adapters/data/prompt_caches.toml`, such as `vllm`. Null: known from
    its host or name; else nothing is assumed, and nothing warmed."""
    stream_usage: Literal["as_asked", "always"] = "as_asked"
    """`always` asks for the usage chunk on every stream and takes it out again where the client had not asked."""

    def __repr__(self) -> str:
        return f"Upstream(base_url={masked_url(self.base_url or '')!r}, api_key_env={self.api_key_env!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("base_url", masked_url(self.base_url or "")), ("api_key_env", self.api_key_env)]


class Fallback(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An upstream to ask where nothing can be had from those before it."""

    upstream: Name
    send_as: Text | None = None
    """The model's name there; `*` in it stands for the name the client sent. Null: that name."""


class Route(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which upstream answers which models. The first route that matches counts."""

    model: Text
    """A name, or a pattern with `*`, `?` and `[...]`."""
    upstream: Name
    """A name in `upstreams`, one that is known, or `default` for `upstream`."""
    send_as: Text | None = None
    """The model's name there; `*` in it stands for the name the client sent. Null: that name."""
    warming: Literal["leader", "call", "auto", "off"] | None = None
    """The strategy for fan-outs of these models. Null: as `warming` says."""
    semantic: Literal["off", "shadow", "on"] | None = None
    """Whether equivalent questions are answered. Null: as `cache.semantic.mode` says."""
    namespace: Name | None = None
    """What answers of these models are kept under, with times and budgets of its own. Null: `llm.response`, or
    `embedding`."""
    fallback: tuple[Fallback, ...] = ()
    """Managed mode: asked in their order where a connection fails, or the answer is 429 or 5xx, and only before its
    first byte."""


class Key(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key that the proxy issued: exactly one of `key` and `key_env`. A tenant may have several."""

    tenant: Name
    """Whose cache, records and figures a request with this key belongs to."""
    key: Secret | None = None
    """The key itself."""
    key_env: Variable | None = None
    """The variable that holds the key."""

    def __repr__(self) -> str:
        return f"Key(tenant={self.tenant!r}, key={self.key and MASK!r}, key_env={self.key_env!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("tenant", self.tenant), ("key", self.key and MASK), ("key_env", self.key_env)]


class Tenants(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is who, and who shares what."""

    mode: Literal["pass_through", "managed"] = "pass_through"
    """`pass_through` forwards the client's own provider key; `managed` knows only the keys listed here."""
    share_cache: bool = False
    """True: all tenants share one cache. Whoever has a key can then read what others were answered."""
    revalidate: Wait = 300.0
    """Pass-through: seconds that a credential counts as accepted after the provider last accepted it."""
    verify: bool = True
    """False: stored answers are served to whoever shows the key they were stored under, and no provider is asked
    whether it is still good. For engines that take any key."""
    keys: tuple[Key, ...] = ()
    """Managed: the keys that the proxy issued."""


class KeepAlive(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prefixes that are kept in the provider's prompt cache by reading them before they expire."""

    enabled: bool = False
    """For prefixes that the traffic keeps coming back to. What `/v1/warm` asks to keep is kept in any case."""
    dollars: Annotated[float, Meta(ge=0)] = 1.0
    """US dollars that all pings of this process may cost, together; then they end."""


class Warming(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests that share a prefix pay for it once."""

    enabled: bool = True
    """False: no request waits for another, nothing is warmed, and no breakpoint is set."""
    observed: Literal["leader", "auto", "off"] = "leader"
    """Requests in flight whose prompts turn out to share a prefix: the first one warms it for the others."""
    declared: Literal["call", "leader", "auto", "off"] = "call"
    """Fan-outs that the client declares: a warm call with `max_tokens: 10` (or the smallest legal form), the first
    request, whichever is cheaper, or nothing."""
    breakpoints: Literal["auto", "off"] = "auto"
    """`auto` sets breakpoints where a provider caches nothing without, where the client set none and they pay."""
    ttl: Literal["5m", "1h"] = "5m"
    """The life that Anthropic's breakpoints ask for in front of the messages (tools, system prompt)."""
    deadline: Span = 10.0
    """Seconds that a request waits at most, all in all."""
    gather: Span = 1.0
    """Seconds that the members of a declared fan-out wait for the next of them."""
    stream_leaders: bool = True
    """Whether the request that others may wait for is streamed upstream also where its client asked for a whole
    answer: else they wait for the end of it."""
    branches: Count = 256
    """Branches that one call of `/v1/fanout` may have."""
    keep_alive: KeepAlive = KeepAlive()


class Pruning(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What hooks take out of prompts in front of the warming."""

    mode: Literal["off", "observe", "on"] = "off"
    """`observe`: hooks run and what they would take out is counted; nothing is changed."""
    hooks: tuple[Text, ...] = (
        "duplicate_results",
        "superseded_files",
        "resolved_errors",
        "stale_results",
        "oversized_results",
        "old_images",
    )
    """In their order: names of those that are built in, or `package.module:name` of your own."""
    protect_tools: tuple[Text, ...] = ()
    """Patterns (`*`, `?`) of tools whose calls and results stay as they are."""
    protect_paths: tuple[Text, ...] = ()
    """Patterns of file paths: calls that name one of them, and their results, stay as they are."""
    keep_results: Natural = 10
    """The latest tool results, which `stale_results` leaves alone."""
    stale_over: Natural = 2000
    """Characters; shorter results do not become stale."""
    oversized: Natural = 50_000
    """Characters of a result that `oversized_results` lets through as it comes."""
    keep_images: Natural = 3
    """The latest images, which `old_images` leaves alone."""
    turns: Count = 10
    """How many more turns a conversation is expected to have when the price of rewriting its prompt is weighed."""
    timeout: Span = 0.25
    """Seconds for one hook; one that takes longer is skipped and counted."""


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Traffic kept for a replay. It holds what users wrote."""

    dir: Directory | None = None
    """Directory of the recordings; null records nothing."""


class Price(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """US dollars per million tokens of one model."""

    input: Dollars
    output: Dollars
    cache_read: Dollars | None = None
    """Null: billed as any input token."""
    cache_write: Dollars | None = None
    """Null: billed as any input token."""
    cache_write_1h: Dollars | None = None
    """Written to live for an hour (Anthropic). Null: as `cache_write`."""
    cache_write_12h: Dollars | None = None
    """Written to live for 12 hours (OpenAI). Null: as `cache_write`; 2.5 times `input` where that is above `input`."""
    output_reasoning: Dollars | None = None
    """Null: billed as any output token."""


class Simulated(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The provider inside the proxy, in force with `upstream.base_url: simulated`."""

    first_token: Wait = 0.3
    """Seconds until the first token, prefill not counted."""
    tokens_per_second: Rate = 100.0
    """Tokens of the answer per second."""
    prefill_per_second: Rate = 10000.0
    """Tokens of the prompt read per second; those from the prompt cache cost no time."""
    seed: Natural = 0
    """The same seed and request give the same answer."""


class Metrics(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prometheus metrics."""

    enabled: bool = True


class Log(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is written to standard error. Secrets are taken out at every level."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    requests: bool = False
    """One line for each request, at level info. It costs as much as an answer from memory."""


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole configuration."""

    listen: Listen = Listen()
    limits: Limits = Limits()
    upstream: Upstream = Upstream(base_url=OPENAI)
    upstreams: dict[str, Upstream] = {}
    """Further providers, by names of your own or ones that are known."""
    routes: tuple[Route, ...] = ()
    """Models that go elsewhere than to `upstream`. None: Claude models go to Anthropic, where `upstream` is OpenAI."""
    tenants: Tenants = Tenants()
    cache: Cache = Cache()
    warming: Warming = Warming()
    pruning: Pruning = Pruning()
    record: Record = Record()
    prices: dict[str, Price] = {}
    """Prices by model name, which override the built-in table."""
    simulated: Simulated = Simulated()
    metrics: Metrics = Metrics()
    log: Log = Log()
