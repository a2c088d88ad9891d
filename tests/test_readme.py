"""The README, held against the code: what it names exists, what it shows is accepted, and its tables are complete."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import tomllib
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.openai_chat import OPENAI_CHAT
from adapters.sse import Frame
from adapters.usage import Usage
from adapters.vocabulary import PLAIN, Answer, Call, Nearness, Reply, Trace, Warming
from cache.controls import MEMBERS, controls_of
from cache.key import IGNORED, STEERING_HEADERS
from proxy import savings
from proxy.cli import _parser
from proxy.config import Settings
from proxy.config_file import loads, variables
from proxy.config_value import settings
from proxy.metrics import Metrics
from proxy.metrics_cache import COUNTERS as BACKGROUND
from proxy.metrics_warming import COUNTERS
from proxy.respond import error_headers, headers_of

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text()
FENCES = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROSE = FENCES.sub("", TEXT)
QUOTED: list[str] = re.findall(r"`([^`\n]+)`", PROSE)
SECTIONS = tuple(Settings.__struct_fields__)

MADE_UP = {"WARMGATE_KEY_SEARCH", "WARMGATE_KEY_SUPPORT"}
"""Variables of `configs/managed.yaml`: names that the reader chooses."""


def blocks(language: str) -> list[str]:
    return [body for name, body in FENCES.findall(TEXT) if name == language]


def section(heading: str) -> str:
    """What stands below a heading, up to the next one."""
    return TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def rows(heading: str, number: int = 0) -> list[list[str]]:
    """The rows of a section's table: the cells without their bars, head and rule left out."""
    tables = re.findall(r"(?:^\|.*\n)+", section(heading) + "\n", re.MULTILINE)
    lines = tables[number].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def first_quoted(row: list[str]) -> str:
    found = re.match(r"`([^`]+)`", row[0])
    assert found is not None, row
    return found[1]


def commands() -> list[str]:
    """Every `warmgate` command of a shell block, comments, variables in front and patterns for files resolved."""
    found = []
    for line in "\n".join(blocks("sh")).replace("\\\n", " ").splitlines():
        words = [word for word in shlex.split(line, comments=True) if not re.fullmatch(r"[A-Z_]+=.*", word)]
        if words[:1] == ["warmgate"]:
            found.append(shlex.join(words[1:]))
        elif words[:1] == ["./scripts/serve"]:
            found.append(shlex.join(["serve", *words[1:]]))
    return found


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def emitted() -> set[str]:
    """The header lines that `proxy/respond.py` writes, on a hit, on an answer from upstream and on an error."""
    body = b'{"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}'
    reply = Reply.whole(200, (), body, source="upstream", answer=Answer(OPENAI_CHAT, body=body))
    call = Call("POST", "/chat/completions", {}, body, dialect=OPENAI_CHAT, key=b"k")
    hit = Trace(source="semantic", age=1.0, ttl=2.0, nearness=Nearness("on", "hit", "", 1, 0.9, 0.99))
    miss = Trace("upstream", "miss", modified_bytes=1, usage=Usage(1), upstream="anthropic", warnings=("n: dropped",))
    miss.warming = Warming("follower")
    lines = [*headers_of(call, reply, hit, 0.1), *headers_of(call, reply, miss, 0.1), *error_headers()]
    return {line for line in lines if line != "Content-Type"}


def test_every_configuration_is_named_and_every_one_named_exists() -> None:
    there = {f"configs/{path.name}" for path in (ROOT / "configs").glob("*.yaml")}
    assert {first_quoted(row) for row in rows("Configuration")} == there
    assert set(re.findall(r"configs/[\w.-]+\.yaml", TEXT)) == there


def test_every_script_named_can_be_run() -> None:
    named = set(re.findall(r"\./(scripts/[\w.-]+)", TEXT))
    assert named >= {"scripts/demo", "scripts/test", "scripts/serve", "scripts/bench", "scripts/check"}
    assert [name for name in named if not os.access(ROOT / name, os.X_OK)] == []


def test_there_are_commands_of_every_kind() -> None:
    kinds = {command.split()[0] for command in commands()}
    assert kinds == {"serve", "replay", "explain", "warm", "cache", "semantic", "savings", "config"}


@pytest.mark.parametrize("command", commands())
def test_the_parser_takes_every_command(command: str) -> None:
    assert callable(_parser().parse_args(shlex.split(command)).run)


