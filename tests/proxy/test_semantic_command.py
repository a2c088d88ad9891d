import argparse
import io
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import EmbeddingError
from cache.near import Tally
from proxy.semantic_command import Means, Opening, Stored, add, run
from tests.proxy.semantics import READING, Words, deciding, written
from tests.proxy.test_semantic_calibrate import traffic
from tests.proxy.test_semantic_evaluate import PAIRS, STREAM, TEN
from tests.proxy.test_semantic_report import judged


class Console:
    """A command line with the small embedder and decision of the tests."""

    def __init__(self, tmp: Path) -> None:
        self.tmp, self.words = tmp, Words()
        self.asked: list[float | None] = []
        self.stream = written(tmp / "stream.jsonl.gz", [each._asdict() for each in STREAM], zipped=True)
        rows = [{"a": each.a, "b": each.b, "label": int(each.right), "kind": each.kind} for each in PAIRS]
        self.pairs = written(tmp / "pairs.jsonl", rows)
        turns = [{"messages": [{"role": "user", "content": text}]} for text in ("red house", "house red")]
        self.turns = written(tmp / "turns.jsonl", [{"a": turns[0], "b": turns[1], "label": 1}])

    def means(self, options: argparse.Namespace) -> Means:
        if options.config is not None:
            raise EmbeddingError(f"no model is in {options.config}")
        return Means(self.words, self.decide, READING)

    def decide(self, threshold: float | None) -> Any:
        self.asked.append(threshold)
        return deciding(threshold)

    def stored(self, options: argparse.Namespace) -> Stored:
        return Stored(judged(50) if options.store is None else [], {"chat": Tally(100, 50)}, 0.25)

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        parser = argparse.ArgumentParser()
        add(parser.add_subparsers(required=True))
        out, err = io.StringIO(), io.StringIO()
        opening = Opening(self.means, self.stored, lambda: "2026-11-21")
        code = run(parser.parse_args([str(each) for each in arguments]), opening, out, err)
        return code, out.getvalue(), err.getvalue()


@pytest.fixture(name="console")
def _console(tmp_path: Path) -> Console:
    return Console(tmp_path)


@pytest.mark.parametrize(
    ("option", "more"),
    [
        ("--stream", {"oracle_hit_rate", "curve", "tradeoff"}),
        ("--pairs", {"oracle_hit_rate", "by_source_and_kind", "tradeoff"}),
        ("--multiturn", {"oracle_hit_rate", "bonus"}),
    ],
)
def test_each_set_is_evaluated(console: Console, option: str, more: set[str]) -> None:
    path = {"--stream": console.stream, "--pairs": console.pairs, "--multiturn": console.turns}[option]
    code, out, _ = console("evaluate", option, path, "--json")
    assert code == 0
    assert set(json.loads(out)) == TEN | more
    assert console.words.closed
    assert console.asked[0] is None
    code, out, _ = console("evaluate", option, path, "--baselines")
    assert code == 0
    assert out.startswith(f"{path.name}, words/64: ")
    assert "gptcache 0.80" in out


def test_options_reach_the_evaluation(console: Console) -> None:
    _, out, _ = console("evaluate", "--stream", console.stream, "--limit", 3, "--threshold", 0.95, "--json")
    assert json.loads(out)["n"] == 3
    assert console.asked[0] == 0.95
    _, out, err = console("evaluate", "--pairs", console.pairs, "--json")
    assert json.loads(out)["n"] == 4
    assert err == "warmgate semantic evaluate: 1 texts have no vector and are never hits: the embedder refuses them\n"


@pytest.mark.parametrize("command", ["evaluate", "calibrate"])
def test_what_can_not_be_read_is_said(console: Console, command: str) -> None:
    damaged = written(console.tmp / "damaged", ['{"query": "x", "cls": 1}', "{"])
    code, out, err = console(command, "--stream", damaged)
    assert (code, out) == (2, "")
    assert err.startswith(f"warmgate semantic {command}: {damaged}:2: not JSON")
    code, _, err = console(command, "--stream", console.stream, "--config", "x.yaml")
    assert (code, err) == (2, f"warmgate semantic {command}: no model is in x.yaml\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate"],
        ["evaluate", "--pairs", "x", "--stream", "y"],
        ["evaluate", "--pairs", "x", "--limit", "0"],
        ["evaluate", "--pairs", "x", "--threshold", "1.5"],
        ["evaluate", "--pairs", "x", "--threshold", "nan"],
        ["calibrate", "--stream", "x", "--max-error", "0"],
        ["calibrate", "--stream", "x", "--folds", "other"],
        ["report", "--max-error", "1"],
    ],
)
def test_slips_of_the_hand_are_refused(
    console: Console, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit:
        console(*arguments)
    assert exit.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_calibration_is_written_and_equal_every_time(console: Console) -> None:
    stream = written(console.tmp / "traffic.jsonl", [each._asdict() for each in traffic(400)])
    files = [console.tmp / name for name in ("one.toml", "other.toml")]
    given = ("--stream", stream, "--pairs", console.pairs, "--max-error", 0.05)
    code, out, err = console("calibrate", *given, "--out", files[0])
    assert (code, err) == (0, "")
    assert " * " in out
    code, out, _ = console("calibrate", *given, "--out", files[1], "--json")
    assert files[0].read_bytes() == files[1].read_bytes()
    said = tomllib.loads(files[0].read_text())
    assert (said["embedder"], said["date"], said["max_error"]) == ("words/64", "2026-11-21", 0.05)
    assert said["threshold"] == json.loads(out)["threshold"]
    console("calibrate", *given, "--out", files[1], "--date", "2026-12-24")
    assert tomllib.loads(files[1].read_text())["date"] == "2026-12-24"


def test_without_a_threshold_nothing_is_written(console: Console) -> None:
    stream = written(console.tmp / "traffic.jsonl", [each._asdict() for each in traffic(200)])
    code, out, err = console("calibrate", "--stream", stream, "--max-error", 0.0001, "--out", console.tmp / "none")
    assert code == 1
    assert "Nothing is written." in out
    assert "no threshold" in err
    assert not (console.tmp / "none").exists()


def test_a_calibration_needs_a_stream_and_a_place(console: Console) -> None:
    assert console("calibrate", "--pairs", console.pairs)[::2] == (
        2,
        "warmgate semantic calibrate: --stream: a threshold needs a stream\n",
    )
    stream = written(console.tmp / "traffic.jsonl", [each._asdict() for each in traffic(400)])
    code, _, err = console("calibrate", "--stream", stream, "--max-error", 0.05, "--out", console.tmp)
    assert code == 2
    assert "Is a directory" in err


def test_a_report_is_of_the_store(console: Console) -> None:
    code, out, _ = console("report", "--json")
    assert code == 0
    told = json.loads(out)
    assert (told["max_error"], told["routes"]["chat"]["judged"]) == (0.25, 50)
    assert json.loads(console("report", "--json", "--max-error", "0.5")[1])["max_error"] == 0.5
    _, out, _ = console("report", "--store", "other.db")
    assert "chat" in out
    assert "not enough judged" in out
