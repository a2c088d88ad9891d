from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from proxy import config, config_cache
from proxy.config import Settings
from proxy.config_command import summary
from proxy.config_file import LISTS, MOST_NODES, dump, load, loads, override, variables
from proxy.config_problem import ConfigError
from proxy.config_rules import store_path, stores_on_disk
from proxy.config_value import SCHEMA, settings, written
from proxy.providers import network

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def problems_of(text, **options):
    with pytest.raises(ConfigError) as raised:
        loads(text, "w.yaml", **options)
    return [str(problem) for problem in raised.value.problems]


def problem_of(text, **options):
    (problem,) = problems_of(text, **options)
    return problem


@pytest.mark.parametrize(
    "text", ["", "\n", "# nothing\n", "---\n", "null\n", "{}", "listen:\n", "\ufefflisten:\n", "cache: {exact: }"]
)
def test_nothing_said_is_all_defaults(text, tmp_path):
    path = tmp_path / "w.yaml"
    path.write_text(text, encoding="utf-8")
    assert load(path) == Settings()


def test_what_is_said_replaces_its_default_only():
    loaded = loads("listen: {port: 4200}\ncache:\n  multi_level:\n    l1: {ttl: 5m, max_bytes: 1MiB, max_size: 7}\n")
    assert loaded.listen == config.Listen(port=4200)
    assert loaded.cache.multi_level.l1 == config_cache.Memory(ttl=300, max_bytes=2**20, max_size=7)
    assert loaded.cache.multi_level.l2 == config_cache.Disk()


def test_lists_and_tables():
    loaded = loads(
        "upstream: {api_key_env: K}\n"
        "tenants: {mode: managed, keys: [{tenant: a, key: abcd}, {tenant: b, key_env: B}]}\n"
        "prices:\n  gpt-4.1: {input: 2.5, output: 10}\n  7: {input: 1, output: 1, cache_read: 0, cache_write: 1.25}\n"
    )
    assert loaded.tenants.keys == (config.Key(tenant="a", key="abcd"), config.Key(tenant="b", key_env="B"))
    assert loaded.prices["gpt-4.1"] == config.Price(input=2.5, output=10)
    assert loaded.prices["7"].cache_read == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("listen:\n  prot: 1\n", "w.yaml:2:3: listen.prot: unknown setting; did you mean `port`?"),
        ("cahce: {}\n", "w.yaml:1:1: cahce: unknown setting; did you mean `cache`?"),
        ("port: 1\n", "w.yaml:1:1: port: unknown setting; did you mean `listen.port`?"),
        ("log: {x: 1}\n", "w.yaml:1:7: log.x: unknown setting; known here: level, format, requests"),
        ("listen:\n  port: 1\n  port: 2\n", "w.yaml:3:3: listen.port: is set twice, first in line 2"),
        ("log: {}\nlog: {}\n", "w.yaml:2:1: log: is set twice, first in line 1"),
        ("prices:\n  a: {input: 1, output: 1}\n  a: {input: 1, output: 1}", "w.yaml:3:3: prices.a: is set twice"),
        ("prices: {a: {input: 1}}", "w.yaml:1:13: prices.a.output: is missing"),
        ("listen: {port: 70000}\n", "w.yaml:1:16: listen.port: must be a whole number from 0 to 65535"),
        ("listen: 5\n", "w.yaml:1:9: listen: must be a section: names with values, indented below it"),
        ("listen: []\n", "w.yaml:1:9: listen: must be a section: names with values, indented below it"),
        ("- a\n", "w.yaml:1:1: must be a section: names with values, indented below it"),
        ("just text", "w.yaml:1:1: must be a section: names with values, indented below it"),
        ("tenants: {keys: {a: b}}", "w.yaml:1:17: tenants.keys: must be a list"),
        ("prices: [a]", "w.yaml:1:9: prices: must be a section: names with values, indented below it"),
        ("metrics: {enabled: yes}", "w.yaml:1:20: metrics.enabled: must be true or false"),
        ("log: {level: loud}", "w.yaml:1:14: log.level: must be one of: debug, error, info, warning"),
        ("? [a]\n: b\n", "w.yaml:1:3: a name must be a single word"),
        ("<<: {}\n", "w.yaml:1:1: '<<': unknown setting; known here: listen, limits, upstream, "
         "upstreams, routes, tenants, cache, warming, pruning, record, "
                     "prices, simulated, metrics, log"),
        ("tenants:\n  mode: managed\nupstream: {base_url: simulated}",
         "w.yaml:1:1: tenants.keys: managed mode needs at least one key"),
    ],
)  # fmt: skip
def test_one_problem_with_its_place(text, problem):
    assert problem_of(text) == problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("listen:\n\tport: 1\n", "w.yaml:2:1: not valid YAML: a tab can't indent here; use spaces"),
        ("a: [1\nb: 2\n", "w.yaml:2:2: not valid YAML: expected ',' or ']', but got ':'"),
        ("listen: {}\nlog: 'x\n", "w.yaml:3:1: not valid YAML: found unexpected end of stream"),
        ("log: {}\nlisten: \x00", "w.yaml:2:9: a control character can't stand in YAML"),
        ("log: {}\n---\nlog: {}\n", "w.yaml:2:1: not valid YAML: but found another document"),
        ("[" * 3000, "w.yaml: is nested too deeply"),
    ],
)
def test_what_is_not_yaml(text, problem):
    assert problem_of(text) == problem


