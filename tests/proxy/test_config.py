import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from proxy.config import Key, Settings, Upstream
from proxy.config_types import MASK, masked_url
from proxy.config_value import SCHEMA

SECRET = "sk-proj-Zx9k3yVal00000"


def test_the_names_and_defaults_that_other_documents_promise():
    level = Settings().cache.multi_level
    assert (level.l1.max_size, level.l1.ttl, level.l1.eviction) == (1000, 300, "lru")
    assert (level.l2.max_size, level.l2.ttl, level.l2.eviction) == (10000, 3600, "ttl")
    assert (level.l1.type, level.l2.type, level.l2.persistence_path) == ("memory", "sqlite", None)
    assert level.write_policy == "write_through"


def test_every_default_is_one_that_its_own_type_accepts():
    assert msgspec.convert(msgspec.to_builtins(Settings()), Settings) == Settings()


def test_settings_can_not_be_changed_in_place():
    with pytest.raises(AttributeError):
        Settings().listen.port = 1  # type: ignore[misc]


def test_the_sections_and_their_order():
    names = [entry.name for entry in SCHEMA.fields]
    assert names == [
        "listen", "limits", "upstream", "upstreams", "routes", "tenants",
        "cache", "warming", "pruning", "record", "prices", "simulated", "metrics", "log",
    ]  # fmt: skip


@pytest.mark.parametrize("show", [repr, str, pretty_repr])
def test_printing_settings_prints_no_secret(show):
    whole = Settings(
        upstream=Upstream(base_url=f"https://me:{SECRET}@host/v1?key={SECRET}"),
        tenants=msgspec.structs.replace(Settings().tenants, keys=(Key(tenant="a", key=SECRET),)),
    )
    assert SECRET not in show(whole)
    assert SECRET not in show(whole.upstream)
    assert SECRET not in show(whole.tenants.keys[0])
    assert "'a'" in show(whole.tenants.keys[0])


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("simulated", "simulated"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("https://me:pass@host:1/v1", f"https://{MASK}@host:1/v1"),
        ("https://token@host/v1", f"https://{MASK}@host/v1"),
        ("https://host/v1?key=abc&api-version=2", f"https://host/v1?key={MASK}&api-version={MASK}"),
        ("https://host/v1?abc", f"https://host/v1?{MASK}"),
        ("https://[broken", MASK),
        ("https://me:pa/ss@host/v1", MASK),
    ],
)
def test_masked_url(url, shown):
    assert masked_url(url) == shown


@settings(max_examples=100)
@given(secret=st.text("abcdefgh0123456789-_.~%", min_size=12))
def test_masked_url_leaves_nothing_of_user_and_query(secret):
    assert secret not in masked_url(f"https://u:{secret}@h/v1?a={secret}&{secret}&b={secret}#{secret}")
