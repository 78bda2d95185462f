"""The page in Debian's Chromium: drawn, shown, corrected, by mouse, finger, pen and keys."""

from __future__ import annotations

import base64
import csv
import io
import itertools
import json
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PIL import Image

import handread

pytest.importorskip("fastapi", reason="the page needs the extra web")
pytest.importorskip("selenium", reason="the page is driven by selenium, of the extra dev")

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException, TimeoutException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from handread.web.server import listen, make_server
from handread.web.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
AXE = (Path(__file__).parent / "vendor/axe.min.js").read_text(encoding="utf-8")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="Chromium and its driver are not installed: apt install chromium chromium-driver"
)

Strokes = list[list[tuple[float, float]]]

# in hundredths of a capital's height, y down from its top
SEVEN: Strokes = [[(0, 2), (30, 3), (60, 2), (45, 35), (32, 65), (22, 100)]]
ONE: Strokes = [[(0, 26), (12, 14), (26, 0), (25, 50), (25, 100)]]
FOUR: Strokes = [[(22, 0), (12, 32), (2, 62), (30, 61), (62, 60)], [(46, 30), (45, 65), (44, 104)]]

T = TypeVar("T")


@dataclass(frozen=True)
class Served:
    """A running server."""

    address: str
    collected: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    collected = tmp_path_factory.mktemp("collected")
    settings = Settings(port=0, collect=collected)
    listener = listen(settings)
    server = make_server(settings)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", collected)
    server.should_exit = True
    thread.join(20)