def test_bytes_that_are_no_utf_8(tmp_path):
    path = tmp_path / "w.yaml"
    path.write_bytes(b"log: {}\nlisten: {host: \xff}\n")
    with pytest.raises(ConfigError, match=r"w\.yaml:2:16: is not UTF-8 text$"):
        load(path)


def test_files_that_can_not_be_read(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: can't be read: No such file or directory"):
        load(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        load(tmp_path)
    huge = tmp_path / "huge.yaml"
    huge.write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(ConfigError, match="is larger than"):
        load(huge)


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system [echo]", "!!python/name:os.system ''", "!own x", "!!binary aGk="]
)
def test_a_tag_makes_nothing(tag):
    found = problems_of(f"listen:\n  host: {tag}\n")
    assert "w.yaml:2:9: listen.host: a tag (`!...`) can't stand in a configuration" in found


def test_aliases_work_and_are_counted_as_used():
    assert loads("cache: {multi_level: {l1: {ttl: &t 60}, l2: {ttl: *t}}}").cache.multi_level.l2.ttl == 60
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    assert f"has more than {MOST_NODES} values" in problem_of("\n".join(lines))
    assert "is nested deeper than 30 levels" in problem_of("a: &a [*a]")


def test_everything_that_is_wrong_is_told_at_once_and_nothing_that_only_follows_from_it():
    text = """\
listen: {prot: 5, port: 70000}
limits: {body: -1}
upstream: {base_url: ftp://x, read_timeout: 0}
tenants:
  mode: managd
  keys: [{tenant: a, key: abcd}, {tenant: b, key: abcd}, {tenent: c, key: x}]
log: {format: xml}
"""
    assert [problem.partition(": ")[0] for problem in problems_of(text)] == [
        "w.yaml:1:10", "w.yaml:1:25", "w.yaml:2:16", "w.yaml:3:22", "w.yaml:3:45", "w.yaml:5:9", "w.yaml:6:51",
        "w.yaml:6:58", "w.yaml:6:59", "w.yaml:7:15",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "tenants: {keys: [{tenant: a, key: [SECRET]}]}",
        "tenants: {keys: [{tenant: a, key: {SECRET: 1}}]}",
        "tenants: {keys: [{tenant: a, key: 'SECRET oops'}]}",
        "tenants: {keys: [{SECRET: a}]}",
        "tenants: {keys: [{SECRET: a, SECRET: b}]}",
        "tenants: {keys: [SECRET]}",
        "tenants: {keys: {a: SECRET}}",
        "tenants: {keys: [{tenant: a, key: *SECRET}]}",
        "tenants: {keys: [{tenant: a, key: !SECRET x}]}",
        "tenants: {keys: [{tenant: a, key: !SECRET!x x}]}",
        "tenants: {keys: [{tenant: a, key: &SECRET &SECRET x}]}",
        "tenants: {keys: [{tenant: a, key_env: SECRET}]}",
        "tenants: {keys: SECRET}",
        "tenants: {mode: SECRET}",
        "upstream: {api_key_env: sk-SECRET}",
        "upstream: {api_key: sk-SECRET, sk-SECRET: 1}",
        "upstream: {base_url: 'ftp://u:SECRET@h'}",
        "upstream: {connections: SECRET, retries: SECRET, read_timeout: SECRET}",
        "listen: SECRET: x",
    ],
)
def test_no_problem_repeats_a_secret(text):
    assert not [problem for problem in problems_of(text.replace("SECRET", "hunter2Zx9k")) if "hunter2" in problem]


