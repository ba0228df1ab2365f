"""Is an SVG figure the same drawing as another? Coordinates may move a little, nothing else may.

A curve that rests on floating-point results moves in the last bits from one processor to the
next. Read as `Drawing`, two figures are equal when they agree in every character, except that

    numbers in d="..", x="..", y=".." and translate(..)   differ by at most TOLERANCE
    names of clip paths and markers                       may differ: hashes of such numbers
"""

import re

TOLERANCE = 0.5  # SVG points; a line of the book's figures is 1.5 wide

COORDINATES = re.compile(r'(?<=\sd=")[^"]*|(?<=\s[xy]=")[^"]*|(?<=translate\()[^)]*')
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
NAME = re.compile(r"\b(?:[a-z]+|C\w+_)[0-9a-f]{10}\b")  # as Matplotlib makes them


class Drawing(str):
    """The text of an SVG figure, which equals another one that shows the same."""

    def __eq__(self, other):
        return not self.differences(Drawing(other))

    def __ne__(self, other):
        return not self == other

    __hash__ = None

    def dissected(self) -> tuple[str, list[float]]:
        """The figure without its coordinates, and the coordinates."""
        names, coordinates = {}, []

        def cut(number):
            coordinates.append(float(number[0]))
            return "#"

        text = NAME.sub(lambda name: f"name{names.setdefault(name[0], len(names))}", self)
        return COORDINATES.sub(lambda match: NUMBER.sub(cut, match[0]), text), coordinates

    def differences(self, other: "Drawing") -> list[str]:
        """What differs, in words; nothing when both show the same."""
        (mine, numbers), (theirs, others) = self.dissected(), other.dissected()
        if mine != theirs:
            return first_difference(mine, theirs)
        moves = [(abs(a - b), a, b) for a, b in zip(numbers, others) if abs(a - b) > TOLERANCE]
        if not moves:
            return []
        _, a, b = max(moves)
        return [f"{len(moves)} coordinates moved by more than {TOLERANCE}; furthest, {a} to {b}"]


def first_difference(mine: str, theirs: str) -> list[str]:
    """Where two texts part, and how each goes on."""
    shared = min(len(mine), len(theirs))
    at = next((i for i in range(shared) if mine[i] != theirs[i]), shared)
    here = slice(max(at - 30, 0), at + 50)
    return [f"{mine[here]!r}", f"became {theirs[here]!r}"]
