"""What the readers of a Messages request share: typed values, and the list of what is lost on the way."""

from __future__ import annotations

import re
from typing import Any

from adapters.errors import Refused

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}")


class Losses:
    """What of a request its provider never sees. On strict terms a loss is a refusal (400, with `param`)."""

    def __init__(self, strict: bool) -> None:
        self._strict = strict
        self._warnings: dict[str, None] = {}

    def add(self, name: str, what: str = "dropped", *, param: str = "") -> None:
        """Notes it once, however often it is lost. `name` may come from a client, and goes into a header."""
        if self._strict:
            raise Refused(400, f"this provider has no equivalent ({what})", param=param or name)
        self._warnings[f"{name if _NAME.fullmatch(name) else 'unknown member'}: {what}"] = None

    def warnings(self) -> tuple[str, ...]:
        return tuple(self._warnings)


def text_of(value: Any, param: str) -> str:
    if type(value) is not str:
        raise Refused(400, f"`{param}` must be a string", param=param)
    return value


def object_of(value: Any, param: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise Refused(400, f"`{param}` must be an object", param=param)
    return value


def list_of(value: Any, param: str) -> list[Any]:
    if type(value) is not list:
        raise Refused(400, f"`{param}` must be an array", param=param)
    return value


def flag_of(value: Any, param: str) -> bool:
    """False where it is absent or null."""
    if value is not None and type(value) is not bool:
        raise Refused(400, f"`{param}` must be true or false", param=param)
    return value is True


def number_of(value: Any, param: str) -> int | float:
    if type(value) is not int and type(value) is not float:
        raise Refused(400, f"`{param}` must be a number", param=param)
    return value
