import re
from html.parser import HTMLParser

import pytest

from proxy.replay import Options, replay
from proxy.replay_facts import Fact
from proxy.replay_html import CAUSE_NAMES, CLASS_NAMES, _span, _step, page
from proxy.replay_outcome import CAUSES, CLASSES
from tests.replaying import CLAUDE, PRICES, chain, fact, survey_of

NAMES = ("none", "exact", "naive", "leader", "call", "auto")


class Checked(HTMLParser):
    """Every element is closed, and nothing is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.widths: list[float] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        assert not {"src", "href"} & told.keys()
        assert tag not in ("script", "link", "img", "iframe")
        if tag != "meta" and not (self.get_starttag_text() or "").endswith("/>"):
            self.open.append(tag)
        if (style := told.get("style")) and style.startswith("width:"):
            self.widths.append(float(style.removeprefix("width:").removesuffix("%")))

    def handle_endtag(self, tag: str) -> None:
        if tag != "line":
            assert self.open.pop() == tag


def made(facts: list[Fact], *names: str) -> str:
    replayed = replay(Options([], strategies=names or NAMES, prices=PRICES), survey_of(facts))
    return page(replayed.report, replayed.outcomes)


def siblings(number: int, model: str = CLAUDE) -> list[Fact]:
    return [
        fact(index, f"k{index}", ts=9.0 * index, points=chain(("rules", 2000), (f"q{index}", 50)), model=model)
        for index in range(number)
    ]


def test_it_is_whole_and_loads_nothing() -> None:
    text = made(siblings(8))
    checked = Checked()
    checked.feed(text)
    assert checked.open == []
    assert "http" not in text
    assert max(checked.widths) <= 100.001
    for name in (*NAMES, "lower bound", "Cost over time", "no breakpoint there"):
        assert name in text


def test_bars_are_to_scale() -> None:
    rows = re.findall(r'<div class="row"><b>(\w+)</b><div>(.*?)</div>', made(siblings(8)))[: len(NAMES)]
    widths = {name: sum(map(float, re.findall(r"width:([\d.]+)%", parts))) for name, parts in rows}
    report = replay(Options([], strategies=NAMES, prices=PRICES), survey_of(siblings(8))).report["strategies"]
    for name in NAMES:
        assert widths[name] / widths["naive"] == pytest.approx(
            report[name]["dollars"] / report["naive"]["dollars"], 1e-3
        )


def test_lines_end_where_the_money_ends() -> None:
    paths = re.findall(r'<path class="l(\d)" d="M([^"]*)"><title>(\w+)', made(siblings(8), "none", "naive"))
    ends = {name: float(path.split()[-1]) for _, path, name in paths}
    assert set(ends) == {"none", "naive"}
    assert min(ends.values()) == pytest.approx(4.0)
    assert all(0 <= float(y) <= 100 for _, path, _ in paths for y in re.findall(r"[ML]?[\d.]+ ([\d.]+)", path))


def test_without_prices_there_are_tokens() -> None:
    text = made(siblings(3, "nobody's"))
    assert "Cost by strategy" not in text
    assert "Why prompts were not read" in text
    Checked().feed(text)


def test_nothing_at_all() -> None:
    Checked().feed(made([]))


def test_names_are_text() -> None:
    text = made(siblings(2), "none", "leader").replace("leader", "")
    assert "<script" not in text
    replayed = replay(Options([], strategies=["none"], prices=PRICES), survey_of(siblings(2)))
    replayed.report["notes"] = ["<script>alert(1)</script>"]
    replayed.report["files"] = ["<b>"]
    text = page(replayed.report, replayed.outcomes)
    assert "<script" not in text
    assert "&lt;b&gt;" in text


def test_every_class_and_cause_has_a_name() -> None:
    assert set(CLASS_NAMES) == set(CLASSES)
    assert set(CAUSE_NAMES) == set(CAUSES)


@pytest.mark.parametrize("top", [0.0004, 0.03, 0.9, 1.0, 3.01, 14.9, 99.0, 3804.0, 15045.0])
def test_ticks_are_few_and_round(top: float) -> None:
    step = _step(top)
    assert 1 <= top / step <= 5
    assert f"{step:e}"[0] in "125"


def test_spans_of_time() -> None:
    assert [_span(each) for each in (5, 600, 20_000, 10**6)] == ["5.0 s", "10.0 min", "5.6 h", "11.6 d"]
