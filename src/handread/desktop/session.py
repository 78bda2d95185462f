"""What a person does in the window, without the window: pictures, the current one, readings, corrections.

No tkinter and no threads here. The window shows a session and tells it of keys and clicks; `next_job` says what is
to be read next and `accept` takes what came of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from handread.alphabet import NAMED, Alphabet
from handread.cli.examples import shade
from handread.cli.options import parse_alphabet
from handread.cli.reading import expand
from handread.desktop.corrections import Corrections, Origin
from handread.desktop.cutout import cut_out
from handread.desktop.view import nudged
from handread.desktop.work import Job, Outcome
from handread.errors import DataError
from handread.types import Box, Character, Reading

if TYPE_CHECKING:
    from handread.desktop.look import Look

EVERYTHING = "everything"
"""The choice of alphabet that means all that the model knows."""
_NEIGHBOURS = 2
"""Pictures on each side of the current one whose pixels are kept in memory."""
_SMALLEST_CROP = 6
"""Pixels of the picture; a crop with a shorter side was a slip of the hand."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One character as it is shown."""

    box: Box
    text: str
    """What it is taken for: the correction, else the best candidate; "" for a crop in which nothing was found."""
    tone: str
    """green, yellow, red (by confidence), refused, or corrected."""
    character: Character | None
    selected: bool


@dataclass(slots=True, eq=False)
class Item:
    """One picture of the session."""

    path: Path
    reading: Reading | None = None
    error: str = ""
    thumbnail: bytes = b""
    size: tuple[int, int] = (0, 0)
    """Width and height in pixels, once it was opened."""
    digest: str = ""
    crop: Box | None = None
    selected: int | None = None
    """Which place is being looked at."""
    revision: int = 0
    asked: int = -1
    """The newest revision that was handed out to be read."""
    looking: bool = False
    """Its pixels are on their way."""

    @property
    def name(self) -> str:
        """The file's name, with U+FFFD for what no screen can show."""
        return shown(self.path.name)

    @property
    def waiting(self) -> bool:
        """True until it was read or found to be broken."""
        return self.reading is None and not self.error

    @property
    def places(self) -> tuple[Box, ...]:
        """What can be labelled: the characters, or a crop in which none was found."""
        if self.reading is None:
            return ()
        if not self.reading.characters and self.crop is not None:
            return (self.crop,)
        return tuple(c.box for c in self.reading.characters)


@dataclass(frozen=True, slots=True)
class _Said:
    """What was said of a character before, for taking a step back."""

    item: int
    place: int
    origin: Origin
    before: str | None


