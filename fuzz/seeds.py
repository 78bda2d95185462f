"""Small whole pictures in every form that Pillow writes here, of Handread's own strokes: what the mutations start from."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from handread.imaging.draw import Paper, Pen, draw_text

UInt8Array = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Seed:
    """A whole file."""

    form: str
    """Which structure its bytes have: a name in `fuzz.forms.FORMS`, or any other."""
    name: str
    data: bytes

    @property
    def foreign(self) -> bool:
        """True for a form that is not read: it must be refused, not tried."""
        return self.form not in READ


READ = ("png", "jpeg", "gif", "bmp", "tiff", "webp", "ppm", "heif")
"""Forms that are read."""

TEXTS = (("7", 26), ("R", 20), ("i", 24), ("B2", 16), ("4a\n09", 14))
"""What is drawn, and the height of a capital in pixels."""

_TAGS = {0x010F: "a maker", 0x0112: 6, 0x0132: "2026:11:22 10:00:00", 0x8769: {0x9003: "2026:11:22 10:00:00"}}


def drawings() -> list[UInt8Array]:
    """Grey pictures uint8 (H, W), dark on light, of at most some 60 x 60 pixels."""
    rng = np.random.default_rng(7)
    pen = Pen(width_px=2.4)
    return [draw_text(text, height_px=h, pen=pen, paper=Paper(texture=2), rng=rng).image for text, h in TEXTS]


def build() -> list[Seed]:
    """All of them; equal in every process with the same versions."""
    grays = [Image.fromarray(image) for image in drawings()]
    seeds: list[Seed] = []

    def add(form: str, name: str, make: Callable[[Image.Image], bytes]) -> None:
        image = grays[len(seeds) % len(grays)]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                seeds.append(Seed(form, name, make(image)))
        except (OSError, ValueError, KeyError, RuntimeError):
            return  # this Pillow was built without the encoder

    for form, written, mode, options in _WRITTEN:
        shown = [str(value) if name == "compression" else name for name, value in options.items()]
        add(form, "-".join([form, mode, *shown]), _writer(written, mode, options))
    for name, make in _BY_HAND.items():
        add(name.partition("-")[0], name, make)
    if _heif_writer():
        for mode, options in (
            ("L", {}),
            ("RGB", {"quality": 40}),
            ("RGBA", {}),
            ("RGB", {"exif": True, "quality": 30}),
        ):
            add("heif", f"heif-{mode}", _writer("HEIF", mode, dict(options)))
    return seeds


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    """The bytes of a file."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def in_mode(gray: Image.Image, mode: str) -> Image.Image:
    """The drawing in one of Pillow's modes; ``Pt`` and ``1t`` are palette and bits with a transparent colour."""
    if mode in ("L", "RGB", "RGBA", "LA", "1", "P", "YCbCr", "LAB"):
        base = gray.convert("RGB") if mode in ("YCbCr", "LAB") else gray
        image = base.convert(mode) if mode != "LAB" else Image.merge("LAB", [gray] * 3)
        if mode in ("RGBA", "LA"):
            image.putalpha(gray.point(lambda v: 255 - v))
        return image
    if mode == "CMYK":
        return gray.convert("RGB").convert("CMYK")
    if mode == "I;16":
        return Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    if mode == "I":
        return Image.fromarray(np.asarray(gray).astype(np.int32) * 1000)
    if mode == "F":
        return Image.fromarray(np.asarray(gray).astype(np.float32) / 255)
    if mode == "Pt":
        image = gray.convert("P")
        image.info["transparency"] = 3
        return image
    raise ValueError(mode)


