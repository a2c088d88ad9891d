"""The settings of answers from memory: levels, namespaces, invalidation, warming."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from proxy.config_semantic import Semantic
from proxy.config_types import Count, Directory, File, Name, Natural, RedisUrl, Size, Span, Text, Variable, Wait


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


class Adaptive(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """L1 finds its own size: it grows while it is too small for what is asked, and shrinks where memory is short."""

    enabled: bool = False
    min_size: Count = 100
    """Entries."""
    max_size: Count = 2000
    """Entries. It begins with the `max_size` of the level."""
    adjustment_interval: Span = 300.0
    """Seconds between two looks."""


Eviction = Literal["lru", "lfu", "fifo", "ttl"]


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
    eviction: Eviction = "lru"
    """Which entry goes when the level is full: the least recently read, the least often read, the first kept, the next
    to expire."""
    adaptive: Adaptive = Adaptive()


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
    eviction: Eviction = "ttl"
    """Which entry goes when the level is full. What was read how often is known since the start of the process."""
    persistence_path: File | None = None
    """The file, on a local disk. Null: `$XDG_CACHE_HOME/warmgate/answers.sqlite`, or under `~/.cache`."""


class Redis(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """L3: a Redis or Valkey that replicas share. Needs the extra `redis`."""

    enabled: bool = False
    type: Literal["redis"] = "redis"
    url: RedisUrl = "redis://127.0.0.1:6379/0"
    """`redis://`, `rediss://` or `unix://`. A user and a password may stand in it; better is `url_env`."""
    url_env: Variable | None = None
    """The variable that holds the URL, in place of `url`."""
    cluster: bool = False
    """Whether the server is a node of a cluster."""
    prefix: Name = "warmgate"
    """What all its names there begin with: replicas of one prefix share everything."""
    max_size: Count = 100_000
    """Entries."""
    max_bytes: Size = 4 * 1024**3
    """Bytes of all entries."""
    ttl: Span = 86400.0
    """Seconds an entry lives."""
    eviction: Eviction = "lru"
    timeout: Span = 0.25
    """Seconds for one exchange. One that takes longer is a miss, and Redis is left alone for `retry_after`."""
    retry_after: Span = 5.0
    """Seconds."""
    compress_over: Size = 32 * 1024
    """Bytes; longer values are compressed, where that makes them shorter."""
    leases: bool = True
    """Whether one upstream call serves all replicas that are asked the same at the same time."""
    lease_wait: Span = 30.0
    """Seconds that a replica waits for the answer of another one at most."""


class MultiLevel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The levels that exact answers are kept in."""

    enabled: bool = True
    """False: one level, L1."""
    l1: Memory = Memory()
    l2: Disk = Disk()
    l3: Redis = Redis()
    write_policy: Literal["write_through", "write_back", "write_around"] = "write_through"
    """`write_through`: into all levels at once; an answer's end is sent when it is in all. `write_back`: into L1, and
    down later. `write_around`: not into L1, until it is read."""
    flush_interval: Span = 5.0
    """`write_back`: seconds between two writings; what was not yet written is lost when the process dies."""
    promote_after: Natural = 3
    """Reads of an entry in a lower level after which it moves up; 0: never."""


