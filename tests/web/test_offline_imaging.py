"""The page's scripts prepare a picture exactly as `handread.imaging` does, worse pictures too."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from handread.evaluation import mnist_c, paper
from handread.evaluation.corruption import CORRUPTIONS
from handread.frame import MNIST_FRAME
from handread.imaging.draw import Paper, Pen, draw_text
from handread.imaging.glyph import normalise
from handread.imaging.ink import extract_ink, is_bright_on_dark
from handread.imaging.repair import repaired
from handread.imaging.single import single_with_ink
from handread.web.offline import STATIC

Picture = npt.NDArray[np.uint8]
NEAR = 3
"""Greys by which a scaled picture may differ: OpenCV rounds within its fixed-point arithmetic."""

SCRIPT = """
import fs from "node:fs";
import { isBrightOnDark } from "./ink.js";
import { repaired } from "./repair.js";
import { singleCharacter } from "./single.js";
const frame = { height: 32, width: 32, ink: 26, centre: "box" };
const told = JSON.parse(fs.readFileSync("pictures.json")).map(({ data, width, height }) => {
  const gray = { data: Uint8Array.from(data), width, height };
  const { glyph, ink, empty } = singleCharacter(gray, frame);
  const [mended, cleaned, seen] = [repaired(gray), ink, glyph].map((image) => Array.from(image.data));
  return { bright: isBrightOnDark(gray), mended, cleaned, seen, empty };
});
console.log(JSON.stringify(told));
"""


def pictures() -> list[Picture]:
    sheets = [
        draw_text(one, height_px=90, pen=Pen(width_px=9), paper=Paper(), rng=np.random.default_rng(4)).image
        for one in "2"
    ]
    digits = normalise([extract_ink(sheet) for sheet in sheets], MNIST_FRAME)[:, 0]
    worse = [CORRUPTIONS[name](digits, level) for name in (*mnist_c.NAMES, *paper.NAMES) for level in (3,)]
    blot = np.full((120, 150), 225, np.uint8)
    cv2.ellipse(blot, (70, 60), (50, 38), 20, 0, 360, 60, -1, cv2.LINE_AA)
    return [*sheets, blot, *(picture for some in worse for picture in some)]


@pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed")
def test_worse_pictures_are_prepared_alike(tmp_path: Path) -> None:
    for script in (STATIC / "offline").glob("*.js"):
        shutil.copy(script, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "told.js").write_text(SCRIPT)
    all_of_them = pictures()
    plain = [{"data": p.ravel().tolist(), "width": p.shape[1], "height": p.shape[0]} for p in all_of_them]
    (tmp_path / "pictures.json").write_text(json.dumps(plain))
    done = subprocess.run(["node", "told.js"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    for picture, there in zip(all_of_them, json.loads(done.stdout), strict=True):
        single, ink = single_with_ink(picture)
        assert there["bright"] == is_bright_on_dark(picture)
        assert there["mended"] == repaired(picture).ravel().tolist()
        assert there["empty"] == single.empty
        for ours, theirs in ((ink, there["cleaned"]), (single.glyph, there["seen"])):
            assert np.abs(ours.ravel().astype(int) - theirs).max() <= NEAR