def _writer(written: str, mode: str, options: dict[str, Any]) -> Callable[[Image.Image], bytes]:
    def write(gray: Image.Image) -> bytes:
        image = in_mode(gray, mode)
        chosen = dict(options)
        if chosen.pop("exif", False):
            tags = Image.Exif()
            for tag, value in _TAGS.items():
                tags[tag] = value
            chosen["exif"] = tags.tobytes()
        if chosen.pop("icc", False):
            chosen["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        if chosen.pop("moving", False):
            chosen |= {"save_all": True, "append_images": [image.rotate(90), image.rotate(180)], "duration": 40}
        if mode == "Pt":
            chosen.setdefault("transparency", 3)
        return encoded(image, written, **chosen)

    return write


_WRITTEN: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    *(("png", "PNG", mode, {}) for mode in ("L", "LA", "RGB", "RGBA", "P", "Pt", "1", "I;16")),
    ("png", "PNG", "L", {"exif": True, "icc": True}),
    ("png", "PNG", "RGBA", {"moving": True}),
    *(("jpeg", "JPEG", mode, {}) for mode in ("L", "RGB", "CMYK", "YCbCr")),
    ("jpeg", "JPEG", "RGB", {"progressive": True, "exif": True}),
    ("jpeg", "JPEG", "L", {"progressive": True}),
    ("jpeg", "JPEG", "RGB", {"subsampling": 0, "icc": True, "comment": b"a comment"}),
    ("jpeg", "JPEG", "RGB", {"restart_marker_blocks": 2, "dpi": (72, 72)}),
    ("jpeg", "MPO", "RGB", {"moving": True}),
    *(("gif", "GIF", mode, {}) for mode in ("L", "P", "Pt", "1", "RGB")),
    ("gif", "GIF", "P", {"moving": True, "comment": b"a comment", "loop": 0}),
    *(("bmp", "BMP", mode, {}) for mode in ("1", "L", "P", "RGB", "RGBA")),
    *(("tiff", "TIFF", mode, {})
      for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I", "F")),
    *(("tiff", "TIFF", "L", {"compression": name})
      for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "lzma", "zstd")),
    *(("tiff", "TIFF", "1", {"compression": name}) for name in ("group3", "group4", "tiff_ccitt")),
    *(("tiff", "TIFF", "RGB", {"compression": name}) for name in ("jpeg", "tiff_lzw", "zstd")),
    ("tiff", "TIFF", "CMYK", {"compression": "tiff_lzw"}),
    ("tiff", "TIFF", "F", {"compression": "tiff_adobe_deflate"}),
    ("tiff", "TIFF", "L", {"big_tiff": True}),
    ("tiff", "TIFF", "L", {"moving": True, "exif": True}),
    ("webp", "WEBP", "RGB", {}),
    ("webp", "WEBP", "RGB", {"lossless": True}),
    ("webp", "WEBP", "RGBA", {"exif": True, "icc": True}),
    ("webp", "WEBP", "RGBA", {"moving": True}),
    *(("ppm", "PPM", mode, {}) for mode in ("1", "L", "RGB", "I;16", "F")),
    # forms that are not read: they must be refused, not tried
    *((form.lower(), form, "RGB", {}) for form in ("AVIF", "JPEG2000", "TGA", "PCX", "EPS", "PDF", "QOI", "SGI", "DDS")),
    ("ico", "ICO", "RGBA", {}),
)  # fmt: skip
"""Form, Pillow's name, mode, options."""


def rle_bmp(image: UInt8Array) -> bytes:
    """A run-length coded BMP of a grey picture, which Pillow reads but does not write."""
    height, width = image.shape
    body = bytearray()
    for row in image[::-1].tolist():
        place = 0
        while place < width:
            run = 1
            while place + run < width and run < 255 and row[place + run] == row[place]:
                run += 1
            body += bytes((run, row[place]))
            place += run
        body += b"\x00\x00"
    body += b"\x00\x01"
    palette = b"".join(bytes((v, v, v, 0)) for v in range(256))
    offset = 14 + 40 + len(palette)
    header = struct.pack("<2sIHHI", b"BM", offset + len(body), 0, 0, offset)
    header += struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(body), 0, 0, 256, 0)
    return header + palette + bytes(body)


def _plain(kind: bytes) -> Callable[[Image.Image], bytes]:
    def write(gray: Image.Image) -> bytes:
        values = np.asarray(gray)
        width, height = gray.size
        if kind == b"P1":
            text = b" ".join(b"1" if v < 128 else b"0" for v in values.reshape(-1).tolist())
            return b"P1\n# drawn\n%d %d\n" % (width, height) + text + b"\n"
        repeated = values.reshape(-1) if kind == b"P2" else np.repeat(values.reshape(-1), 3)
        return kind + b"\n%d %d\n255\n" % (width, height) + b" ".join(b"%d" % v for v in repeated.tolist())

    return write


_BY_HAND: dict[str, Callable[[Image.Image], bytes]] = {
    "bmp-rle": lambda gray: rle_bmp(np.asarray(gray)),
    "ppm-plain-bits": _plain(b"P1"),
    "ppm-plain-grey": _plain(b"P2"),
    "ppm-plain-colour": _plain(b"P3"),
    "text": lambda gray: b"this is no picture\n" * 9,
    "svg": lambda gray: b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0L9 9"/></svg>',
    "nothing": lambda gray: b"\x00" * 64,
}


def _heif_writer() -> bool:
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True
