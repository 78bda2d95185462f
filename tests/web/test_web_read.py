"""What the API reads: pictures, drawings, arrays; the same rows as the command line's."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handread.answer import as_row
from handread.imaging.single import single_character
from handread.recognizer import Recognizer
from tests.web.conftest import Client, Serve, base64_of, png

SEVEN = [[{"x": 22, "y": 28}, {"x": 76, "y": 28}, {"x": 44, "y": 104}]]


@pytest.mark.parametrize("one", ["true", "false"])
def test_a_picture_gives_the_row_of_the_command_line(client: Client, seven: bytes, tiny_model: Path, one: str) -> None:
    answer = client.upload("/v1/read", ("a.png", seven), alphabet="digits", one=one, top="2")
    reading = Recognizer(tiny_model).read(seven, alphabet="digits", one=one == "true", top=2)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["model"] == "tiny"
    assert answer.json["readings"] == [json.loads(json.dumps(as_row("a.png", reading)))]
    assert answer.json["readings"][0]["text"] == "7"


def test_json_and_forms_give_the_same(client: Client, seven: bytes) -> None:
    asked = {"pictures": [{"data": base64_of(seven), "name": "a.png"}], "one": True, "alphabet": "0178"}
    assert (
        client.post("/v1/read", asked).json
        == client.upload("/v1/read", ("a.png", seven), one="on", alphabet="0178").json
    )


def test_a_data_uri_is_taken(client: Client, seven: bytes) -> None:
    asked = {"pictures": [{"data": "data:image/png;base64," + base64_of(seven)}], "one": True, "alphabet": "digits"}
    assert client.post("/v1/read", asked).json["readings"][0]["text"] == "7"


def test_a_broken_picture_among_others_is_named_and_the_others_are_read(client: Client, seven: bytes) -> None:
    rows = client.upload("/v1/read", ("a.png", seven), ("b.png", b"no picture"), alphabet="digits").json["readings"]
    assert [row["text"] for row in rows] == ["7", ""]
    assert rows[0]["error"] is None
    assert rows[1]["error"].startswith("b.png is not a picture")


@pytest.mark.parametrize("one", ["true", "false"])
def test_a_broken_picture_alone_is_a_problem(client: Client, one: str) -> None:
    answer = client.upload("/v1/read", ("b.png", b"no picture"), one=one)
    assert answer.problem() == (422, "unreadable")
    assert answer.json["detail"].startswith("b.png is not a picture")


def test_strokes_are_read_with_boxes_on_their_canvas(client: Client) -> None:
    asked = {"strokes": SEVEN, "width": 96, "height": 128, "pen": 8, "alphabet": "digits", "one": True}
    row = client.post("/v1/read", asked).json["readings"][0]
    assert row["text"] == "7"
    x, y, width, height = row["characters"][0]["box"]
    assert abs(x - 18) <= 2
    assert abs(y - 24) <= 2
    assert abs(x + width - 80) <= 2
    assert abs(y + height - 108) <= 2


def test_a_large_canvas_keeps_its_own_pixels(client: Client) -> None:
    strokes = [[{"x": 50 * p["x"], "y": 50 * p["y"], "pressure": 0.5, "t": 1} for p in stroke] for stroke in SEVEN]
    asked = {"strokes": strokes, "width": 4800, "height": 6400, "pen": 400, "alphabet": "digits", "one": True}
    row = client.post("/v1/read", asked).json["readings"][0]
    assert row["text"] == "7"
    assert abs(row["characters"][0]["box"][0] - 900) <= 60


def test_an_empty_canvas_reads_as_nothing(client: Client) -> None:
    row = client.post("/v1/read", {"strokes": [[]], "width": 96, "height": 128}).json["readings"][0]
    assert row == {"image": "drawing", "text": "", "confidence": 0.0, "characters": [], "error": None}


def test_refused_characters_come_with_the_reason(client: Client, draw: Callable[[str], Image.Image]) -> None:
    answer = client.upload("/v1/read", ("blot.png", png(draw("blot"))), one="true", strict="true")
    row = answer.json["readings"][0]
    assert row["text"] == "�"
    assert row["characters"][0]["accepted"] is False
    assert row["characters"][0]["reason"] == "not a character"


@pytest.mark.parametrize("one", ["true", "false"])
def test_look_shows_what_the_network_saw(client: Client, seven: bytes, one: str) -> None:
    row = client.upload("/v1/read", ("a.png", seven), alphabet="digits", one=one, look="true").json["readings"][0]
    assert row["text"] == "7"
    ink = picture(row["look"]["ink"])
    assert ink.size == (96, 128)
    assert [len(row["look"]["characters"]), len(row["characters"])] == [1, 1]
    seen = row["look"]["characters"][0]
    shown = np.asarray(picture(seen["input"]))
    assert shown.shape == (32, 32)
    assert shown.min() < 20  # black ink
    assert shown[0, 0] == 255  # on white paper
    why = np.asarray(picture(seen["saliency"]).convert("RGB")).astype(int)
    assert (why[..., 2] - why[..., 0]).max() > 60  # somewhere the ink spoke for it


def picture(uri: str) -> Image.Image:
    head, _, data = uri.partition(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def array(*glyphs: Image.Image) -> dict[str, object]:
    images = np.stack([255 - np.asarray(glyph.resize((28, 28))) for glyph in glyphs]).astype(np.uint8)
    images[images < 60] = 0
    return {"characters": base64_of(images.tobytes()), "shape": list(images.shape), "alphabet": "digits"}


def test_an_array_of_characters_gets_a_short_answer(
    client: Client, draw: Callable[[str], Image.Image], tiny_model: Path
) -> None:
    asked = array(draw("7"), draw("1"), draw("0"), draw(""))
    answer = client.post("/v1/read/batch", asked).json
    assert answer["labels"][:3] == "710"
    assert answer["accepted"] == [True, True, True, False]
    assert answer["errors"] == []
    images = np.frombuffer(base64.b64decode(str(asked["characters"])), np.uint8).reshape(4, 28, 28)
    labels, probabilities = Recognizer(tiny_model).classify(images, alphabet="digits")
    assert answer["labels"] == "".join("0123456789"[k] for k in labels)
    assert answer["confidence"] == pytest.approx(probabilities.max(axis=1), abs=1e-5)


def test_many_pictures_get_a_short_answer_with_the_broken_ones_named(
    client: Client, seven: bytes, draw: Callable[[str], Image.Image]
) -> None:
    files = [("a.png", seven), ("b.png", b"no"), ("c.png", png(draw("1"))), ("d.png", png(draw("")))]
    answer = client.upload("/v1/read/batch", *files, alphabet="digits").json
    assert answer["labels"] == "7�1�"
    assert answer["accepted"] == [True, False, True, False]
    assert [(error["index"], error["name"]) for error in answer["errors"]] == [(1, "b.png")]


def test_pictures_of_several_characters_get_rows_from_the_batch_too(client: Client, seven: bytes) -> None:
    answer = client.upload("/v1/read/batch", ("a.png", seven), ("b.png", seven), alphabet="digits", one="false").json
    assert [row["text"] for row in answer["readings"]] == ["7", "7"]
    assert "labels" not in answer


def test_requests_of_many_clients_each_get_their_own_answer(client: Client, draw: Callable[[str], Image.Image]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    pictures = {text: png(draw(text)) for text in "017"}
    asked = list("017" * 20)

    def read(text: str) -> str:
        rows = client.upload("/v1/read", (text, pictures[text]), alphabet="digits", one="true").json["readings"]
        assert rows[0]["image"] == text
        return str(rows[0]["text"])

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(read, asked)) == asked


def test_one_clients_trouble_stays_its_own(serve: Serve, seven: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that are read together: what fails in one in a way that nobody foresaw fails there alone."""
    from concurrent.futures import ThreadPoolExecutor

    from handread.web import service

    def single(content: bytes, *rest: object) -> object:
        if content == b"trouble":
            raise MemoryError
        return single_character(content, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(service, "single_character", single)
    with serve() as client, ThreadPoolExecutor(12) as pool:

        def read(content: bytes) -> int:
            return client.upload("/v1/read", ("a.png", content), alphabet="digits", one="true").status

        contents = [seven, b"trouble"] * 12
        assert list(pool.map(read, contents)) == [500 if c == b"trouble" else 200 for c in contents]


def test_a_bug_is_a_problem_that_tells_no_secrets(serve: Serve, seven: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    from handread.web import service

    def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(service, "single_character", fail)
    with serve() as client:
        answer = client.upload("/v1/read", ("a.png", seven), one="true")
        assert answer.problem() == (500, "bug")
        assert b"secret" not in answer.body
        assert client.get("/healthz").status == 200
