"""Settings from YAML files, variables and flags, and back.

What a later one says replaces what an earlier one said: defaults, file, variables (`WARMGATE_LISTEN_PORT` for
`listen.port`), flags. All of it is read by the same rules, and everything that is wrong is reported at once, each with
its place. The file is only composed into nodes: nothing in it can make an object or run code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from msgspec.structs import replace

from cache.presets import SIZES, Sizes
from proxy.config import OPENAI, Settings
from proxy.config_problem import NOWHERE, ConfigError, Place, Problem, Trail
from proxy.config_rules import Objection, contradictions, unmet
from proxy.config_types import MASK, masked_url
from proxy.config_value import SCHEMA, Item, Word, read, settings, written
from proxy.providers import variable_of

LONGEST = 1024**2
"""Bytes of a file."""
MOST_NODES = 20_000
"""Values of a file, each alias counted as often as it is used: nine short lines can stand for a billion."""
DEEPEST = 30

TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "merge", "value", "map", "seq")
)
"""What YAML itself finds in a plain text; any other tag was written by hand."""


def load(
    path: Path,
    *,
    env: Mapping[str, str] | None = None,
    changes: Mapping[str, Any] | None = None,
    needs: bool = True,
) -> Settings:
    """The settings of a file; raises `ConfigError`. What goes with it is as for `loads`."""
    try:
        with path.open("rb") as file:
            raw = file.read(LONGEST + 1)
    except OSError as error:
        raise ConfigError([Problem((), f"can't be read: {error.strerror}", Place(str(path)))]) from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        place = Place(str(path), before.count(b"\n") + 1, len(before) - before.rfind(b"\n"))
        raise ConfigError([Problem((), "is not UTF-8 text", place)]) from None
    return loads(text, str(path), env=env, changes=changes, needs=needs)


def loads(
    text: str,
    name: str = "<text>",
    *,
    env: Mapping[str, str] | None = None,
    changes: Mapping[str, Any] | None = None,
    needs: bool = True,
) -> Settings:
    """The settings that a text and whatever overrides it amount to; an empty text is all defaults.

    With `env` the variables of `variables()` override the text, and unless `needs` is false everything that the
    settings need from their surroundings (`proxy.config_rules.unmet`) is looked for; without `env` neither is done.
    `changes` are flags as for `override`. Raises `ConfigError` with every problem there is.
    """
    problems: list[Problem] = []
    root = _composed(text, name, problems)
    for variable, path in variables().items():
        if env is not None and env.get(variable):
            _put(root, path, _from_variable(env[variable], Place(f"variable {variable}")))
    for path, value in (changes or {}).items():
        _put(root, path, _item_of(value))
    return _settled(root, problems, env if needs else None)


def override(base: Settings, changes: Mapping[str, Any], *, env: Mapping[str, str] | None = None) -> Settings:
    """The settings with others in their place, `{"listen.port": 4200}`, checked as a file is. Raises `ConfigError`.

    Values are those of Python, or texts as a flag or a file would give them (`"64MiB"`, `"false"`).
    """
    root = _item_of(written(SCHEMA, base, lambda form, text: text))
    for path, value in changes.items():
        _put(root, path, _item_of(value))
    return _settled(root, [], env)


def dump(effective: Settings, mask: bool = True) -> str:
    """Every setting with its value, as YAML that `loads` reads back. With `mask` nothing secret is in it."""
    tree = written(SCHEMA, effective, _masked if mask else lambda form, text: text)
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=1000)


def variables() -> dict[str, str]:
    """The environment variable of every setting that is a single value, with its path."""
    single = (trail for trail in settings() if trail not in LISTS)
    return {f"WARMGATE_{'_'.join(trail).upper()}": ".".join(trail) for trail in single}


LISTS: tuple[Trail, ...] = (
    ("tenants", "keys"),
    ("prices",),
    ("upstreams",),
    ("routes",),
    ("upstream", "headers"),
    ("pruning", "hooks"),
    ("pruning", "protect_tools"),
    ("pruning", "protect_paths"),
    ("cache", "semantic", "context"),
    ("cache", "namespaces"),
    ("cache", "invalidation", "tag_rules"),
    ("cache", "invalidation", "depends"),
    ("cache", "invalidation", "files"),
    ("cache", "invalidation", "events"),
)
"""Settings that are no single value, so that no variable can hold them."""


def _masked(form: str, text: str) -> str:
    if form == "secret" or (form == "header" and variable_of(text) is None):
        return MASK
    return masked_url(text) if form in ("url", "redis") else text


def _with_preset(root: Item) -> None:
    """Puts the sizes of a preset where none are set. What is wrong with any of this is reported where it is read."""
    cache = root.value.get("cache") if isinstance(root.value, dict) else None
    preset = cache.value.get("preset") if cache is not None and isinstance(cache.value, dict) else None
    sizes = SIZES.get(preset.value.text) if preset is not None and isinstance(preset.value, Word) else None
    for level, size in zip(Sizes._fields, sizes or (), strict=False):
        path = f"cache.multi_level.{level}.max_size"
        if not _has(root, path):
            _put(root, path, Item(Word(str(size), textual=False), preset.place if preset is not None else NOWHERE))


def _has(root: Item, path: str) -> bool:
    item: Item | None = root
    for name in path.split("."):
        item = item.value.get(name) if item is not None and isinstance(item.value, dict) else None
    return item is not None


def _settled(root: Item, problems: list[Problem], env: Mapping[str, str] | None) -> Settings:
    _with_preset(root)
    result: Settings = read(SCHEMA, root, (), problems)
    objections = [*contradictions(result), *(unmet(result, env) if env is not None else ())]
    wrong = [problem.trail for problem in problems]
    sound = [entry for entry in objections if not _rests_on(entry, wrong)]
    problems.extend(Problem(entry.trail, entry.message, _place(root, entry.trail)) for entry in sound)
    if problems:
        raise ConfigError(problems)
    if result.upstream.base_url is None:
        return replace(result, upstream=replace(result.upstream, base_url=OPENAI))
    return result


def _rests_on(objection: Objection, wrong: list[Trail]) -> bool:
    """Whether the objection speaks of something that was read wrongly, and so may be about a default in its place."""
    pairs = ((trail, bad) for trail in (objection.trail, *objection.because) for bad in wrong)
    return any(trail[: len(bad)] == bad or bad[: len(trail)] == trail for trail, bad in pairs)


def _place(root: Item, trail: Trail) -> Place:
    """Where the setting stands, or the nearest section around it that is written down."""
    item, place = root, root.place
    for part in trail:
        if isinstance(item.value, dict) and part in item.value:
            item = item.value[str(part)]
        elif isinstance(item.value, list) and isinstance(part, int):
            item = item.value[part]
        else:
            return place
        place = item.named or item.place
    return item.place


def _put(root: Item, path: str, item: Item) -> None:
    *sections, last = path.split(".")
    for name in sections:
        if root.value is None:
            root.value = {}
        if not isinstance(root.value, dict):
            return  # reported where it is read: a section that is none
        root = root.value.setdefault(name, Item({}, item.place))
    if root.value is None:
        root.value = {}
    if isinstance(root.value, dict):
        root.value[last] = item


def _item_of(value: Any) -> Item:
    if isinstance(value, Mapping):
        return Item({str(name): _item_of(entry) for name, entry in value.items()})
    if isinstance(value, list | tuple):
        return Item([_item_of(entry) for entry in value])
    if isinstance(value, bool):
        return Item(Word(str(value), textual=False))
    return Item(value if value is None else Word(str(value), textual=isinstance(value, str)))


def _from_variable(text: str, place: Place) -> Item:
    return Item(None if text == "null" else Word(text), place)


def _composed(text: str, name: str, problems: list[Problem]) -> Item:
    if len(text) > LONGEST:
        raise ConfigError([Problem((), f"is larger than {LONGEST} bytes", Place(name))])
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(name, mark.line + 1, mark.column + 1) if mark else Place(name)
        raise ConfigError([Problem((), _unquoted(error.problem or "is not YAML"), place)]) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Place(name, before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise ConfigError([Problem((), "a control character can't stand in YAML", place)]) from None
    except RecursionError:
        raise ConfigError([Problem((), "is nested too deeply", Place(name))]) from None
    return _Tree(name, problems).item(node, 0, ()) if node is not None else Item(None, Place(name))


def _unquoted(problem: str) -> str:
    """The parser's words without what it quotes from the file beyond a single character."""
    if "'\\t'" in problem:
        return "not valid YAML: a tab can't indent here; use spaces"
    return "not valid YAML: " + re.sub(r"'([^']*)'", _quotable, problem)


