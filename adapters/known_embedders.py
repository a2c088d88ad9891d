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
    """By the last part of its name: what stands before it is the owner's name on the hub, a gateway's for the provider,
    or nothing. Letter case does not count, nor does the `:latest` of local servers."""
    short = {name.lower().rpartition("/")[2]: row for name, row in table().items()}
    return short.get(model.lower().removesuffix(":latest").rpartition("/")[2])
