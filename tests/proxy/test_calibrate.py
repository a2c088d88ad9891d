from typing import Any

import pytest

from adapters.prices import Prices
from adapters.usage import Usage
from proxy.calibrate import Calibration, Calibrator, Fit, Held, calibrate, expected_of, fit_of, total_error
from proxy.importers import Recorded
from tests.proxy.recordings import CLAUDE, DEEPSEEK, LONG, ask, real, say, talk

RECORDED = {"input": 0.28, "cache_read": 0.028, "output": 0.42}
"""What the recordings of `mini_swe` were billed by (their own `cost_usd`), dollars per million tokens."""

PRICES = Prices({CLAUDE: {"input": 1.0, "cache_read": 0.1, "cache_write": 1.25, "output": 5.0}, DEEPSEEK: RECORDED})


def best_effort(reads: list[int], session: int = 0, prompt: int = 2000) -> list[Held]:
    return [Held(session, DEEPSEEK, Usage(prompt - read, read), 1000, True) for read in reads]


def claude(*usages: Usage, gap: float = 10.0, **more: Any) -> list[Recorded]:
    return [ask(m, usage, ts=ts, **more) for (m, ts), usage in zip(talk(len(usages), gap=gap), usages, strict=True)]


def test_a_session_that_went_by_the_rules_is_explained() -> None:
    found = calibrate(claude(Usage(3, 0, 5000), Usage(3, 5000, 100), Usage(3, 5100, 90)), PRICES)
    assert (found.requests, found.explained, found.causes, found.share) == (3, 3, {}, 1.0)
    assert found.total_error == pytest.approx(0, abs=1e-3)
    assert found.fit is None
    assert found.held_out is None


def test_two_percent_and_no_more() -> None:
    for read, explained in ((4902, 2), (4900, 1), (5102, 2), (5105, 1)):
        assert calibrate(claude(Usage(3, 0, 5000), Usage(3, read, 200)), PRICES).explained == explained


def test_a_lapsed_life_is_explained_and_a_lost_prefix_is_listed() -> None:
    assert calibrate(claude(Usage(3, 0, 5000), Usage(3, 0, 5100), gap=400.0), PRICES).causes == {}
    found = calibrate(claude(Usage(3, 0, 5000), Usage(3, 0, 5100)), PRICES)
    assert found.causes == {"volatile_unseen": 1}
    assert found.total_error is not None
    assert found.total_error < -0.4


def test_a_prefix_that_lived_longer_than_it_should() -> None:
    assert calibrate(claude(Usage(3, 0, 5000), Usage(3, 5000, 100), gap=400.0), PRICES).causes == {"ttl": 1}


def test_the_fit_counts_full_reads_and_weighs_by_tokens() -> None:
    assert fit_of(best_effort([1000, 1000, 985, 500])) == Fit(0.75, pytest.approx(0.87125), 4)
    assert fit_of(best_effort([5000])) == Fit(1.0, 1.0, 1)  # more than was foreseen is no more than all
    assert fit_of([]) is None
    assert fit_of([one._replace(best_effort=False) for one in best_effort([0])]) is None
    assert fit_of([one._replace(predicted=0) for one in best_effort([0])]) is None


def test_the_fitted_part_makes_up_for_what_is_missed() -> None:
    held = best_effort([1000, 1000, 0, 400])
    fit = fit_of(held)
    assert fit is not None
    assert total_error(held, fit, PRICES) == pytest.approx(0, abs=1e-3)
    always = total_error(held, Fit(1.0, 1.0, 0), PRICES)
    assert always is not None
    assert always < -0.1
    assert total_error([], fit, PRICES) is None
    assert total_error([one._replace(model="nobody-knows") for one in held], fit, PRICES) is None


