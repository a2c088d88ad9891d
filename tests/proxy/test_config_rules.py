import pytest
from msgspec.structs import replace

from proxy import config_rules
from proxy.config import Fallback, Key, Listen, Record, Route, Settings, Tenants, Upstream
from proxy.config_cache import (
    Adaptive,
    AnswerWarming,
    Cache,
    Disk,
    Invalidation,
    Memory,
    MultiLevel,
    Namespace,
    Redis,
    Stale,
    TagRule,
)
from proxy.config_problem import ConfigError, dotted
from proxy.config_rules import (
    contradictions,
    provider_headers,
    provider_key,
    resolve_keys,
    secrets_of,
    store_path,
    unmet,
)
from proxy.config_semantic import Audit, Embedding, Semantic

ONE = Key(tenant="a", key="key-of-a")
ENV = {"OPENAI_API_KEY": "sk-provider-000000", "TEAM_A": "first-team", "TEAM_B": " second-team\n", "HOME": "/home/me"}


def managed(*keys, **upstream):
    return Settings(
        tenants=Tenants(mode="managed", keys=keys), upstream=Upstream(**{"api_key_env": "OPENAI_API_KEY"} | upstream)
    )


URL = "https://host/v1"


def routed(*routes, upstreams=None):
    return Settings(routes=routes, upstreams=upstreams or {})


def semantic(**given):
    return Settings(cache=Cache(semantic=Semantic(**given)))


def bought(upstream):
    return Embedding(kind="upstream", upstream=upstream)


def test_embeddings_may_be_bought_where_nobodys_key_is_needed():
    simulated = replace(semantic(embedding=bought("default")), upstream=Upstream(base_url="simulated"))
    assert at(contradictions(simulated)) == []
    assert at(contradictions(semantic(embedding=bought("ollama")))) == []
    assert at(contradictions(replace(managed(ONE), cache=semantic(embedding=bought("default")).cache))) == []


def at(objections):
    return [(dotted(entry.trail), entry.message) for entry in objections]


def disk(path):
    return Settings(cache=Cache(multi_level=MultiLevel(l2=Disk(persistence_path=path))))


@pytest.mark.parametrize(
    ("cache", "trail", "word"),
    [
        (
            Cache(multi_level=MultiLevel(l1=Memory(max_size=50, adaptive=Adaptive(enabled=True)))),
            "cache.multi_level.l1.max_size",
            "must lie between",
        ),
        (
            Cache(invalidation=Invalidation(tag_rules=(TagRule(tag="a", model="*"), TagRule(tag="b")))),
            "cache.invalidation.tag_rules[1]",
            "has no condition",
        ),
        (Cache(namespaces={"a b": Namespace()}), "cache.namespaces.'a b'", "must be letters"),
        (
            Cache(warming=AnswerWarming(strategy="time_based", enable_time_based=False)),
            "cache.warming.strategy",
            "needs `enable_time_based`",
        ),
        (Cache(stale=Stale(while_revalidate=5.0)), "cache.stale.while_revalidate", "needs `dollars`"),
    ],
)
def test_what_levels_can_not_be_told(cache, trail, word):
    ((where, message),) = at(contradictions(Settings(cache=cache)))
    assert where == trail
    assert word in message


def redis(**given):
    return Settings(cache=Cache(multi_level=MultiLevel(l3=Redis(enabled=True, **given))))


def test_the_variable_with_the_url_of_redis_has_to_be_there():
    where = "cache.multi_level.l3.url_env"
    assert at(unmet(redis(url_env="REDIS"), ENV)) == [(where, "the variable REDIS is not set")]
    assert at(unmet(redis(url_env="REDIS"), ENV | {"REDIS": "redis://h"})) == []


def test_the_password_of_redis_is_a_secret():
    assert "p@ss" in secrets_of(redis(url="redis://me:p%40ss@h:1/0"), ENV)
    assert "other" in secrets_of(redis(url_env="REDIS"), ENV | {"REDIS": "redis://:other@h"})


def test_the_defaults_contradict_nothing_and_need_nothing(tmp_path):
    assert at(contradictions(Settings())) == []
    assert at(unmet(Settings(), {"HOME": str(tmp_path)})) == []


