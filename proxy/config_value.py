"""From what a file says to settings: one reader per kind of type, driven by the types in `proxy/config.py`.

A scalar is read by what its setting is, not by what YAML guesses: `04100`, `1:30`, `yes` and `on` are no numbers and no
truth values here, and text that YAML would take for something else (`no`, `2024-10-21`) is asked to stand in quotes.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from msgspec import inspect

from proxy.config import SIMULATED, Settings
from proxy.config_problem import NOWHERE, Place, Problem, Trail


@dataclass(frozen=True, slots=True)
class Word:
    """A scalar: its text, whether it stands without quotes, and whether YAML too takes it for text."""

    text: str
    plain: bool = True
    textual: bool = True


@dataclass(slots=True)
class Item:
    """A value of a file with its place; `named` is the place of its key, `repeated` lists keys that came again."""

    value: Word | list[Item] | dict[str, Item] | None
    place: Place = NOWHERE
    named: Place | None = None
    repeated: list[tuple[str, Place]] = field(default_factory=list)


WRONG: Any = object()
"""Instead of a value where there is none, because a problem was noted."""

MOST = 10**15
"""No setting is larger, whatever its unit."""

SCHEMA = inspect.type_info(Settings)

BYTES = {
    "": 1, "B": 1,
    "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
SECONDS = {
    "": Decimal(1),
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}

_WHOLE = re.compile(r"[+-]?\d{1,16}", re.ASCII)
_DECIMAL = r"[+-]?(?:\d{1,16}(?:\.\d{0,20})?|\.\d{1,20})(?:[eE][+-]?\d{1,3})?"
_NUMBER = re.compile(_DECIMAL, re.ASCII)
_AMOUNT = re.compile(rf"({_DECIMAL}) ?([A-Za-z]*)", re.ASCII)


def read(kind: inspect.Type, item: Item, trail: Trail, problems: list[Problem]) -> Any:
    """The value of type `kind`, or `WRONG` after noting why not."""
    if isinstance(kind, inspect.UnionType):
        if item.value is None:
            return None
        (kind,) = (part for part in kind.types if not isinstance(part, inspect.NoneType))
    form = ""
    if isinstance(kind, inspect.Metadata):
        form, kind = (kind.extra or {}).get("form", ""), kind.type
    return READERS[type(kind)](kind, form, item, trail, problems)


def _struct(kind: inspect.StructType, form: str, item: Item, trail: Trail, problems: list[Problem]) -> Any:
    """A section. An empty one (nothing behind its colon) is all defaults. What is wrong in it keeps its default, or
    None where there is none: with a problem noted nobody gets the result, but the rules can still look at the rest."""
    table = {} if item.value is None else item.value
    if not isinstance(table, dict):
        _wrong("must be a section: names with values, indented below it", item, trail, problems)
        return kind.cls(**{entry.name: None for entry in kind.fields if entry.required})
    fields = {entry.name: entry for entry in kind.fields}
    problems.extend(_misnamed(item, table, fields, trail))
    given = {}
    for name, entry in fields.items():
        if name in table:
            given[name] = read(entry.type, table[name], (*trail, name), problems)
        elif entry.required:
            given[name] = _wrong("is missing", item, (*trail, name), problems)
        if entry.required and given[name] is WRONG:
            given[name] = None
    return kind.cls(**{name: value for name, value in given.items() if value is not WRONG})


def _misnamed(
    item: Item, table: dict[str, Item], fields: Mapping[str, inspect.Field], trail: Trail
) -> Iterator[Problem]:
    # Among keys a name out of place may be a key itself: it is not repeated.
    secretive = any(_form(entry.type) == "secret" for entry in fields.values())
    for name, place in item.repeated:
        if name in fields or not secretive:
            first = table[name].named
            yield Problem((*trail, name), f"is set twice, first in line {first.line if first else 0}", place)
    for name, entry in table.items():
        if name not in fields:
            where = trail if secretive else (*trail, name)
            yield Problem(where, _unknown(name, fields), entry.named or entry.place)


def _unknown(name: str, fields: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, fields, 1)
    elsewhere = [] if near else [path for path in map(".".join, settings()) if path.split(".")[-1] == name]
    if near or elsewhere:
        return f"unknown setting; did you mean `{(near or elsewhere)[0]}`?"
    return f"unknown setting; known here: {', '.join(fields)}"


def _list(kind: inspect.VarTupleType, form: str, item: Item, trail: Trail, problems: list[Problem]) -> Any:
    if not isinstance(item.value, list):
        return _wrong("must be a list", item, trail, problems)
    values = [read(kind.item_type, entry, (*trail, index), problems) for index, entry in enumerate(item.value)]
    return tuple(value for value in values if value is not WRONG)


def _dict(kind: inspect.DictType, form: str, item: Item, trail: Trail, problems: list[Problem]) -> Any:
    table = {} if item.value is None else item.value
    if not isinstance(table, dict):
        return _wrong("must be a section: names with values, indented below it", item, trail, problems)
    problems.extend(Problem((*trail, name), "is set twice", place) for name, place in item.repeated)
    values = {name: read(kind.value_type, entry, (*trail, name), problems) for name, entry in table.items()}
    return {name: value for name, value in values.items() if value is not WRONG}


def _flag(kind: inspect.BoolType, form: str, item: Item, trail: Trail, problems: list[Problem]) -> Any:
    text = _plain(item)
    if text.lower() not in ("true", "false"):
        return _wrong("must be true or false", item, trail, problems)
    return text.lower() == "true"


def _whole(kind: inspect.IntType, form: str, item: Item, trail: Trail, problems: list[Problem]) -> Any:
    value: Decimal | None
    if form == "bytes":
        wanted = "must be a size of 1 byte or more: a number of bytes, or a text such as 64KiB, 10MB, 1GiB"
        value = _amount(item, BYTES)
    else:
        bounds = f"from {kind.ge} to {kind.le}" if kind.le is not None else f"of {kind.ge} or more"
        wanted = f"must be a whole number {bounds}"
        value = Decimal(_plain(item)) if _WHOLE.fullmatch(_plain(item)) else None
    if value is None or not _within(kind, value) or value != int(value):
        return _wrong(wanted, item, trail, problems)
    return int(value)


def _number(kind: inspect.FloatType, form: str, item: Item, trail: Trail, problems: list[Problem]) -> Any:
    bounds = "more than 0" if kind.gt is not None else "0 or more"
    value: Decimal | None
    if form == "seconds":
        wanted = f"must be a time of {bounds}: a number of seconds, or a text such as 500ms, 30s, 5m, 1h, 7d"
        value = _amount(item, SECONDS)
    else:
        wanted = f"must be a number, {bounds}"
        value = Decimal(_plain(item)) if _NUMBER.fullmatch(_plain(item)) else None
    if value is None or not _within(kind, value):
        return _wrong(wanted, item, trail, problems)
    return float(value)


def _amount(item: Item, units: Mapping[str, int | Decimal]) -> Decimal | None:
    """A number with an optional unit; with a unit it may stand in quotes."""
    word = item.value
    match = _AMOUNT.fullmatch(word.text) if isinstance(word, Word) else None
    if match is None or match[2] not in units or not (match[2] or _plain(item)):
        return None
    return Decimal(match[1]) * units[match[2]]


def _within(kind: inspect.IntType | inspect.FloatType, value: Decimal) -> bool:
    return (
        value <= MOST
        and (kind.ge is None or value >= kind.ge)
        and (kind.gt is None or value > kind.gt)
        and (kind.le is None or value <= kind.le)
    )


def _choice(kind: inspect.LiteralType, form: str, item: Item, trail: Trail, problems: list[Problem]) -> Any:
    allowed = [str(value) for value in kind.values]
    text = item.value.text if isinstance(item.value, Word) else ""
    if text in allowed:
        return text
    near = difflib.get_close_matches(text, allowed, 1)
    hint = f"; did you mean `{near[0]}`?" if near and len(allowed) > 1 else ""
    return _wrong(f"must be {'one of: ' if len(allowed) > 1 else ''}{', '.join(allowed)}{hint}", item, trail, problems)


def _text(kind: inspect.StrType, form: str, item: Item, trail: Trail, problems: list[Problem]) -> Any:
    word = item.value
    if not isinstance(word, Word):
        return _wrong("must be a text", item, trail, problems)
    if not word.textual:
        return _wrong("must be a text; YAML takes this for something else, so put it in quotes", item, trail, problems)
    if not word.text or not word.text.isprintable():
        return _wrong("must be a text that is not empty and has no control characters", item, trail, problems)
    objection = TEXTS[form](word.text)
    return _wrong(objection, item, trail, problems) if objection else word.text


def _url(text: str) -> str:
    if text == SIMULATED:
        return ""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not a valid URL"
    if parts.scheme not in ("http", "https") or not host or " " in text:
        return f"must be a URL that begins with http:// or https:// and has a host, or the word `{SIMULATED}`"
    if "@" in parts.path:
        return "must be a URL without `@` after the host; a `/` in a password is written %2F"
    if parts.fragment or parts.path.rstrip("/").endswith("/chat/completions"):
        return "must be the base of the API (such as https://api.openai.com/v1), without fragment and route"
    return ""


def _redis(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not a valid URL"
    place = parts.path if parts.scheme == "unix" else host
    if parts.scheme not in ("redis", "rediss", "unix") or not place or " " in text:
        return "must be redis://HOST:PORT/NUMBER, rediss://... (TLS) or unix:///PATH"
    return "must be a URL without `@` after the host; a `/` in a password is written %2F" if "@" in parts.path else ""


def _match(pattern: str, objection: str) -> Callable[[str], str]:
    compiled = re.compile(pattern, re.ASCII)
    return lambda text: "" if compiled.fullmatch(text) else objection


TEXTS: dict[str, Callable[[str], str]] = {
    "text": lambda text: "",
    "directory": lambda text: "",
    "file": _match(r".*[^/]", "must name a file; it ends like a directory"),
    "url": _url,
    "redis": _redis,
    "name": _match(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "must be letters, digits, `.`, `_` or `-`, at most 64"),
    "variable": _match(
        r"[A-Z_][A-Z0-9_]*",
        "must be the name of an environment variable in upper case; the key itself belongs into that variable",
    ),
    "header": _match(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?", "must be printable ASCII without blanks at its ends"),
    # What can follow `Bearer`: b64token of RFC 6750 §2.1.
    "secret": _match(
        r"[A-Za-z0-9._~+/-]+=*", "must be made of letters, digits and `-._~+/`, which an Authorization header can carry"
    ),
}
"""What is wrong with a text of each form; empty where nothing is."""

READERS: dict[type[inspect.Type], Callable[[Any, str, Item, Trail, list[Problem]], Any]] = {
    inspect.StructType: _struct,
    inspect.VarTupleType: _list,
    inspect.DictType: _dict,
    inspect.BoolType: _flag,
    inspect.IntType: _whole,
    inspect.FloatType: _number,
    inspect.LiteralType: _choice,
    inspect.StrType: _text,
}


def _plain(item: Item) -> str:
    """The text of a scalar without quotes, else nothing: `"4100"` is a text, not a number."""
    return item.value.text if isinstance(item.value, Word) and item.value.plain else ""


def _wrong(message: str, item: Item, trail: Trail, problems: list[Problem]) -> Any:
    problems.append(Problem(trail, message, item.place))
    return WRONG


def _form(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.UnionType):
        return next((form for form in map(_form, kind.types) if form), "")
    return str((kind.extra or {}).get("form", "")) if isinstance(kind, inspect.Metadata) else ""


def settings(kind: inspect.Type = SCHEMA, trail: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The way to every setting there is, sections left out, in order."""
    if isinstance(kind, inspect.StructType):
        for entry in kind.fields:
            yield from settings(entry.type, (*trail, entry.name))
    else:
        yield trail


def written(kind: inspect.Type, value: Any, show: Callable[[str, str], str]) -> Any:
    """A value as a file would have it; `show(form, text)` decides how a text appears."""
    if value is None:
        return None
    if isinstance(kind, inspect.UnionType):
        (kind,) = (part for part in kind.types if not isinstance(part, inspect.NoneType))
    form = _form(kind)
    if isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.StructType):
        return {entry.name: written(entry.type, getattr(value, entry.name), show) for entry in kind.fields}
    if isinstance(kind, inspect.VarTupleType):
        return [written(kind.item_type, entry, show) for entry in value]
    if isinstance(kind, inspect.DictType):
        return {name: written(kind.value_type, entry, show) for name, entry in value.items()}
    if form == "bytes":
        unit = next((unit for unit in ("GiB", "MiB", "KiB") if value and value % BYTES[unit] == 0), "")
        return f"{value // BYTES[unit]}{unit}" if unit else value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return show(form, value) if isinstance(value, str) else value
