"""English words without their endings: M. F. Porter, “An algorithm for suffix stripping”, 1980.

Some endings more are taken off than there are in other languages' words; as texts and queries
lose the same, that costs little.
"""

from __future__ import annotations

import re
from collections.abc import Sequence


def stem(word: str) -> str:
    """*word*, in lower-case ASCII letters, without its endings."""
    if len(word) < 3:
        return word
    word = _plural(word)
    word = _past(word)
    if word.endswith("y") and _has_vowel(word[:-1]):
        word = word[:-1] + "i"
    word = _replaced(word, _SECOND, 1)
    word = _replaced(word, _THIRD, 1)
    word = _without(word)
    return _tidied(word)


def _shape(stem: str) -> str:
    """Which of its letters are vowels, and which consonants: a y behind a consonant is a vowel."""
    shape = ""
    for letter in stem:
        is_vowel = letter in "aeiou" or (letter == "y" and shape[-1:] == "c")
        shape += "v" if is_vowel else "c"
    return shape


def _measure(stem: str) -> int:
    """How often a consonant follows a vowel."""
    return _shape(stem).count("vc")


def _has_vowel(stem: str) -> bool:
    return "v" in _shape(stem)


def _is_double(stem: str) -> bool:
    return len(stem) > 1 and stem[-1] == stem[-2] and _shape(stem)[-1] == "c"


def _is_short(stem: str) -> bool:
    """Whether it ends as ``hop`` does."""
    return _shape(stem).endswith("cvc") and stem[-1] not in "wxy"


def _plural(word: str) -> str:
    if word.endswith(("sses", "ies")):
        return word[:-2]
    if word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word


def _past(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    ended = _PAST.search(word)
    if ended is None or not _has_vowel(word[: ended.start()]):
        return word
    word = word[: ended.start()]
    if word.endswith(("at", "bl", "iz")):
        return word + "e"
    if _is_double(word) and word[-1] not in "lsz":
        return word[:-1]
    return word + "e" if _measure(word) == 1 and _is_short(word) else word


_PAST = re.compile(r"(?:ed|ing)$")


def _replaced(word: str, endings: Sequence[tuple[str, str]], least: int) -> str:
    for ending, other in endings:
        if word.endswith(ending):
            rest = word[: -len(ending)]
            return rest + other if _measure(rest) >= least else word
    return word


def _without(word: str) -> str:
    for ending, _ in _LAST:
        if word.endswith(ending):
            rest = word[: -len(ending)]
            goes = _measure(rest) > 1 and (ending != "ion" or rest[-1:] in {"s", "t"})
            return rest if goes else word
    return word


def _tidied(word: str) -> str:
    if word.endswith("e"):
        rest = word[:-1]
        measure = _measure(rest)
        if measure > 1 or (measure == 1 and not _is_short(rest)):
            word = rest
    if word.endswith("ll") and _measure(word[:-1]) > 1:
        return word[:-1]
    return word


def _pairs(told: str) -> tuple[tuple[str, str], ...]:
    pairs = [pair.partition(":")[::2] for pair in told.split()]
    return tuple(sorted(((ending, other) for ending, other in pairs), key=lambda one: -len(one[0])))


_SECOND = _pairs(
    "ational:ate tional:tion enci:ence anci:ance izer:ize logi:log bli:ble alli:al entli:ent eli:e"
    " ousli:ous ization:ize ation:ate ator:ate alism:al iveness:ive fulness:ful ousness:ous"
    " aliti:al iviti:ive biliti:ble"
)
_THIRD = _pairs("icate:ic ative: alize:al iciti:ic ical:ic ful: ness:")
_LAST = _pairs(
    "al: ance: ence: er: ic: able: ible: ant: ement: ment: ent: ion: ou: ism: ate: iti: ous: ive:"
    " ize:"
)
