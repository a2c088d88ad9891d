from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiktoken.model import encoding_name_for_model

from adapters.tokenizer import FILES, MODELS, Count, TokenCounter, built, encoding_of, places, vocabulary
from adapters.tokens import estimate

TEXT = "Warm the cache, then fan out: 12,345 tokens — für alle. <|endoftext|>"
# Every byte, and three merges: "th", "the", " the".
SMALL = [bytes([byte]) for byte in range(256)] + [b"th", b"the", b" the"]


def listed(tokens: list[bytes]) -> bytes:
    return b"".join(base64.b64encode(token) + b" %d\n" % rank for rank, token in enumerate(tokens))


CHECKSUM = hashlib.sha256(listed(SMALL)).hexdigest()
NOTHING = TokenCounter(None, {})


def written(path: Path, tokens: list[bytes]) -> str:
    """Writes a vocabulary; its checksum."""
    path.write_bytes(listed(tokens))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def real() -> TokenCounter:
    counter = TokenCounter(None, os.environ)
    if set(counter.load()) != set(FILES):
        pytest.skip("the vocabularies are not here; scripts/fetch-bpe puts them there")
    return counter


def test_without_a_vocabulary_it_is_an_estimate(tmp_path: Path) -> None:
    counter = TokenCounter(tmp_path, {})
    for _ in range(2):
        assert counter.count(TEXT, "gpt-4o") == Count(estimate(TEXT), False)
        assert counter.load() == ()


