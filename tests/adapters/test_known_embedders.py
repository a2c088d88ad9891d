"""The table of models."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from adapters.known_embedders import known, table


@pytest.mark.parametrize(
    ("model", "dimension", "pooling", "prefix", "window"),
    [
        ("sentence-transformers/all-MiniLM-L6-v2", 384, "mean", "", 256),
        ("all-MiniLM-L6-v2", 384, "mean", "", 256),
        ("sentence-transformers/all-MiniLM-L12-v2", 384, "mean", "", 128),
        ("sentence-transformers/all-mpnet-base-v2", 768, "mean", "", 384),
        ("BAAI/bge-small-en-v1.5", 384, "cls", "", 512),
        ("baai/bge-base-en-v1.5", 768, "cls", "", 512),
        ("intfloat/e5-large-v2", 1024, "mean", "query: ", 512),
        ("multilingual-e5-small", 384, "mean", "query: ", 512),
        ("thenlper/gte-base", 768, "mean", "", 512),
        ("nomic-ai/nomic-embed-text-v1.5", 768, "mean", "clustering: ", 8192),
        ("nomic-embed-text:latest", 768, "mean", "clustering: ", 2048),
        ("text-embedding-3-small", 1536, "mean", "", 8191),
        ("azure/text-embedding-3-large", 3072, "mean", "", 8191),
        ("text-embedding-ada-002", 1536, "mean", "", 8191),
    ],
)
def test_well_known_models(model: str, dimension: int, pooling: str, prefix: str, window: int) -> None:
    row = known(model)
    assert row is not None
    assert (row.dimension, row.pooling, row.prefix, row.window) == (dimension, pooling, prefix, window)


@pytest.mark.parametrize("model", ["", "/", "no-such-model", "text-embedding-3-small-2", "bge-small"])
def test_others_are_not_guessed(model: str) -> None:
    assert known(model) is None


def test_only_openai_s_newer_models_shorten() -> None:
    assert {name for name, row in table().items() if row.shortens} == {
        "openai/text-embedding-3-small",
        "openai/text-embedding-3-large",
    }


def test_every_row_names_a_source_that_the_file_explains() -> None:
    text = files("adapters").joinpath("data/embedders.toml").read_text("utf-8")
    explained = set(re.findall(r"^#   (\S+)  ", text, re.MULTILINE))
    assert {row.source for row in table().values()} == explained
    assert "Read 2026-11" in text


def test_no_two_rows_share_a_short_name() -> None:
    short = [name.lower().rpartition("/")[2] for name in table()]
    assert len(set(short)) == len(short)
