"""What the commands of the semantic cache work with: the very embedder, decision and store of a configuration."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from adapters.embedder import Embedder, Matrix
from adapters.errors import EmbeddingError
from adapters.vocabulary import Clock
from cache.decide import Decide, Grey, Terms
from cache.features import FEATURES, Pair, crowding, features, unknown
from cache.guards import veto
from cache.phrase import Phrase
from cache.semantic_store import SemanticStore
from cache.verifier import Verifier
from proxy.config import Settings
from proxy.config_file import load
from proxy.config_problem import ConfigError, Problem
from proxy.equivalents import embedder_for, grey_for, semantic_path, terms_of, verifier_for
from proxy.pricing import prices_of
from proxy.semantic_command import Means, Opening, Stored
from proxy.semantic_examples import Asked, Reading, Row

WORDS = 32
"""Words that are embedded at a time."""


def opening(clock: Clock) -> Opening:
    """`clock`: Unix time."""
    return Opening(
        means=lambda options: _means(options, clock),
        stored=lambda options: _stored(options, clock),
        today=lambda: datetime.fromtimestamp(clock(), UTC).date().isoformat(),
    )


def _settings(options: argparse.Namespace) -> Settings:
    return load(options.config) if options.config is not None else Settings()


def _means(options: argparse.Namespace, clock: Clock) -> Means:
    settings = _settings(options)
    given = settings.cache.semantic
    if given.embedding.kind == "upstream":
        told = "a provider's embeddings can't be used by this command: it would have to be paid for every text"
        raise ConfigError([Problem(("cache", "semantic", "embedding", "kind"), told)])
    embedder = asyncio.run(embedder_for(settings, os.environ, None, prices_of(settings, clock())))
    # What is to be calibrated has no verifier yet.
    verifier = None if options.semantic == "calibrate" else verifier_for(given, os.environ, embedder.identity)
    grey = asyncio.run(grey_for(given, os.environ))
    return Means(embedder, _deciding(verifier, embedder, terms_of(given, verifier), grey), _reading(embedder))


def _deciding(
    verifier: Verifier | None, embedder: Embedder, terms: Terms, grey: Grey | None
) -> Callable[[float | None], Decide]:
    def at(threshold: float | None) -> Decide:
        if threshold is None:
            wanted = terms
        elif terms.policy == "static":
            wanted = terms._replace(floor=threshold, threshold=threshold)
        else:
            wanted = terms._replace(threshold=threshold)
        # Without chance: what is learned of an entry needs answers, of which a labelled set has none.
        return Decide(verifier, embedder, wanted, lambda: 1.0, grey)

    return at


def _reading(embedder: Embedder) -> Reading:
    vectors: dict[str, Matrix] = {}

    def likeness(one: str, other: str) -> float | None:
        here, there = vectors.get(one), vectors.get(other)
        return None if here is None or there is None else float(np.dot(here, there))

    async def rows(asked: Sequence[Asked]) -> list[Row | None]:
        pairs = [_pair(each) for each in asked]
        words = {word for pair in pairs if pair is not None for two in unknown(pair) for word in two}
        missing = sorted(words - vectors.keys())
        for start in range(0, len(missing), WORDS):
            vectors.update(await _looked_up(embedder, missing[start : start + WORDS]))
        return [None if pair is None else features(pair, likeness) for pair in pairs]

    return Reading(FEATURES, rows)


def _pair(asked: Asked) -> Pair | None:
    here, there = Phrase(asked.question), Phrase(asked.entry)
    return None if veto(here, there) else Pair(here, there, asked.similarity, crowding(asked.near))


async def _looked_up(embedder: Embedder, words: Sequence[str]) -> dict[str, Matrix]:
    """The vectors of those that have one."""
    try:
        return dict(zip(words, (await embedder.embed(words)).vectors, strict=True))
    except EmbeddingError:
        if len(words) == 1:
            return {}
    found: dict[str, Matrix] = {}
    for word in words:
        found |= await _looked_up(embedder, [word])
    return found


def _stored(options: argparse.Namespace, clock: Clock) -> Stored:
    settings = _settings(options)
    given = settings.cache.semantic
    path: Path | None = options.store or semantic_path(settings, os.environ)
    if path is None or not path.exists():
        told = f"there is no semantic store at {path}" if path is not None else "the semantic store is in memory only"
        raise ConfigError([Problem(("cache", "semantic", "persistence_path"), told)])

    async def read() -> Stored:
        # An identity that no row has: nothing is loaded but what is asked for, and no row is changed.
        store = SemanticStore(path, "", 1, max_size=given.max_size, max_bytes=given.max_bytes, clock=clock)
        await store.open()
        try:
            return Stored(await store.judgements(0.0), await store.tallies(), given.max_error)
        finally:
            await store.close()

    return asyncio.run(read())