def test_a_bad_file_is_neither_used_nor_deleted_nor_fetched_again(tmp_path: Path) -> None:
    for file in FILES.values():
        written(tmp_path / file, SMALL)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    counter = TokenCounter(tmp_path, {})
    assert counter.load() == ()
    assert not counter.count(TEXT, "gpt-4o").exact
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_no_tiktoken_where_there_is_no_vocabulary(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from adapters.tokenizer import TokenCounter; "
        f"TokenCounter(pathlib.Path({str(tmp_path)!r}), {{}}).load(); sys.exit('tiktoken' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0


def test_a_vocabulary_by_its_checksum(tmp_path: Path) -> None:
    good, bad, absent = tmp_path / "good", tmp_path / "bad", tmp_path / "absent"
    checksum = written(good, SMALL)
    bad.write_bytes(good.read_bytes()[:-2])
    ranks = vocabulary([absent, bad, tmp_path, good], checksum)
    assert ranks == {token: rank for rank, token in enumerate(SMALL)}
    assert vocabulary([absent, bad], checksum) is None
    assert vocabulary([], checksum) is None
    assert vocabulary([good], "") is None


@pytest.mark.parametrize("raw", [b"dGhl\n", b"dGhl 1 2\n", b"dGhl x\n", b"%% 1\n", b"\xff\xfe 1\n"])
def test_what_is_no_vocabulary(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(raw)
    assert vocabulary([tmp_path / "x"], hashlib.sha256(raw).hexdigest()) is None


URL = "https://example.invalid/small.tiktoken"
FILE = hashlib.sha1(URL.encode(), usedforsecurity=False).hexdigest()


def load_tiktoken_bpe(url: str, expected_hash: str | None = None) -> dict[bytes, int]:
    raise AssertionError(f"tiktoken's own loader was called, for {url}")


def small() -> dict[str, Any]:
    """Like the constructors of tiktoken."""
    return {
        "name": "small",
        "pat_str": r"\s?\S+|\s+",
        "mergeable_ranks": load_tiktoken_bpe(URL, expected_hash=CHECKSUM),
        "special_tokens": {"<|end|>": 300},
    }


def otherwise() -> dict[str, Any]:
    raise AssertionError("was called although it reads in another way")


def test_an_encoding_from_a_small_vocabulary(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    assert written(tmp_path / FILE, SMALL) == CHECKSUM
    encoding = built(small, FILE, [absent, tmp_path])
    assert encoding is not None
    assert encoding.encode_ordinary("the the bath") == [257, 258, 32, 98, 97, 256]
    assert len(encoding.encode_ordinary("<|end|>")) == 7  # of a client's text nothing is special


def test_only_the_vocabulary_that_is_asked_for(tmp_path: Path) -> None:
    assert built(small, FILE, [tmp_path]) is None  # absent
    written(tmp_path / FILE, SMALL[:-1])
    assert built(small, FILE, [tmp_path]) is None  # another
    written(tmp_path / FILE, SMALL)
    written(tmp_path / ("0" * 40), SMALL)
    assert built(small, "0" * 40, [tmp_path]) is None  # under a name that is not its own
    assert built(otherwise, FILE, [tmp_path]) is None


def test_places(tmp_path: Path) -> None:
    env = {"TIKTOKEN_CACHE_DIR": "/t", "DATA_GYM_CACHE_DIR": "/d", "XDG_CACHE_HOME": "/x", "HOME": "/h"}
    t, d, x, h = Path("/t"), Path("/d"), Path("/x/warmgate/tiktoken"), Path("/h/.cache/warmgate/tiktoken")
    assert places(tmp_path, env) == (tmp_path, t, d, x)
    assert places(None, env | {"TIKTOKEN_CACHE_DIR": "", "XDG_CACHE_HOME": "relative"}) == (d, h)
    assert places(None, {"HOME": "/h"}) == (h,)
    assert places(None, {}) == ()


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4o", ("o200k_base", True)),
        ("GPT-4o-mini-2024-07-18", ("o200k_base", True)),
        ("openai/gpt-4o", ("o200k_base", True)),
        ("openrouter/openai/gpt-5.6-sol", ("o200k_base", True)),
        ("ft:gpt-4o:mine:x", ("o200k_base", True)),
        ("gpt-4.1", ("o200k_base", True)),
        ("gpt-4-turbo", ("cl100k_base", True)),
        ("gpt-4", ("cl100k_base", True)),
        ("gpt-3.5-turbo", ("cl100k_base", True)),
        ("o3", ("o200k_base", True)),
        ("gpt-6.1-sol", ("o200k_base", False)),
        ("gpt-9", ("o200k_base", False)),
        ("accounts/fireworks/models/gpt-oss-120b", ("o200k_base", True)),
        ("text-embedding-3-small", ("cl100k_base", True)),
        ("claude-opus-5-5", ("", False)),
        ("gemini-2.5-pro", ("", False)),
        ("my-gpt-4o", ("", False)),
        ("", ("", False)),
        ("/", ("", False)),
    ],
)
def test_encodings_of_models(model: str, encoding: tuple[str, bool]) -> None:
    assert encoding_of(model) == encoding


def test_what_is_certain_is_what_tiktoken_says() -> None:
    def told(model: str) -> str:
        try:
            return encoding_name_for_model(model).replace("harmony", "base")
        except KeyError:
            return ""

    for start, (name, certain) in MODELS.items():
        names = {told(start + more) for more in ("", "-2099", "-small")} - {""}
        assert names == ({name} if certain else set()), start


def test_real_vocabularies() -> None:
    counter = real()
    # Counted with tiktoken 0.14 itself, its cache directory set to the same files.
    assert counter.count(TEXT, "gpt-4o") == Count(24, True)
    assert counter.count(TEXT, "gpt-4") == Count(23, True)
    assert counter.count(TEXT, "gpt-6-astra") == Count(24, False)
    assert counter.count(TEXT, "claude-opus-5-5") == Count(estimate(TEXT), False)
    assert counter.count("", "gpt-4o") == Count(0, True)
    assert counter.count("\ud800 lone", "gpt-4o").exact


@given(st.text(st.characters(), max_size=300), st.sampled_from(["gpt-4o", "gpt-6", "claude-opus-5-5", ""]))
def test_any_text_has_a_count(text: str, model: str) -> None:
    tokens, exact = NOTHING.count(text, model)
    assert tokens == estimate(text)
    assert not exact
