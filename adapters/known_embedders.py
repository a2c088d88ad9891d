"""What is known of embedding models by their names: a dated data file beside this module (`data/embedders.toml`)."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple


class Known(NamedTuple):
    dimension: int
    window: int
    """Most tokens of a text."""
    source: str
    pooling: Literal["mean", "cls"] = "mean"
    """How one vector is made of those of the tokens."""
    prefix: str = ""
    """Stands before each text where questions are compared with questions."""
    shortens: bool = False
    """Whether an API gives fewer dimensions on demand."""


@cache
def table() -> dict[str, Known]:
    rows: dict[str, dict[str, Any]] = tomllib.loads(
        files("adapters").joinpath("data/embedders.toml").read_text("utf-8")
    )
    return {name: Known(**row) for name, row in rows.items()}


def known(model: str) -> Known | None:
    """By its full name, else by its last part, as gateways and local servers name models (`openai/...`, `...:latest`);
    letter case does not count."""
    plain = model.lower().removesuffix(":latest")
    full = {name.lower(): row for name, row in table().items()}
    short = {name.rpartition("/")[2]: row for name, row in full.items()}
    return full.get(plain) or short.get(plain.rpartition("/")[2])