@pytest.mark.parametrize(
    ("settings", "where", "says"),
    [
        (managed(), "tenants.keys", "needs at least one key"),
        (managed(ONE, api_key_env=None), "upstream.api_key_env", "managed mode needs the name"),
        (Settings(tenants=Tenants(keys=(ONE,))), "tenants.keys", "only with `tenants.mode: managed`"),
        (Settings(upstream=Upstream(api_key_env="K")), "upstream.api_key_env", "only with `tenants.mode: managed`"),
        (Settings(listen=Listen(unix="/run/w.sock", workers=2)), "listen.workers", "served by one process"),
        (managed(Key(tenant="a")), "tenants.keys[0]", "exactly one of"),
        (managed(Key(tenant="a", key="k", key_env="K")), "tenants.keys[0]", "exactly one of"),
        (managed(ONE, replace(ONE, tenant="b")), "tenants.keys[1].key", "the same as in tenants.keys[0]"),
        (managed(ONE, Key(tenant="a", key_env="K"), Key(tenant="b", key_env="K")), "tenants.keys[2].key_env", "[1]"),
        (semantic(audit=Audit(judge="model")), "cache.semantic.audit.model", "is missing"),
        (semantic(embedding=Embedding(kind="upstream")), "cache.semantic.embedding.upstream", "managed"),
        (semantic(embedding=bought("nobody")), "cache.semantic.embedding.upstream", "is no upstream; known: default"),
        (routed(Route(model="m", upstream="nobody")), "routes[0].upstream", "is no upstream; known: default, openai"),
        (routed(upstreams={"mine": Upstream()}), "upstreams.mine.base_url", "is missing"),
        (routed(upstreams={"default": Upstream(base_url=URL)}), "upstreams.default", "is taken"),
        (routed(upstreams={"a b": Upstream(base_url=URL)}), "upstreams.'a b'", "must be letters"),
        (routed(upstreams={"x": Upstream(base_url=URL, api_key_env="K")}), "upstreams.x.api_key_env", "managed"),
        (routed(upstreams={"x": Upstream(base_url=URL, headers={"a:b": "c"})}), "upstreams.x.headers.a:b", "no name"),
        (Settings(upstream=Upstream(headers={"": "c"})), "upstream.headers.''", "no name"),
        (
            routed(Route(model="m", upstream="openai", fallback=(Fallback(upstream="groq"),))),
            "routes[0].fallback",
            "good for one provider only",
        ),
        (
            replace(managed(ONE), routes=(Route(model="m", upstream="groq"),)),
            "upstreams.groq.api_key_env",
            "managed mode needs the name",
        ),
        (
            replace(
                managed(ONE),
                routes=(Route(model="m", upstream="ollama", fallback=(Fallback(upstream="xai"),)),),
            ),
            "upstreams.xai.api_key_env",
            "managed mode needs the name",
        ),
    ],
)
def test_contradictions(settings, where, says):
    ((path, message),) = at(contradictions(settings))
    assert path == where
    assert says in message
    assert "key-of-a" not in message


def test_the_simulated_provider_needs_no_key_and_a_tenant_may_have_several():
    settings = managed(ONE, Key(tenant="a", key="another"), base_url="simulated", api_key_env=None)
    assert at(contradictions(settings)) == []


def test_a_variable_that_is_not_set_is_named():
    settings = managed(Key(tenant="a", key_env="TEAM_A"), Key(tenant="b", key_env="TEAM_C"))
    assert at(unmet(settings, {"TEAM_A": "x", "TEAM_C": " "})) == [
        ("upstream.api_key_env", "the variable OPENAI_API_KEY is not set"),
        ("tenants.keys[1].key_env", "the variable TEAM_C is not set"),
    ]


def test_a_variable_that_holds_no_key_is_named_and_not_quoted():
    ((path, message),) = at(unmet(managed(Key(tenant="a", key_env="TEAM_A")), ENV | {"TEAM_A": "two words"}))
    assert path == "tenants.keys[0].key_env"
    assert "TEAM_A holds no key" in message
    assert "two words" not in message


def test_two_variables_with_one_key_are_found_where_they_can_be():
    settings = managed(Key(tenant="a", key="first-team"), Key(tenant="b", key_env="TEAM_A"))
    assert at(contradictions(settings)) == []
    assert at(unmet(settings, ENV)) == [("tenants.keys[1].key_env", "is the same key as that of tenants.keys[0]")]


