"""The real window on a virtual screen, driven by real events."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tkinter")

from PIL import Image

from handread.cli.main import run
from handread.data.load import load_data
from handread.desktop.theme import THEMES
from handread.imaging.read import SUFFIXES
from handread.recognizer import Recognizer

Open = Callable[..., Any]


def test_a_picture_is_shown_with_its_reading_boxes_and_bars(open_window: Open) -> None:
    app = open_window("hex.png")
    assert app.window.heading.text == "7AC3E9"
    assert app.window.heading.sureness.endswith(" %")
    assert app.written("letter") == list("7AC3E9")
    assert app.window.root.title() == "hex.png - Handread"
    panel = app.window.panel.canvas
    words = [panel.itemcget(i, "text") for i in panel.find_all() if panel.type(i) == "text"]
    assert [w for w in words if len(w) == 1] == list("7AC3E9")
    assert sum(w.endswith(" %") for w in words) == 6


def test_a_box_lies_where_the_character_is(open_window: Open) -> None:
    app = open_window("hex.png")
    canvas, box = app.window.canvas, app.session.item.reading.characters[0].box
    frame = next(i for i in canvas.find_withtag("mark0") if canvas.type(i) == "rectangle")
    assert canvas.coords(frame) == pytest.approx(
        [v + d for v, d in zip(canvas.view.to_screen(box), (-3, -3, 3, 3), strict=True)], abs=0.5
    )


def test_next_and_previous_by_keys_and_by_buttons(open_window: Open) -> None:
    app = open_window("hex.png", "postcode.png", "seven-shadow.jpg")
    seen = []
    for key in ("Right", "Down", "Right", "Left", "Prior", "End", "Home", "Next"):
        app.press(key)
        seen.append(app.session.current)
    assert seen == [1, 2, 2, 1, 0, 2, 0, 1]
    assert app.window.heading.text == "80634"
    buttons = {b.cget("text"): b for b in app.window.heading.winfo_children()[-1].winfo_children()}
    buttons["Next ›"].invoke()
    app.settle()
    assert (app.session.current, app.window.heading.text) == (2, "7")
    assert buttons["Next ›"].instate(["disabled"])
    buttons["‹ Previous"].invoke()
    assert app.session.current == 1


def test_many_pictures_have_a_list_with_their_readings(open_window: Open) -> None:
    app = open_window("hex.png", "postcode.png")
    strip = app.window.strip.canvas
    words = [strip.itemcget(i, "text") for i in strip.find_all() if strip.type(i) == "text"]
    assert words == ["7AC3E9", "hex.png", "80634", "postcode.png"]
    strip.event_generate("<Button-1>", x=60, y=100)
    app.settle()
    assert app.session.current == 1


def test_a_dragged_crop_is_read_alone_until_escape(open_window: Open) -> None:
    app = open_window("hex.png")
    boxes = app.session.item.places
    app.drag((boxes[0].x - 10, 5), (boxes[2].right + 3, boxes[2].bottom + 20))
    crop = app.session.item.crop
    assert (crop.x, crop.y) == (pytest.approx(boxes[0].x - 10, abs=2), pytest.approx(5, abs=2))
    assert app.window.heading.text == "7AC"
    assert "only the crop" in app.window.heading.sureness
    assert app.window.canvas.find_withtag("crop")
    app.press("Escape")
    assert (app.session.item.crop, app.window.heading.text) == (None, "7AC3E9")


def test_a_crop_by_keys(open_window: Open) -> None:
    app = open_window("hex.png")
    app.press("Shift-Right", "Alt-Right", "Shift-Left")
    size, crop = app.session.item.size, app.session.item.crop
    assert crop.x == size[0] // 4 + size[0] // 20
    assert crop.width == size[0] // 2 - size[0] // 20
    assert app.session.current == 0


def test_a_click_and_a_letter_correct_a_character(open_window: Open) -> None:
    app = open_window("hex.png")
    box = app.session.item.places[2]
    middle = (box.x + box.width / 2, box.y + box.height / 2)
    app.drag(middle, middle)
    assert app.session.item.selected == 2
    app.press("Key-c")
    assert app.window.heading.text == "7Ac3E9"
    assert app.window.told == "saved as c"
    assert app.session.item.selected == 3
    app.press("Shift-Tab", "Key-G")  # it was a G after all
    data = load_data(app.folder)
    assert data.characters() == ["G"]
    assert len(list((app.folder / "images").iterdir())) == 1
    assert app.window.heading.text == "7AG3E9"
    app.press("Control-z", "Control-z")
    assert app.window.heading.text == "7AC3E9"
    assert list((app.folder / "images").iterdir()) == []


def test_tab_and_enter_confirm_one_after_the_other(open_window: Open) -> None:
    app = open_window("postcode.png")
    app.press("Tab", "Return", "Return", "Key-9", "BackSpace")
    # 8 and 0 confirmed, 6 called 9; then the selection is on 3, which has nothing to take back
    assert (app.window.heading.text, app.session.item.selected) == ("80934", 3)
    assert sorted(load_data(app.folder).characters()) == ["0", "8", "9"]
    assert app.window.heading.sureness.startswith("3 of 5 as you said")
    app.press("Shift-Tab", "BackSpace")
    assert sorted(load_data(app.folder).characters()) == ["0", "8"]


def test_tab_goes_on_to_the_next_widget_after_the_last_character(open_window: Open) -> None:
    app = open_window("seven-shadow.jpg", one=True)
    app.press("Tab")
    assert app.session.item.selected == 0
    app.press("Tab")
    assert app.session.item.selected is None
    assert app.window.root.focus_get() is not app.window.canvas


def test_a_click_on_a_candidate_corrects(open_window: Open) -> None:
    app = open_window("hex.png")
    app.press("Tab")
    second = app.session.item.reading.characters[0].candidates[1].character
    app.window.panel.canvas.event_generate("<Button-1>", x=150, y=50 + 8 + 27 + 13)
    app.settle()
    assert app.window.heading.text == f"{second}AC3E9"
    assert load_data(app.folder).characters() == [second]


def test_what_cannot_be_saved_is_told(open_window: Open) -> None:
    app = open_window("hex.png")
    app.folder.write_text("in the way")
    app.press("Tab", "Key-q")
    assert "is a file, not a folder" in app.window.told or "cannot make the folder" in app.window.told
    assert app.window.heading.text == "7AC3E9"


def test_a_refused_character_has_its_reason(open_window: Open) -> None:
    app = open_window("seven-shadow.jpg", one=True)
    app.window.alphabet_box.focus_force()
    app.window.alphabet_box.set("upper")
    app.press("Return")
    assert app.window.heading.text == "[T]"
    assert "1 refused: not in the alphabet" in app.window.heading.sureness
    assert "not in the alphabet" in app.written("words")
    app.window.alphabet_box.focus_force()
    app.window.alphabet_box.set("0!")
    app.press("Return")
    assert "has never seen '!'" in app.window.told
    assert app.window.heading.text == "[T]"


def test_letters_typed_into_the_alphabet_correct_nothing(open_window: Open) -> None:
    app = open_window("hex.png")
    app.press("Tab")
    app.press("Control-l")
    app.press("Key-x", "Left", "BackSpace")
    assert (app.window.heading.text, app.session.item.selected, len(app.session.corrections)) == ("7AC3E9", 0, 0)


def test_one_character_a_picture_can_be_switched_on(open_window: Open) -> None:
    app = open_window("hex.png")
    app.press("Control-Key-1")
    assert len(app.session.item.reading.characters) == 1
    app.window.one_button.invoke()
    app.settle()
    assert app.window.heading.text == "7AC3E9"


def test_a_broken_picture_shows_its_sentence_and_the_others_go_on(open_window: Open, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    app = open_window(broken, "hex.png")
    assert "broken.png is not a picture that Handread reads" in app.written("message")[0]
    assert app.window.heading.sureness == "cannot be read"
    app.press("Right")
    assert (app.window.heading.text, app.written("message")) == ("7AC3E9", [])


def test_the_window_goes_on_while_a_picture_is_read(open_window: Open, reader: Recognizer) -> None:
    gate = threading.Event()

    class Slow:
        def read(self, *given: Any, **options: Any) -> Any:
            assert gate.wait(10)
            return reader.read(*given, **options)

    app = open_window("hex.png", "postcode.png", recognizer=Slow())
    app.window.canvas.event_generate("<Right>")
    app.window.root.update()
    assert app.window.root.title() == "postcode.png - Handread"
    assert app.window.told == "reading 0 of 2"
    gate.set()
    app.settle()
    assert app.window.heading.text == "80634"


def test_text_is_copied(open_window: Open) -> None:
    app = open_window("prices.jpg", "hex.png")
    app.press("Control-c")
    assert app.window.root.clipboard_get() == "385\n472\n960"
    app.press("Control-C")
    lines = app.window.root.clipboard_get().splitlines()
    assert [line.split("\t")[1] for line in lines] == ["385 | 472 | 960", "7AC3E9"]


def test_zoom_and_fit(open_window: Open) -> None:
    app = open_window("hex.png")
    canvas = app.window.canvas
    fitted = canvas.view
    before = canvas.view.to_picture(300, 200)
    canvas.event_generate("<Button-4>", x=300, y=200)
    assert canvas.view.scale == pytest.approx(1.25 * fitted.scale)
    assert canvas.view.to_picture(300, 200) == pytest.approx(before)
    app.press("Control-minus", "Control-minus")
    assert canvas.view == fitted
    app.press("Control-plus", "Control-Key-0")
    assert canvas.view == fitted


def test_light_and_dark(open_window: Open) -> None:
    app = open_window("hex.png", theme="dark")
    assert app.window.canvas.cget("background") == THEMES["dark"].table
    app.press("Control-d")
    light = THEMES["light"]
    assert app.window.canvas.cget("background") == light.table
    assert app.window.strip.canvas.cget("background") == light.ground
    assert app.window.root.cget("background") == light.ground


def test_the_keys_are_shown_and_put_away(open_window: Open) -> None:
    app = open_window()
    children = len(app.window.root.winfo_children())
    app.press("F1")
    assert len(app.window.root.winfo_children()) == children + 1
    app.press("Escape")
    assert len(app.window.root.winfo_children()) == children


def test_pictures_are_chosen_among_all_forms(open_window: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    from tkinter import filedialog

    examples = Path(__file__).resolve().parents[2] / "examples"
    asked: dict[str, Any] = {}

    def choose(**options: Any) -> tuple[str, ...]:
        asked.update(options)
        return (str(examples / "hex.png"), str(examples / "postcode.png"))

    monkeypatch.setattr(filedialog, "askopenfilenames", choose)
    monkeypatch.setattr(filedialog, "askdirectory", lambda **_: "")
    app = open_window()
    assert app.session.item is None
    app.press("Control-O")  # a folder dialog that is closed again
    assert app.session.items == []
    app.press("Control-o")
    (_, patterns), everything = asked["filetypes"]
    assert {p.removeprefix("*") for p in patterns.split() if p.islower()} == SUFFIXES
    assert everything == ("All files", "*")
    assert (app.window.heading.text, len(app.session.items)) == ("7AC3E9", 2)


def test_without_ink_the_window_says_so(open_window: Open, tmp_path: Path, draw: Any) -> None:
    draw("").save(tmp_path / "empty.png")
    app = open_window(tmp_path / "empty.png")
    assert app.window.heading.sureness == "nothing found"
    assert app.written("words") == ["nothing found: drag around what shall be read"]


def test_a_saved_character_says_nothing_of_the_camera(open_window: Open, tmp_path: Path, draw: Any) -> None:
    exif = Image.Exif()
    exif[0x0110] = "camera of somebody"
    draw("7").save(tmp_path / "seven.jpg", exif=exif, comment=b"at home")
    app = open_window(tmp_path / "seven.jpg", one=True)
    app.press("Tab", "Return")
    (saved,) = (app.folder / "images").iterdir()
    with Image.open(saved) as picture:
        assert (picture.mode, picture.size, picture.info) == ("L", (96, 128), {})
    assert load_data(app.folder).characters() == ["7"]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="their file names are always text")
def test_a_file_name_that_is_no_text_is_shown_all_the_same(open_window: Open, tmp_path: Path, draw: Any) -> None:
    name = os.fsdecode(b"\xff7.png")
    draw("7").save(tmp_path / name)
    (tmp_path / os.fsdecode(b"\xfe.png")).write_bytes(b"")
    app = open_window(tmp_path / name, tmp_path / os.fsdecode(b"\xfe.png"), one=True)
    assert app.window.root.title() == "\ufffd7.png - Handread"
    app.press("Tab", "Return", "Control-C", "Right")
    assert load_data(app.folder).characters() == ["7"]
    assert "is empty" in app.written("message")[0]


def test_a_bug_is_told_and_the_window_stays(open_window: Open) -> None:
    app = open_window("hex.png")
    app.window._report(ZeroDivisionError, ZeroDivisionError("by zero"), None)
    assert app.window.told.startswith("this is a bug in Handread (ZeroDivisionError: by zero)")


@pytest.mark.parametrize(("act", "code"), [("<Control-q>", 0), (signal.SIGINT, 130)], ids=["closed", "Ctrl-C"])
def test_the_command_ends_when_the_window_is_closed(
    screen: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiny_model: Path,
    kept: list[object],
    act: Any,
    code: int,
) -> None:
    from handread.desktop import pick

    real = pick.open_root

    def closing() -> Any:
        root = real()
        kept.append(root)

        def close() -> None:
            root.after(100, close)
            if signal.getsignal(signal.SIGINT) is before:  # the window is not ready for either yet
                return
            if isinstance(act, int):
                os.kill(os.getpid(), act)
            else:
                root.event_generate(act)

        root.after(100, close)
        return root

    monkeypatch.setattr(pick, "open_root", closing)
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit) as left:
        run(["pick", "--model", str(tiny_model)])
    assert left.value.code == code
    assert signal.getsignal(signal.SIGINT) is before
    assert list(tmp_path.iterdir()) == []