def _quotable(match: re.Match[str]) -> str:
    return match[0] if len(match[1]) < 2 or match[1].startswith("<") else "'...'"


class _Tree:
    """Turns nodes into items and notes what YAML allows and a configuration does not."""

    def __init__(self, name: str, problems: list[Problem]) -> None:
        self.name = name
        self.problems = problems
        self.nodes = 0

    def item(self, node: yaml.Node, depth: int, trail: Trail) -> Item:
        self.nodes += 1
        place = self.place(node)
        if self.nodes > MOST_NODES:
            raise ConfigError([Problem((), f"has more than {MOST_NODES} values, aliases counted as used", place)])
        if depth > DEEPEST:
            raise ConfigError([Problem((), f"is nested deeper than {DEEPEST} levels", place)])
        if node.tag not in TAGS:
            self.problems.append(Problem(trail, "a tag (`!...`) can't stand in a configuration", place))
        if isinstance(node, yaml.MappingNode):
            return self.table(node, depth, trail)
        if isinstance(node, yaml.SequenceNode):
            return Item([self.item(entry, depth + 1, (*trail, i)) for i, entry in enumerate(node.value)], place)
        if not isinstance(node, yaml.ScalarNode) or node.tag.endswith(":null"):
            return Item(None, place)
        return Item(Word(node.value, plain=node.style is None, textual=node.tag.endswith(":str")), place)

    def table(self, node: yaml.MappingNode, depth: int, trail: Trail) -> Item:
        table: dict[str, Item] = {}
        whole = Item(table, self.place(node))
        for key, value in node.value:
            place = self.place(key)
            if not isinstance(key, yaml.ScalarNode):
                self.problems.append(Problem(trail, "a name must be a single word", place))
            elif key.value in table:
                whole.repeated.append((key.value, place))
            else:
                table[key.value] = self.item(value, depth + 1, (*trail, key.value))
                table[key.value].named = place
        return whole

    def place(self, node: yaml.Node) -> Place:
        return Place(self.name, node.start_mark.line + 1, node.start_mark.column + 1)
