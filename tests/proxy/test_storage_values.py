import pytest

from cache.files import Files
from cache.level import Share
from cache.tag_rules import Asked
from proxy.config_file import loads
from proxy.config_problem import ConfigError
from proxy.storage_values import depends_of, grace_of, options_of, rules_of, shares_of
from tests.fakes import Clock


def settings(text):
    return loads("cache:\n" + "".join(f"  {line}\n" for line in text.splitlines()))


def test_a_kind_of_data_has_its_times():
    given = settings("namespaces: {embedding: {data: static}, drafts: {data: real-time, ttl: 30s}, plain: {}}")
    assert shares_of(given, 0) == {"embedding": Share(ttl=1800.0), "drafts": Share(ttl=30.0)}
    assert shares_of(given, 1) == {"embedding": Share(ttl=604800.0), "drafts": Share(ttl=30.0)}
    assert shares_of(given, 2)["embedding"].ttl == 604800.0
    assert options_of(given).ttls == {"embedding": 604800.0, "drafts": 30.0}


def test_numbers_stand_before_kinds():
    given = settings("namespaces: {a: {data: static, l1: {ttl: 5, max_size: 3}, l2: {max_bytes: 1MiB}}}")
    assert shares_of(given, 0) == {"a": Share(3, None, 5.0)}
    assert shares_of(given, 1) == {"a": Share(None, 2**20, 604800.0)}


def test_what_has_expired_is_kept_for_the_longest_use_of_it():
    assert grace_of(settings("stale: {if_error: 10, while_revalidate: 60, dollars: 1}")) == 60
    assert grace_of(settings("stale: {if_error: 0}")) == 0


@pytest.mark.parametrize(("patience", "settles"), [(2, 30), (10, 30), (60, 130)])
def test_what_is_being_invalidated_is_left_alone_for_as_long_as_that_may_take(patience, settles):
    assert options_of(settings(f"invalidation: {{patience: {patience}}}")).settle == settles


def test_rules_are_those_of_the_settings():
    rules = rules_of(settings('invalidation: {tag_rules: [{tag: "m:{model}", model: "gpt-*"}]}'))
    assert rules.tags(Asked("gpt-4o", "t", "n", "/p", b"")) == ("m:gpt-4o",)


@pytest.mark.parametrize("tag", ["a b", "{nobody}", "file:/x"])
def test_a_rule_that_gives_no_tag_is_told(tag):
    with pytest.raises(ConfigError, match="tag_rules"):
        rules_of(settings(f'invalidation: {{tag_rules: [{{tag: "{tag}", model: "*"}}]}}'))


def test_what_rests_on_a_file_rests_on_that_file_wherever_it_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = Files(Clock(), [tmp_path])
    given = settings('invalidation: {depends: {"prompt:a": ["file:p.md", "b"]}}')
    assert depends_of(given, files) == {"prompt:a": (f"file:{tmp_path}/p.md", "b")}
