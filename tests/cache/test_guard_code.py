"""Code, addresses, identifiers, signs, and words of letters and digits."""

import pytest

from tests.cache.guarding import objection

CODE_DIFFER = [
    ("What does it do?\n```python\nx = 1\n```", "What does it do?\n```python\nx = 2\n```"),
    ("What does it do?\n```\nif a:\n    b()\nc()\n```", "What does it do?\n```\nif a:\n    b()\n    c()\n```"),
    ("What does it do?\n```\nx = 1\n```", "What does it do?"),
    ("Fix:\n```js\na\n```", "Fix:\n```ts\na\n```"),
    ("Explain `map`", "Explain `filter`"),
    ("Explain `map`", "Explain it"),
    ("Why:\n    x = 1\n    y = 2", "Why:\n    x = 1\n    y = 3"),
    ("Why?\n\tx = 1", "Why?\n\tx = 2"),
    ("```a``` and ```b```", "```b``` and ```a```"),
    ("~~~\nx\n~~~\nWhy?", "~~~\ny\n~~~\nWhy?"),
    ("Run ```x = 1``` please", "Run ```x = 2``` please"),
    ("```\nnever closed", "```\nnever opened"),
    ("Is `==` ok?", "Is `===` ok?"),
    ("Is `List` ok?", "Is `list` ok?"),
    ("```\na\n```\n```\nb\n```", "```\na\n```"),
    ("```\na b\n```", "```\na  b\n```"),
]
CODE_SAME = [
    ("What does it do?\n```python\nx = 1  \n```", "Explain what it does.\n```python\nx = 1\n```"),
    ("What?\n```\nx\n```", "What?\n```python\nx\n```"),
    ("Explain `map`", "Explain map"),
    ("Explain `map` and `filter`", "Explain `filter` and `map`"),
    ("What?\n```\r\nx = 1\r\n```", "What?\n```\nx = 1\n```"),
    ("Why?\n\n    x = 1", "Why?\n    x = 1"),
    ("What is it?", "Which is it?"),
    ("```\n\nx\n\n```", "```\nx\n```"),
    ("  How do I win?", "How do I win?"),
    ("a ` b", "a b"),
    ("```\nx\n```", "```\nx\n```"),
    ("Is `a.b` set?", "Is a.b set?"),
    ("~~~\nx\n~~~\nWhy?", "```\nx\n```\nWhy?"),
    ("use `x_y`", "use x_y now"),
    ("", ""),
]


@pytest.mark.parametrize(("a", "b"), CODE_DIFFER)
def test_code_object(a: str, b: str) -> None:
    assert objection("code", a, b)


@pytest.mark.parametrize(("a", "b"), CODE_SAME)
def test_code_let_pass(a: str, b: str) -> None:
    assert objection("code", a, b) is None


TASK_DIFFER = [
    ("Find the bug\n```\nx\n```", "Write tests\n```\nx\n```"),
    ("What does it do?\n```\nx\n```", "Find the bug in it\n```\nx\n```"),
    ("Optimise this function\n```\nx\n```", "Document this function\n```\nx\n```"),
    ("Translate to Rust\n```\nx\n```", "Translate to Go\n```\nx\n```"),
    ("Explain this code\n```\nx\n```", "Refactor this code\n```\nx\n```"),
    ("Is it fast?\n```\nx\n```", "Is it safe?\n```\nx\n```"),
    ("Add types\n```\nx\n```", "Add comments\n```\nx\n```"),
    ("Rename a\n```\nx\n```", "Delete a\n```\nx\n```"),
    ("time complexity?\n```\nx\n```", "space complexity?\n```\nx\n```"),
    ("Format this\n```\nx\n```", "Minify this\n```\nx\n```"),
    ("Review\n```\nx\n```", "Explain\n```\nx\n```"),
    ("Make it shorter\n```\nx\n```", "Make it faster\n```\nx\n```"),
    ("Port this to C\n```\nx\n```", "Unit tests for this\n```\nx\n```"),
    ("Any leaks?\n```\nx\n```", "Any typos?\n```\nx\n```"),
    ("Inline it\n```\nx\n```", "Log it\n```\nx\n```"),
]
TASK_SAME = [
    ("Find the bug in this code\n```\nx\n```", "Is there a bug in this code? Please find it.\n```\nx\n```"),
    ("Explain what this does\n```\nx\n```", "What does this function do?\n```\nx\n```"),
    ("Find the bug", "Write tests"),
    ("Write unit tests for this function\n```\nx\n```", "Please write unit tests for the function below\n```\nx\n```"),
    ("Find the bug\n```\nx\n```", "Find bugs in it\n```\nx\n```"),
    ("Optimise this\n```\nx\n```", "Please optimise it\n```\nx\n```"),
    ("```\nx\n```", "```\nx\n```"),
    ("Explain\n```\nx\n```", "```\nx\n```"),
    ("What is the time complexity?\n```\nx\n```", "time complexity of this code\n```\nx\n```"),
    ("Review it\n```\nx\n```", "Can you review this code?\n```\nx\n```"),
    ("Refactor this method\n```\nx\n```", "Refactor the following code\n```\nx\n```"),
    ("Fix it\n```\nx\n```", "Fix this snippet\n```\nx\n```"),
    ("Hi! Fix it\n```\nx\n```", "Fix it\n```\nx\n```\nThanks!"),
    ("a\n```\nx\n```", "b"),
    ("", "x"),
]


@pytest.mark.parametrize(("a", "b"), TASK_DIFFER)
def test_task_object(a: str, b: str) -> None:
    assert objection("task", a, b)


