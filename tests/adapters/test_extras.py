"""Libraries that may be missing, and readers that raise whatever they like."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adapters.embedder import EmbedderUnavailable
from adapters.extras import attempted, library


def test_a_library_that_is_there() -> None:
    assert library("json", "onnx").dumps([1]) == "[1]"


def test_a_library_that_is_missing_says_what_to_install() -> None:
    with pytest.raises(EmbedderUnavailable, match=re.escape("pip install 'warmgate[onnx]'")):
        library("no_such_library_at_all", "onnx")


def test_a_library_whose_binary_does_not_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torn_binary_library.py").write_text("raise OSError('libtorn.so: cannot open shared object file')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(EmbedderUnavailable, match=r"libtorn\.so.*warmgate\[static\]"):
        library("torn_binary_library", "static")


def test_what_a_reader_raises() -> None:
    assert attempted(lambda: 3, "numbers.bin") == 3

    def fails() -> None:
        raise Exception("expected value at line 1")  # as tokenizers does

    with pytest.raises(EmbedderUnavailable, match=r"numbers\.bin: Exception: expected value at line 1"):
        attempted(fails, "numbers.bin")


def test_what_it_says_itself_stays_as_it_is() -> None:
    def fails() -> None:
        raise EmbedderUnavailable("do this")

    with pytest.raises(EmbedderUnavailable, match=r"^do this$"):
        attempted(fails, "numbers.bin")
