"""Tags that answers get by rules of the configuration, whoever asked. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import NamedTuple

from cache.labels import LONGEST, MOST, BadLabel, tag_of
from cache.wildcard import BadPattern, matcher

NAMES = ("model", "tenant", "namespace", "path")
"""What a pattern may stand for."""

PLACEHOLDERS = ("model", "tenant", "namespace")
"""What a tag may have in braces."""

_PLACE = re.compile(r"\{([^{}]*)\}")
_UNFIT = re.compile(r'[\x00-\x20\x7f",\ud800-\udfff]')


class BadRule(ValueError):
    """A rule that says nothing, too much, or what is no tag."""


class Asked(NamedTuple):
    """What rules look at in a request."""

    model: str
    tenant: str
    namespace: str
    path: str
    body: bytes


class Rule(NamedTuple):
    """All conditions that are given have to hold; those of names are patterns (`cache.wildcard`)."""

    tags: tuple[str, ...]
    """Each may have `{model}`, `{tenant}`, `{namespace}` in it."""
    model: str | None = None
    tenant: str | None = None
    namespace: str | None = None
    path: str | None = None
    contains: str | None = None
    """Text that stands in the body of the request, letter case included, however JSON writes it."""


class _Compiled(NamedTuple):
    names: tuple[tuple[Callable[[Asked], str], Callable[[str], bool]], ...]
    """What is looked at, and what has to hold of it."""
    contains: tuple[bytes, ...]
    """Any of them."""
    tags: tuple[str, ...]


class TagRules:
    """False where there are none. Raises `BadRule`, with the place of the rule in the list, from 1."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        given = list(rules)
        self._rules = []
        for number, rule in enumerate(given, 1):
            try:
                self._rules.append(_compiled(rule))
            except (BadLabel, BadPattern) as error:
                raise BadRule(f"tag rule {number}: {error}") from error
        if sum(len(rule.tags) for rule in given) > MOST:
            raise BadRule(f"tag rules give {MOST} tags at most, all of them together: so many an answer may have")

    def __bool__(self) -> bool:
        return bool(self._rules)

    def tags(self, asked: Asked) -> tuple[str, ...]:
        """Of all rules that hold, in their order, each tag once."""
        found: dict[str, None] = {}
        for rule in self._rules:
            if all(holds(name(asked)) for name, holds in rule.names) and _contains(rule, asked.body):
                found.update(dict.fromkeys(_filled(tag, asked) for tag in rule.tags))
        return tuple(found)


def _compiled(rule: Rule) -> _Compiled:
    if not rule.tags:
        raise BadLabel("it gives no tag")
    for tag in rule.tags:
        for name in _PLACE.findall(tag):
            if name not in PLACEHOLDERS:
                raise BadLabel(f"{{{name}}} is none of {{{'}, {'.join(PLACEHOLDERS)}}}")
        tag_of(_PLACE.sub("x", tag))
    names = [name for name in NAMES if getattr(rule, name) is not None]
    if not names and not rule.contains:
        raise BadLabel('it has no condition; one that is meant for every request says `model: "*"`')
    return _Compiled(
        tuple((attrgetter(name), matcher(getattr(rule, name))) for name in names),
        _written(rule.contains) if rule.contains else (),
        rule.tags,
    )


def _written(text: str) -> tuple[bytes, ...]:
    """The ways in which JSON writes a text, in characters and in escapes."""
    forms = (json.dumps(text, ensure_ascii=False), json.dumps(text))
    try:
        return tuple(dict.fromkeys(form[1:-1].encode() for form in forms))
    except UnicodeEncodeError as error:
        raise BadLabel("`contains` has characters that no text has") from error


def _contains(rule: _Compiled, body: bytes) -> bool:
    return not rule.contains or any(form in body for form in rule.contains)


def _filled(tag: str, asked: Asked) -> str:
    """A name that is no part of a tag gets underscores in the wrong places: two names that become one tag go together,
    which is more than was asked for, and safe."""
    if "{" not in tag:
        return tag
    facts: Mapping[str, str] = asked._asdict()
    return _PLACE.sub(lambda match: _UNFIT.sub("_", facts[match[1]]), tag)[:LONGEST]
