"""Where models are looked for, and what is said of files that are missing or damaged."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.embedder import EmbedderUnavailable
from adapters.model_files import (
    DEFAULT_MODEL,
    DEFAULT_SHA256,
    INSTALL_PACKAGE,
    ModelFiles,
    find,
    hub_cache,
    installed,
    repository_of,
)
from tests.adapters import tiny_bert

OTHER = "BAAI/bge-small-en-v1.5"


def cached(home: Path, model: str = OTHER, revision: str = "abc123") -> Path:
    """What the hub's library leaves behind."""
    folder = home / "hub" / f"models--{model.replace('/', '--')}"
    snapshot = folder / "snapshots" / revision
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(revision)
    return snapshot


def test_the_directory_that_is_named_goes_first(tmp_path: Path) -> None:
    cached(tmp_path)
    environ = {"HF_HOME": str(tmp_path)}
    assert find(OTHER, model_dir=str(tmp_path / "hub"), fetch=False, environ=environ) == tmp_path / "hub"
    with pytest.raises(EmbedderUnavailable, match="model_dir nowhere/at/all: no such directory"):
        find(OTHER, model_dir="nowhere/at/all", fetch=True, environ=environ)


def test_the_packaged_default_model_is_found_and_is_what_it_says() -> None:
    path = tiny_bert.default_model()
    assert ModelFiles(path).read("model.safetensors", DEFAULT_SHA256)
    assert find("all-MiniLM-L6-v2", model_dir=None, fetch=False, environ=os.environ) == path


def test_the_package_is_not_imported() -> None:
    code = (
        "import os, sys; from adapters.model_files import *; "
        "find(DEFAULT_MODEL, model_dir=None, fetch=False, environ=os.environ); "
        "print([name for name in sys.modules if name.startswith(('gt_all', 'torch', 'onnx', 'tokenizers'))])"
    )
    tiny_bert.default_model()
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_hub_s_own_cache_is_used(tmp_path: Path) -> None:
    snapshot = cached(tmp_path)
    assert find(OTHER, model_dir=None, fetch=False, environ={"HF_HOME": str(tmp_path)}) == snapshot
    assert find(OTHER, model_dir=None, fetch=False, environ={"HF_HUB_CACHE": str(tmp_path / "hub")}) == snapshot


def test_where_the_hub_s_cache_is() -> None:
    assert hub_cache({"HF_HUB_CACHE": "/a", "HF_HOME": "/b"}) == Path("/a")
    assert hub_cache({"HF_HOME": "/b", "XDG_CACHE_HOME": "/c"}) == Path("/b/hub")
    assert hub_cache({"XDG_CACHE_HOME": "/c"}) == Path("/c/huggingface/hub")
    assert hub_cache({}) == Path.home() / ".cache/huggingface/hub"


@pytest.mark.parametrize("break_it", ["refs/main", "snapshots/abc123"])
def test_half_a_cache_is_none(tmp_path: Path, break_it: str) -> None:
    cached(tmp_path)
    broken = tmp_path / "hub" / f"models--{OTHER.replace('/', '--')}" / break_it
    broken.rename(broken.with_name("gone"))
    with pytest.raises(EmbedderUnavailable, match=f"no files of {OTHER}.*model_dir.*fetch"):
        find(OTHER, model_dir=None, fetch=False, environ={"HF_HOME": str(tmp_path)})


def test_a_hub_that_can_t_be_reached_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("huggingface_hub")
    code = (
        "from adapters.model_files import *\n"
        "try:\n    find('someone/some-model', model_dir=None, fetch=True, environ={})\n"
        "except EmbedderUnavailable as error:\n    print(error)"
    )
    root = Path(__file__).resolve().parents[2]
    environ = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environ, capture_output=True, text=True, check=True
    )
    assert "someone/some-model can't be fetched" in done.stdout
    assert "model_dir" in done.stdout


def test_what_to_do_where_the_default_model_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.model_files.PACKAGE", "no_such_package_at_all")
    with pytest.raises(EmbedderUnavailable, match=re.escape(INSTALL_PACKAGE)):
        find(DEFAULT_MODEL, model_dir=None, fetch=False, environ={"HF_HOME": str(tmp_path)})


def test_names() -> None:
    assert repository_of("all-MiniLM-L6-v2") == DEFAULT_MODEL
    assert repository_of(OTHER) == OTHER
    assert installed("no_such_package_at_all") is None
    assert installed("json") is not None


def test_a_file_that_is_another(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(b"weights")
    right = hashlib.sha256(b"weights").hexdigest()
    assert ModelFiles(tmp_path).read("w", right) == b"weights"
    assert ModelFiles(tmp_path).read("w", right.upper()) == b"weights"
    with pytest.raises(EmbedderUnavailable, match=f"damaged or of another model.*{right}"):
        ModelFiles(tmp_path).read("w", "0" * 64)


def test_a_file_that_is_missing_or_a_directory(tmp_path: Path) -> None:
    with pytest.raises(EmbedderUnavailable, match="No such file"):
        ModelFiles(tmp_path).read("w")
    (tmp_path / "d").mkdir()
    with pytest.raises(EmbedderUnavailable, match="d: Is a directory"):
        ModelFiles(tmp_path).read("d")


def test_json_that_is_absent_or_something_else(tmp_path: Path) -> None:
    (tmp_path / "o").write_text('{"a": 1}')
    (tmp_path / "a").write_text("[1]")
    (tmp_path / "bad").write_text('{"a": ')
    files = ModelFiles(tmp_path)
    assert (files.members("o"), files.rows("a"), files.members("no"), files.rows("no")) == ({"a": 1}, [1], {}, [])
    for read, name in ((files.members, "a"), (files.rows, "o"), (files.members, "bad"), (files.rows, "bad")):
        with pytest.raises(EmbedderUnavailable, match=f"{tmp_path}/{name}: "):
            read(name)


def test_the_fingerprint_tells_of_every_byte_that_was_read(tmp_path: Path) -> None:
    def fingerprint(**contents: str) -> str:
        files = ModelFiles(tmp_path)
        for name, content in contents.items():
            (tmp_path / name).write_text(content)
            files.read(name)
        return files.fingerprint()

    first = fingerprint(a="1", b="2")
    assert first == fingerprint(b="2", a="1")
    assert len({first, fingerprint(a="1"), fingerprint(a="2", b="1"), fingerprint(a="1", b="3")}) == 4
