"""Do two answers say the same? As far as that can be told without asking a model. Pure.

`compare` is True where they are equal but for form, or are short and amount to the same; False where they contradict
each other plainly: yes and no, two different numbers or choices, texts that differ in a negation or in numbers alone.
In doubt it says None, for whoever can tell (`cache.judging`).
"""

from __future__ import annotations

import re
import unicodedata

from cache.agreement_code import codes_agree, data_agrees, split
from cache.agreement_number import WORDS, agree, numbers, quantity

LONGEST = 32_000
"""Characters of an answer that is read (some 40 ms); a longer one is only compared as it stands."""

SHORT = 12
"""Words that a short answer has at most."""

OPENINGS = re.compile(
    r"(?:sure(?: thing)?|certainly|of course|absolutely|definitely|gladly|great question|good question|great|okay|ok|"
    r"alright|no problem|happy to help|(?:i'd|i would) be (?:happy|glad) to help(?: you)?(?: with that)?|"
    r"thanks? (?:you )?for (?:asking|your question)|natürlich|selbstverständlich|klar|gerne?|bien sûr|certainement|"
    r"avec plaisir|claro(?: que sí)?|por supuesto|desde luego|con gusto|certo|certamente|com certeza|конечно|"
    r"当然(?:可以)?|好的|もちろん(?:です)?|はい、もちろん)[!,.:。!,、]+\s*",
    re.IGNORECASE,
)
PRESENTS = re.compile(
    r"(?:here(?:'s| is| are)|below (?:is|are)|hier (?:ist|sind)|voici|aquí (?:está|tienes)|ecco)\b[^:\n]{0,80}:\s*",
    re.IGNORECASE,
)
CLOSINGS = re.compile(
    r"\s*(?:i hope (?:this|that) helps|hope (?:this|that) helps|let me know if [^.!?]{0,120}|"
    r"feel free to [^.!?]{0,120}|is there anything else [^.!?]{0,80})[.!?]*\s*$",
    re.IGNORECASE,
)
LEADS = re.compile(
    r"(?:(?:the |my )?(?:correct |final |right |short )?answer(?: is|:)(?: that)?:?|result:|the result is|it is|it's|"
    r"that is|that's|that would be|there (?:is|are)|they are|=)\s+"
)
SIGNS = str.maketrans(
    {"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "−": "-", "‐": "-", "‑": "-", "⁄": "/"}
    | {chr(code): f"^{unicodedata.digit(chr(code))}" for code in (0xB2, 0xB3, 0xB9, 0x2070, *range(0x2074, 0x207A))}
    | dict.fromkeys("\u200b\u2060\ufeff\u00ad")
)
"""Superscripts would become digits of the number in front of them, and what nobody sees goes."""

OTHER_DIGITS = re.compile(r"(?![0-9])\d")
FRACTIONS = re.compile("[¼-¾⅐-⅞]")


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


YES = _listed(
    "yes yeah yep yup true correct ja jawohl oui vrai sí si sì sim verdadero vero да evet はい 是 是的 对 예 네 نعم हाँ"
)
NO = _listed(
    "no nope nah false incorrect nein non faux não nao falso нет nee nej nei hayır いいえ 不是 不 否 不对 아니요 لا नहीं"
)
_ECHO = re.compile(
    r"(?:it|they|he|she|you|we|i|that|this|there) (?:is|are|am|was|were|does|do|did|can|could|has|have|had|will|would|"
    r"should|may|must)(?:n't| not)?|(?:it|they|he|she|you|we|i|that|this) (?:can't|won't|cannot)"
)
_FIRST = re.compile(r"([^\W\d_]+)(?:$|[.,!;:。、]+(?!\s*[0-9]|[.,!;:。、])| - )")
_CHOICE = re.compile(r"(?:(?:option|choice) )?(?:\(([a-h])\)|([a-h])(?=$|[).:]))[).:]*(?: |$)")
_SEVERAL = re.compile(r"\b(?:and|or|both|und|oder|et|ou|y|o)\b|[,&/]")
_NEGATIONS = _listed("not never no neither nor nicht kein keine nie pas jamais ne nunca não nao jamás non mai не")
_WORD = re.compile(r"[^\W_]+(?:[.,:/'’-][^\W_]+)*|[^\w\s]")


def compare(a: str, b: str) -> bool | None:
    """Whether two answers say the same; None where only a judge can tell. It does not matter which is which."""
    if a == b:
        return True
    if max(len(a), len(b)) > LONGEST:
        return None
    told = data_agrees(a, b)
    if told is not None:
        return told
    (said, code), (other, other_code) = split(_plain(a)), split(_plain(b))
    if code or other_code:
        same = codes_agree(code, other_code)
        return same if not same or normalised(said, alone=False) == normalised(other, alone=False) else None
    said, other = normalised(said), normalised(other)
    if not said or not other:
        return None  # nothing but signs: they were not equal as they stood
    if said == other or _short(said) == _short(other):
        return True
    for differ in (_polarity, _choices, _quantities, _but_for_a_word):
        if (told := differ(said, other)) is not None:
            return told
    return None


def facts(text: str) -> tuple[tuple[str, ...], int]:
    """What embeddings hardly see of an answer: its numbers, in the order of their digits, and how often it says no."""
    words = _words(normalised(split(_plain(text))[0]))
    counted = [str(found.value) for found in numbers(words) if found is not None]
    return tuple(sorted(counted)), sum(word in _NEGATIONS or word in NO for word in words)


def normalised(text: str, *, alone: bool = True) -> str:
    """Without what only dresses an answer: letter case, white space, marks of Markdown, polite openings and closings, a
    full stop at the end. Words with capitals inside keep them: they are names of something. `alone`: it is all there
    is, so that something has to be left."""
    text = _without_marks(text)
    for dress in (OPENINGS, PRESENTS, OPENINGS):
        found = dress.match(text)
        if found and (text[found.end() :].strip() or not alone):
            text = text[found.end() :]
    tail = CLOSINGS.search(text, max(0, len(text) - 300))
    if tail and (text[: tail.start()].strip() or not alone):
        text = text[: tail.start()]
    return " ".join(_folded(word) for word in text.split()).rstrip(".!。").strip()


def _plain(text: str) -> str:
    """One way to write each sign. Fractions get a space in front: 3½ is not 31/2."""
    text = OTHER_DIGITS.sub(lambda found: str(unicodedata.digit(found[0])), text)
    return unicodedata.normalize("NFKC", FRACTIONS.sub(r" \g<0>", text).translate(SIGNS)).translate(SIGNS)


def _without_marks(text: str) -> str:
    text = re.sub(r"\\boxed\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"(?<!\S)\$([^$\n]{1,80})\$(?!\S)", r"\1", re.sub(r"\\[()\[\]]|\$\$", "", text))
    text = re.sub(r"(?<![\w*])\*{1,3}(?=[^\s*])|(?<=[^\s*])\*{1,3}(?![\w*])", "", text)
    text = re.sub(r"^[ \t]*(?:#{1,6}|>|[-*+•])[ \t]+", "", text, flags=re.MULTILINE)
    items = re.findall(r"^[ \t]*[0-9]{1,2}[.)][ \t]", text, flags=re.MULTILINE)
    # A single one may be the number of a choice.
    return re.sub(r"^[ \t]*[0-9]{1,2}[.)][ \t]+", "", text, flags=re.MULTILINE) if len(items) > 1 else text.strip()


def _folded(word: str) -> str:
    """`getName` and `X7kq` keep their capitals."""
    if word.islower():
        return word
    letters = "".join(each for each in word if each.isalpha())
    if letters.isupper():
        return word.casefold()
    plain = letters[1:].islower() and not any(each.isdigit() for each in word)
    return word.casefold() if plain else word


def _short(text: str) -> str:
    """Of a short answer what it comes down to; longer ones as they are."""
    if len(text) > 400 or len(text.split(" ")) > SHORT:
        return text
    found = LEADS.match(text)
    text = text[found.end() :] if found else text
    return (text.removeprefix("the ") or text).strip("\"'`")


def _polarity(a: str, b: str) -> bool | None:
    """Yes or no, in front of whatever explains it."""
    one, other = _yes(a), _yes(b)
    if one is None or other is None:
        return None
    if one[0] != other[0]:
        return False
    return True if one[1] and other[1] else None


def _yes(text: str) -> tuple[bool, bool] | None:
    """Whether it begins with yes, and whether it says no more than that."""
    found = _FIRST.match(_short(text))
    if found is None or found[1] not in YES | NO:
        return None
    rest = _short(text)[found.end() :].strip()
    return found[1] in YES, not rest or _ECHO.fullmatch(rest) is not None


def _choices(a: str, b: str) -> bool | None:
    """One of several that have letters."""
    one, other = (_CHOICE.match(_short(text)) for text in (a, b))
    if one is None or other is None:
        return None
    rests = [_short(text)[found.end() :].strip() for text, found in ((a, one), (b, other))]
    if any(map(_SEVERAL.search, rests)):
        return None
    if (one[1] or one[2]) != (other[1] or other[2]):
        return False
    return None if all(rests) else True


def _quantities(a: str, b: str) -> bool | None:
    one, other = quantity(_short(a)), quantity(_short(b))
    return None if one is None or other is None else agree(one, other)


def _but_for_a_word(a: str, b: str) -> bool | None:
    """Texts that are equal but for negations, or but for numbers."""
    one, other = _words(a), _words(b)
    bare = [[word for word in words if word not in _NEGATIONS] for words in (one, other)]
    if bare[0] == bare[1] and bare[0]:
        return False if (len(one) - len(bare[0])) % 2 != (len(other) - len(bare[1])) % 2 else None
    if len(one) != len(other):
        return None
    pairs = [(this, that) for this, that in zip(one, other, strict=True) if this != that]
    if one[1:] == other[1:] and one[1:2] in (["."], [")"]):
        return None  # the number of an item, of a list that nobody else has seen
    told = []
    for this, that in zip(numbers([this for this, _ in pairs]), numbers([that for _, that in pairs]), strict=True):
        told.append(None if this is None or that is None else agree(this, that))
    if None in told:
        return None
    return all(told)


def _words(text: str) -> list[str]:
    text = text.replace("won't", "will not").replace("can't", "can not").replace("cannot", "can not")
    text = text.replace("n't", " not")
    found: list[str] = []
    for word in _WORD.findall(text):
        # twenty-one is one number; well-known is not
        found += [word] if "-" not in word or word.partition("-")[0] in WORDS else word.split("-")
    return found