def test_what_is_not_read_is_billed_as_it_was() -> None:
    def expected(usage: Usage, predicted: int) -> Usage:
        return expected_of(Held(0, CLAUDE, usage, predicted, False), Fit(0.5, 0.5, 9))

    assert expected(Usage(3, 0, 5000, output=7), 4000) == Usage(3, 4000, 1000, output=7)
    assert expected(Usage(3, 4000, 500, 500), 0) == Usage(3, 0, 0, 5000)
    assert expected(Usage(5000), 4000) == Usage(1000, 4000)
    assert expected(Usage(5000), 9000) == Usage(0, 5000)
    assert expected_of(Held(0, DEEPSEEK, Usage(5000), 4000, True), Fit(0.5, 0.5, 9)) == Usage(3000, 2000)


def test_each_half_is_judged_by_the_fit_of_the_other() -> None:
    calibrator = Calibrator()
    calibrator.held = best_effort([1000] * 4) + best_effort([0] * 4, session=1)
    found = calibrator.result(PRICES)
    assert found.fit == Fit(0.5, 0.5, 8)
    assert found.held_out is not None
    first, second = found.held_out
    assert first is not None
    assert first > 0.5
    assert second is not None
    assert second < -0.3
    assert found.total_error == pytest.approx(0, abs=1e-6)


def test_sessions_of_another_file_are_others() -> None:
    calibrator = Calibrator()
    for recorded in claude(Usage(3, 0, 5000), Usage(3, 0, 5100)):
        calibrator.file()
        calibrator.add(recorded)
    assert calibrator.result(PRICES).causes == {}


def test_requests_without_usage_or_prompt_are_left_out() -> None:
    nothing = [ask([say("user", LONG)]), Recorded("x", 0, None, CLAUDE, usage=Usage(5))]
    found = calibrate(nothing, PRICES)
    assert (found.requests, found.total_error, found.share, found.price_error) == (0, None, 0.0, None)


def test_the_recording_says_what_it_cost_itself() -> None:
    usage = Usage(1_000_000)
    assert calibrate([ask([say("user", "u")], usage, dollars=2.0)], PRICES).price_error == pytest.approx(-0.5)
    unpriced = [ask([say("user", "u")], usage, dollars=2.0, model="nobody-knows")]
    assert calibrate(unpriced, PRICES).price_error is None


def test_the_report_for_machines() -> None:
    found = calibrate(claude(Usage(3, 0, 5000), Usage(3, 0, 5100)), PRICES).report()
    assert list(found)[:4] == ["requests", "explained", "total_error", "causes"]
    assert (found["requests"], found["explained"], found["causes"]) == (2, 1, {"volatile_unseen": 1})
    assert found["class_errors"]["write_1h"] is None
    assert found["fit"] is None
    assert found["held_out_errors"] is None
    fitted = Calibrator()
    fitted.held = best_effort([1000, 500]) + best_effort([1000, 500], session=1)
    assert fitted.result(PRICES).report()["fit"] == {"hit": 0.5, "reused": 0.75}
    assert fitted.result(PRICES).report()["held_out_errors"] == [pytest.approx(0, abs=1e-6)] * 2


def recorded(name: str) -> Calibration:
    return calibrate(real(name), PRICES)


def test_anthropic_as_recorded() -> None:
    found = calibrate(real("pi.delta.jsonl.gz"), Prices())
    assert found.requests == 439
    assert found.share >= 0.92
    assert sum(found.causes.values()) == found.requests - found.explained
    assert found.price_error == pytest.approx(0, abs=1e-6)


def test_deepseek_as_recorded() -> None:
    found = recorded("mini_swe.delta.jsonl.gz")
    assert found.requests == 7924
    assert found.fit is not None
    assert found.fit.hit == pytest.approx(0.88, abs=0.03)
    assert found.total_error is not None
    assert abs(found.total_error) < 0.03
    assert found.held_out is not None
    assert all(error is not None and abs(error) < 0.03 for error in found.held_out)
    assert set(found.causes) <= {"best_effort", "unknown"}
    assert found.price_error == pytest.approx(0, abs=1e-6)
