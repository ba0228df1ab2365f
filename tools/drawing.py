"""Is a figure the same drawing as another? Its numbers may move a little, nothing else may.

A curve that rests on floating-point results moves in the last bits from one machine to the next.
Two figures read as `Drawing` are equal when they agree in every character, except that

    numbers that say where, how large, how thick, how opaque, ..   may differ by their TOLERANCES
    names of clip paths and markers                                may differ: hashes of numbers

`Player` is the page of an animation (companion.draw.animation): its frames are compared as drawings
one by one, and the rest as text, but for an identifier that is a checksum of the frames.
"""

import json
import re

NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
HEX = re.compile(r"[0-9a-f]{2}")
# What is measured, the most it may differ by unseen, where it stands, and how its numbers look.
MEASURES = [
    ("coordinates", 0.5, r'\s(?:d|points|viewBox)="[^"]*"', NUMBER),  # in points
    ("coordinates", 0.5, r'\s(?:[xyr]|[cr][xy]|[xy][12]|width|height)="[^"]*"', NUMBER),
    ("coordinates", 0.5, r"translate\([^)]*\)", NUMBER),
    ("angles", 0.5, r"rotate\([^)]*\)", NUMBER),  # in degrees
    ("widths of lines", 0.05, r"stroke-(?:width|dasharray|dashoffset): [^;\"]*", NUMBER),
    ("opacities", 0.01, r"opacity: [^;\"]*", NUMBER),  # of 1
    ("shades", 2, r": #[0-9a-f]{6}\b", HEX),  # of 255
]
ANY = re.compile("|".join(f"({where})" for _, _, where, _ in MEASURES))
NAME = re.compile(r'\b(?:[a-z]+|C\w+_)[0-9a-f]{10}\b|(?<=\bid=")n\d+\b|(?<=#)n\d+\b')
FRAMES = re.compile(r"var lines = (\[.*?\]);\n(\[\[.*?\]\])\.forEach", re.DOTALL)
PLAYER = re.compile(r'(?<=id="_anim_img)[0-9a-f]{8}(?=")')


class Drawing(str):
    """The text of an SVG figure, which equals another one that shows the same."""

    def __eq__(self, other):
        return not self.differences(type(self)(other))

    def __ne__(self, other):
        return not self == other

    __hash__ = None

    def dissected(self) -> tuple[str, list[tuple[str, float, float]]]:
        """The figure without its numbers; and each one: what it measures, its tolerance, itself."""
        names, numbers = {}, []

        def cut(part):
            measure, tolerance, _, look = MEASURES[part.lastindex - 1]
            base = 16 if look is HEX else 10

            def keep(number):
                value = int(number[0], base) if look is HEX else float(number[0])
                numbers.append((measure, tolerance, value))
                return "~"

            name, separator, values = re.split(r'(="|\(|: )', part[0], maxsplit=1)
            return name + separator + look.sub(keep, values)

        text = NAME.sub(lambda name: f"name{names.setdefault(name[0], len(names))}", self)
        return ANY.sub(cut, text), numbers

    def differences(self, other: "Drawing") -> list[str]:
        """What differs, in words; nothing when both show the same."""
        (mine, numbers), (theirs, others) = self.dissected(), other.dissected()
        if mine != theirs:
            return first_difference(mine, theirs)
        moves = {}
        for (measure, most, a), (*_, b) in zip(numbers, others, strict=True):
            if abs(a - b) > most:
                moves.setdefault((measure, most), []).append((abs(a - b), a, b))
        return [
            f"{len(found)} {measure} moved by more than {most}; furthest, {max(found)[1]:g} to "
            f"{max(found)[2]:g}"
            for (measure, most), found in moves.items()
        ]


class Player(Drawing):
    """The page of an animation, which equals another one whose frames show the same."""

    def dissected(self) -> tuple[str, list[Drawing]]:
        """The page without its frames, and the frames."""
        lines, frames = map(json.loads, FRAMES.search(self).groups())
        page = self.replace(PLAYER.search(self)[0], "name")
        drawn = [Drawing("\n".join(lines[k] for k in frame)) for frame in frames]
        return FRAMES.sub("frames", page, count=1), drawn

    def differences(self, other: "Player") -> list[str]:
        """What differs, in words; nothing when both show the same."""
        if not is_player(other):
            return ["an animation became something else"]
        (mine, frames), (theirs, others) = self.dissected(), other.dissected()
        if mine != theirs:
            return first_difference(mine, theirs)
        if len(frames) != len(others):
            return [f"{len(frames)} frames became {len(others)}"]
        pairs = enumerate(zip(frames, others, strict=True), 1)
        return [f"frame {i}: {said}" for i, (a, b) in pairs for said in a.differences(b)]


def is_player(text: str) -> bool:
    """Whether it is the page of an animation as companion.draw.animation writes it."""
    return bool(FRAMES.search(text) and PLAYER.search(text))


def first_difference(mine: str, theirs: str) -> list[str]:
    """Where two texts part, and how each goes on."""
    shared = min(len(mine), len(theirs))
    at = next((i for i in range(shared) if mine[i] != theirs[i]), shared)
    here = slice(max(at - 30, 0), at + 50)
    return [f"{mine[here]!r}", f"became {theirs[here]!r}"]
