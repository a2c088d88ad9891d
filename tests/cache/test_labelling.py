from pathlib import Path

import pytest

from adapters.vocabulary import Controls, Route
from cache.dependencies import Dependencies
from cache.files import Files
from cache.labelling import Labelling, asked_of
from cache.labels import BadLabel
from cache.tag_rules import Rule, TagRules
from tests.cache.scripted import call_of
from tests.fakes import Clock


def labelling(rules=(), depends=None, roots=(), **more):
    files = Files(Clock(), roots)
    named = {name: files.named(labels) for name, labels in (depends or {}).items()}
    return Labelling(TagRules(rules), Dependencies(named), files, **more)


def tagged(*tags, **more):
    return call_of(controls=Controls(tags=tags), **more)


def test_an_answer_has_the_tags_of_its_request():
    assert labelling()(tagged("a", "b")) == ("a", "b")
    assert labelling()(call_of()) == ()


def test_and_those_that_rules_give_each_once():
    rules = [
        Rule(("model:{model}", "a"), model="gpt-*"),
        Rule(("france",), contains="France"),
        Rule(("x",), model="o*"),
    ]
    assert labelling(rules)(tagged("a")) == ("a", "model:gpt-4o", "france")


def test_rules_know_routes_and_namespaces():
    rules = [Rule(("{namespace}",), path="/chat/*"), Rule(("mine",), tenant="t")]
    assert labelling(rules)(call_of()) == ("llm.response", "mine")
    assert labelling(rules)(call_of(route=Route((), namespace="drafts"))) == ("drafts", "mine")
    batch = call_of()
    batch.target = "/embeddings?x"
    assert asked_of(batch).namespace == "embedding"


def test_named_things_bring_what_they_rest_on(tmp_path: Path):
    prompt = tmp_path / "prompt.md"
    prompt.write_text("x")
    made = labelling(depends={"prompt:a": [f"file:{prompt}"], "b": ["prompt:a"]}, roots=[tmp_path])
    labels = made(tagged("b"))
    assert labels[:3] == ("b", "prompt:a", f"file:{prompt}")
    assert labels[3].startswith("file:@"), "and what the file is now"


def test_where_dependencies_are_off_a_tag_is_a_tag(tmp_path: Path):
    made = labelling(depends={"b": ["prompt:a"]}, depending=False)
    assert made(tagged("b")) == ("b",)


def test_where_tags_are_off_there_are_none():
    assert labelling([Rule(("x",), model="*")], tagging=False)(tagged("b")) == ()


def test_too_many_are_refused():
    rules = [Rule(tuple(f"r{number}" for number in range(40)), model="*")]
    with pytest.raises(BadLabel):
        labelling(rules)(tagged(*[f"t{number}" for number in range(40)]))
