from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Handread = Callable[..., Any]
Draw = Callable[[str], Image.Image]


def table(path: Path, draw: Draw, shapes: str, *, label: bool = False) -> Path:
    """A CSV of 32 x 32 pixels of drawn shapes, ink bright on dark."""
    names = [f"pixel{i}" for i in range(32 * 32)]
    rows = [",".join((["label"] if label else []) + names)]
    for shape in shapes:
        ink = 255 - np.asarray(draw(shape).resize((24, 32)))
        image = np.zeros((32, 32), np.uint8)
        image[:, 4:28] = np.where(ink > 60, ink, 0)
        rows.append(",".join((["9"] if label else []) + [str(v) for v in image.ravel()]))
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_submission_is_written_and_summed_up(
    handread: Handread, tiny_model: Path, tmp_path: Path, draw: Draw
) -> None:
    out = tmp_path / "out.csv"
    data = table(tmp_path / "test.csv", draw, "017")
    outcome = handread("submit", tiny_model, "--data", data, "--out", out)
    assert outcome.code == 0, outcome.err
    assert out.read_text() == "ImageId,Label\n1,0\n2,1\n3,7\n"
    assert "3 rows, mean confidence" in outcome.out
    assert "acceptance" in outcome.out
    assert outcome.err == ""


def test_an_older_table_is_replaced_and_the_default_name_is_kaggles(
    handread: Handread, tiny_model: Path, tmp_path: Path, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "submission.csv").write_text("old")
    outcome = handread("submit", tiny_model, "--data", table(tmp_path / "test.csv", draw, "7"))
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "submission.csv").read_text() == "ImageId,Label\n1,7\n"
    assert "1 row, " in outcome.out


def test_labels_are_left_out_aloud(handread: Handread, tiny_model: Path, tmp_path: Path, draw: Draw) -> None:
    data = table(tmp_path / "train.csv", draw, "71", label=True)
    outcome = handread("submit", tiny_model, "--data", data, "--out", tmp_path / "out.csv")
    assert outcome.code == 0, outcome.err
    assert "has labels, which are left out" in outcome.err
    assert (tmp_path / "out.csv").read_text() == "ImageId,Label\n1,7\n2,1\n"


def test_pictures_go_by_name(handread: Handread, tiny_model: Path, tmp_path: Path, draw: Draw) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    draw("1").save(folder / "b.png")
    draw("7").save(folder / "a.png")
    outcome = handread("submit", tiny_model, "--data", folder, "--out", tmp_path / "out.csv", "--alphabet", "17")
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "out.csv").read_text() == "ImageId,Label\na.png,7\nb.png,1\n"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda text: text + "1,2,3\n", "line 3: 3 columns, expected 1024"),
        (lambda text: text.replace("\n0,", "\n256,", 1), "line 2: pixel 256"),
        (lambda text: text.replace("\n0,", "\nx,", 1), "line 2: 'x' is no pixel"),
        (lambda text: text.replace("pixel0,", "", 1), "1023 columns"),
    ],
    ids=["ragged", "too high", "text", "column missing"],
)
def test_a_bad_table_is_one_sentence_and_nothing_is_written(
    handread: Handread, tiny_model: Path, tmp_path: Path, draw: Draw, spoil: Callable[[str], str], reason: str
) -> None:
    data = table(tmp_path / "test.csv", draw, "7")
    data.write_text(spoil(data.read_text()))
    out = tmp_path / "out.csv"
    out.write_text("old")
    outcome = handread("submit", tiny_model, "--data", data, "--out", out)
    assert (outcome.code, outcome.out, out.read_text()) == (2, "", "old")
    assert len(outcome.err.splitlines()) == 1
    assert reason in outcome.err
    assert str(data) in outcome.err


@pytest.mark.parametrize(
    ("options", "reason"),
    [(["--alphabet", "01-"], "never seen '-'"), (["--out", "missing/out.csv"], "cannot write missing/out.csv")],
)
def test_bad_options(
    handread: Handread, tiny_model: Path, tmp_path: Path, draw: Draw, options: list[str], reason: str
) -> None:
    data = table(tmp_path / "test.csv", draw, "7")
    outcome = handread("submit", tiny_model, "--data", data, "--out", tmp_path / "out.csv", *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert reason in outcome.err
    assert not (tmp_path / "out.csv").exists()
