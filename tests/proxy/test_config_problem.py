import pytest

from proxy.config_problem import ConfigError, Place, Problem, dotted, shown


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem(("listen", "port"), "is odd", Place("w.yaml", 3, 9)), "w.yaml:3:9: listen.port: is odd"),
        (Problem((), "is not UTF-8 text", Place("w.yaml", 1, 1)), "w.yaml:1:1: is not UTF-8 text"),
        (Problem((), "can't be read", Place("w.yaml")), "w.yaml: can't be read"),
        (Problem(("tenants", "keys", 0, "key"), "is odd"), "tenants.keys[0].key: is odd"),
        (Problem(("x",), "is odd", Place("variable X")), "variable X: x: is odd"),
    ],
)
def test_a_problem_says_where_and_what(problem, text):
    assert str(problem) == text


def test_a_problem_redacts_whatever_still_looks_like_a_key():
    assert "Zx9k3yVal" not in str(Problem(("tenants", "sk-proj-Zx9k3yVal"), "unknown setting"))


def test_problems_come_in_the_order_of_the_file():
    late, early = Problem(("b",), "x", Place("f", 9, 1)), Problem(("a",), "x", Place("f", 2, 5))
    error = ConfigError([late, early])
    assert error.problems == [early, late]
    assert str(error) == "f:2:5: a: x\nf:9:1: b: x"


def test_a_name_can_not_break_the_line_it_is_printed_on():
    assert dotted(("prices", "gpt-4.1", "input")) == "prices.gpt-4.1.input"
    assert shown("a\nw.yaml:1:1: all is well") == r"'a\nw.yaml:1:1: all is well'"
    assert len(shown("x" * 1000)) == 66
