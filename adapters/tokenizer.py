"""Token counts by the vocabulary of the model where its file is at hand, by an estimate where not.

Nothing here goes to the network. tiktoken would: it fetches a vocabulary that it does not find, without a time limit,
and deletes and fetches again one whose checksum is wrong (tiktoken 0.14, read 2026-11). So its constructors of
encodings run with a loader of ours in the place of theirs. `scripts/fetch-bpe` puts the files where they are found.

Money that a provider reported in `usage` never passes through here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from adapters.tokens import estimate

if TYPE_CHECKING:
    from tiktoken import Encoding

FILES = {
    "o200k_base": "fb374d419588a4632f3f557e76b4b70aebbca790",
    "cl100k_base": "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
}
"""The files of the encodings we use. The name is the SHA-1 of the URL that tiktoken has a vocabulary from."""

LOADER = "load_tiktoken_bpe"
"""The function by which tiktoken's constructors read a vocabulary."""

MODELS: dict[str, tuple[str, bool]] = {
    "gpt-": ("o200k_base", False),
    "gpt-oss": ("o200k_base", True),  # o200k_harmony differs in special tokens only, and a text has none of these
    "gpt-5": ("o200k_base", True),
    "gpt-4.5": ("o200k_base", True),
    "gpt-4.1": ("o200k_base", True),
    "gpt-4o": ("o200k_base", True),
    "chatgpt-": ("o200k_base", False),
    "chatgpt-4o": ("o200k_base", True),
    "codex-": ("o200k_base", False),
    "o1": ("o200k_base", True),
    "o3": ("o200k_base", True),
    "o4": ("o200k_base", False),
    "o4-mini": ("o200k_base", True),
    "gpt-4": ("cl100k_base", True),
    "gpt-3.5": ("cl100k_base", True),
    "gpt-35-turbo": ("cl100k_base", True),
    "text-embedding-3": ("cl100k_base", True),
    "text-embedding-ada-002": ("cl100k_base", True),
}
"""Encodings by how a model's name begins, the longest beginning first, and whether it is known to be that one.

Source: tiktoken 0.14.0, `tiktoken/model.py`. It knows no newer family than gpt-5; that gpt-6 still has its encoding is
assumed. Anthropic has no public vocabulary since Claude 3."""


class Count(NamedTuple):
    tokens: int
    exact: bool
    """False where it is an estimate, or another model's vocabulary."""


class TokenCounter:
    def __init__(self, directory: Path | None, env: Mapping[str, str]) -> None:
        """`directory`: where the vocabularies are looked for first; then where tiktoken would (`TIKTOKEN_CACHE_DIR`,
        `DATA_GYM_CACHE_DIR`), then where `scripts/fetch-bpe` puts them. Reads nothing before `load`."""
        self._places = places(directory, env)
        self._encodings: dict[str, Encoding] = {}

    def load(self) -> tuple[str, ...]:
        """Reads what there is, and returns `vocabularies`. It takes up to a second of CPU: call it once, in
        a thread (`asyncio.to_thread`). Meanwhile `count` estimates."""
        found = {name: encoding for name in FILES if (encoding := _encoding(name, self._places)) is not None}
        self._encodings = found
        return self.vocabularies

    @property
    def vocabularies(self) -> tuple[str, ...]:
        """Those that were found."""
        return tuple(self._encodings)

    def count(self, text: str, model: str) -> Count:
        """Tokens of a text as such: neither a message's frame nor special tokens. Takes up to 0.5 µs per character."""
        name, certain = encoding_of(model)
        encoding = self._encodings.get(name)
        if encoding is None:
            return Count(estimate(text), False)
        return Count(len(encoding.encode_ordinary(text)), certain)


def encoding_of(model: str) -> tuple[str, bool]:
    """The encoding of a model under any of the names that gateways give it, and whether that is certain; an empty name
    where nothing is known."""
    name = model.lower().rpartition("/")[2].removeprefix("ft:")
    best = max((start for start in MODELS if name.startswith(start)), key=len, default="")
    return MODELS.get(best, ("", False))


def places(directory: Path | None, env: Mapping[str, str]) -> tuple[Path, ...]:
    """The directories to look in, in their order."""
    named = [Path(path) for name in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR") if (path := env.get(name))]
    caches, home = env.get("XDG_CACHE_HOME", ""), env.get("HOME", "")
    if not caches.startswith("/"):  # the XDG base directory specification: a relative one is ignored
        caches = f"{home}/.cache" if home else ""
    ours = [Path(caches, "warmgate", "tiktoken")] if caches else []
    return (*([directory] if directory else ()), *named, *ours)


def vocabulary(paths: Sequence[Path], sha256: str) -> dict[bytes, int] | None:
    """The ranks of the tokens, from the first of these files that has that checksum; None where none has."""
    for path in paths:
        try:
            raw = path.read_bytes()
        except OSError:
            continue
        if hashlib.sha256(raw).hexdigest() == sha256:
            try:
                pairs = (line.split() for line in raw.splitlines() if line)
                return {base64.b64decode(token, validate=True): int(rank) for token, rank in pairs}
            except (binascii.Error, ValueError):
                return None
    return None


def built(constructor: Callable[[], dict[str, Any]], file: str, directories: Sequence[Path]) -> Encoding | None:
    """The encoding that a constructor of tiktoken describes, its vocabulary read from one of these directories; None
    where none has it, or where it is not the one that the constructor asks for."""
    from tiktoken import Encoding

    def load(url: str, expected_hash: str | None = None) -> dict[bytes, int]:
        same = hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest() == file
        ranks = vocabulary([directory / file for directory in directories], expected_hash or "") if same else None
        if ranks is None:
            raise _Absent
        return ranks

    code = getattr(constructor, "__code__", None)
    if code is None or LOADER not in code.co_names:
        return None
    # The copy has globals of its own: nobody else's tiktoken changes, and no other way of reading is left to this one.
    copy = FunctionType(code, {**constructor.__globals__, LOADER: load})
    try:
        return Encoding(**copy())
    except _Absent:
        return None


class _Absent(Exception):
    pass


def _encoding(name: str, directories: Sequence[Path]) -> Encoding | None:
    file = FILES[name]
    if not any((directory / file).is_file() for directory in directories):
        return None  # whoever has no vocabulary needs no tiktoken either
    from tiktoken_ext.openai_public import ENCODING_CONSTRUCTORS  # type: ignore[import-untyped]

    constructor = ENCODING_CONSTRUCTORS.get(name)
    return built(constructor, file, directories) if constructor else None
