"""What ``loom/scribe`` says: plain English about the words of the question.

Nothing here is true or false. It only has to read well, to differ from one
prompt to the next, and to be the same each time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from random import Random

import msgspec

from chatloom.server.chat.message import Message

_OPENINGS = (
    "The short version on {a}: settle what must stay true, and let the rest follow.",
    "Let us take {a} step by step, and keep {b} in view while we do.",
    "There are two honest ways to look at {a}, and both lead past {b}.",
    "People who ask about {a} usually want to know what to do next.",
    "A good way into {a} is to ask what would change without {b}.",
    "Think of {a} as a map: useful because of what is left out.",
    "Here is how I would explain {a} to a colleague on a Friday afternoon.",
    "Most of what there is to say about {a} becomes clear once there is room for {b}.",
    "Start with {a} as found today, not as the textbooks wish.",
    "In a few words: look at {a} first, and at {b} right after.",
)
_MIDDLES = (
    "First comes the part everyone sees, then the part that does the work.",
    "The detail that matters most sits between {a} and {b}.",
    "Write down what you expect from {b} before you measure anything.",
    "A small example helps: take one case of {a} and follow it to the end.",
    "Where opinions about {a} differ, the difference is nearly always one of scale.",
    "None of this is new, but with {b} the order of the steps begins to matter.",
    "If something about {a} looks too simple, ask who pays for the simplicity.",
    "The usual mistake is to treat {b} as an afterthought.",
    "What works for a handful of cases may fail for a million, so count early.",
    "Good questions about {a} tend to be short, and good answers tend to be plain.",
    "Keep the first attempt small enough to throw away.",
    "It pays to name things: once {b} can be named, testing is easy.",
    "Some prefer to begin at {b} and work backwards, which is slower but safer.",
    "The evidence on {a} is better than the rumours.",
    "Nothing stops you from changing your mind about {b} later.",
    "The costs are easy to see, while the gains arrive quietly and stay.",
    "Two people rarely mean the same thing by {a}, so agree on the words first.",
    "Seen from a distance, {a} and {b} follow the same pattern.",
    "Every exception to the rule is worth a note, and three of them are worth a new rule.",
    "A diagram of {a} fits on one page, and it should.",
    "With {b} in place, the remaining choices are mostly a matter of taste.",
    "Time spent on {a} comes back with interest.",
)
_CLOSINGS = (
    "That is the whole of it, and the rest is practice.",
    "Ask again with a concrete case, and the answer will get sharper.",
    "If only one thing is to be remembered, let it be {a}.",
    "From here, {b} would be the natural next question.",
    "So begin small, look closely, and keep what works.",
    "In the end, patience with {a} pays more than cleverness.",
)
_EARLIER = (
    "It ties in with {c}, which came up before.",
    "Keep in mind what was said earlier about {c}.",
    "This also answers part of what you asked about {c}.",
)
_ARTICLES = frozenset(("a", "an", "the"))
_GENERAL = ("the question", "the details", "the context", "the people involved", "the numbers")
_SHOWN = "An image came along too, which an offline model can count but not see."

_WORD = re.compile(r"[^\W\d_][\w'-]*|[^\w\s]")
_PASSED_OVER = frozenset(
    re.findall(
        r"\S+",
        """
        a about above after again all also am an and another any are as ask at be because been
        before being between both but by call can could describe did do does doing done each
        either else ever every explain few find for from get give go had has have having he
        hello help her here hers hey hi him his how i if in into is it its just keep know let
        like list look make many may me might mine more most much must my need no nor not now of
        off on once one only or other our out over own please put really say see shall she
        should show so some such summarize summarise take tell than thank thanks that the their
        them then there these they think this those through to too translate try two under until
        up us use using very want was we were what when where whether which while who whom whose
        why will with word words would write yes yet you your yours what's it's i'm don't let's
        can't that's i'd i've
        """,
    )
)


def seed_of(messages: Sequence[Message], seed: int | None) -> int:
    """The number everything about an answer to *messages* follows from."""
    said = blake2b(msgspec.json.encode(messages), digest_size=8).digest()
    return int.from_bytes(said, "big") + (seed or 0)


def topics(text: str) -> list[str]:
    """The phrases *text* is about, in order: neighbouring words that are not passed over.

    An article stays before a phrase, and ``of`` inside one.
    """
    found: dict[str, None] = {}
    phrase: list[str] = []
    joint = ""
    starts = True
    for match in _WORD.finditer(text, 0, 800):
        word = match[0]
        plain = word.lower()
        if plain == "of" and phrase:
            joint = "of "
        elif word[0].isalpha() and plain not in _PASSED_OVER:
            known = plain if starts and not word.isupper() else word
            phrase.append(joint + known[:24])
            joint = ""
        else:
            found[" ".join(phrase)] = None
            phrase = []
            joint = f"{plain} " if plain in _ARTICLES else ""
        starts = word in {".", "!", "?", ":"}
        if len(phrase) == 3:
            found[" ".join(phrase)] = None
            phrase = []
    found[" ".join(phrase)] = None
    return [phrase for phrase in found if len(phrase) > 1][:8]


def prose(messages: Sequence[Message], chance: Random, length: int | None = None) -> str:
    """Write some 40 to 120 tokens on the last of *messages*, or *length* of them at least."""
    asked = [message for message in messages[-6:] if message.role in {"user", "system"}]
    last = asked.pop() if asked else Message("user", "")
    subjects = topics(last.text) or [_one_of(_GENERAL, chance)]
    before = [topic for message in asked for topic in topics(message.text)]
    sentences = [_one_of(_OPENINGS, chance), *_middle(chance, 2 + int(chance.random() * 4))]
    if before:
        sentences[2] = _one_of(_EARLIER, chance).replace("{c}", _one_of(before, chance))
    if not isinstance(last.content, str | None):
        sentences.insert(1, _SHOWN)
    sentences.append(_one_of(_CLOSINGS, chance))
    text = _filled(sentences, subjects, chance)
    return text if length is None else _longer(text, length, subjects, chance)


def _longer(text: str, length: int, subjects: Sequence[str], chance: Random) -> str:
    parts, spaces = [text], text.count(" ")
    while spaces < length:  # there are more tokens than spaces
        parts.append(_filled(_middle(chance, 4), subjects, chance))
        spaces += 1 + parts[-1].count(" ")
    return " ".join(parts)


def sentence(text: str, chance: Random) -> str:
    """Write one sentence on *text*."""
    return _filled([_one_of(_OPENINGS, chance)], topics(text) or ["the question"], chance)


def _middle(chance: Random, number: int) -> Sequence[str]:
    # Not random.sample, whose choices may change from one Python to the next.
    return sorted(_MIDDLES, key=lambda _: chance.random())[:number]


def _filled(sentences: Sequence[str], subjects: Sequence[str], chance: Random) -> str:
    filled: list[str] = []
    for at, pattern in enumerate(sentences):
        a = subjects[0] if at == 0 else _one_of(subjects, chance)
        others = [topic for topic in subjects if topic != a] or _GENERAL[1:]
        b = _one_of(others, chance) if "{b}" in pattern else ""
        filled.append(pattern.replace("{a}", a).replace("{b}", b))
    return " ".join(filled)


def _one_of(choices: Sequence[str], chance: Random) -> str:
    return choices[int(chance.random() * len(choices))]
