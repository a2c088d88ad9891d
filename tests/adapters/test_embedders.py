"""Embedders from their settings, and what is said where they can't be had."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.embedder import EmbedderUnavailable
from adapters.embedders import Remote, Spec, embedder_of, encoder_of
from adapters.errors import EmbeddingError
from adapters.model_files import DEFAULT_MODEL
from adapters.openai_chat import OPENAI_CHAT
from adapters.simulated import INSTANT, Simulated
from adapters.vocabulary import Call, Reply
from tests.adapters import tiny_bert
from tests.adapters.lent import lend, withhold
from tests.fakes import Time

ROOT = Path(__file__).resolve().parents[2]


def tiny(path: Path, **more: Any) -> Spec:
    return Spec(model="someone/tiny", model_dir=str(tiny_bert.written(path)), **more)


def remote() -> Remote:
    time = Time()
    provider = Simulated(OPENAI_CHAT, INSTANT, sleep=time.sleep, clock=time)
    return Remote(provider, "simulated", (("Authorization", "Bearer sk-test"),), price=lambda model, usage: 0.25)


def test_nothing_heavy_is_imported_before_it_is_asked_for() -> None:
    code = (
        "import sys, adapters.embedders, adapters.cross_encoder; heavy = ('onnx', 'tokenizers', 'safetensors', "
        "'wordllama', 'torch', 'sentence_transformers', 'huggingface_hub'); "
        "print([name for name in sys.modules if name.split('.')[0].startswith(heavy)])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_the_default() -> None:
    tiny_bert.default_model()
    embedder = embedder_of(Spec())
    first, second, other = (
        await embedder.embed(["How do I reset my password?", "How can I reset my password?", "Who wrote Hamlet?"])
    ).vectors
    assert embedder.dimension == 384
    assert DEFAULT_MODEL in embedder.identity
    assert first @ second > 0.9 > 0.3 > first @ other
    with pytest.raises(EmbeddingError, match="too long"):
        await embedder.embed(["word " * 20_000])
    await embedder.close()


async def test_a_directory(tmp_path: Path) -> None:
    embedder = embedder_of(tiny(tmp_path))
    assert (await embedder.embed(["turn on"])).vectors.shape == (1, tiny_bert.HIDDEN)
    await embedder.close()


async def test_dimensions_of_a_local_model_are_its_own(tmp_path: Path) -> None:
    await embedder_of(tiny(tmp_path, dimensions=tiny_bert.HIDDEN)).close()
    with pytest.raises(EmbedderUnavailable, match="has 16 dimensions, not 8"):
        embedder_of(tiny(tmp_path, dimensions=8))


def test_settings_reach_the_model(tmp_path: Path) -> None:
    plain = encoder_of(tiny(tmp_path)).encode(["turn on"])
    assert np.allclose(encoder_of(tiny(tmp_path, prefix="turn ")).encode(["on"]), plain, atol=1e-6)
    assert not np.allclose(encoder_of(tiny(tmp_path, quantised=True)).encode(["turn on"]), plain, atol=1e-5)
    digest = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    encoder_of(tiny(tmp_path, sha256=digest))
    with pytest.raises(EmbedderUnavailable, match="damaged or of another model"):
        encoder_of(tiny(tmp_path, sha256="f" * 64))


def test_the_table_says_what_files_do_not(tmp_path: Path) -> None:
    directory = str(tiny_bert.written(tmp_path))
    identity = encoder_of(Spec(model="BAAI/bge-small-en-v1.5", model_dir=directory)).identity
    assert " cls " in identity
    with pytest.raises(EmbeddingError, match="unknown words"):  # "query: " is put before, and no word of the tiny model
        encoder_of(Spec(model="intfloat/e5-small-v2", model_dir=directory)).encode(["turn on"])
    assert len(encoder_of(Spec(model="intfloat/e5-small-v2", model_dir=directory, prefix="")).encode(["turn on"])) == 1


def test_another_model_under_the_default_s_name_is_refused(tmp_path: Path) -> None:
    directory = str(tiny_bert.written(tmp_path))
    for name in (DEFAULT_MODEL, "all-MiniLM-L6-v2"):
        with pytest.raises(EmbedderUnavailable, match=r"damaged or of another model.*say which model it is"):
            encoder_of(Spec(model=name, model_dir=directory))


def test_a_missing_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tiny(tmp_path)
    for name in ("onnxruntime", "onnx", "tokenizers", "safetensors.numpy"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, name, None)
            with pytest.raises(EmbedderUnavailable, match=r"pip install 'warmgate\[onnx\]'"):
                embedder_of(spec)
    withhold(monkeypatch)
    with pytest.raises(EmbedderUnavailable, match=r"pip install 'warmgate\[sentence-transformers\]'"):
        embedder_of(spec._replace(kind="sentence-transformers"))


async def test_static() -> None:
    try:
        embedder = embedder_of(Spec(kind="static"))
    except EmbedderUnavailable as error:
        pytest.skip(str(error))
    assert (await embedder.embed(["one question"])).vectors.shape == (1, 256)
    await embedder.close()


async def test_sentence_transformers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lend(monkeypatch)
    embedder = embedder_of(tiny(tmp_path, kind="sentence-transformers"))
    assert (await embedder.embed(["abc"])).vectors.shape == (1, 26)
    await embedder.close()


async def test_an_upstream() -> None:
    embedder = embedder_of(Spec(kind="upstream", model="text-embedding-3-small"), remote())
    made = await embedder.embed(["one question"])
    assert (made.vectors.shape, made.cost) == ((1, 1536), 0.25)
    assert "simulated" in embedder.identity
    await embedder.close()


async def test_an_upstream_s_dimensions() -> None:
    short = embedder_of(Spec(kind="upstream", model="text-embedding-3-small", dimensions=64), remote())
    assert (await short.embed(["one question"])).vectors.shape == (1, 64)
    named = embedder_of(Spec(kind="upstream", model="house-model", dimensions=256), remote())
    assert (await named.embed(["one question"])).vectors.shape == (1, 256), (
        "what is not known to shorten is not asked to"
    )
    with pytest.raises(EmbedderUnavailable, match="house-model has is not known: `dimensions"):
        embedder_of(Spec(kind="upstream", model="house-model"), remote())
    with pytest.raises(EmbedderUnavailable, match="has 1536 dimensions, not 64"):
        embedder_of(Spec(kind="upstream", model="text-embedding-ada-002", dimensions=64), remote())
    with pytest.raises(EmbedderUnavailable, match="needs an upstream"):
        embedder_of(Spec(kind="upstream"))


async def test_an_upstream_s_window() -> None:
    sent: list[Call] = []

    async def down(call: Call) -> Reply:
        sent.append(call)
        return Reply.whole(503, (), b"{}", source="upstream")

    for window, words in ((None, 600), (100, 120)):
        spec = Spec(kind="upstream", model="house-model", dimensions=4, window=window)
        with pytest.raises(EmbeddingError, match="too long"):
            await embedder_of(spec, Remote(down)).embed(["word " * words])
    assert sent == []
    with pytest.raises(EmbeddingError, match="status 503"):
        await embedder_of(Spec(kind="upstream", model="text-embedding-3-small"), Remote(down)).embed(["word " * 600])


def test_a_kind_that_there_is_not(tmp_path: Path) -> None:
    kind: Any = "word2vec"
    with pytest.raises(EmbedderUnavailable, match="no such kind of embedder: word2vec"):
        embedder_of(tiny(tmp_path, kind=kind))
