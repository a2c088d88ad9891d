"""An embedder from its settings. Whatever is wrong with them is said here, at start, with what to do about it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal, NamedTuple

from adapters.bert_encoder import BertEncoder
from adapters.embedder import Embedder, EmbedderUnavailable, Encoder
from adapters.embedding_batches import Limits
from adapters.embedding_thread import EmbeddingThread
from adapters.known_embedders import Known, known
from adapters.model_files import DEFAULT_MODEL, DEFAULT_SHA256, ModelFiles, find, repository_of
from adapters.remote_embedder import Price, RemoteEmbedder, Service
from adapters.sentence_encoder import SentenceEncoder
from adapters.static_encoder import StaticEncoder, static_files
from adapters.vocabulary import NOWHERE, Handler, Headers, Route

Kind = Literal["onnx", "static", "sentence-transformers", "upstream"]


class Spec(NamedTuple):
    """An embedder's settings."""

    kind: Kind = "onnx"
    model: str = DEFAULT_MODEL
    """Its name on the Hugging Face hub, or at the upstream. Says nothing for the kind `static`, which has one model."""
    model_dir: str | None = None
    """The directory of its files; without it they are looked for."""
    sha256: str | None = None
    """Of the file with its weights, which then has to be this very one. That of the default model is known."""
    dimensions: int | None = None
    """Of a vector. Has to be said of a model behind an upstream that is not known by name; OpenAI's newer models give
    as many as are asked for; otherwise the model's own number, or it is an error."""
    window: int | None = None
    """Most tokens of a text, for an upstream's model that is not known by name: 512 where nobody says."""
    prefix: str | None = None
    """Stands before each text; None for what the model is known to want."""
    quantised: bool = False
    """`onnx` only: weights of seven bits. Twice as fast, and other vectors (cosine 0.995 to the exact ones)."""
    fetch: bool = False
    """Whether the model may be fetched from the Hugging Face hub, at start, where it is not on this machine."""
    threads: int = 1
    """`onnx` only: of one computation."""
    limits: Limits = Limits()


class Remote(NamedTuple):
    """What the kind `upstream` needs besides."""

    handler: Handler
    upstream: str = ""
    """Its configured name."""
    headers: Headers = ()
    route: Route = NOWHERE
    price: Price = lambda model, usage: None


def embedder_of(spec: Spec, remote: Remote | None = None, environ: Mapping[str, str] = os.environ) -> Embedder:
    """The embedder, ready. Takes up to a few seconds (a model is loaded), so it is no work for an event loop
    that serves requests. Raises `EmbedderUnavailable`."""
    if spec.kind == "upstream":
        if remote is None:
            raise EmbedderUnavailable("the kind `upstream` needs an upstream that speaks OpenAI's embeddings")
        return RemoteEmbedder(_service(spec, remote), spec.limits)
    encoder = encoder_of(spec, environ)
    if spec.dimensions not in (None, encoder.dimension):
        raise EmbedderUnavailable(
            f"{spec.model} has {encoder.dimension} dimensions, not {spec.dimensions}: leave `dimensions` out"
        )
    return EmbeddingThread(encoder, spec.limits)


def encoder_of(spec: Spec, environ: Mapping[str, str] = os.environ) -> Encoder:
    """The model of a kind that runs in this process, without its thread. Raises `EmbedderUnavailable`."""
    if spec.kind == "static":
        return StaticEncoder(static_files(spec.model_dir), sha256=spec.sha256)
    if spec.kind not in ("onnx", "sentence-transformers"):
        raise EmbedderUnavailable(f"no such kind of embedder: {spec.kind}")
    row = known(repository_of(spec.model))
    files = ModelFiles(find(spec.model, model_dir=spec.model_dir, fetch=spec.fetch, environ=environ))
    sha256 = spec.sha256
    if sha256 is None and repository_of(spec.model) == DEFAULT_MODEL:
        sha256 = DEFAULT_SHA256
    prefix = spec.prefix if spec.prefix is not None else row and row.prefix
    if spec.kind == "sentence-transformers":
        return SentenceEncoder(files, spec.model, sha256=sha256, prefix=prefix, size=spec.limits.size)
    return BertEncoder(
        files,
        spec.model,
        sha256=sha256,
        pooling=row.pooling if row else "mean",
        prefix=prefix or "",
        quantised=spec.quantised,
        threads=spec.threads,
    )


def _service(spec: Spec, remote: Remote) -> Service:
    row = known(spec.model)
    dimension = spec.dimensions or (row and row.dimension)
    if not dimension:
        raise EmbedderUnavailable(f"how many dimensions {spec.model} has is not known: `dimensions: ...`")
    if row is not None and dimension != row.dimension and not row.shortens:
        raise EmbedderUnavailable(f"{spec.model} has {row.dimension} dimensions, not {dimension}")
    return Service(
        remote.handler,
        spec.model,
        dimension,
        shorten=row is not None and row.shortens,
        upstream=remote.upstream,
        prefix=spec.prefix if spec.prefix is not None else (row.prefix if row else ""),
        window=spec.window or _window(row),
        headers=remote.headers,
        route=remote.route,
        price=remote.price,
    )


def _window(row: Known | None) -> int:
    return row.window if row else Service._field_defaults["window"]
