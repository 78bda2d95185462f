"""The exported page in Debian's Chromium, from a static host and from a file: it reads as Handread does, alone."""

from __future__ import annotations

import base64
import functools
import http.server
import io
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from PIL import Image

import handread
from handread.answer import as_row
from handread.imaging.draw import Paper, Pen, draw_character, draw_text
from handread.web.offline import export_page

pytest.importorskip("selenium", reason="the page is driven by selenium, of the extra dev")

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from handread.web.drawing import draw_canvas
from handread.web.schemas import Point

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="Chromium and its driver are not installed: apt install chromium chromium-driver"
)

# the page's own reader in a worker of the test's, to be asked directly
ASK = """
const [deed, asked, done] = arguments;
if (!window.asking) {
  const source = new Blob([`(${handreadReader})().attend(self);`], { type: "text/javascript" });
  const worker = new Worker(URL.createObjectURL(source));
  let waiting = null;
  worker.onmessage = ({ data }) => waiting(data);
  window.asking = (deed, more) => new Promise((resolve) => {
    waiting = resolve;
    worker.postMessage({ id: 1, deed, ...more });
  });
}
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
if (deed === "load") asked.model = bytes(handreadModel);
for (const one of asked.pictures ?? []) one.blob = new Blob([bytes(one.content)]);
window.asking(deed, asked).then(done);
"""

VERSION = handread.Recognizer().card.version
T = TypeVar("T")
Strokes = list[list[dict[str, float]]]