class Portion(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a namespace may take of a level at most. Null: as much as there is."""

    max_size: Count | None = None
    """Entries."""
    max_bytes: Size | None = None
    """Bytes."""
    ttl: Span | None = None
    """Seconds, in place of the level's."""


class Namespace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept under one name: `llm.response` (answers), `embedding`, or a name of your own."""

    data: Literal["real-time", "tool-results", "configuration", "static"] | None = None
    """The kind of data: its times in L1 and L2 are 1 and 5 minutes, 5 minutes and 1 hour, 10 minutes and 24 hours, 30
    minutes and 7 days, where nothing else is said."""
    ttl: Span | None = None
    """Seconds an entry lives at any level. Null: as long as levels keep it."""
    l1: Portion = Portion()
    l2: Portion = Portion()
    l3: Portion = Portion()


class TagRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tags answers. Every condition that is given must hold; at least one has to be."""

    tag: Text
    """`{model}`, `{tenant}` and `{namespace}` stand for those of the request."""
    model: Text | None = None
    """A name, or a pattern with `*` and `?`, as all of these but `contains`."""
    tenant: Text | None = None
    namespace: Text | None = None
    path: Text | None = None
    """Below `/v1`, such as `/chat/completions`."""
    contains: Text | None = None
    """Words in the body of the request, letter by letter as they stand there."""


class Invalidation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What takes entries out before their time is up."""

    strategy: Literal["hybrid", "ttl"] = "hybrid"
    """`hybrid`: by time, by hand, by tags, by dependencies and by events. `ttl`: by time and by hand only."""
    default_ttl: Span = 3600.0
    """Seconds that a value of an application lives where nothing else is said."""
    enable_tagging: bool = True
    enable_dependencies: bool = True
    tag_rules: tuple[TagRule, ...] = ()
    """Which answers get which tags, beside those that requests bring (`Cache-Tags`)."""
    depends: dict[str, tuple[Text, ...]] = {}
    """What named things rest on: tags and files. Who invalidates a file invalidates what rests on it."""
    files: tuple[Directory, ...] = ()
    """Directories whose files entries may depend on. None: no entry may depend on a file."""
    watch: bool = True
    """Whether files are watched, so that entries go at once, and not only when they are asked for."""
    events: dict[str, tuple[Text, ...]] = {}
    """What `POST /cache/events` of a kind invalidates: tags, in which `{name}` stands for that member of the event."""
    lease: Span = 60.0
    """Replicas: seconds without Redis after which this one serves nothing of its own levels, because it may have missed
    what others took out."""
    patience: Span = 2.0
    """Replicas: seconds that an invalidation waits for the others to confirm it."""


class Stale(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answers around the end of their time."""

    if_error: Wait = 300.0
    """Seconds after its end that an answer still serves where the provider fails; it is labelled as stale."""
    while_revalidate: Wait = 0.0
    """Seconds after its end that an answer still serves while it is asked for anew in the background."""
    dollars: Annotated[float, Meta(ge=0)] = 0.0
    """US dollars a day for asking anew in the background: hot answers before their end, and stale ones. 0: never."""
    min_hits: Count = 3
    """Hits that make an answer hot."""
    beta: Annotated[float, Meta(ge=0)] = 1.0
    """How early: 0 is never, 1 the best choice of the probabilistic rule, more is earlier."""


class Predictive(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is likely to be asked next is fetched before it is."""

    enabled: bool = False
    max_patterns: Count = 500
    ngram_size: Annotated[int, Meta(ge=2, le=8)] = 3
    """Requests in a row."""
    top_k: Count = 5
    min_confidence: Annotated[float, Meta(ge=0, le=1)] = 0.2
    """0.3 to 0.4 is careful, 0.1 to 0.2 is eager."""


class AnswerWarming(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answers that are likely to be asked for are moved to L1, and expired ones asked for anew within a budget."""

    enabled: bool = True
    strategy: Literal["hybrid", "frequency", "recency", "time_based"] = "hybrid"
    preload_count: Natural = 100
    """Entries a round."""
    warm_interval: Span = 300.0
    """Seconds between two rounds."""
    recency_weight: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """`hybrid`: of recency, the rest is frequency."""
    startup: bool = True
    """A round at the start, by what earlier runs have seen."""
    enable_time_based: bool = True
    """Whether the hour of day is kept track of."""
    enable_user_specific: bool = True
    """Whether tenants are warmed each for itself."""
    dollars: Annotated[float, Meta(ge=0)] = 0.0
    """US dollars a day for asking anew for hot answers that have expired. 0: entries are moved, nobody is asked."""
    predictive: Predictive = Predictive()


class Values(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`/cache/v1`: results of an application's own, of tools or analyses, in the same levels."""

    enabled: bool = True
    max_value: Size = 8 * 1024**2
    """Bytes; a longer one is refused with 413, as what exceeds `limits.body` is."""
    max_key: Count = 512
    """Bytes."""


class Cache(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answers from memory."""

    enabled: bool = True
    """False: nothing is kept, shared or answered from memory, whatever stands below."""
    preset: Literal["small", "medium", "large", "memory-constrained"] | None = None
    """Sizes of the levels, where they are not set: entries in L1 and L2 500 and 5,000; 1,000 and 10,000; 5,000 and
    50,000; 500 and 20,000; in L3 ten times those of L2."""
    coalesce: Coalesce = Coalesce()
    exact: Exact = Exact()
    multi_level: MultiLevel = MultiLevel()
    namespaces: dict[str, Namespace] = {}
    invalidation: Invalidation = Invalidation()
    stale: Stale = Stale()
    warming: AnswerWarming = AnswerWarming()
    values: Values = Values()
    semantic: Semantic = Semantic()
