"""What is asked of the form of an answer, and what one text says beyond the other."""

import pytest

from tests.cache.guarding import objection

CONSTRAINTS_DIFFER = [
    ("Explain gravity in French", "Explain gravity in German"),
    ("Explain gravity", "Explain gravity in French"),
    ("List the planets as JSON", "List the planets as YAML"),
    ("List the planets as a table", "List the planets"),
    ("Explain gravity briefly", "Explain gravity in detail"),
    ("Explain gravity briefly", "Explain gravity"),
    ("Explain gravity in 3 sentences", "Explain gravity in 3 words"),
    ("Explain gravity in one paragraph", "Explain gravity"),
    ("Explain gravity step by step", "Explain gravity"),
    ("Explain gravity for beginners", "Explain gravity for experts"),
    ("Explain gravity to a child", "Explain gravity"),
    ("Explain gravity like I'm five", "Explain gravity"),
    ("Explain gravity for students", "Explain gravity for engineers"),
    ("Write it in a formal tone", "Write it in a casual tone"),
    ("Sort a list in Python", "Sort a list in Java"),
    ("Sort a list in Go", "Sort a list in Rust"),
    ("Sort a list in C++", "Sort a list in C#"),
    ("Explain it with examples", "Explain it"),
    ("Explain it as a pirate", "Explain it"),
    ("use British spelling", "use American spelling"),
    ("Answer in one word", "Answer in one sentence"),
    ("a haiku about rain", "a sonnet about rain"),
    ("Act as a lawyer. Is it legal?", "Is it legal?"),
]
CONSTRAINTS_SAME = [
    ("Explain gravity briefly", "Explain gravity concisely"),
    ("as JSON", "in JSON format"),
    ("Explain it in detail", "Give a detailed explanation"),
    ("How do I go home?", "How do I get home?"),
    ("Which customers have accounts?", "accounts for customers"),
    ("What are some examples of fossils?", "What are fossils?"),
    ("the role with code MG", "the MG role"),
    ("papers with the most citations", "most cited papers"),
    ("Explain gravity step by step", "Walk me through gravity"),
    ("Explain gravity for beginners", "Explain gravity for dummies"),
    ("two sentences", "2 sentences"),
    ("How many words are there?", "How many terms are there?"),
    ("bullet points", "bulleted"),
    ("a 13 year-old cat", "a 13 years old cat"),
    ("My table is broken", "My desk is broken"),
    ("in layman's terms", "in simple terms"),
]


@pytest.mark.parametrize(("a", "b"), CONSTRAINTS_DIFFER)
def test_constraints_object(a: str, b: str) -> None:
    assert objection("constraints", a, b)


@pytest.mark.parametrize(("a", "b"), CONSTRAINTS_SAME)
def test_constraints_let_pass(a: str, b: str) -> None:
    assert objection("constraints", a, b) is None


ADDITIONS_DIFFER = [
    ("What is gravity?", "What is gravity? Use only words a pirate would know."),
    ("Write a poem about rain. Include thunder.", "Write a poem about rain. Leave out thunder."),
    ("What is the capital?", "What is the capital of Peru?"),
    ("Who owns the house?", "Who owns the house in Lima?"),
    ("For cats, what is healthy?", "What is healthy?"),
    ("What is healthy?", "What is healthy for a dog?"),
    ("How do I sort a list?", "How do I sort a list without recursion?"),
    ("Name a river.", "Name a river. It must be in Asia."),
    ("I live in Rome. Where do I vote?", "I live in Oslo. Where do I vote?"),
    ("How do I win?", "How do I win and keep friends?"),
    ("Tell me a joke about cats", "Tell me a joke about cats that rhymes"),
    ("Is it safe?", "Is it safe during pregnancy?"),
    ("What do I pay?", "What do I pay if I am late?"),
    ("Why is it so?", "Why is it so when it rains?"),
    ("How is it made?", "How is it made by hand?"),
]
ADDITIONS_SAME = [
    ("What is gravity?", "What is gravity? Thanks!"),
    ("Hello! What is gravity?", "What is gravity?"),
    ("Could you help me with this? What is gravity?", "What is gravity?"),
    ("Please tell me what gravity is", "What gravity is"),
    ("What is gravity?", "Explain gravity"),
    ("Hi there, what is gravity?", "What is gravity?"),
    ("What is gravity, please?", "What is gravity?"),
    ("What is gravity", "what is gravity?"),
    ("the biggest lake", "the very biggest lake"),
    ("Is it really safe?", "Is it safe?"),
    ("Quick question: what is gravity?", "What is gravity?"),
    ("I was wondering what gravity is", "what gravity is"),
    ("What is gravity? Thank you in advance", "What is gravity?"),
    ("Name a river in Asia", "Name an Asian river"),
    ("cats", "dogs"),
]


@pytest.mark.parametrize(("a", "b"), ADDITIONS_DIFFER)
def test_additions_object(a: str, b: str) -> None:
    assert objection("additions", a, b)


@pytest.mark.parametrize(("a", "b"), ADDITIONS_SAME)
def test_additions_let_pass(a: str, b: str) -> None:
    assert objection("additions", a, b) is None
