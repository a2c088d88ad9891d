"""What the files of a text encoder say of it, and its network, built or loaded.

A directory is one of sentence-transformers (`modules.json`, `1_Pooling/config.json`, `sentence_bert_config.json`) or a
bare one of transformers. Its network is a BERT in `model.safetensors`, for which a graph is built, or an exported
`onnx/model.onnx`.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from adapters.bert_graph import Head, Shape, Weights, graph_of
from adapters.embedder import EmbedderUnavailable
from adapters.extras import attempted, library
from adapters.model_files import ModelFiles
from adapters.onnx_session import OnnxSession
from adapters.wordpieces import WordPieces, vocabulary_fits, window_of

WEIGHTS = "model.safetensors"
EXPORTED = ("onnx/model.onnx", "model.onnx")

WINDOW = 512
"""Tokens, where nothing says: what BERT was made for."""

UNDERSTOOD = {"Transformer", "Pooling", "Normalize"}
"""Modules of sentence-transformers. (To normalise is done in any case: similarities are cosines.)"""

Pooling = Literal["mean", "cls"]
POOLINGS: dict[str, Pooling] = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}


class Described(NamedTuple):
    pooling: Pooling
    window: int
    lower: bool
    """Whether texts are put in small letters before the tokenizer gets them."""


def described(files: ModelFiles, pooling: Pooling) -> Described:
    """`pooling`: where the directory doesn't say. Raises `EmbedderUnavailable` for what is not understood: vectors that
    are put together in another way than the model was trained for are near to the wrong ones."""
    for module in files.rows("modules.json"):
        kind = module.get("type") if isinstance(module, dict) else None
        name = kind.rpartition(".")[2] if isinstance(kind, str) else repr(module)
        if name not in UNDERSTOOD:
            raise EmbedderUnavailable(
                f"{files.path}: its module {name} is not known here; the kind `sentence-transformers` knows them all"
            )
    said, config = files.members("sentence_bert_config.json"), files.members("config.json")
    window = window_of(
        said.get("max_seq_length"),
        files.members("tokenizer_config.json").get("model_max_length"),
        config.get("max_position_embeddings"),
        default=WINDOW,
    )
    return Described(_pooling(files, pooling), window, said.get("do_lower_case") is True)


def _pooling(files: ModelFiles, usual: Pooling) -> Pooling:
    said = files.members("1_Pooling/config.json")
    active = [name for name, value in said.items() if name.startswith("pooling_mode_") and value is True]
    named = said.get("pooling_mode")  # as newer versions of sentence-transformers write it: one name, or several
    if named is not None:
        names = named if isinstance(named, list) else [named]
        active = [next((name for name, short in POOLINGS.items() if short == each), repr(each)) for each in names]
    if not active and not said:
        return usual
    if len(active) != 1 or active[0] not in POOLINGS:
        raise EmbedderUnavailable(f"{files.path}: pooling by {', '.join(active) or 'nothing'} is not known here")
    return POOLINGS[active[0]]


def wordpieces(files: ModelFiles, window: int, words: int | None, *, lower: bool = False) -> WordPieces:
    """`words`: vectors that the network has for tokens, where that is known."""
    where = str(files.path / "tokenizer.json")
    pieces = WordPieces(files.read("tokenizer.json"), where, window, lower=lower)
    if words is not None:
        vocabulary_fits(pieces, words, where)
    return pieces


class Network(NamedTuple):
    session: OnnxSession
    output: str
    words: int | None = None
    hidden: int | None = None
    built: bool = False


def network(files: ModelFiles, head: Head, *, sha256: str | None, quantised: bool, threads: int) -> Network:
    """The graph of its safetensors where it is a BERT, else its exported file. Raises `EmbedderUnavailable`."""
    config = files.members("config.json")
    exported = next((name for name in EXPORTED if files.has(name)), None)
    if config.get("model_type") == "bert" and files.has(WEIGHTS):
        return _built(files, config, head, sha256, quantised, threads)
    if exported is None:
        raise EmbedderUnavailable(
            f"{files.path}: neither a BERT ({WEIGHTS} and a config.json of model_type `bert`; "
            f"this one is {config.get('model_type')!r}) nor an exported model ({' or '.join(EXPORTED)})"
        )
    if quantised:
        raise EmbedderUnavailable(f"{files.path}: only what is built from {WEIGHTS} can be quantised here")
    return _loaded(files, exported, head, sha256, threads)


def _built(
    files: ModelFiles, config: dict[str, Any], head: Head, sha256: str | None, quantised: bool, threads: int
) -> Network:
    where = str(files.path / WEIGHTS)
    try:
        shape = Shape(config)
    except ValueError as error:
        raise EmbedderUnavailable(f"{files.path / 'config.json'}: {error}") from error
    safetensors = library("safetensors.numpy", "onnx")
    raw = files.read(WEIGHTS, sha256)
    weights = attempted(lambda: plain(safetensors.load(raw)), where)
    model = attempted(lambda: graph_of(weights, shape, head, quantised=quantised), where)
    words = len(weights["embeddings.word_embeddings.weight"])
    session = OnnxSession(model, where, threads)
    return Network(session, "logits" if head == "classifier" else "embedding", words, shape.hidden, built=True)


def plain(tensors: dict[str, Any]) -> Weights:
    """float32, under the names of a bare `BertModel`: a model with a head has that in `bert.`."""
    return {name.removeprefix("bert."): np.asarray(value, np.float32) for name, value in tensors.items()}


def _loaded(files: ModelFiles, name: str, head: Head, sha256: str | None, threads: int) -> Network:
    files.read(name, sha256)
    for beside in (f"{name}_data", f"{name}.data"):  # weights of more than 2 GB lie there
        if files.has(beside):
            files.read(beside)
    session = OnnxSession(str(files.path / name), str(files.path / name), threads)
    wanted = 2 if head == "classifier" else 3
    found = [output for output, dimensions in session.outputs.items() if dimensions == wanted]
    if not found:
        raise EmbedderUnavailable(f"{files.path / name}: none of its outputs {list(session.outputs)} is what is needed")
    return Network(session, found[0])
