from __future__ import annotations

from hashlib import sha1

from cache.redis_asking import Script, length


def test_a_run_names_its_script_by_hash_or_brings_it_along() -> None:
    script = Script("return KEYS[1]")
    run = script.of(["a", "b"], b"\x00", 7)
    assert run.by_hash() == ("EVALSHA", sha1(b"return KEYS[1]").hexdigest(), 2, "a", "b", b"\x00", 7)
    assert run.by_text() == ("EVAL", "return KEYS[1]", 2, "a", "b", b"\x00", 7)


def test_how_long_commands_are() -> None:
    assert length([("SET", "name", b"12345", 7), Script("return 1").of(["a"], b"1234", "56", 7)]) == 3 + 4 + 5 + 6
