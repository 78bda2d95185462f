"""What a person does in the window, without the window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handread.alphabet import Alphabet
from handread.data.load import load_data
from handread.decode import reading_from
from handread.desktop.corrections import Corrections
from handread.desktop.look import Look
from handread.desktop.session import EVERYTHING, Item, Session
from handread.desktop.work import Job, Outcome
from handread.errors import AlphabetError, DataError
from handread.types import Box, Candidate, Character, Reading

KNOWN = Alphabet.of("alphanumeric")
SIZE = (300, 100)
BOXES = {"x": Box(20, 20, 30, 60), "7": Box(80, 20, 30, 60), "?": Box(140, 20, 30, 60), "b": Box(200, 20, 30, 60)}


def character(text: str, probability: float, *, reason: str = "") -> Character:
    rest = Candidate("q", (1 - probability) / 2)
    return Character((Candidate(text, probability), rest), BOXES.get(text, BOXES["?"]), not reason, reason)


READING = reading_from(
    [character("x", 0.95), character("7", 0.8), character("W", 0.3, reason="too uncertain"), character("b", 0.5)],
    gaps=["", "", " ", "\n"],
)
"""x7 W, and b on the next line: sure, unsure, refused, doubtful."""
EMPTY = reading_from(())


def look(digest: str = "0" * 12) -> Look:
    gray = np.full((SIZE[1], SIZE[0]), 230, np.uint8)
    for box in BOXES.values():
        gray[box.y : box.bottom, box.x + 12 : box.right - 12] = 20
    return Look(Image.fromarray(gray).convert("RGB"), gray, 1.0, SIZE, digest)


def session(tmp_path: Path, *names: str) -> Session:
    made = Session(KNOWN, Corrections(tmp_path / "corrections"), KNOWN)
    made.add(tmp_path / name for name in names)
    made.current = 0
    return made


def drain(session: Session) -> list[Job]:
    """All jobs that the session hands out now."""
    found = []
    while (job := session.next_job()) is not None:
        found.append(job)
    return found


def answer(session: Session, job: Job, reading: Reading = READING, *, error: str = "") -> None:
    seen = None if error else look(f"{job.item:012x}")
    session.accept(Outcome(job, seen, b"jpeg", reading if job.read and not error else None, error))


def read(session: Session, reading: Reading = READING) -> Item:
    """Have all pictures read alike; returns the current one."""
    for job in drain(session):
        answer(session, job, reading)
    assert session.item is not None
    return session.item


def test_pictures_and_folders_are_added_once(tmp_path: Path) -> None:
    for name in ("10.png", "9.jpg", "deep/b.PNG", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "bare").mkdir()
    made = session(tmp_path)
    assert made.item is None
    assert made.add([tmp_path]) == 3
    assert [item.path.relative_to(tmp_path).as_posix() for item in made.items] == ["9.jpg", "10.png", "deep/b.PNG"]
    assert made.add([tmp_path / "10.png", tmp_path / "new.webp", tmp_path / "bare"]) == 2
    assert made.current == 3
    assert "holds no pictures" in made.items[4].error
    assert made.add([tmp_path / "10.png"]) == 0


def test_next_and_previous_stop_at_the_ends(tmp_path: Path) -> None:
    made = session(tmp_path, "a.png", "b.png", "c.png")
    assert [made.go(1), made.go(9), made.go(9), made.go(-1)] == [True, True, False, True]
    assert made.current == 0
    assert not session(tmp_path).go(1)


def test_the_current_picture_is_read_first_then_its_neighbours_then_onwards(tmp_path: Path) -> None:
    made = session(tmp_path, *(f"{i}.png" for i in range(6)))
    made.go(3)
    assert [job.item for job in drain(made)] == [3, 4, 2, 5, 0, 1]
    assert made.next_job() is None


def test_pixels_of_far_pictures_are_forgotten_and_opened_again_without_reading(tmp_path: Path) -> None:
    made = session(tmp_path, *(f"{i}.png" for i in range(8)))
    read(made)
    assert sorted(made.looks) == [0, 1, 2]
    made.go(7)
    assert made.looks == {}
    assert [(job.item, job.read) for job in drain(made)] == [(7, False), (6, False)]


def test_an_answer_to_an_old_question_is_dropped(tmp_path: Path) -> None:
    made = session(tmp_path, "a.png")
    (old,) = drain(made)
    made.choose_alphabet("digits")
    answer(made, old)
    assert made.items[0].waiting
    (new,) = drain(made)
    assert (new.alphabet.name, new.revision) == ("digits", 1)
    answer(made, new)
    assert made.progress() == (1, 1)


def test_the_alphabet_and_one_are_for_all_pictures(tmp_path: Path) -> None:
    made = session(tmp_path, "a.png", "b.png")
    assert made.choices()[:2] == [EVERYTHING, "digits"]
    assert made.alphabet_name() == EVERYTHING
    read(made)
    made.choose_one(True)
    made.choose_alphabet(" 01 ")
    assert [(j.one, "".join(j.alphabet)) for j in drain(made)] == [(True, "01")] * 2
    assert made.alphabet_name() == "01"
    made.choose_alphabet(EVERYTHING)
    assert made.alphabet == KNOWN


@pytest.mark.parametrize("spec", ["0!", "digitss", "aa"])
def test_a_wrong_alphabet_changes_nothing(tmp_path: Path, spec: str) -> None:
    made = session(tmp_path, "a.png")
    read(made)
    with pytest.raises(AlphabetError):
        made.choose_alphabet(spec)
    assert (made.alphabet, made.progress()) == (KNOWN, (1, 1))


def test_choices_are_what_the_model_can_answer(tmp_path: Path) -> None:
    digits = Alphabet.of("digits")
    assert Session(digits, Corrections(tmp_path / "c"), digits).choices() == [EVERYTHING, "digits"]


def test_marks_tell_confidence_refusal_and_selection(tmp_path: Path) -> None:
    made = session(tmp_path, "a.png")
    item = read(made)
    made.select(1)
    assert [(m.text, m.tone, m.selected) for m in made.marks(item)] == [
        ("x", "green", False),
        ("7", "yellow", True),
        ("W", "refused", False),
        ("b", "red", False),
    ]
    assert made.text(item) == "x7 W\nb"
    assert made.pieces(item)[2:5] == [(" ", "", -1), ("W", "refused", 2), ("\n", "", -1)]


def test_stepping_through_the_characters_leaves_at_both_ends(tmp_path: Path) -> None:
    made = session(tmp_path, "a.png")
    item = read(made)
    assert [made.step(1) for _ in range(5)] == [True] * 4 + [False]
    assert item.selected is None
    assert made.step(-1)
    assert item.selected == 3
    made.select(99)
    assert item.selected is None


def test_a_correction_is_saved_as_data_and_shown(tmp_path: Path) -> None:
    made = session(tmp_path, "a.png")
    item = read(made)
    for place, label in ((2, "w"), (0, "X"), (2, "V")):
        made.select(place)
        made.correct(label)
    made.select(1)
    assert made.confirm() == "7"
    assert made.text(item) == "X7 V\nb"
    assert [m.tone for m in made.marks(item)] == ["corrected", "corrected", "corrected", "red"]
    data = load_data(tmp_path / "corrections")
    assert sorted(data.characters()) == ["7", "V", "X"]
    # the next session knows it
    again = session(tmp_path, "a.png")
    assert again.text(read(again)) == "X7 V\nb"


def test_corrections_can_be_taken_back_and_undone(tmp_path: Path) -> None:
    made = session(tmp_path, "a.png", "b.png")
    item = read(made)
    made.select(0)
    made.correct("X")
    made.correct("Y")
    made.go(1)
    made.select(3)
    made.correct("B")
    assert made.undo()
    assert (made.current, made.items[1].selected, made.text(made.items[1])) == (1, 3, "x7 W\nb")
    assert made.undo()
    assert (made.current, made.text(item)) == (0, "X7 W\nb")
    assert load_data(tmp_path / "corrections").characters() == ["X"]
    assert made.uncorrect()
    assert not made.uncorrect()
    assert made.undo()  # the first correction: gone already, so nothing is left of it
    assert (made.undo(), made.text(item), len(made.corrections)) == (False, "x7 W\nb", 0)


def test_nothing_is_corrected_where_nothing_is_selected(tmp_path: Path) -> None:
    made = session(tmp_path, "a.png")
    read(made)
    made.correct("X")
    assert (made.confirm(), made.uncorrect(), len(made.corrections)) == ("", False, 0)


def test_what_cannot_be_saved_is_not_shown_as_saved(tmp_path: Path) -> None:
    made = session(tmp_path, "a.png")
    item = read(made)
    made.select(0)
    (tmp_path / "corrections").write_text("in the way")
    with pytest.raises(DataError):
        made.correct("X")
    assert made.text(item) == "x7 W\nb"
    assert not made.undo()


def test_a_picture_that_is_not_open_yet_cannot_be_corrected(tmp_path: Path) -> None:
    made = session(tmp_path, "a.png")
    read(made)
    made.select(0)
    made.looks.clear()
    with pytest.raises(DataError, match=r"a\.png is still being opened"):
        made.correct("X")


def test_a_crop_is_read_again_and_kept_with_its_picture(tmp_path: Path) -> None:
    made = session(tmp_path, "a.png", "b.png")
    item = read(made)
    crop = Box(10, 10, 50, 80)
    assert made.set_crop(crop)
    assert not made.set_crop(crop)
    assert not made.set_crop(Box(0, 0, 5, 80))  # a slip of the hand
    (job,) = drain(made)
    assert (job.item, job.crop, job.read) == (0, crop, True)
    answer(made, job)
    made.go(1)
    made.go(0)
    assert item.crop == crop
    assert made.set_crop(None)
    assert [job.crop for job in drain(made)] == [None]


def test_a_crop_by_keys_begins_in_the_middle(tmp_path: Path) -> None:
    made = session(tmp_path, "a.png")
    assert not made.nudge_crop(move=(1, 0))  # its size is not known yet
    item = read(made)
    assert made.nudge_crop(grow=(1, 0))
    assert item.crop == Box(75, 25, 150, 50)
    assert made.nudge_crop(move=(1, 0))
    assert item.crop == Box(90, 25, 150, 50)


def test_a_crop_in_which_nothing_was_found_can_be_labelled(tmp_path: Path) -> None:
    made = session(tmp_path, "a.png")
    item = read(made)
    made.set_crop(Box(10, 10, 50, 80))
    read(made, EMPTY)
    assert made.text(item) == ""
    assert made.step(1)
    assert made.confirm() == ""
    made.correct("k")
    assert (made.text(item), load_data(tmp_path / "corrections").characters()) == ("k", ["k"])
    with Image.open(next((tmp_path / "corrections" / "images").iterdir())) as picture:
        assert picture.size == (50, 80)


def test_an_empty_picture_has_nothing_to_label(tmp_path: Path) -> None:
    made = session(tmp_path, "a.png")
    item = read(made, EMPTY)
    assert (item.places, made.step(1)) == ((), False)


def test_a_broken_picture_stops_no_other_and_can_be_tried_again(tmp_path: Path) -> None:
    made = session(tmp_path, "a.png", "b.png")
    first, second = drain(made)
    answer(made, first, error="a.png is damaged")
    answer(made, second)
    assert [item.error for item in made.items] == ["a.png is damaged", ""]
    assert made.progress() == (2, 2)
    assert made.all_text() == f"{tmp_path / 'a.png'}\n{tmp_path / 'b.png'}\tx7 W | b\n"
    assert made.next_job() is None
    assert made.again()
    (job,) = drain(made)
    answer(made, job)
    assert made.text(made.items[0]) == "x7 W\nb"


def test_what_is_cut_out_of_a_crop_is_the_character_selected(tmp_path: Path) -> None:
    made = session(tmp_path, "a.png")
    read(made)
    made.set_crop(Box(60, 10, 180, 80))
    read(made, reading_from([character("7", 0.8), character("b", 0.5)]))
    made.select(1)
    made.correct("b")
    with Image.open(next((tmp_path / "corrections" / "images").iterdir())) as picture:
        pixels = np.asarray(picture)
    # a line 60 high: 18 of paper around the box of 30 x 60, cut at the crop's edges
    assert pixels.shape == (80, 30 + 18 + 10)
    assert (pixels[10:70, 18 + 12 : 18 + 18] == 20).all()
