import io

from cache.near import Tally
from proxy.semantic_calibration import Made
from proxy.semantic_evaluate import Bench, pairs, stream
from proxy.semantic_print import percent, progress_on, write_calibration, write_evaluation, write_report
from proxy.semantic_report import report
from tests.proxy.semantics import Words, deciding
from tests.proxy.test_semantic_calibration import FOUND
from tests.proxy.test_semantic_evaluate import PAIRS, STREAM
from tests.proxy.test_semantic_report import judged


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_on_a_terminal_and_nothing_elsewhere() -> None:
    terminal, file = Terminal(), io.StringIO()
    for place in (terminal, file):
        told = progress_on(place)
        told("embedding", 1000, 2000)
        told("embedding", 2000, 2000)
    assert terminal.getvalue() == "\r\x1b[Kembedding: 1,000 of 2,000\r\x1b[K"
    assert file.getvalue() == ""


async def test_a_stream_is_told_beside_its_baselines() -> None:
    out = io.StringIO()
    write_evaluation("FILE", await stream(STREAM, Bench(Words(), deciding, 0.95, baselines=True)), out)
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert lines[0] == "FILE: 6 requests"
    assert "configured 2 1 33.3% 16.67% 56.35% 50.0% 50.0%" in lines
    assert "gptcache 0.80 4 2 66.7% 33.33% 70.00% 50.0% 100.0%" in lines
    assert "t 3 1 1 0.0% –" in lines
    assert "after 6 2 1 33.3% 16.67% 56.35%" in lines
    assert "0.8 3 1 50.0% 16.67% 56.35%" in lines
    assert "* In the best case 33.3% are hits: so many answers were there." in lines


async def test_pairs_are_told_by_kind_and_source() -> None:
    out = io.StringIO()
    write_evaluation("FILE", await pairs(PAIRS, Bench(Words(), deciding, 0.9)), out)
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert "order 2 1 0 100.0% 50.0%" in lines
    assert "s/number 1 0 0 – –" in lines
    assert not any("…" in line for line in lines)


def test_a_calibration_marks_its_threshold() -> None:
    out = io.StringIO()
    write_calibration(FOUND, Made("words", "2026-11-21", 0.01, "class"), out)
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert lines[0] == "words: 77 examples, 1,000 requests in streams"
    assert "0.800000 * 50 2 5.0% 0.20% 0.73%" in lines
    assert "0.800000 * 50 5 5.0% 0.50% 1.17%" in lines
    assert "a.b 1 0 0 0.0% 0.00% 79.35% – –" in lines
    assert "similarity 10.1235" in lines
    assert any(line.startswith("* The lowest threshold with at most 1.00% wrong") for line in lines)
    out = io.StringIO()
    write_calibration(FOUND._replace(threshold=None), Made("words", "2026-11-21", 0.01, "class"), out)
    assert "Nothing is written." in out.getvalue()


def test_a_report_says_what_is_missing() -> None:
    told = report(
        judged(40, route="few") + judged(4000, route="many") + judged(50, route="bad") + judged(50, False, route="bad"),
        {"few": Tally(400, 40), "many": Tally(8000, 4000), "bad": Tally(200, 100), "idle": Tally(9, 0)},
        0.005,
    )
    out = io.StringIO()
    write_report(told, out)
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert "many 8,000 4,000 50.0% 4,000 0 0.00% 0.10% 0.05% 0" in lines
    notes = " ".join(lines)
    assert (
        "* many: at most 0.50% of all requests are answered wrong. "
        "Proposed threshold: score 0.9900, which keeps 100% of the judged hits. *"
    ) in notes
    assert "* bad: more than 0.50% of all requests are answered wrong. No threshold can be proposed. *" in notes
    assert "* idle: no hits, so nothing is known. No threshold can be proposed. *" in notes
    assert "* few: not enough judged for 0.50% of all requests: 37 more, if none is wrong." in notes
    out = io.StringIO()
    write_report(report([], {}, 0.005), out)
    assert out.getvalue() == "Nothing was looked up yet.\n"


def test_a_share_of_nothing_is_no_number() -> None:
    assert percent(None) == "–"
    assert percent(0.12345, 2) == "12.35%"