@dataclass(slots=True, eq=False)
class Session:
    """All that the window shows. Pictures are counted from 0; `current` is meaningful once there is one."""

    known: Alphabet
    """What the model can answer."""
    corrections: Corrections
    alphabet: Alphabet
    one: bool = False
    items: list[Item] = field(default_factory=list)
    current: int = 0
    looks: dict[int, Look] = field(default_factory=dict)
    """Pixels of the pictures around the current one."""
    _steps: list[_Said] = field(default_factory=list)

    def add(self, paths: Iterable[str | Path]) -> int:
        """Add pictures, folders for all pictures in them; the first new one becomes the current one.

        Returns how many are new: one that is there already is not added again. A path that is no picture becomes
        one with an error, as does a folder without pictures.
        """
        there = {_same(item.path) for item in self.items}
        first = len(self.items)
        for source in expand(str(path) for path in paths):
            item = Item(Path(source.name), error=shown(str(source.error or "")))
            if _same(item.path) not in there:
                there.add(_same(item.path))
                self.items.append(item)
        if len(self.items) > first:
            self.current = first
        return len(self.items) - first

    @property
    def item(self) -> Item | None:
        """The current picture; None while there is none."""
        return self.items[self.current] if self.items else None

    @property
    def look(self) -> Look | None:
        """The current picture's pixels; None while they are on their way."""
        return self.looks.get(self.current)

    def go(self, index: int) -> bool:
        """Make picture `index` the current one, the first or last for one beyond; False when it is already."""
        index = min(max(index, 0), len(self.items) - 1)
        if index < 0 or index == self.current:
            return False
        self.current = index
        self._forget_far()
        return True

    def progress(self) -> tuple[int, int]:
        """Pictures done, and all."""
        return sum(not item.waiting for item in self.items), len(self.items)

    # how pictures are read

    def choices(self) -> list[str]:
        """Names of alphabets that the model can be held to, the widest first."""
        return [EVERYTHING, *(name for name, text in NAMED.items() if all(c in self.known for c in text))]

    def alphabet_name(self) -> str:
        """The choice that is in force."""
        return EVERYTHING if self.alphabet == self.known else self.alphabet.name

    def choose_alphabet(self, spec: str) -> None:
        """Read everything again with another alphabet: a name or the characters themselves.

        Raises `AlphabetError` for what is none, or asks for a character that the model has never seen.
        """
        wanted = self.known if spec.strip() in ("", EVERYTHING) else parse_alphabet(spec.strip())
        self.known.indices_of(wanted)
        if wanted != self.alphabet:
            self.alphabet = wanted
            self._ask_again(self.items)

    def choose_one(self, one: bool) -> None:
        """Say whether each picture holds exactly one character."""
        if one != self.one:
            self.one = one
            self._ask_again(self.items)

    def set_crop(self, box: Box | None) -> bool:
        """Read only a part of the current picture, None for all of it; False when that changes nothing."""
        item = self.item
        if item is None or item.crop == box or (box is not None and min(box.width, box.height) < _SMALLEST_CROP):
            return False
        item.crop = box
        self._ask_again([item])
        return True

    def nudge_crop(self, *, move: tuple[int, int] = (0, 0), grow: tuple[int, int] = (0, 0)) -> bool:
        """The crop by keys, in steps (`handread.desktop.view.nudged`); False when nothing changes."""
        item = self.item
        if item is None or not all(item.size):
            return False
        return self.set_crop(nudged(item.crop, item.size, move=move, grow=grow))

    def again(self) -> bool:
        """Open and read the current picture anew, as after its file was mended; False when there is none."""
        item = self.item
        if item is None:
            return False
        item.error = ""
        self._ask_again([item])
        return True

    def _ask_again(self, items: Iterable[Item]) -> None:
        for item in items:
            if not item.error:
                item.revision += 1
                item.reading = None
                item.selected = None

    # reading, off the window's thread

    def next_job(self) -> Job | None:
        """What to do next: the current picture, its neighbours' pixels, then all that is unread, onwards from it."""
        count = len(self.items)
        near = [self.current, self.current + 1, self.current - 1]
        order = [i for i in near if 0 <= i < count]
        order += [i % count for i in range(self.current, self.current + count)]
        for place, index in enumerate(order):
            item = self.items[index]
            if item.error:
                continue
            read = item.reading is None and item.asked < item.revision
            look = place < len(near) and item.reading is not None and index not in self.looks and not item.looking
            if read or look:
                item.looking = True
                item.asked = item.revision
                return Job(index, item.revision, item.path, self.alphabet, self.one, item.crop, read)
        return None

    def accept(self, outcome: Outcome) -> None:
        """Take what came of a job; a reading that nobody asks for any more is dropped."""
        item = self.items[outcome.job.item]
        item.looking = False
        if outcome.error:
            if outcome.job.revision == item.revision:
                item.error, item.reading = shown(outcome.error), None
            return
        assert outcome.look is not None  # it came or an error did
        item.size, item.digest = outcome.look.size, outcome.look.digest
        item.thumbnail = outcome.thumbnail
        if abs(outcome.job.item - self.current) <= _NEIGHBOURS:
            self.looks[outcome.job.item] = outcome.look
        if outcome.reading is not None and outcome.job.revision == item.revision:
            item.reading = outcome.reading

    def _forget_far(self) -> None:
        for index in [i for i in self.looks if abs(i - self.current) > _NEIGHBOURS]:
            del self.looks[index]

    # what stands there

    def marks(self, item: Item) -> list[Mark]:
        """Every place of a picture as it is to be shown, in reading order."""
        characters = item.reading.characters if item.reading is not None else ()
        found = []
        for place, box in enumerate(item.places):
            character = characters[place] if characters else None
            label = self._label(item, box)
            best = character.text if character is not None else ""
            found.append(Mark(box, label or best, _tone(character, label), character, place == item.selected))
        return found

    def pieces(self, item: Item) -> list[tuple[str, str, int]]:
        """The text in pieces: what to show, its tone ("" for spaces and newlines), the place it comes from or -1.

        Corrections are put in. A crop in which nothing was found has a text once it is labelled.
        """
        marks = self.marks(item)
        if item.reading is None:
            return []
        if not item.reading.characters:
            return [(mark.text, mark.tone, place) for place, mark in enumerate(marks) if mark.text]
        # the text is the characters with spaces and newlines between them
        found: list[tuple[str, str, int]] = []
        places = iter(enumerate(marks))
        for letter in item.reading.text:
            if letter.isspace():
                found.append((letter, "", -1))
            else:
                place, mark = next(places)
                found.append((mark.text, mark.tone, place))
        return found

    def text(self, item: Item) -> str:
        """What stands in a picture, corrections put in."""
        return "".join(piece for piece, _, _ in self.pieces(item))

    def all_text(self) -> str:
        """One line a picture: its name, a tab, its text with lines parted by a bar; of a broken one, only the name."""
        rows = [f"{item.path}\t{self.text(item)}".rstrip("\t").replace("\n", " | ") for item in self.items]
        return shown("".join(f"{row}\n" for row in rows))

    # choosing and correcting characters

    def select(self, place: int | None) -> None:
        """Look at one character of the current picture; None looks away."""
        item = self.item
        if item is not None:
            item.selected = place if place is not None and 0 <= place < len(item.places) else None

    def step(self, by: int) -> bool:
        """Go on to another character; False, and none selected, beyond the first or last."""
        item = self.item
        if item is None or not item.places:
            return False
        start = -1 if by > 0 else len(item.places)
        self.select((start if item.selected is None else item.selected) + by)
        return item.selected is not None

    def correct(self, label: str) -> None:
        """Say what the selected character is; it is saved at once. Nothing happens when none is selected.

        Raises `DataError` when `label` is not one visible character or cannot be saved.
        """
        item, look = self.item, self.look
        if item is None or item.selected is None:
            return
        if look is None:
            raise DataError(f"{item.name} is still being opened; try again in a moment")
        origin = self._origin(item, item.places[item.selected])
        before = self.corrections.label(origin)
        area = item.crop or Box(0, 0, *item.size)
        boxes = [_inside(box, area, look.scale) for box in item.places]
        whole = _inside(area, Box(0, 0, 0, 0), look.scale)
        gray = look.gray[whole.y : whole.bottom, whole.x : whole.right]
        self.corrections.save(origin, label, cut_out(gray, boxes, item.selected))
        self._steps.append(_Said(self.current, item.selected, origin, before))

    def confirm(self) -> str:
        """Say that the selected character was read rightly; returns it, "" when there is none to confirm."""
        item = self.item
        if item is None or item.selected is None:
            return ""
        text = self.marks(item)[item.selected].text
        if text:
            self.correct(text)
        return text

    def uncorrect(self) -> bool:
        """Take back what was said of the selected character; False when nothing was."""
        item = self.item
        if item is None or item.selected is None:
            return False
        return self.corrections.remove(self._origin(item, item.places[item.selected]))

    def undo(self) -> bool:
        """Take back the last thing that was said, and go there; False when there is none left."""
        if not self._steps:
            return False
        said = self._steps.pop()
        self.go(said.item)
        self.select(said.place)
        if said.before is None:
            self.corrections.remove(said.origin)
        else:
            self.corrections.relabel(said.origin, said.before)
        return True

    def _label(self, item: Item, box: Box) -> str | None:
        return self.corrections.label(self._origin(item, box)) if item.digest else None

    @staticmethod
    def _origin(item: Item, box: Box) -> Origin:
        return Origin(item.name, item.digest, box)


def shown(text: str) -> str:
    """A text that may hold bytes of a file name that are no UTF-8, as one that can be shown."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _tone(character: Character | None, label: str | None) -> str:
    if label is not None:
        return "corrected"
    if character is None or not character.accepted:
        return "refused"
    return shade(character.confidence)


def _inside(box: Box, area: Box, scale: float) -> Box:
    """A box of source pixels in working pixels of `area`."""
    x, y = round((box.x - area.x) / scale), round((box.y - area.y) / scale)
    return Box(x, y, max(1, round(box.width / scale)), max(1, round(box.height / scale)))


def _same(path: Path) -> str:
    return str(path.absolute())