@pytest.mark.parametrize(("a", "b"), TASK_SAME)
def test_task_let_pass(a: str, b: str) -> None:
    assert objection("task", a, b) is None


ADDRESSES_DIFFER = [
    ("Summarise https://a.com/x", "Summarise https://a.com/y"),
    ("Is example.com down?", "Is example.org down?"),
    ("mail bob@a.com", "mail eve@a.com"),
    ("delete /tmp/a", "delete /tmp/b"),
    ("open C:\\a\\b", "open C:\\a\\c"),
    ("What does --force do?", "What does --quiet do?"),
    ("What does ls -l do?", "What does ls -a do?"),
    ("What is user_id?", "What is order_id?"),
    ("What is os.path?", "What is os.environ?"),
    ("What is getName?", "What is setName?"),
    ("What is std::map?", "What is std::set?"),
    ("What is foo()?", "What is bar()?"),
    ("print $HOME", "print $PATH"),
    ("read ./a.txt", "read ./b.txt"),
    ("Who is @alice?", "Who is @bob_?"),
    ("see www.a.org", "see www.b.org"),
]
ADDRESSES_SAME = [
    ("What is user_id?", "What is the user id?"),
    ("What is getName?", "What is getname?"),
    ("What is os.path?", "What is the os.path?"),
    ("see https://a.com/x.", "see https://a.com/x"),
    ("upper-level courses", "upper level courses"),
    ("14 -credit courses", "14 credit courses"),
    ("cats/dogs", "cats or dogs"),
    ("Is it 3.5?", "It is 3.5"),
    ("mail bob@a.com", "write to bob@a.com"),
    ("What does --force do?", "Explain --force"),
    ("e.g. this", "eg this"),
    ("manager_names", "manager name"),
    ("Who runs it (now)?", "Who runs it?"),
    ("Node.js", "node.js"),
    ("the iPhone", "an iphone"),
]


@pytest.mark.parametrize(("a", "b"), ADDRESSES_DIFFER)
def test_addresses_object(a: str, b: str) -> None:
    assert objection("addresses", a, b)


@pytest.mark.parametrize(("a", "b"), ADDRESSES_SAME)
def test_addresses_let_pass(a: str, b: str) -> None:
    assert objection("addresses", a, b) is None


SIGNS_DIFFER = [
    ("What is 3 + 5?", "What is 3 * 5?"),
    ("What is 3 + 5?", "What is 3 - 5?"),
    ("Is a == b?", "Is a != b?"),
    ("Is a < b?", "Is a > b?"),
    ("x^2", "x"),
    ("x² of it", "x of it"),
    ("What is 5!?", "What is 5?"),
    ("[1, 2]", "{1, 2}"),
    ("a | b", "a"),
    ("f = m*a", "f = m"),
    ("x ≤ 5", "x ≥ 5"),
    ("8 / 2", "8 2"),
    ("~5", "5"),
    ("a -> b", "a b"),
    ("√2", "2"),
]
SIGNS_SAME = [
    ("What is 3 + 5?", "3 + 5?"),
    ("Is C++ hard?", "Is C++ difficult?"),
    ("$5 for it", "5 dollars for it"),
    ("A & B", "A and B"),
    ("a - b it is", "a, b it is"),
    ("cats/dogs", "cats, dogs"),
    ("Really?!", "Really?"),
    ("50%", "50 percent"),
    ("C#", "c#"),
    ("#1", "number 1"),
    ("well-known", "well known"),
    ("x^2", "x²"),
    ("1/2 of it", "half of it"),
    ("Wow! Great", "Wow, great"),
    ("a = b", "a = b."),
]


@pytest.mark.parametrize(("a", "b"), SIGNS_DIFFER)
def test_signs_object(a: str, b: str) -> None:
    assert objection("signs", a, b)


@pytest.mark.parametrize(("a", "b"), SIGNS_SAME)
def test_signs_let_pass(a: str, b: str) -> None:
    assert objection("signs", a, b) is None


CODES_DIFFER = [
    ("Is the iPhone 6s good?", "Is the iPhone 6 good?"),
    ("Is the iPhone 6s good?", "Is the iPhone 6 plus good?"),
    ("EECS280 notes", "EECS281 notes"),
    ("GPT-4 price", "GPT-5 price"),
    ("B2B sales", "B2C sales"),
    ("What is H2O?", "What is CO2?"),
    ("COVID-19", "COVID-20"),
    ("mp3 files", "mp4 files"),
    ("room 4a", "room 4b"),
    ("Take the A1", "Take the B1"),
    ("sha256", "sha512"),
    ("i18n", "l10n"),
    ("utf8", "utf16"),
    ("a 3d model", "a model"),
    ("ipv4", "ipv6"),
]
CODES_SAME = [
    ("EECS280 notes", "EECS 280 notes"),
    ("GPT-4 price", "GPT4 price"),
    ("GPT-4 price", "gpt 4 price"),
    ("5km run", "5 kilometres run"),
    ("2.5k users", "2500 users"),
    ("the 3rd man", "the third man"),
    ("the 1990s", "the 1990s!"),
    ("6am", "6 am"),
    ("v2.10 of it", "version 2.10 of it"),
    ("mp3", "MP3"),
    ("COVID-19", "covid 19"),
    ("100mb", "100 megabytes"),
    ("cats", "dogs"),
    ("room 4", "room 5"),
    ("the 90s", "in the 90s"),
]


@pytest.mark.parametrize(("a", "b"), CODES_DIFFER)
def test_codes_object(a: str, b: str) -> None:
    assert objection("codes", a, b)


@pytest.mark.parametrize(("a", "b"), CODES_SAME)
def test_codes_let_pass(a: str, b: str) -> None:
    assert objection("codes", a, b) is None