class Page:
    """The page as a person has it before them."""

    def __init__(self, driver: webdriver.Chrome, served: Served, downloads: Path) -> None:
        self.driver = driver
        self.served = served
        self.downloads = downloads

    def command(self, name: str, **arguments: Any) -> Any:
        return self.driver.execute_cdp_cmd(name, arguments)

    def open(self, path: str = "/", *, theme: str = "light", width: int = 1280, height: int = 900) -> None:
        phone = width < 500
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )  # fmt: skip
        self.command("Emulation.setTouchEmulationEnabled", enabled=phone)
        # people who want no motion get none, and tests need not wait for it
        features = [
            {"name": "prefers-color-scheme", "value": theme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.command("Emulation.setEmulatedMedia", features=features)
        self.driver.get(self.served.address + path)
        if path == "/":
            self.until(lambda: self.at("model").text != "")

    def at(self, name: str) -> WebElement:
        return self.driver.find_element(By.ID, name)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def script(self, code: str, *arguments: Any) -> Any:
        return self.driver.execute_script(code, *arguments)

    def until(self, truth: Callable[[], T], *, seconds: float = 20) -> T:
        # what was found may be drawn anew before it is asked
        ignored = (NoSuchElementException, StaleElementReferenceException, IndexError)
        wait = WebDriverWait(self.driver, seconds, poll_frequency=0.03, ignored_exceptions=ignored)
        return wait.until(lambda _: truth())

    def reads(self, text: str) -> None:
        """Wait until the page shows exactly this."""
        shown = ""

        def same() -> bool:
            nonlocal shown
            shown = self.script("return document.getElementById('text').textContent")
            return shown == text

        try:
            self.until(same)
        except TimeoutException:
            pytest.fail(f"the page reads {shown!r}, not {text!r}; it says {self.at('status').text!r}")

    def choose_alphabet(self, name: str) -> None:
        self.all(f'#alphabet option[value="{name}"]')[0].click()

    def draw(
        self,
        strokes: Strokes,
        *,
        left: float = 100,
        top: float = 50,
        size: float = 110,
        kind: str = "mouse",
    ) -> None:
        """Draw on the sheet with real pointer events."""
        corner = self.script("const {x, y} = document.getElementById('sheet').getBoundingClientRect(); return [x, y]")
        for stroke in strokes:
            places = [
                (round(corner[0] + left + x * size / 100), round(corner[1] + top + y * size / 100)) for x, y in stroke
            ]
            actions = ActionBuilder(self.driver, mouse=PointerInput(kind, kind), duration=8)
            pointer = actions.pointer_action
            pointer.move_to_location(*places[0])
            pressure = {"pressure": 0.7} if kind == "pen" else {}
            pointer.pointer_down(**pressure)
            for (x0, y0), (x1, y1) in itertools.pairwise(places):
                for step in (1, 2, 3):
                    pointer.move_to_location(
                        round(x0 + (x1 - x0) * step / 3), round(y0 + (y1 - y0) * step / 3), **pressure
                    )
            pointer.pointer_up(0)
            actions.perform()

    def show(self, *files: Path) -> None:
        """Choose pictures as the dialog of the browser would."""
        self.at("tab-photo").click()
        self.at("files").send_keys("\n".join(map(str, files)))

    def press(self, *keys: str) -> None:
        ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def chord(self, held: str, key: str) -> None:
        ActionChains(self.driver, duration=0).key_down(held).send_keys(key).key_up(held).perform()

    def tab_to(self, name: str, *, most: int = 40) -> None:
        """Go on with the tab key until an element has the focus."""
        for _ in range(most):
            if self.script("return document.activeElement.id") == name:
                return
            self.press(Keys.TAB)
        pytest.fail(f"#{name} cannot be reached with the tab key")

    def correct(self, index: int, label: str) -> None:
        # in one step: a reading that is still coming makes the cells anew
        self.until(lambda: self.script("document.querySelectorAll('.cell')[arguments[0]]?.click(); return true", index))
        self.at("label").clear()
        self.at("label").send_keys(label, Keys.ENTER)
        self.until(lambda: self.all(".cell.mended"))

    def downloaded(self, name: str) -> bytes:
        path = self.downloads / name
        self.until(path.is_file)
        content = path.read_bytes()
        path.unlink()
        return content

    def faults(self) -> list[str]:
        """What the browser's console has said since the last time."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def strangers(self) -> list[str]:
        """Addresses beyond this server that were asked for since the last time."""
        log = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [entry["params"]["request"]["url"] for entry in log if entry["method"] == "Network.requestWillBeSent"]
        return [
            url
            for url in asked
            if not url.startswith((self.served.address + "/", "data:", "blob:", "chrome:", "about:"))
        ]


@pytest.fixture(scope="module")
def browser(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    downloads = tmp_path_factory.mktemp("downloads")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    page = Page(driver, served, downloads)
    page.command("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
    yield page
    driver.quit()


@pytest.fixture
def page(browser: Page) -> Iterator[Page]:
    """The page, freshly opened; afterwards it has complained of nothing and asked nobody else."""
    browser.command("Storage.clearDataForOrigin", origin=browser.served.address, storageTypes="all")
    browser.open()
    yield browser
    assert browser.faults() == []
    assert browser.strangers() == []


@pytest.mark.parametrize("kind", ["mouse", "touch", "pen"])
def test_a_drawn_seven_is_read(page: Page, kind: str) -> None:
    page.draw(SEVEN, kind=kind)
    page.reads("7")
    (cell,) = page.all(".cell")
    assert cell.get_attribute("aria-selected") == "true"
    (box,) = page.all("#boxes .box")
    assert box.text == "7"
    best = page.all("#bars li")[0]
    assert best.text.split()[0] == "7"
    assert int(page.at("sure").text.removesuffix(" %")) > 90


def test_the_reading_appears_while_the_stroke_is_still_being_drawn(page: Page) -> None:
    page.choose_alphabet("digits")
    corner = page.script("const {x, y} = document.getElementById('sheet').getBoundingClientRect(); return [x, y]")
    actions = ActionBuilder(page.driver, duration=8)
    actions.pointer_action.move_to_location(round(corner[0] + 130), round(corner[1] + 60))
    actions.pointer_action.pointer_down()
    for step in range(1, 10):
        actions.pointer_action.move_to_location(round(corner[0] + 130), round(corner[1] + 60 + 12 * step))
    actions.perform()
    page.reads("1")
    assert page.at("undo").get_attribute("disabled") == "true"  # the stroke has not ended
    actions.clear_actions()
    assert page.at("undo").is_enabled()


def test_a_line_of_characters(page: Page) -> None:
    page.choose_alphabet("digits")
    for number, shape in enumerate((SEVEN, ONE, FOUR)):
        page.draw(shape, left=100 + 120 * number)
    page.reads("714")
    # in one step each: the reading of the last stroke's end may yet make them anew
    shown = page.script("return [...document.querySelectorAll('.cell')].map((cell) => cell.innerText)")
    assert [text.split()[0] for text in shown] == list("714")
    place = "return [...document.querySelectorAll('#boxes .box')].map((box) => box.getBoundingClientRect().x)"
    lefts = page.script(place)
    assert len(lefts) == 3
    assert lefts == sorted(lefts)


def test_what_is_refused_is_marked_with_its_reason(page: Page) -> None:
    page.choose_alphabet("upper")
    page.at("one").click()
    page.draw(FOUR)
    page.until(
        lambda: "(not in the alphabet)" in page.at("status").text
    )  # half of it may be refused for another reason
    assert page.all(".cell.refused")
    assert page.at("verdict").text.startswith("Refused: not in the alphabet.")
    assert len(page.all("#boxes .box.refused")) == 1
    assert len(page.all("#text .refused")) == 1


def test_undo_redo_and_clear(page: Page) -> None:
    page.choose_alphabet("digits")
    page.draw(SEVEN)
    page.reads("7")
    page.draw(ONE, left=230)
    page.reads("71")
    page.at("undo").click()
    page.reads("7")
    page.at("redo").click()
    page.reads("71")
    page.at("clear").click()
    page.reads("")
    assert page.at("invitation").is_displayed()
    page.chord(Keys.CONTROL, "z")
    page.reads("71")


def test_looking_inside_shows_what_the_network_saw(page: Page) -> None:
    page.draw(SEVEN)
    page.reads("7")
    page.until(lambda: page.at("look-why").is_displayed())
    side = page.script("return document.getElementById('look-input').naturalWidth")
    assert side == handread.Recognizer().card.width


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_jumps_when_a_reading_appears(page: Page, width: int) -> None:
    page.open(width=width)
    page.script(
        "window.shift = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries()) "
        "window.shift += entry.value }).observe({type: 'layout-shift', buffered: true})"
    )
    page.draw(SEVEN, left=60, size=80)
    page.reads("7")
    page.until(lambda: page.at("look-why").get_attribute("src"))
    assert page.script("return window.shift") < 0.02


def test_a_chosen_picture(page: Page) -> None:
    page.show(EXAMPLES / "ticket.jpg")
    page.reads("Gate B42\nRow 37")
    page.until(lambda: page.at("cleaned-ink").is_displayed())
    with Image.open(EXAMPLES / "ticket.jpg") as picture:
        width, height = picture.size
    shown = page.script(
        "const {width, height} = document.getElementById('cleaned-ink').getBoundingClientRect(); return width / height"
    )
    assert shown == pytest.approx(width / height, abs=0.05)
    assert len(page.all("#photo-boxes .box")) == len(page.all("#cleaned-boxes .box")) == 12
    page.all("#photo-boxes .box")[4].click()
    assert page.at("verdict").text.startswith("Read as B")


def test_a_dropped_picture(page: Page) -> None:
    data = {"items": [], "files": [str(EXAMPLES / "postcode.png")], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "dragOver", "drop"):  # the first one brings the other sheet
        page.command("Input.dispatchDragEvent", type=kind, x=500, y=300, data=data)
    page.reads("80634")


def test_a_pasted_picture(page: Page) -> None:
    page.command("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    content = base64.b64encode((EXAMPLES / "postcode.png").read_bytes()).decode()
    page.driver.execute_async_script(
        "const [text, done] = arguments; const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));"
        "navigator.clipboard.write([new ClipboardItem({'image/png': new Blob([bytes], {type: 'image/png'})})])"
        ".then(() => done(), (error) => done(String(error)))",
        content,
    )
    page.chord(Keys.CONTROL, "v")
    page.reads("80634")


def test_the_camera(page: Page) -> None:
    page.at("tab-photo").click()
    page.at("camera").click()
    page.until(page.at("snap").is_enabled)
    page.until(lambda: page.script("return document.getElementById('video').videoWidth") > 0)
    page.at("snap").click()
    page.until(lambda: page.at("photo-name").text == "camera.png")
    page.until(lambda: page.script("return document.getElementById('video').srcObject === null"))


def test_turning_and_cropping(page: Page, tmp_path: Path) -> None:
    with Image.open(EXAMPLES / "name.png") as picture:
        picture.transpose(Image.Transpose.ROTATE_270).save(tmp_path / "lying.png")
    page.choose_alphabet("upper")
    page.show(tmp_path / "lying.png")
    page.until(lambda: page.all(".cell") or page.at("status").text)
    page.at("turn-left").click()
    page.reads("ANNA WEBER")
    page.at("crop").click()  # the first corner, top left, then has the focus
    page.press(*[Keys.ARROW_RIGHT] * 18, *[Keys.ARROW_UP] * 4)
    page.press(Keys.TAB, *[Keys.ARROW_RIGHT] * 4)
    page.press(Keys.TAB, Keys.TAB, *[Keys.ARROW_DOWN] * 4)
    page.press(Keys.ENTER)
    page.reads("WEBER")


def test_many_pictures_make_a_table_to_download(page: Page, tmp_path: Path) -> None:
    (tmp_path / "no,picture.png").write_bytes(b"nothing of the kind")
    names = ["prices.jpg", "postcode.png", "hex.png"]
    page.show(*(EXAMPLES / name for name in names), tmp_path / "no,picture.png")
    page.until(lambda: "…" not in page.at("rows").text and len(page.all("#rows tr")) == 4)
    reader = handread.Recognizer()
    expected = [reader.read(EXAMPLES / name).text for name in names]
    page.at("as-csv").click()
    rows = list(csv.DictReader(io.StringIO(page.downloaded("readings.csv").decode(), newline="")))
    assert [row["image"] for row in rows] == [*names, "no,picture.png"]
    assert [row["text"] for row in rows] == [*expected, ""]
    assert "no,picture.png" in rows[3]["error"]
    page.at("as-json").click()
    found = json.loads(page.downloaded("readings.json"))
    assert [row["text"] for row in found] == [*expected, ""]
    assert found[0]["characters"][0]["box"] == [*box_of(reader, "prices.jpg")]
    page.all("#rows button")[2].click()
    page.reads(expected[2])
    page.faults()


def box_of(reader: handread.Recognizer, name: str) -> tuple[int, int, int, int]:
    box = reader.read(EXAMPLES / name).characters[0].box
    return box.x, box.y, box.width, box.height


def test_corrections_make_a_set_to_train_on(page: Page, tmp_path: Path) -> None:
    page.choose_alphabet("digits")
    page.draw(SEVEN)
    page.draw(FOUR, left=230)
    page.reads("74")
    page.correct(0, "F")
    page.until(lambda: page.at("kept-count").text == "1 kept: F")
    page.correct(1, ",")
    page.until(lambda: page.at("kept-count").text.startswith("2 kept"))
    page.reads("F,")
    page.correct(0, "7")  # a second thought replaces the first
    page.until(lambda: "7" in page.at("kept-count").text)
    page.show(EXAMPLES / "r-felt.png")
    page.until(lambda: len(page.all(".cell")) == 1 and page.at("cleaned-ink").is_displayed())
    page.correct(0, "R")
    page.until(lambda: page.at("kept-count").text.startswith("3 kept"))
    page.at("kept-download").click()
    (tmp_path / "set.zip").write_bytes(page.downloaded("corrections.zip"))

    with zipfile.ZipFile(tmp_path / "set.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["labels.csv", "images/00001.png", "images/00002.png", "images/00003.png"]
        pictures = {name: archive.read(name) for name in archive.namelist()[1:]}
    data = handread.load_data(tmp_path / "set.zip")
    assert [data.alphabet.characters[label] for label in data.labels] == ["7", ",", "R"]
    reader = handread.Recognizer()
    read = [reader.read(picture, one=True, alphabet="0123456789R").text for picture in pictures.values()]
    assert read == ["7", "4", "R"]
    assert list((page.served.collected / "pictures").glob("*")) == []


def test_a_candidate_is_a_correction_and_an_empty_field_a_confirmation(page: Page) -> None:
    page.choose_alphabet("digits")
    page.draw(SEVEN)
    page.draw(FOUR, left=230)
    page.reads("74")
    page.script("document.querySelectorAll('.cell')[0].click()")
    second = page.all("#bars button")[1]
    wanted = second.text.split()[0]
    second.click()
    page.reads(f"{wanted}4")
    page.at("label").send_keys(Keys.ENTER)
    page.until(lambda: page.at("kept-count").text.startswith("2 kept"))
    assert set(page.at("kept-count").text.split()[2:]) == {wanted, "4"}


def test_corrections_are_sent_only_by_who_ticked_the_box(page: Page) -> None:
    assert "The operator of this server collects corrections" in page.at("kept-where").text
    assert not page.at("send").is_selected()
    page.draw(SEVEN)
    page.reads("7")
    page.correct(0, "1")
    page.until(lambda: page.at("correct-note").text == "Kept: 1.")
    assert list((page.served.collected / "pictures").glob("*")) == []
    page.at("send").click()
    page.correct(0, "T")
    page.until(lambda: page.at("correct-note").text == "Kept and sent: T.")
    with (page.served.collected / "labels.csv").open(newline="") as table:
        assert [(row["label"], row["read"]) for row in csv.DictReader(table)] == [("T", "7")]


def test_with_the_keyboard_alone(page: Page) -> None:
    page.tab_to("alphabet")
    page.press("d")  # digits
    page.tab_to("sheet")
    page.press(
        Keys.SPACE,
        *[Keys.ARROW_RIGHT] * 8,
        *[Keys.END] * 2,
        *[Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.END] * 4,
        Keys.SPACE,
    )
    page.reads("7")
    page.press("]", "]")
    assert page.at("pen").get_attribute("value") == "8"
    page.press(Keys.BACKSPACE)
    page.reads("")
    page.tab_to("typed-text")
    page.press("2026", Keys.ENTER)
    page.reads("2026")
    for _ in range(6):
        page.press(Keys.TAB)
        if page.script("return document.activeElement.getAttribute('role')") == "option":
            break
    page.press(Keys.HOME, Keys.ARROW_RIGHT)
    assert page.script("return document.activeElement.dataset.index") == "1"
    page.press(Keys.ENTER)
    assert page.script("return document.activeElement.id") == "label"
    page.at("send").click()
    page.at("label").click()
    page.press("8", Keys.ENTER)
    page.reads("2826")
    # the tabs are one stop, with arrows between them
    page.script("document.getElementById('tab-write').focus()")
    page.press(Keys.ARROW_RIGHT)
    assert page.at("pane-photo").is_displayed()


def test_on_a_phone(page: Page) -> None:
    page.open(width=390, height=844)
    assert page.script("return [document.documentElement.scrollWidth, innerWidth]") == [390, 390]
    page.draw(SEVEN, left=80, top=30, size=80, kind="touch")
    page.reads("7")
    assert page.script("return scrollY") == 0  # drawing does not scroll the page
    small = page.script(
        "return [...document.querySelectorAll('button, select, input:not(.unseen)')].filter((e) => e.offsetParent && "
        "!e.disabled && Math.min(e.offsetWidth, e.offsetHeight) < 20).map((e) => e.id)"
    )
    assert small == []
    page.show(EXAMPLES / "telephone.jpg")
    page.until(lambda: len(page.all(".cell")) > 1)
    assert page.script("return [document.documentElement.scrollWidth, innerWidth]") == [390, 390]


def test_a_drawing_survives_a_turned_phone(page: Page) -> None:
    page.open(width=844, height=390)
    page.draw(SEVEN, left=500)
    page.reads("7")
    before = page.all("#boxes .box")[0].rect
    size = {"deviceScaleFactor": 2, "mobile": True}
    page.command("Emulation.setDeviceMetricsOverride", width=390, height=844, **size)
    page.until(lambda: page.all("#boxes .box")[0].rect["x"] < 390)
    page.reads("7")
    page.command("Emulation.setDeviceMetricsOverride", width=844, height=390, deviceScaleFactor=1, mobile=False)
    # as it was, and read again
    page.until(lambda: abs(page.all("#boxes .box")[0].rect["x"] - before["x"]) < 4)
    page.until(lambda: abs(page.all("#boxes .box")[0].rect["width"] - before["width"]) < 4)


def test_a_listener_hears_the_reading(page: Page) -> None:
    page.draw(SEVEN)
    page.reads("7")
    heard = page.until(lambda: page.script("return document.getElementById('live').textContent"))
    assert heard.startswith("Reads 7, ")
    assert heard.endswith(" % sure.")


def test_what_goes_wrong_is_said(page: Page, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes((EXAMPLES / "hex.png").read_bytes()[:400])
    page.show(tmp_path / "broken.png")
    page.until(lambda: "broken.png" in page.at("status").text)
    page.at("tab-write").click()
    page.command("Network.setBlockedURLs", urls=["*/v1/*"])
    page.draw(SEVEN)
    page.until(lambda: page.at("status").text.startswith("The reader cannot be reached."))
    page.command("Network.setBlockedURLs", urls=[])
    page.draw(ONE, left=250)
    page.until(lambda: len(page.all(".cell")) == 2)
    assert page.faults()  # the browser's own words about it


def test_the_theme_is_kept(page: Page) -> None:
    theme = "return document.documentElement.dataset.theme"
    assert page.script(theme) == "light"
    page.at("theme").click()
    assert page.script(theme) == "dark"
    page.open("/about")
    page.until(lambda: page.script(theme) == "dark")
    page.open(theme="dark")
    page.at("theme").click()
    assert page.script(theme) == "light"


def test_the_card_tells_of_the_model(page: Page) -> None:
    page.open("/about")
    card = handread.Recognizer().card
    page.until(lambda: page.at("scores").text)
    assert len(page.all("#scores tr")) == len(card.scores)
    assert len(page.all("#data tr")) == len(card.data)
    assert page.at("alphabet").text == card.alphabet


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
def test_nothing_stands_in_the_way_of_anyone(page: Page, theme: str, width: int) -> None:
    """axe-core finds no violation on any view; https://github.com/dequelabs/axe-core."""
    page.open("/about", theme=theme, width=width)
    page.until(lambda: page.at("scores").text)
    assert violations(page) == []
    page.open(theme=theme, width=width)
    page.choose_alphabet("upper")
    page.at("one").click()
    page.draw(FOUR, left=80, top=40, size=80)
    page.until(lambda: page.all(".cell.refused"))
    assert violations(page) == []
    page.show(EXAMPLES / "postcode.png", EXAMPLES / "hex.png")
    page.until(lambda: "…" not in page.at("rows").text)
    assert violations(page) == []
    page.script("document.getElementById('keys').showModal()")
    assert violations(page) == []


def violations(page: Page) -> list[str]:
    if not page.script("return 'axe' in window"):
        page.script(AXE)
    found: list[str] = page.driver.execute_async_script(
        "const done = arguments[0]; axe.run({resultTypes: ['violations']}).then(({violations}) => done(violations.map("
        "({id, nodes}) => `${id}: ${nodes.map(({target}) => target.join(' ')).join(', ')}`)))"
    )
    return found
