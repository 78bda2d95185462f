"""Corrections: kept only where they are asked for, whole, bounded, and readable as a labelled set."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from PIL import Image

from handread.data.atomic import ENDING
from handread.data.load import load_data
from handread.errors import ConfigError, DataError
from handread.web.collect import Collection
from handread.web.problems import ProblemError
from tests.web.conftest import Client, Serve, base64_of


def correction(picture: bytes, label: str = "7") -> dict[str, str]:
    return {"picture": base64_of(picture), "label": label, "read": "1"}


def test_without_a_folder_none_are_taken(client: Client, seven: bytes) -> None:
    assert client.post("/v1/corrections", correction(seven)).problem() == (404, "not-collected")


def test_corrections_become_a_labelled_set(serve: Serve, seven: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "corrections"
    other = io.BytesIO()
    Image.open(io.BytesIO(seven)).rotate(8, fillcolor=235).save(other, "JPEG", quality=95)
    with serve(collect=folder) as client:
        assert client.get("/v1/models").json["collect"] is True
        first = client.post("/v1/corrections", correction(seven))
        second = client.post("/v1/corrections", correction(other.getvalue(), "a"))
        again = client.post("/v1/corrections", correction(seven, "1"))
    assert [answer.status for answer in (first, second, again)] == [201, 201, 201]
    assert [answer.json["count"] for answer in (first, second, again)] == [1, 2, 2]
    data = load_data(folder)
    assert sorted(data.characters()) == ["1", "a"]
    with open(folder / "labels.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["1", "a"]
    assert {row["read"] for row in rows} == {"1"}
    assert sorted(path.name for path in (folder / "pictures").iterdir()) == sorted(
        Path(row["image"]).name for row in rows
    )


def test_only_pixels_are_kept(seven: bytes, tmp_path: Path) -> None:
    picture = Image.open(io.BytesIO(seven)).resize((2000, 1500))
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=exif, comment=b"a secret place")
    kept = Collection(tmp_path, most_bytes=10**6).keep(buffer.getvalue(), "7", "")
    content = (tmp_path / kept.image).read_bytes()
    assert b"secret" not in content
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.mode, max(image.size)) == ("PNG", "L", 512)


def test_a_full_collection_takes_no_more_and_loses_nothing(seven: bytes, tmp_path: Path) -> None:
    size = len(seven)
    collection = Collection(tmp_path, most_bytes=2 * size)
    collection.keep(seven, "7", "")
    before = (tmp_path / "labels.csv").read_bytes()
    rotated = io.BytesIO()
    Image.effect_noise((200, 200), 90).save(rotated, "PNG")
    with pytest.raises(ProblemError, match=r"0\.\d+ MB") as error:
        collection.keep(rotated.getvalue(), "1", "")
    assert (error.value.status, error.value.code) == (409, "full")
    assert (tmp_path / "labels.csv").read_bytes() == before
    assert len(list((tmp_path / "pictures").iterdir())) == 1
    assert collection.keep(seven, "1", "").count == 1  # a new label needs no room


def test_what_a_killed_server_left_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / f".0.png.x{ENDING}").write_bytes(b"half a picture")
    Collection(tmp_path, most_bytes=10**6)
    assert list((tmp_path / "pictures").iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"picture": "!!"}, "base64"),
        ({"picture": ""}, "unreadable"),
        ({"picture": "AAAA"}, "unreadable"),
        ({"label": ""}, "invalid"),
        ({"label": "77"}, "invalid"),
        ({"label": " "}, "invalid"),
        ({"label": "\n"}, "invalid"),
        ({"label": "\x00"}, "invalid"),
        ({"read": "x" * 100}, "invalid"),
        ({"path": "/etc/passwd"}, "invalid"),
    ],
)
def test_bad_corrections_are_refused(
    serve: Serve, seven: bytes, tmp_path: Path, changes: dict[str, str], code: str
) -> None:
    with serve(collect=tmp_path) as client:
        assert client.post("/v1/corrections", {**correction(seven), **changes}).problem() == (422, code)
    assert list((tmp_path / "pictures").iterdir()) == []


def test_a_form_is_refused_because_any_page_could_send_it(serve: Serve, seven: bytes, tmp_path: Path) -> None:
    with serve(collect=tmp_path) as client:
        assert client.upload("/v1/corrections", ("a.png", seven), label="7").problem() == (415, "media-type")


def test_a_formula_stays_a_label(seven: bytes, tmp_path: Path) -> None:
    Collection(tmp_path, most_bytes=10**6).keep(seven, ",", '"=1+1"')
    with open(tmp_path / "labels.csv", encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["label"] == ","


def test_a_folder_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("name,value\n1,2\n")
    with pytest.raises(DataError, match="columns image,label,read"):
        Collection(tmp_path, most_bytes=10**6)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be kept"):
        Collection(tmp_path / "file", most_bytes=10**6)
