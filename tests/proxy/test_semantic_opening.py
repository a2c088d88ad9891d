"""The semantic commands with what a configuration really decides with: the model, the packaged verifier, the store."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from cache.near import Judgement
from cache.semantic_store import SemanticStore
from proxy import cli
from tests.adapters import tiny_bert
from tests.fakes import Clock

STREAM = [
    ("How do I reset the password of my account?", 1),
    ("How can I reset my account's password?", 1),
    ("How can I delete my account?", 2),
    ("How can I reset the password of your account?", 3),
    ("What does a ticket to Oslo cost?", 4),
    ("What is the price of a ticket to Oslo?", 4),
    ("What does a ticket from Oslo cost?", 5),
]
PAIRS = [("Rooms for 2 guests", "Rooms for 3 guests", 0), ("Rooms for 2 guests", "Rooms for two guests", 1)]


def lines(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def stream(path: Path) -> str:
    return lines(path, [{"query": query, "cls": cls, "source": "s"} for query, cls in STREAM])


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert cli.main(["semantic", *arguments, "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_a_stream_is_decided_as_the_proxy_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_bert.default_model()
    told = said(capsys, "evaluate", "--stream", stream(tmp_path / "s.jsonl"))
    assert (told["n"], told["hits"], told["errors"]) == (7, 2, 0)
    stricter = said(capsys, "evaluate", "--stream", stream(tmp_path / "s.jsonl"), "--threshold", "0.9999")
    assert stricter["hits"] == 0


def test_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_bert.default_model()
    rows = [{"a": a, "b": b, "label": label, "source": "s", "kind": "k"} for a, b, label in PAIRS]
    told = said(capsys, "evaluate", "--pairs", lines(tmp_path / "p.jsonl", rows))
    assert (told["n"], told["errors"]) == (2, 0)


def test_a_configuration_may_say_another_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_bert.default_model()
    config = tmp_path / "c.yaml"
    config.write_text("cache: {semantic: {policy: static, similarity_threshold: 0.5}}")
    told = said(capsys, "evaluate", "--config", str(config), "--stream", stream(tmp_path / "s.jsonl"))
    assert told["hits"] > 1


def test_a_providers_embeddings_are_not_bought_for_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "c.yaml"
    near = "{embedding: {kind: upstream}, embedding_model: text-embedding-3-small}"
    config.write_text(f"upstream: {{base_url: simulated}}\ncache: {{semantic: {near}}}")
    assert cli.main(["semantic", "evaluate", "--config", str(config), "--stream", stream(tmp_path / "s.jsonl")]) == 1
    assert "would have to be paid" in capsys.readouterr().err


def test_the_report_reads_a_store_and_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "semantic.sqlite"

    async def filled() -> None:
        store = SemanticStore(path, "e", 4, max_size=10, max_bytes=1 << 20, clock=Clock())
        await store.open()
        await store.tally("chat gpt-4o", 100, 20)
        for right in (True, True, False):
            await store.judged(Judgement(1.0, "chat gpt-4o", "shadow", 1, 0.9, 0.97, right, "same answer"))
        await store.close()

    asyncio.run(filled())
    told = said(capsys, "report", "--store", str(path))
    route = told["routes"]["chat gpt-4o"]
    assert (route["lookups"], route["hits"], route["judged"], route["wrong"]) == (100, 20, 3, 1)
    assert said(capsys, "report", "--store", str(path)) == told


def test_no_store_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["semantic", "report", "--store", str(tmp_path / "none.sqlite")]) == 1
    assert "there is no semantic store at" in capsys.readouterr().err