def test_override_checks_as_a_file_is_checked():
    changed = override(
        Settings(), {"listen.port": 4200, "limits.body": "1MiB", "cache.enabled": False, "record.dir": None}
    )
    assert (changed.listen.port, changed.limits.body, changed.cache.enabled) == (4200, 2**20, False)
    assert override(changed, {"cache.enabled": "true", "listen.unix": "/run/w"}).cache.enabled is True
    assert override(changed, {"prices": {"gpt-4.1": {"input": 1, "output": 2}}}).prices["gpt-4.1"].output == 2.0
    with pytest.raises(ConfigError) as raised:
        override(Settings(), {"listen.prot": 1, "listen.port": "x", "log": "loud", "tenants.mode": "managed"})
    assert sorted(map(str, raised.value.problems)) == [
        "listen.port: must be a whole number from 0 to 65535",
        "listen.prot: unknown setting; did you mean `port`?",
        "log: must be a section: names with values, indented below it",
        "tenants.keys: managed mode needs at least one key",
        "upstream.api_key_env: managed mode needs the name of the variable that holds the provider's key",
    ]


def test_a_setting_below_something_that_is_no_section_is_reported_once():
    assert problem_of("listen: 5", changes={"listen.port": 1}) == (
        "w.yaml:1:9: listen: must be a section: names with values, indented below it"
    )


def test_flags_come_before_variables_before_the_file(tmp_path):
    env = {"HOME": str(tmp_path), "WARMGATE_LISTEN_PORT": "2", "WARMGATE_LISTEN_UNIX": "null", "WARMGATE_LOG_LEVEL": ""}
    text = f"listen: {{port: 1, unix: {tmp_path}/s}}\nlog: {{level: error}}\n"
    assert loads(text).listen.port == 1
    loaded = loads(text, env=env)
    assert (loaded.listen.port, loaded.listen.unix, loaded.log.level) == (2, None, "error")
    assert loads(text, env=env, changes={"listen.port": 3}).listen.port == 3


def test_a_wrong_variable_is_named():
    assert problem_of("", env={"HOME": "/home/me", "WARMGATE_LISTEN_PORT": "x"}) == (
        "variable WARMGATE_LISTEN_PORT: listen.port: must be a whole number from 0 to 65535"
    )


def test_no_two_settings_share_a_variable():
    assert len(variables()) == len(set(variables().values())) == len(list(settings())) - len(LISTS)
    assert variables()["WARMGATE_CACHE_MULTI_LEVEL_L2_PERSISTENCE_PATH"] == "cache.multi_level.l2.persistence_path"


def test_needs_are_looked_for_only_with_an_environment():
    text = "upstream: {api_key_env: K}\ntenants: {mode: managed, keys: [{tenant: a, key: abcd}]}"
    assert loads(text).upstream.api_key_env == "K"
    assert loads(text, env={"HOME": "/home/me"}, needs=False).upstream.api_key_env == "K"
    assert problem_of(text, env={"HOME": "/home/me"}) == "w.yaml:1:25: upstream.api_key_env: the variable K is not set"
    with pytest.raises(ConfigError, match="variable K is not set"):
        override(loads(text), {}, env={})


names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
paths = st.one_of(
    st.none(), st.text(st.characters(codec="utf-8"), min_size=1).filter(str.isprintable).filter(lambda t: t[-1] != "/")
)
seconds = st.floats(0.001, 1e9)
counts = st.integers(1, 2**40)
prices = st.builds(
    config.Price,
    input=st.floats(0, 1e4),
    output=st.floats(0, 1e4),
    cache_read=st.none() | st.floats(0, 9),
    cache_write_1h=st.none() | st.floats(0, 9),
    cache_write_12h=st.none() | st.floats(0, 9),
    output_reasoning=st.none() | st.floats(0, 9),
)
keys = st.lists(st.from_regex(r"[A-Za-z0-9._~+/-]{1,40}", fullmatch=True), min_size=1, max_size=4, unique=True)


@st.composite
def configurations(draw):
    managed = draw(st.booleans())
    entries = tuple(config.Key(tenant=draw(names), key=key) for key in draw(keys)) if managed else ()
    return Settings(
        listen=config.Listen(
            host=draw(st.sampled_from(["::", "no", "0o17", "1e3", "null", "~", "1:30"])), unix=draw(paths)
        ),
        limits=config.Limits(body=draw(counts), headers=draw(counts)),
        upstream=config.Upstream(
            base_url=draw(st.sampled_from(["simulated", "https://u:p@h/v1?a=b"])),
            api_key_env="K" if managed else None,
            read_timeout=draw(seconds),
        ),
        tenants=config.Tenants(mode="managed" if managed else "pass_through", keys=entries),
        cache=config_cache.Cache(
            multi_level=config_cache.MultiLevel(l2=config_cache.Disk(persistence_path=draw(paths)))
        ),
        record=config.Record(dir=draw(paths)),
        prices=draw(st.dictionaries(st.text(min_size=1, max_size=9).filter(str.isprintable), prices, max_size=3)),
        simulated=config.Simulated(first_token=draw(seconds), seed=draw(st.integers(0, 2**40))),
    )


