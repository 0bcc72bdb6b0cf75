"""Finding branch points by how a text is written, without asking a model.

The work is a constant for each character, whatever the text.
"""

from __future__ import annotations

from chatloom.server.chat.suggesting.lists import inline_points, list_points
from chatloom.server.chat.suggesting.naming import Ordinals, enumerated_points, labelled_points
from chatloom.server.chat.suggesting.passages import Passage, lines, sentences
from chatloom.server.chat.suggesting.points import Point
from chatloom.server.chat.suggesting.wording import is_question, question_point, wording_point

_LONGEST_SENTENCE = 1000
"""Characters of a sentence that are looked at; what is longer is none."""


def points_in(text: str) -> list[Point]:
    """Every point that the text's form shows; they may overlap."""
    told = list(lines(text))
    found = [*labelled_points(text, told), *list_points(text, told)]
    ordinals = Ordinals(text)
    questions: list[Passage] = []
    for line in told:
        found += inline_points(text, line)
        for sentence in sentences(line):
            heard = sentence.part(0, min(len(sentence.words), _LONGEST_SENTENCE))
            found += enumerated_points(text, heard)
            found += ordinals.hear(heard)
            found += wording_point(text, heard)
            if is_question(heard.words):
                questions.append(heard)
    found += ordinals.end()
    for question in questions:
        found += question_point(text, question, is_alone=len(questions) == 1)
    return [point for point in found if point.start < point.end]
