"""The shape of the code, held by reading it: who imports whom, how long things are, and that everything has its test.

A rule is a function from source texts to complaints. Each stands here twice: against the packages, and against a text
that breaks it, so that a rule which no longer sees anything is noticed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]

PACKAGES = ("proxy", "warming", "cache", "adapters")
"""From the top down: each may import what stands behind it, never what stands before."""

LINES, FUNCTION_LINES = 300, 50

LONGER = {
    "adapters/vocabulary.py": "the one place where every value and protocol of the seam is explained",
    "adapters/openai_fold.py": "rules of one wire format, which only make sense side by side",
    "proxy/config.py": "every setting there is, with its default and its meaning, in the order of the file",
    "proxy/config_value.py": "one reader for each kind of value that a setting may have",
    "proxy/importers.py": "one reader for each foreign format, none of which knows another",
}
"""Files of more than 300 lines, each with its reason."""

OUTSIDE = (
    "adapters.openai_*",
    "adapters.anthropic_*",
    "adapters.chat_over_*",
    "adapters.messages_over_*",
    "adapters.upstream",
    "adapters.exchange",
    "adapters.simulated*",
)
"""Dialects and upstreams: `cache` and `warming` know neither."""

DECIDING = (
    "cache/key.py",
    "cache/value_key.py",
    "cache/controls.py",
    "cache/policy.py",
    "cache/entry.py",
    "cache/labels.py",
    "cache/invalidation.py",
    "cache/dependencies.py",
    "cache/invalidation_lines.py",
    "cache/invalidation_events.py",
    "cache/tag_rules.py",
    "cache/wildcard.py",
    "cache/eviction.py",
    "cache/room.py",
    "cache/disk_view.py",
    "cache/dependents.py",
    "cache/promotion.py",
    "cache/presets.py",
    "cache/sizing.py",
    "cache/value_codec.py",
    "cache/value_entry.py",
    "cache/tallies.py",
    "cache/level_config.py",
    "cache/tier_options.py",
    "cache/unsettled.py",
    "cache/redis_asking.py",
    "cache/redis_address.py",
    "cache/redis_breaker.py",
    "cache/redis_entry.py",
    "cache/redis_index.py",
    "cache/redis_names.py",
    "cache/redis_stream.py",
    "adapters/openai_*.py",
    "adapters/anthropic_*.py",
    "adapters/chat_over_*.py",
    "adapters/messages_over_*.py",
    "adapters/body.py",
    "adapters/sse.py",
    "adapters/usage.py",
    "adapters/edit.py",
    "adapters/chain.py",
    "adapters/prefix_cache.py",
    "adapters/prompt*.py",
    "adapters/message_*.py",
    "adapters/unit_cache.py",
    "adapters/tokens.py",
    "adapters/prices.py",
    "adapters/profiles.py",
    "adapters/capabilities.py",
    "adapters/embeddings.py",
    "adapters/breakpoint_*.py",
    "adapters/outline*.py",
    "adapters/spans.py",
    "adapters/question.py",
    "adapters/embedder.py",
    "adapters/bert_graph.py",
    "adapters/known_embedders.py",
    "adapters/wordpieces.py",
    "cache/near.py",
    "cache/veto.py",
    "cache/difference.py",
    "proxy/cache_told.py",
    "proxy/cache_wish.py",
    "proxy/cache_words.py",
    "cache/recent.py",
    "cache/verdict.py",
    "cache/synonyms.py",
    "cache/features.py",
    "cache/verifier.py",
    "adapters/asking.py",
    "adapters/plain_text.py",
    "cache/scope.py",
    "cache/freshness.py",
    "cache/agreement*.py",
    "cache/bounds.py",
    "cache/breaker.py",
    "cache/budget.py",
    "cache/verified*.py",
    "cache/slot.py",
    "cache/clusters.py",
    "cache/vectors.py",
    "cache/phrase*.py",
    "cache/guard*.py",
    "adapters/marking.py",
    "adapters/prompt_blocks.py",
    "adapters/warm_call*.py",
    "adapters/transcript*.py",
    "cache/fitting.py",
    "proxy/semantic_calibrat*.py",
    "proxy/semantic_evaluate.py",
    "proxy/semantic_examples.py",
    "proxy/semantic_figures.py",
    "proxy/semantic_folds.py",
    "proxy/semantic_policy.py",
    "proxy/semantic_report.py",
    "proxy/semantic_stream.py",
    "cache/bills.py",
    "warming/beliefs.py",
    "warming/breakpoints.py",
    "warming/counterfactual.py",
    "warming/dressing.py",
    "warming/cheapest.py",
    "warming/economics.py",
    "warming/keep_alive_economics.py",
    "warming/prune_economics.py",
    "warming/expectation.py",
    "warming/ledger.py",
    "warming/patience.py",
    "warming/plan.py",
    "warming/planner.py",
    "warming/returns.py",
    "warming/terms.py",
)
"""Modules that decide and do nothing else: equal arguments, equal result."""

DOING = ("asyncio", "sqlite3", "time", "aiohttp")

CATCHES_ALL = ("proxy/edge.py", "warming/keep_alive.py", "warming/hooks.py")
"""Where an error nobody foresaw ends: at the edge, where it becomes an answer; in the warmer loop, which nobody awaits;
around the hooks, which others write."""

ELSEWHERE = "is a part of cache/disk.py and tested through it, in tests/cache/test_disk.py"
SEMANTIC = "is a part of cache/semantic_store.py and tested through it, in tests/cache/test_semantic_{rows,store}.py"
NOT_YET = "its tests are written apart from the others and not here yet"

DECLARES = "nothing in it does anything: it declares values, protocols or errors"

WITHOUT_A_TEST_OF_ITS_OWN = {
    "adapters/body.py": NOT_YET,
    "adapters/question.py": DECLARES,
    "cache/near.py": DECLARES,
    "cache/level.py": DECLARES,
    "cache/verdict.py": DECLARES,
    "cache/look.py": DECLARES,
    "adapters/errors.py": DECLARES,
    "adapters/prompt.py": DECLARES,
    "warming/options.py": DECLARES,
    "warming/plan.py": DECLARES,
    "warming/request.py": DECLARES,
    "warming/terms.py": "its few lines are read by all tests of the planner",
    "warming/calls.py": "tested with the layer that uses it, in tests/warming/test_warm.py and test_keep_alive.py",
    "warming/dressing.py": "tested with the layer that uses it, in tests/warming/test_warm.py",
    "warming/reading.py": "the same",
    "warming/warmer.py": "the same",
    "adapters/translation.py": DECLARES,
    "adapters/ask_usage.py": NOT_YET,
    "adapters/exchange.py": NOT_YET,
    "adapters/meter.py": NOT_YET,
    "adapters/vocabulary.py": NOT_YET,
    "cache/disk_asking.py": ELSEWHERE,
    "cache/disk_check.py": ELSEWHERE,
    "cache/disk_files.py": ELSEWHERE,
    "cache/disk_store.py": ELSEWHERE,
    "cache/disk_thread.py": ELSEWHERE,
    "cache/semantic_file.py": SEMANTIC,
    "cache/semantic_thread.py": SEMANTIC,
    "cache/semantic_writing.py": SEMANTIC,
    "cache/slot.py": DECLARES,
    "cache/exact.py": NOT_YET,
    "cache/if_cached.py": "tested with the exact cache, in tests/cache/test_exact.py, and through the proxy",
    "cache/keeping.py": "a part of the exact and of the semantic cache, tested with both",
    "cache/recall.py": "the same",
    "proxy/app.py": NOT_YET,
    "proxy/callers.py": NOT_YET,
    "proxy/cli.py": NOT_YET,
    "adapters/chat_over_messages.py": "names the four functions of a translation, and is tested through the proxy",
    "adapters/messages_over_chat.py": "the same",
    "adapters/translated.py": "tested with both translations, in tests/proxy/test_upstreams.py",
    "proxy/demo.py": NOT_YET,
    "proxy/demo_clients.py": "a part of the demo, tested as a whole in tests/proxy/test_demo.py",
    "proxy/demo_ledger.py": "the same",
    "proxy/demo_semantic.py": "the same",
    "proxy/demo_warming.py": "the same",
    "proxy/operations.py": "tested through the proxy, in tests/proxy/test_edge.py",
    "proxy/reading.py": NOT_YET,
    "proxy/respond.py": NOT_YET,
    "proxy/serve.py": NOT_YET,
    "proxy/server.py": NOT_YET,
}
"""Modules without `tests/PACKAGE/test_MODULE.py`, each with its reason. Those that say NOT_YET are to go."""

Sources = dict[str, str]
"""Path below the root, with slashes, to text."""


def sources() -> Sources:
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in sorted(paths)}


# Reading


class Import(NamedTuple):
    module: str
    line: int
    inside: bool
    """In a function."""


def name_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports(path: str, texts: Sources) -> list[Import]:
    """Every module that this one imports; `from cache import key` imports `cache.key` where that is a module."""
    modules = {name_of(other) for other in texts}
    tree = ast.parse(texts[path])
    within = {id(node) for function in functions(tree) for node in ast.walk(function)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute(path, node)
            names = [full if (full := f"{base}.{alias.name}") in modules else base for alias in node.names]
        else:
            continue
        found += [Import(name, node.lineno, id(node) in within) for name in dict.fromkeys(names)]
    return found


def absolute(path: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = path.split("/")[: -node.level]
    return ".".join([*parts, node.module] if node.module else parts)


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def package_of(module: str) -> str:
    return module.partition(".")[0]


# Rules


def upward(texts: Sources) -> list[str]:
    return [
        f"{path}:{each.line} imports {each.module}"
        for path in texts
        for each in imports(path, texts)
        if (package := package_of(each.module)) in PACKAGES
        and PACKAGES.index(package) < PACKAGES.index(path.partition("/")[0])
    ]


def outside(texts: Sources) -> list[str]:
    return [
        f"{path}:{each.line} imports {each.module}"
        for path in texts
        if path.startswith(("cache/", "warming/"))
        for each in imports(path, texts)
        if any(fnmatch(each.module, pattern) for pattern in OUTSIDE)
    ]


def cycles(texts: Sources) -> list[str]:
    """One complaint for each import that leads back to where it came from."""
    graph = {name_of(path): {each.module for each in imports(path, texts)} for path in texts}

    def reaches(start: str, goal: str) -> bool:
        seen: set[str] = set()
        ahead = [start]
        while ahead:
            module = ahead.pop()
            if module == goal:
                return True
            if module not in seen:
                seen.add(module)
                ahead += graph.get(module, ())
        return False

    return [f"{one} imports {other}, which leads back" for one in graph for other in graph[one] if reaches(other, one)]


def hidden_imports(texts: Sources) -> list[str]:
    return [
        f"{path}:{each.line} imports {each.module} inside a function"
        for path in texts
        for each in imports(path, texts)
        if each.inside and package_of(each.module) in PACKAGES
    ]


def undocumented(texts: Sources) -> list[str]:
    return [f"{path} has no docstring" for path, text in texts.items() if not ast.get_docstring(ast.parse(text))]


def long_files(texts: Sources) -> list[str]:
    lengths = {path: len(text.splitlines()) for path, text in texts.items()}
    return [f"{path} has {count} lines" for path, count in lengths.items() if count > LINES and path not in LONGER]


def long_functions(texts: Sources) -> list[str]:
    return [
        f"{path}:{function.lineno} {function.name} has {count} lines"
        for path, text in texts.items()
        for function in functions(ast.parse(text))
        if (count := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
    ]


def doing(texts: Sources) -> list[str]:
    return [
        f"{path}:{each.line} imports {each.module}"
        for path in texts
        if any(fnmatch(path, pattern) for pattern in DECIDING)
        for each in imports(path, texts)
        if package_of(each.module) in DOING
    ]


def catching_all(texts: Sources) -> list[str]:
    return [
        f"{path}:{node.lineno} catches everything"
        for path, text in texts.items()
        if path not in CATCHES_ALL
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ExceptHandler) and (node.type is None or "Exception" in caught(node.type))
    ]


def caught(node: ast.expr) -> list[str]:
    kinds = node.elts if isinstance(node, ast.Tuple) else [node]
    return [ast.unparse(kind).rpartition(".")[2] for kind in kinds]


def untested(texts: Sources, tests: set[str]) -> list[str]:
    """Modules without a test file of their own; `tests` are paths below the root."""
    mirrors = {path: f"tests/{path.replace('/', '/test_')}" for path in texts if not path.endswith("__init__.py")}
    return [
        f"{path} has no {mirror}"
        for path, mirror in mirrors.items()
        if mirror not in tests and path not in WITHOUT_A_TEST_OF_ITS_OWN
    ]


# The packages as they are


@pytest.fixture(scope="module", name="texts")
def _texts() -> Sources:
    return sources()


def test_all_four_packages_are_read(texts: Sources) -> None:
    assert {path.partition("/")[0] for path in texts} == set(PACKAGES)
    assert {"cache/key.py", "proxy/edge.py", "adapters/__init__.py"} <= set(texts)


def test_packages_import_only_downward(texts: Sources) -> None:
    assert upward(texts) == []


def test_cache_and_warming_know_no_dialect_and_no_upstream(texts: Sources) -> None:
    assert outside(texts) == []


def test_no_imports_lead_in_a_circle(texts: Sources) -> None:
    assert cycles(texts) == []


def test_own_modules_are_imported_at_the_top(texts: Sources) -> None:
    assert hidden_imports(texts) == []


def test_every_module_says_what_it_is(texts: Sources) -> None:
    assert undocumented(texts) == []


def test_files_are_short(texts: Sources) -> None:
    assert long_files(texts) == []


def test_functions_are_short(texts: Sources) -> None:
    assert long_functions(texts) == []


def test_what_decides_does_nothing_else(texts: Sources) -> None:
    assert doing(texts) == []


def test_only_the_edge_catches_everything(texts: Sources) -> None:
    assert catching_all(texts) == []


def test_every_module_has_its_test(texts: Sources) -> None:
    assert untested(texts, {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")}) == []


def test_the_lists_of_exceptions_name_what_exists_and_why(texts: Sources) -> None:
    named = {**LONGER, **WITHOUT_A_TEST_OF_ITS_OWN}
    assert set(named) <= set(texts)
    assert all(named.values())
    assert set(CATCHES_ALL) <= set(texts)
    assert all(len(texts[path].splitlines()) > LINES for path in LONGER)


# Texts that break a rule, and near to them one that does not

RULES = {
    "upward": upward,
    "outside": outside,
    "cycles": cycles,
    "hidden_imports": hidden_imports,
    "undocumented": undocumented,
    "long_files": long_files,
    "long_functions": long_functions,
    "doing": doing,
    "catching_all": catching_all,
}

BROKEN: list[tuple[str, Sources]] = [
    ("upward", {"adapters/x.py": "import cache.key"}),
    ("upward", {"adapters/x.py": "from proxy import edge"}),
    ("upward", {"cache/x.py": "def f():\n    from warming.plan import a"}),
    ("upward", {"cache/x.py": "if TYPE_CHECKING:\n    import os, proxy"}),
    ("upward", {"warming/x.py": "from proxy.app import build as b"}),
    ("outside", {"cache/x.py": "from adapters.openai_chat import OPENAI_CHAT"}),
    ("outside", {"cache/x.py": "from adapters import openai_fold", "adapters/openai_fold.py": ""}),
    ("outside", {"warming/x.py": "import adapters.upstream"}),
    ("outside", {"warming/x.py": "import adapters.exchange as e"}),
    ("outside", {"warming/x.py": "from adapters.simulated import Simulated"}),
    ("cycles", {"cache/a.py": "import cache.b", "cache/b.py": "from cache import a"}),
    (
        "cycles",
        {"cache/a.py": "from . import b", "cache/b.py": "from .c import x", "cache/c.py": "from cache.a import y"},
    ),
    ("cycles", {"cache/a.py": "import cache.a"}),
    ("hidden_imports", {"cache/x.py": "def f():\n    import cache.key"}),
    (
        "hidden_imports",
        {"cache/x.py": "class A:\n    async def f(self):\n        if 1:\n            from adapters import sse"},
    ),
    ("hidden_imports", {"cache/x.py": "def f():\n    from .key import key_of"}),
    ("undocumented", {"cache/x.py": "import os"}),
    ("undocumented", {"cache/__init__.py": ""}),
    ("undocumented", {"cache/x.py": "# a comment\nx = 1\n'late'"}),
    ("long_files", {"cache/x.py": "\n" * 301}),
    ("long_functions", {"cache/x.py": "def f():\n" + "    pass\n" * 50}),
    ("long_functions", {"cache/x.py": "class A:\n  async def f(self):\n" + "    pass\n" * 50}),
    ("long_functions", {"cache/x.py": "def f():\n  def g():\n" + "    pass\n" * 50 + "  return g"}),
    *[("doing", {path: f"import {module}"}) for path in ("cache/key.py", "adapters/openai_new.py") for module in DOING],
    ("doing", {"adapters/edit.py": "from time import monotonic"}),
    ("doing", {"adapters/sse.py": "import aiohttp.web as w"}),
    ("doing", {"adapters/tokens.py": "def f():\n    import asyncio"}),
    ("catching_all", {"cache/x.py": "try:\n    f()\nexcept Exception:\n    pass"}),
    ("catching_all", {"cache/x.py": "try:\n    f()\nexcept (OSError, Exception) as e:\n    raise"}),
    ("catching_all", {"cache/x.py": "try:\n    f()\nexcept builtins.Exception:\n    pass"}),
    ("catching_all", {"cache/x.py": "try:\n    f()\nexcept:\n    pass"}),
]

KEPT: list[tuple[str, Sources]] = [
    ("upward", {"proxy/x.py": "import cache.key, adapters.sse, warming.plan, proxy.y"}),
    ("upward", {"adapters/x.py": "import cachetools, proxyless\nfrom cachetools import TTLCache"}),
    ("outside", {"proxy/x.py": "import adapters.openai_chat, adapters.upstream"}),
    ("outside", {"cache/x.py": "from adapters import vocabulary, sse, usage, edit"}),
    ("cycles", {"cache/a.py": "import cache.b, cache.c", "cache/b.py": "import cache.c", "cache/c.py": "import os"}),
    ("hidden_imports", {"cache/x.py": "import cache.key\ndef f():\n    import json"}),
    ("undocumented", {"cache/x.py": '"""What it is."""'}),
    ("long_files", {"cache/x.py": "\n" * 300}),
    ("long_functions", {"cache/x.py": "def f():\n" + "    pass\n" * 49}),
    ("doing", {"cache/exact.py": "import asyncio", "cache/key.py": "import hashlib, timeit"}),
    ("catching_all", {"proxy/edge.py": "try:\n    f()\nexcept Exception:\n    pass"}),
    ("catching_all", {"cache/x.py": "try:\n    f()\nexcept (OSError, MyException, BaseException):\n    raise"}),
]


@pytest.mark.parametrize(("rule", "texts"), BROKEN)
def test_a_rule_sees_what_breaks_it(rule: str, texts: Sources) -> None:
    assert RULES[rule](texts)


@pytest.mark.parametrize(("rule", "texts"), KEPT)
def test_a_rule_sees_nothing_else(rule: str, texts: Sources) -> None:
    assert RULES[rule](texts) == []


def test_no_rule_is_without_a_text_that_breaks_it() -> None:
    assert {rule for rule, _ in BROKEN} == {rule for rule, _ in KEPT} == set(RULES)


def test_a_module_without_a_test_is_seen() -> None:
    texts = {"cache/x.py": "", "cache/__init__.py": "", "proxy/app.py": ""}
    assert untested(texts, {"tests/proxy/test_x.py", "tests/cache/test_xx.py"}) == [
        "cache/x.py has no tests/cache/test_x.py"
    ]
    assert untested(texts, {"tests/cache/test_x.py"}) == []