class Exported:
    """The page as it stands at one address."""

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver = driver
        self.address = address

    def open(self) -> None:
        self.driver.get(f"{self.address}/index.html")
        self.driver.execute_script("localStorage.clear()")
        self.until(lambda: self.at("model").text != "")

    def at(self, name: str) -> WebElement:
        return self.driver.find_element(By.ID, name)

    def until(self, truth: Callable[[], T]) -> T:
        return WebDriverWait(self.driver, 30, poll_frequency=0.05).until(lambda _: truth())

    def reads(self, text: str) -> None:
        """Wait for the reading; what is half drawn may be read already, and be refused."""
        found = "return [document.getElementById('text').textContent, document.getElementById('status').textContent]"
        self.until(lambda: self.driver.execute_script(found) == [text, ""])

    def ask(self, deed: str, **asked: Any) -> Any:
        return self.driver.execute_async_script(ASK, deed, asked)

    def row(self, **asked: Any) -> Any:
        answered = self.ask("read", **{"alphabet": None, "one": False, "top": 5, "look": False, **asked})
        assert "answer" in answered, answered
        return answered["answer"]["readings"][0]

    def requests(self) -> list[str]:
        log = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [entry["params"]["request"]["url"] for entry in log if entry["method"] == "Network.requestWillBeSent"]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """A test's server keeps silent."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("page") / "with a space"
    export_page("handread", made)
    return made


@pytest.fixture(scope="module")
def host(folder: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                     "--window-size=1280,900", "--force-prefers-reduced-motion",
                     "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    made.set_script_timeout(60)
    yield made
    made.quit()


@pytest.fixture(params=["host", "file"])
def page(request: pytest.FixtureRequest, driver: webdriver.Chrome, host: str, folder: Path) -> Iterator[Exported]:
    """The page, freshly opened; afterwards it has complained of nothing and asked nobody else."""
    made = Exported(driver, host if request.param == "host" else folder.as_uri())
    driver.get_log("browser")
    made.requests()
    made.open()
    yield made
    assert [entry["message"] for entry in driver.get_log("browser")] == []
    own = (made.address + "/", "data:", "blob:", "chrome:", "about:")
    assert [url for url in made.requests() if not url.startswith(own)] == []


def png(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def drawn() -> Iterator[tuple[str, bytes, bool]]:
    """Name, file, and whether it is one character: papers, pens, transparency, sixteen bits."""
    rng = np.random.default_rng(5)
    papers = [
        Paper(), Paper(kind="ruled", noise=4, shadow=0.5), Paper(kind="squared", texture=3), Paper(kind="boxes"),
        Paper(tone=40, noise=3), Paper(blur=0.8, jpeg=60, shadow=0.3, texture=5),
    ]  # fmt: skip
    for number, (paper, text) in enumerate(
        zip(papers, ("Gate 42", "7AC3E9\n80634", "bread", "2026", "Rk 8", "hand"), strict=True)
    ):
        height = (26, 48, 150)[number % 3]
        drawing = draw_text(text, height_px=height, pen=Pen(width_px=height / 16), paper=paper, rng=rng)
        yield f"{paper.kind} {text!r}", png(drawing.image), False
    ink = np.pad(draw_character("g", height_px=90, pen=Pen(width_px=6, slant=12), rng=rng), 20)
    yield "bright on dark", png(ink), True
    clear = np.zeros((*ink.shape, 4), np.uint8)
    clear[..., 3] = ink
    yield "on nothing", png(clear), True
    yield "sixteen bits", png((255 - ink).astype(np.uint16) * 12), True
    yield "no ink", png(np.full((40, 60), 200, np.uint8)), False


CASES = [
    *drawn(),
    *((name, (EXAMPLES / name).read_bytes(), False) for name in ("ticket.jpg", "sum.jpg", "g-squared.png")),
]


def same(found: Any, wanted: Any) -> None:
    """Equal but for what single precision leaves open."""
    sure = [character.pop("confidence") for character in found["characters"]]
    for row in (found, wanted):
        for character in row["characters"]:
            character["candidates"] = [text for text, _ in character["candidates"][:1]]
    assert sure == pytest.approx([character.pop("confidence") for character in wanted["characters"]], abs=0.01)
    assert found.pop("confidence") == pytest.approx(wanted.pop("confidence"), abs=0.02)
    assert found == wanted


@pytest.fixture(scope="module")
def loaded(driver: webdriver.Chrome, folder: Path) -> Exported:
    page = Exported(driver, folder.as_uri())
    page.open()
    assert page.ask("load")["answer"]["card"]["name"] == "handread"
    return page


@pytest.fixture(scope="module")
def reader() -> handread.Recognizer:
    return handread.Recognizer()


@pytest.mark.parametrize(("name", "content", "one"), CASES, ids=[name for name, _, _ in CASES])
def test_a_picture_is_read_as_handread_reads_it(
    loaded: Exported, reader: handread.Recognizer, name: str, content: bytes, one: bool
) -> None:
    found = loaded.row(pictures=[{"name": name, "content": base64.b64encode(content).decode()}], one=one)
    same(found, as_row(name, reader.read(content, one=one, top=5)))


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_picture_is_turned_as_its_camera_asks(
    loaded: Exported, reader: handread.Recognizer, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("PNG", "JPEG"):
        buffer = io.BytesIO()
        with Image.open(EXAMPLES / "hex.png") as picture:
            picture.convert("L").save(buffer, kind, exif=exif)
        content = buffer.getvalue()
        found = loaded.row(pictures=[{"name": "x", "content": base64.b64encode(content).decode()}], alphabet="hex")
        same(found, as_row("x", reader.read(content, alphabet="hex", top=5)))


@pytest.mark.parametrize("pressed", [0.0, 0.7])
def test_strokes_are_read_as_the_server_reads_them(
    loaded: Exported, reader: handread.Recognizer, pressed: float
) -> None:
    places = [
        [(100, 60), (190, 64), (150, 150), (120, 260)],
        [(260, 70), (240, 160), (330, 158)],
        [(310, 90), (306, 265)],
        [(420, 200)],
    ]
    strokes = [
        [{"x": x, "y": y, "pressure": pressed * (i % 3) / 2} for i, (x, y) in enumerate(stroke)] for stroke in places
    ]
    canvas = draw_canvas([[Point(**point) for point in stroke] for stroke in strokes], width=1500, height=400, pen=9)
    assert canvas.scale > 1
    found = loaded.row(strokes=strokes, width=1500, height=400, pen=9, alphabet="digits")
    row = as_row("drawing", reader.read(canvas.gray, alphabet="digits", top=5))
    for character in row["characters"]:
        character["box"] = [round(v * canvas.scale) for v in character["box"]]
    same(found, row)
    assert found["text"] == "74"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "x is empty (0 bytes); save the picture again"),
        (b"nothing of the kind", "x is not a picture that this browser reads"),
        (png(np.zeros((20, 20), np.uint8))[:50], "x is damaged and cannot be decoded"),
        (b"II*\x00" + b"\x00" * 40, "x is a TIFF picture, which this browser cannot read; save it as PNG or JPEG"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xff\xff\0\0\xff\xff" + b"\x08\0\0\0\0" * 5, "x is too large (65535 x 65535"),
    ],
    ids=["empty", "text", "cut off", "tiff", "bomb"],
)  # fmt: skip
def test_what_is_no_picture_is_told_in_a_sentence(loaded: Exported, content: bytes, sentence: str) -> None:
    asked = {"pictures": [{"name": "x", "content": base64.b64encode(content).decode()}], "one": False, "top": 5}
    found = loaded.ask("read", **asked)["error"]
    assert found["message"].startswith(sentence)
    assert found["code"] == "unreadable"


@pytest.mark.parametrize(
    ("alphabet", "sentence"),
    [("77", "'7' stands twice in the alphabet"), ("0é", "this model has never seen 'é'; it knows 0123")],
)
def test_a_wrong_alphabet_is_told_in_a_sentence(loaded: Exported, alphabet: str, sentence: str) -> None:
    strokes = [[{"x": 10, "y": 10}]]
    found = loaded.ask("read", strokes=strokes, width=100, height=100, pen=4, alphabet=alphabet)["error"]
    assert found["message"].startswith(sentence)


def test_a_line_that_the_pen_wrote(page: Exported) -> None:
    page.driver.find_element(By.CSS_SELECTOR, '#alphabet option[value="digits"]').click()
    page.at("typed-text").send_keys("2026")
    page.driver.find_element(By.CSS_SELECTOR, "#typed button").click()
    page.reads("2026")
    page.until(lambda: page.at("look-why").is_displayed())
    assert page.driver.execute_script("return document.getElementById('look-input').naturalWidth") == 32


def test_a_chosen_picture_and_a_correction_with_the_network_cut(page: Exported) -> None:
    page.driver.execute_cdp_cmd("Network.enable", {})
    page.driver.execute_cdp_cmd(
        "Network.emulateNetworkConditions",
        {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0},
    )
    try:
        page.at("tab-photo").click()
        page.at("files").send_keys(str(EXAMPLES / "postcode.png"))
        page.reads("80634")
        page.until(lambda: page.at("cleaned-ink").is_displayed())
        page.driver.find_elements(By.CSS_SELECTOR, ".cell")[0].click()
        page.at("label").send_keys("B\n")
        page.until(lambda: page.at("kept-count").text.endswith("kept: B"))
        assert "Nothing is sent" in page.at("kept-where").text
    finally:
        page.driver.execute_cdp_cmd(
            "Network.emulateNetworkConditions",
            {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1},
        )
        page.at("kept-clear").click()
        page.driver.switch_to.alert.accept()


def test_an_example_and_the_card(page: Exported) -> None:
    page.at("tab-photo").click()
    page.driver.find_element(By.CSS_SELECTOR, '[data-try="prices.jpg"]').click()
    page.reads(handread.Recognizer().read(EXAMPLES / "prices.jpg").text)
    page.driver.find_element(By.LINK_TEXT, "The reader").click()
    page.until(lambda: page.at("name").text == f"handread, version {VERSION}")
    page.driver.find_element(By.LINK_TEXT, "Read").click()
    page.until(lambda: page.at("model").text == f"handread, version {VERSION}")


@pytest.mark.parametrize("missing", ["Worker", "WebAssembly"])
def test_an_older_browser_reads_more_slowly(page: Exported, missing: str) -> None:
    script = page.driver.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": f"delete window.{missing};"}
    )
    try:
        page.open()
        page.driver.find_element(By.CSS_SELECTOR, '#alphabet option[value="digits"]').click()
        page.at("typed-text").send_keys("4")
        page.driver.find_element(By.CSS_SELECTOR, "#typed button").click()
        page.reads("4")
    finally:
        page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