@profile(max_examples=100, deadline=None)
@given(configurations())
def test_settings_survive_being_written_and_read(effective):
    assert loads(dump(effective, mask=False)) == effective
    assert override(effective, {}) == effective


@profile(max_examples=50, deadline=None)
@given(configurations())
def test_a_masked_dump_differs_in_secrets_only(effective):
    text = dump(effective)
    assert "u:p@h" not in text
    assert [key for key in effective.tenants.keys if len(key.key) > 8 and f"key: {key.key}" in text] == []
    assert text.count("'****'") == len(effective.tenants.keys)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_loads_and_is_met(path, tmp_path):
    named = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY")
    issued = ("WARMGATE_KEY_SEARCH", "WARMGATE_KEY_SUPPORT", "WARMGATE_KEY_TEAM")
    env = {"HOME": str(tmp_path), "REDIS_URL": "redis://h"} | {name: name.lower() for name in (*named, *issued)}
    loaded = load(path, env=env)
    assert summary(loaded, env)
    assert path.read_text().startswith("# "), "an example says what it is for"


def test_the_examples_do_what_their_names_say():
    examples = {path.stem: load(path) for path in CONFIGS.glob("*.yaml")}
    assert sorted(examples) == [
        "failover", "local-vllm", "managed", "no-disk", "pass-through", "providers", "replicas", "simulated", "warmgate"
    ]  # fmt: skip
    assert {"azure", "gemini", "vllm"} < set(network(examples["providers"]).upstreams)
    assert all(route.fallback for route in examples["failover"].routes)
    assert examples["simulated"].upstream.base_url == config.SIMULATED
    assert examples["managed"].tenants.mode == "managed"
    assert not [key for key in examples["managed"].tenants.keys if key.key]
    assert examples["pass-through"] == Settings()
    assert not stores_on_disk(examples["no-disk"])
    assert examples["replicas"].cache.multi_level.l3.enabled
    assert examples["no-disk"].record.dir is None
    assert store_path(examples["local-vllm"], {"HOME": "/h"}) == Path("/h/.cache/warmgate/answers.sqlite")


def test_the_complete_example_says_every_default():
    text = (CONFIGS / "warmgate.yaml").read_text()
    assert loads(text) == Settings()
    # Written down and not merely inherited: with other defaults in force, the text alone gives these values.
    assert said(text) == flat(written(SCHEMA, Settings(), lambda form, value: value))


def test_the_complete_example_explains_every_setting():
    lines = (CONFIGS / "warmgate.yaml").read_text().splitlines()
    bare = [
        line
        for before, line in pairwise(lines)
        if line.partition("#")[0].strip() and not line.partition("#")[0].strip().endswith(":")
        and "#" not in line and not before.startswith("#")
    ]  # fmt: skip
    assert bare == []


def flat(tree, trail=()):
    if isinstance(tree, dict) and tree:
        return {way: value for name, entry in tree.items() for way, value in flat(entry, (*trail, name)).items()}
    return {".".join(trail): tree}


def said(text):
    return flat(yaml.safe_load(text))


def sizes(text, **changes):
    levels = loads(text, changes=changes).cache.multi_level
    return levels.l1.max_size, levels.l2.max_size, levels.l3.max_size


def test_a_preset_sets_the_sizes_that_nobody_has_set():
    assert sizes("cache: {preset: small}") == (500, 5_000, 50_000)
    assert sizes("cache: {preset: large, multi_level: {l1: {max_size: 7}}}") == (7, 50_000, 500_000)
    assert sizes("cache:\n  preset: null\n") == (1_000, 10_000, 100_000)
    assert sizes("", **{"cache.preset": "small"}) == (500, 5_000, 50_000)
    assert loads("cache: {preset: small}").cache.preset == "small"


@pytest.mark.parametrize("text", ["cache: {preset: tiny}", "cache: {preset: [small]}", "cache: [preset]", "cache: x"])
def test_what_is_no_preset_is_reported_and_sets_nothing(text):
    with pytest.raises(ConfigError):
        loads(text)


def test_with_a_preset_what_is_written_is_read_again():
    loaded = loads("cache: {preset: memory-constrained, multi_level: {l2: {max_size: 9}}}")
    assert loads(dump(loaded)) == loaded