def test_resolve_keys_tells_the_tenant_of_every_key():
    settings = managed(ONE, Key(tenant="a", key_env="TEAM_A"), Key(tenant="b", key_env="TEAM_B"))
    assert resolve_keys(settings, ENV) == {"key-of-a": "a", "first-team": "a", "second-team": "b"}
    assert resolve_keys(Settings(), {}) == {}


def test_resolve_keys_refuses_to_leave_one_out():
    with pytest.raises(ConfigError, match=r"tenants\.keys\[1\]\.key_env: the variable TEAM_A is not set"):
        resolve_keys(managed(ONE, Key(tenant="a", key_env="TEAM_A")), {})


def test_the_key_of_the_provider_comes_from_its_variable():
    upstream = managed(ONE).upstream
    assert provider_key(upstream, ENV) == "sk-provider-000000"
    assert provider_key(Settings().upstream, ENV) is None
    with pytest.raises(ConfigError, match=r"upstream.api_key_env: the variable OPENAI_API_KEY is not set"):
        provider_key(upstream, {"OPENAI_API_KEY": ""})
    with pytest.raises(ConfigError, match=r"upstreams.claude.api_key_env: the variable OPENAI_API_KEY is not set"):
        provider_key(upstream, {}, "claude")


def test_values_of_headers_may_come_from_variables():
    upstream = Upstream(headers={"X-Team": "search", "X-Gateway-Key": "$GATEWAY", "X-Price": "$5"})
    env = {"GATEWAY": " gate-key-0000 "}
    assert provider_headers(upstream, env) == {"X-Team": "search", "X-Gateway-Key": "gate-key-0000", "X-Price": "$5"}
    assert at(unmet(Settings(upstream=upstream), {"HOME": "/home/me"})) == [
        ("upstream.headers.X-Gateway-Key", "the variable GATEWAY is not set")
    ]
    assert secrets_of(Settings(upstream=upstream), env) == {"gate-key-0000"}


@pytest.mark.parametrize(
    ("path", "env", "where"),
    [
        (None, {"HOME": "/home/me"}, "/home/me/.cache/warmgate/answers.sqlite"),
        (None, {"HOME": "/home/me", "XDG_CACHE_HOME": "/var/c"}, "/var/c/warmgate/answers.sqlite"),
        (None, {"HOME": "/home/me", "XDG_CACHE_HOME": "relative"}, "/home/me/.cache/warmgate/answers.sqlite"),
        ("~/a.sqlite", {"HOME": "/home/me"}, "/home/me/a.sqlite"),
        ("/srv/a.sqlite", {}, "/srv/a.sqlite"),
    ],
)
def test_where_the_answers_lie(path, env, where):
    assert str(store_path(disk(path), env)) == where


def test_places_that_can_not_be_used(tmp_path):
    file = tmp_path / "file"
    file.touch()
    assert at(unmet(disk(str(tmp_path)), {})) == [
        ("cache.multi_level.l2.persistence_path", "is a directory; it must name the file in it")
    ]
    ((_, message),) = at(unmet(disk(str(file / "deep" / "a.sqlite")), {}))
    assert "a part of the path is a file" in message
    assert at(unmet(disk(str(tmp_path / "new" / "a.sqlite")), {})) == []
    off = replace(disk(str(tmp_path)), cache=replace(disk(str(tmp_path)).cache, enabled=False))
    assert at(unmet(off, {})) == []


def test_recordings_need_a_directory_and_a_socket_one_that_exists(tmp_path):
    file = tmp_path / "file"
    file.touch()
    env = {"HOME": str(tmp_path)}
    assert [path for path, _ in at(unmet(Settings(record=Record(dir=str(file))), env))] == ["record.dir"]
    assert at(unmet(Settings(record=Record(dir=str(tmp_path / "new"))), env)) == []
    ((_, message),) = at(unmet(Settings(listen=Listen(unix=str(tmp_path / "no" / "s"))), env))
    assert "does not exist" in message
    ((_, message),) = at(unmet(Settings(listen=Listen(unix="/" + "x" * 107)), env))
    assert "107 bytes" in message


def test_a_redis_needs_its_extra(monkeypatch):
    monkeypatch.setattr(config_rules, "find_spec", lambda name: None)
    assert at(unmet(redis(), ENV)) == [("cache.multi_level.l3", "needs the extra: pip install 'warmgate[redis]'")]
