import io

from adapters.prices import Prices
from adapters.usage import Usage
from proxy.explain_report import Found, dollars, place_of, write_table
from proxy.explain_walk import Walk
from tests.proxy.recordings import CLAUDE, LONG, ask, say, talk

PRICES = Prices({CLAUDE: {"input": 1.0, "cache_read": 0.1, "cache_write": 1.25}})


def found(limit: int = 20) -> Found:
    """Five misses, each dearer than the one before."""
    walk, all_of_it = Walk(), Found(PRICES, limit=limit)
    for turn, (messages, ts) in enumerate(talk(6)):
        all_of_it.add(walk.look(ask(messages, Usage(3, 0, 5000 + 1000 * turn), ts=ts)))
    return all_of_it


def test_sums_are_of_all_and_the_dearest_are_told() -> None:
    report = found(limit=2).report([], 0)
    assert report["misses"] == report["causes"]["volatile_unseen"]
    assert report["misses"]["requests"] == 5
    assert report["misses"]["tokens"] == sum(range(5000, 10_000, 1000))
    assert [miss["tokens"] for miss in report["dearest"]] == [9000, 8000]
    assert found(limit=0).report([], 0)["dearest"] == []
    assert found().report([], 0)["reordering"]["volatile_unseen"] == report["misses"]


def test_what_has_no_price_is_not_free() -> None:
    walk, all_of_it = Walk(), Found(PRICES)
    for messages, ts in talk(2):
        all_of_it.add(walk.look(ask(messages, Usage(5000), ts=ts, model="nobody-knows")))
    report = all_of_it.report([], 0)
    assert report["misses"]["dollars"] is None
    assert report["dearest"][0]["dollars"] is None
    assert any("No price for: nobody-knows" in note for note in report["notes"])
    assert (dollars(None), dollars(0.5), dollars(1234.5)) == ("no price", "$0.5000", "$1,234.50")


def test_nothing_recorded_of_the_prompt() -> None:
    all_of_it = Found(PRICES)
    all_of_it.add(None)
    assert (all_of_it.requests, all_of_it.blind) == (1, 1)
    assert all_of_it.report([], 3)["misses"] == {"requests": 0, "tokens": 0, "dollars": 0.0}


def test_messages_count_as_they_were_sent() -> None:
    """A system prompt that is a member of its own is no message."""
    walk, all_of_it = Walk(), Found(PRICES)
    for text in ("old", "new"):
        walked = walk.look(ask([say("user", text + LONG)], Usage(3, 0, 5000), route="messages", system="Be kind."))
        all_of_it.add(walked)
    (miss,) = all_of_it.report([], 0)["dearest"]
    assert (miss["cause"], miss["where"]["message"], miss["where"]["character"]) == ("rewritten", 0, 0)


def test_a_table_for_people() -> None:
    walk, all_of_it = Walk(), Found(PRICES)
    for stamp in ("2026-11-21", "2026-11-22"):
        look = walk.look(ask([say("system", f"It is {stamp}.\x1b[2J " + LONG), say("user", "u")], Usage(3, 0, 5000)))
        all_of_it.add(look)
    report = all_of_it.report([], 7)
    out = io.StringIO()
    write_table(report, out)
    text = " ".join(out.getvalue().split())
    assert "7 lines skipped" in text
    assert "1 misses" in text
    assert "a line that comes anew each time" in text
    assert "message 0 (system), changed, character 15: a date or a time of day" in text
    assert "- It is 2026-11-21." in text
    assert "+ It is 2026-11-22." in text
    assert "\x1b" not in out.getvalue()
    assert "would have been read" in text
    assert place_of(None) == ""