def test_the_flags_of_serve_are_all_told() -> None:
    named = set(re.findall(r"`(--[a-z-]+)`", section("Configuration")))
    options = _parser()._subparsers._group_actions[0].choices["serve"]._option_string_actions  # type: ignore[union-attr,index]
    assert named == {name for name in options if name.startswith("--")} - {"--help"}


def test_every_yaml_block_is_a_configuration() -> None:
    assert len(blocks("yaml")) > 0
    for block in blocks("yaml"):
        assert loads(block) != Settings()


def test_every_setting_named_is_one() -> None:
    known = {".".join(trail[:length]) for trail in settings() for length in range(1, len(trail) + 1)}
    named = {code.split(":")[0] for code in QUOTED if re.match(rf"(?:{'|'.join(SECTIONS)})\.[a-z0-9_.]+", code)}
    assert len(named) > 10
    assert named - known == set()


def test_every_setting_shown_with_a_value_is_accepted() -> None:
    shown = [code for code in QUOTED if re.fullmatch(rf"(?:{'|'.join(SECTIONS)})\.[a-z0-9_.]+: \S+", code)]
    assert len(shown) > 5
    for code in shown:
        path, value = code.split(": ")
        loads("", changes={path: None if value == "null" else value})


def test_every_variable_named_overrides_a_setting() -> None:
    named = set(re.findall(r"\bWARMGATE_[A-Z0-9_]*[A-Z0-9]\b", TEXT)) - MADE_UP
    assert len(named) > 1
    assert named - set(variables()) == set()


def test_every_metric_is_named_and_every_one_named_is_exported() -> None:
    families = Metrics(dict).collect()
    exported = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    assert {first_quoted(row) for row in rows("Operations")} == exported
    assert set(re.findall(r"\bwarmgate_[a-z_]+", TEXT)) == exported


def test_the_labels_of_every_metric_are_told() -> None:
    figures: dict[tuple[str, ...], float] = {}
    near: dict[tuple[str, ...], float] = {("audit", "judged"): 1.0, ("dollars", "audits"): 1.0, ("open", "x"): 1.0}
    own = {(name, "x"): 1.0 for name, _, _ in BACKGROUND}
    metrics = Metrics(lambda: {"l1": {"hits": 1}}, lambda: figures, lambda: near, lambda: own)
    two, one = (metrics.tokens, metrics.dollars, metrics.asked), (metrics.unstored, metrics.spent, metrics.near)
    for table, labels in ((metrics.requests, 3), *((each, 2) for each in two), *((each, 1) for each in one)):
        table[("x",) * labels] = 1.0
    told = {first_quoted(row).removesuffix("_total"): row[1] for row in rows("Operations")}
    for name, _, labels_of_figure, _ in COUNTERS:
        figures[(name, *("x" for _ in labels_of_figure))] = 1.0
    figures["tenant", "x"] = 1.0
    for family in metrics.collect():
        labels = set(family.samples[0].labels) - {"le"}
        assert set(filter(None, told[family.name].split(", "))) == labels, family.name


def test_what_warming_saves_is_what_the_command_says() -> None:
    parser = argparse.ArgumentParser()
    savings.add_parser(parser)
    (command,) = [each for each in commands() if each.startswith("savings")]
    out = StringIO()
    assert savings.run(parser.parse_args(shlex.split(command)[1:]), out, StringIO()) == 0
    (shown,) = re.findall(r"<!-- savings:begin -->\n(.*?)\n<!-- savings:end -->", TEXT, re.DOTALL)
    assert shown == out.getvalue().strip()


def test_every_hook_is_told() -> None:
    assert [first_quoted(row) for row in rows("Pruning")] == list(Settings().pruning.hooks)


def test_every_header_is_named_and_every_one_named_is_sent() -> None:
    named = {first_quoted(row) for row in rows("Response headers") if row[0]}
    assert named == emitted()


def test_the_headers_shown_are_sent() -> None:
    (shown,) = blocks("http")
    lines = [line.split(":")[0] for line in shown.splitlines() if line and not line.startswith("HTTP/")]
    assert len(lines) > 6
    assert set(lines) <= emitted()


def test_every_cache_control_directive_has_an_effect() -> None:
    directives = [first_quoted(row) for row in rows("Request controls")]
    assert len(directives) == 5
    for directive in directives:
        assert controls_of(directive) != PLAIN, directive


