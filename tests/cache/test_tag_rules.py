from __future__ import annotations

from typing import Any

import pytest

from cache.labels import LONGEST, MOST, tag_of
from cache.tag_rules import Asked, BadRule, Rule, TagRules

ASKED = Asked("gpt-4o-mini", "team", "llm.response", "/v1/chat/completions", '{"x": "Das Gerät, \\u00e9"}'.encode())


def tags(*rules: Rule, **other: Any) -> tuple[str, ...]:
    return TagRules(rules).tags(ASKED._replace(**other))


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ({"model": "gpt-4o-mini"}, True),
        ({"model": "gpt-4o"}, False),
        ({"model": "gpt-4o*"}, True),
        ({"model": "*"}, True),
        ({"model": "GPT*"}, False),
        ({"tenant": "te?m"}, True),
        ({"tenant": "te?"}, False),
        ({"namespace": "llm.*"}, True),
        ({"namespace": "llm?response"}, True),
        ({"namespace": "llm"}, False),
        ({"path": "*/completions"}, True),
        ({"path": "/v1/messages"}, False),
        ({"contains": "Gerät"}, True),
        ({"contains": "é"}, True),
        ({"contains": "gerät"}, False),
        ({"contains": 'say "x"'}, False),
        ({"model": "*", "contains": "Gerät"}, True),
        ({"model": "*", "tenant": "team", "contains": "other"}, False),
        ({"model": "x", "tenant": "team"}, False),
    ],
)
def test_a_rule_holds_where_all_its_conditions_do(conditions: dict[str, str], holds: bool) -> None:
    assert tags(Rule(("t",), **conditions)) == (("t",) if holds else ())


def test_a_text_is_found_as_json_writes_it() -> None:
    assert tags(Rule(("t",), contains='say "x"\n'), body=rb'{"content": "say \"x\"\n"}') == ("t",)


def test_tags_of_all_rules_come_in_order_and_once() -> None:
    rules = [Rule(("a", "b"), model="*"), Rule(("no",), model="x"), Rule(("c", "a"), tenant="team")]
    assert tags(*rules) == ("a", "b", "c")


def test_a_tag_may_have_names_in_it() -> None:
    rule = Rule(("model:{model}", "{tenant}/{namespace}"), model="*")
    assert tags(rule) == ("model:gpt-4o-mini", "team/llm.response")
    wild = tags(rule, model='a b,"c"\n{tenant}\ud800', tenant="", namespace="x" * 1000)
    assert wild[0] == "model:a_b__c__{tenant}_"
    assert len(wild[1]) == LONGEST
    assert [tag_of(tag) for tag in wild] == list(wild)


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (Rule(("t",)), 'rule 2: it has no condition; one that is meant for every request says `model: "\\*"`'),
        (Rule(("t",), contains=""), "no condition"),
        (Rule((), model="*"), "no tag"),
        (Rule(("two words",), model="*"), "no white space"),
        (Rule(("",), model="*"), "1 to 256"),
        (Rule(("file:/x",), model="*"), "are no tags"),
        (Rule(("{user}",), model="*"), r"\{user\} is none of \{model\}, \{tenant\}, \{namespace\}"),
        (Rule(("t",), model="*a" * 20), "16 stars"),
        (Rule(("t",), contains="\ud800"), "characters"),
        (Rule(tuple(f"t{n}" for n in range(MOST)), model="*"), "64 tags at most"),
    ],
)
def test_a_rule_that_says_nothing_or_too_much_is_refused(rule: Rule, why: str) -> None:
    with pytest.raises(BadRule, match=why):
        TagRules([Rule(("good",), model="*"), rule])


def test_without_rules_there_are_no_tags() -> None:
    assert not TagRules()
    assert TagRules([Rule(("a",), model="*")])
    assert tags() == ()