def test_every_member_of_the_body_is_told() -> None:
    examples = [code for row in rows("Request controls", 1) for code in re.findall(r"`(\{.*?\})`", row[0])]
    read = [loads_json(example) for example in examples]
    assert {name for member in read for name in member} == set(MEMBERS)
    for member in read:
        assert controls_of(None, member) != PLAIN


def branches_of(text: str) -> list[dict[str, Any]]:
    fanout = msgspec.json.decode(text)
    shared = fanout["request"]
    return [{**shared, "messages": [*shared["messages"], *each["messages"]]} for each in fanout["branches"]]


def loads_json(text: str) -> dict[str, object]:
    decoded = Frame(f"data: {text}\n\n".encode()).json()
    assert isinstance(decoded, dict)
    return decoded


def test_what_the_key_leaves_out_is_told() -> None:
    (sentence,) = re.findall(r"Left out of the key are (.*?)\. ", section("What is cached"), re.DOTALL)
    assert set(re.findall(r"`(\w+)`", sentence)) == set(IGNORED)
    for name in STEERING_HEADERS:
        assert f"`{name}`" in section("What is cached").lower()


def test_every_error_code_named_is_one_of_ours() -> None:
    named = {code for code in QUOTED if re.fullmatch(r"upstream_[a-z]+", code)}
    source = "".join(path.read_text() for name in ("adapters", "proxy") for path in (ROOT / name).glob("*.py"))
    assert len(named) > 3
    assert [code for code in named if f'"{code}"' not in source] == []


def test_the_defaults_that_are_told_are_those() -> None:
    defaults = Settings()
    levels = defaults.cache.multi_level
    told = {
        "127.0.0.1:4100/v1": (defaults.listen.host, defaults.listen.port) == ("127.0.0.1", 4100),
        "`tenants.revalidate` (300 seconds)": defaults.tenants.revalidate == 300,
        "`listen.shutdown` (30 seconds)": defaults.listen.shutdown == 30,
        "`limits.body` (64 MiB": defaults.limits.body == 64 * 2**20,
        "`limits.headers` (64 KiB": defaults.limits.headers == 64 * 2**10,
        "`cache.exact.max_answer` (8 MiB)": defaults.cache.exact.max_answer == 8 * 2**20,
        "| answers, 300 seconds |": levels.l1.ttl == 300,
        "| answers, one hour, with": levels.l2.ttl == 3600,
        "two further attempts": defaults.upstream.retries == 2,
    }
    assert {text: text in TEXT and holds for text, holds in told.items()} == dict.fromkeys(told, True)


def test_python_and_the_request_of_curl_are_sound() -> None:
    assert len(blocks("python")) == 4
    for code in blocks("python"):
        compile(code, "README.md", "exec")
    bodies = [body for block in blocks("sh") for body in re.findall(r"-d '(.*?)'", block)]
    bodies += [msgspec.json.encode(each).decode() for block in blocks("json") for each in branches_of(block)]
    assert len(bodies) == 3
    for body in bodies:
        OPENAI_CHAT.parse(body.encode())


def test_every_address_is_that_of_the_defaults() -> None:
    addresses = set(re.findall(r"http://[\w.]+:\d+[\w/]*", TEXT))
    assert addresses == {
        "http://127.0.0.1:4100", "http://127.0.0.1:4100/v1", "http://127.0.0.1:4100/v1/chat/completions",
        "http://127.0.0.1:4100/v1/fanout",
    }  # fmt: skip


def test_links_lead_somewhere() -> None:
    anchors = {slug(heading) for heading in re.findall(r"^#+ (.*)$", PROSE, re.MULTILINE)}
    links = re.findall(r"\]\(([^)]+)\)", PROSE)
    assert links != []
    for link in links:
        path, _, anchor = link.partition("#")
        assert not path or path.startswith("https://") or (ROOT / path).exists(), link
        assert not anchor or path or anchor in anchors, link


def test_every_path_in_the_repository_exists() -> None:
    named = {code for code in QUOTED if re.match(r"(?:proxy|adapters|cache|warming|configs|scripts|tests)/", code)}
    assert len(named) > 4
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_figures_of_the_benchmark_have_their_place() -> None:
    assert re.search(r"<!-- bench:begin -->\n.*?<!-- bench:end -->", section("Speed"), re.DOTALL)


def test_the_changelog_tells_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\n## [{version}] - " in (ROOT / "CHANGELOG.md").read_text()
