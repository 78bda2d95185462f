"""The contract of every registered form of data, on tiny sets that the tests make."""

from __future__ import annotations

import bz2
import gzip
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handread.data.reader import ReadOptions
from handread.data.readers import READERS, form_of, read_path
from handread.errors import DataError

LABELS = [3, 1, 4, 1, 5, 9]


def ink_images(count: int = len(LABELS), side: int = 6) -> np.ndarray:
    images = np.zeros((count, side, side), np.uint8)
    for place in range(count):
        images[place, 1:-1, 2] = 255 - place
    return images


def idx_bytes(array: np.ndarray) -> bytes:
    head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(np.uint8).tobytes()


def picture(path: Path, *, size: int = 40) -> Path:
    page = np.full((size, size), 255, np.uint8)
    page[size // 4 : 3 * size // 4, size // 2 - 2 : size // 2 + 2] = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(page).save(path)
    return path


def make_idx(folder: Path) -> tuple[Path, Path]:
    images = folder / "train-images-idx3-ubyte.gz"
    images.write_bytes(gzip.compress(idx_bytes(ink_images())))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.array(LABELS)))
    return images, images


def make_npz(folder: Path) -> tuple[Path, Path]:
    path = folder / "set.npz"
    np.savez_compressed(path, images=ink_images(), labels=np.array(LABELS, np.int16))
    return path, path


def csv_text(labels: list[object], images: np.ndarray) -> str:
    head = ["label", *(f"pixel{i}" for i in range(images[0].size))]
    rows = [[label, *image.ravel().tolist()] for label, image in zip(labels, images, strict=True)]
    return "\n".join(",".join(map(str, row)) for row in [head, *rows]) + "\n"


def make_csv(folder: Path) -> tuple[Path, Path]:
    path = folder / "set.csv"
    path.write_text(csv_text(list(LABELS), ink_images()))
    return path, path


def make_folders(folder: Path) -> tuple[Path, Path]:
    files = [picture(folder / "pages" / str(label) / f"{i}.png") for i, label in enumerate(LABELS)]
    return folder / "pages", files[0]


def make_list(folder: Path) -> tuple[Path, Path]:
    path = folder / "labels.csv"
    rows = [f"{picture(folder / 'images' / f'{i}.png').relative_to(folder)},{v}" for i, v in enumerate(LABELS)]
    path.write_text("\n".join(["image,label", *rows]) + "\n")
    return path, path


def make_archive(folder: Path) -> tuple[Path, Path]:
    inner, _ = make_csv(folder)
    path = folder / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(inner, "inside/set.csv")
    inner.unlink()
    return path, path


def make_usps(folder: Path) -> tuple[Path, Path]:
    path = folder / "set.bz2"
    rows = [
        " ".join([str(label + 1), *(f"{place}:{value / 127.5 - 1:.7f}" for place, value in enumerate(image, start=1))])
        for label, image in zip(LABELS, ink_images(side=16).reshape(len(LABELS), -1), strict=True)
    ]
    path.write_bytes(bz2.compress("".join(f"{row} \n" for row in rows).encode()))
    return path, path


@dataclass(frozen=True)
class Form:
    make: Callable[[Path], tuple[Path, Path]]
    """Makes the set; gives the path to read and the file to damage."""
    normalised: bool = False
    side: int = 6


FORMS = {
    "idx": Form(make_idx),
    "npz": Form(make_npz),
    "csv": Form(make_csv),
    "folders": Form(make_folders, normalised=True),
    "list": Form(make_list, normalised=True),
    "archive": Form(make_archive),
    "usps": Form(make_usps, side=16),
}

every_form = pytest.mark.parametrize("name", list(READERS))


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def refused(path: Path, folder: Path) -> str:
    """The message of the DataError, after checking that it is one line and that nothing was written."""
    before = snapshot(folder)
    with pytest.raises(DataError) as caught:
        read_path(path)
    assert snapshot(folder) == before
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_every_form_is_tested() -> None:
    assert sorted(FORMS) == list(READERS)


@every_form
def test_round_trip(name: str, tmp_path: Path) -> None:
    path, _ = FORMS[name].make(tmp_path)
    data = READERS[name].read(path, None, ReadOptions())
    assert data.alphabet.name == "digits"
    assert data.normalised == FORMS[name].normalised
    if data.normalised:
        assert data.images.shape == (len(LABELS), 32, 32)
        assert data.cues is not None
        assert data.files is not None
        assert sorted(data.labels.tolist()) == sorted(LABELS)
    else:
        assert np.array_equal(data.images, ink_images(side=FORMS[name].side))
        assert data.labels.tolist() == LABELS


@every_form
def test_recognised_by_exactly_one_form(name: str, tmp_path: Path) -> None:
    path, _ = FORMS[name].make(tmp_path)
    assert [form for form in READERS if READERS[form].recognise(path)] == [name]


@every_form
def test_truncated_file(name: str, tmp_path: Path) -> None:
    path, victim = FORMS[name].make(tmp_path)
    content = victim.read_bytes()
    victim.write_bytes(content[: int(len(content) * 0.6)])
    assert tmp_path.name in refused(path, tmp_path)


@every_form
def test_empty_file(name: str, tmp_path: Path) -> None:
    path, victim = FORMS[name].make(tmp_path)
    victim.write_bytes(b"")
    refused(path, tmp_path)


@every_form
def test_wrong_content(name: str, tmp_path: Path) -> None:
    path, victim = FORMS[name].make(tmp_path)
    victim.write_bytes(b"hello, I am a letter\nand no data\n")
    refused(path, tmp_path)


@every_form
def test_missing_file(name: str, tmp_path: Path) -> None:
    path, victim = FORMS[name].make(tmp_path)
    if path.is_dir():
        path = path / "nowhere"
    else:
        victim.unlink()
    assert "check the path" in refused(path, tmp_path)


@every_form
def test_a_split_that_is_not_there(name: str, tmp_path: Path) -> None:
    path, _ = FORMS[name].make(tmp_path)
    with pytest.raises(DataError, match=r"no split 'tset'"):
        read_path(path, "tset")


# --- USPS


def test_usps_values_that_are_left_out_are_half_ink(tmp_path: Path) -> None:
    row = " ".join(["10", *(f"{place}:-1" for place in range(1, 256))])
    (tmp_path / "usps").write_text(row + "\n")
    data = read_path(tmp_path / "usps")
    assert data.characters() == ["9"]
    assert data.images[0, -1, -2:].tolist() == [0, 128]


@pytest.mark.parametrize(
    ("row", "phrase"),
    [
        ("11 1:-1", "line 2: label 11 is outside 1..10"),
        ("3 257:0.5", "line 2: an index is outside 1..256"),
        ("3 0:0.5", "line 2: an index is outside 1..256"),
        ("3 1:1.5", "line 2: a value is outside -1..1"),
        ("3 1:nan", "line 2: a value is outside -1..1"),
        ("3 1:x", "line 2: it is not of the form"),
        ("3 1:1:1", "line 2: it is not of the form"),
        ("inf 1:1", "line 2: it is not of the form"),
    ],
)
def test_usps_rows_that_cannot_be_used(tmp_path: Path, row: str, phrase: str) -> None:
    good = " ".join(["1", *(f"{place}:-1" for place in range(1, 257))])
    (tmp_path / "usps").write_text(f"{good}\n{row}\n")
    assert f"{tmp_path / 'usps'}, {phrase}" in refused(tmp_path / "usps", tmp_path)


def test_usps_that_ends_in_the_middle_of_a_line(tmp_path: Path) -> None:
    (tmp_path / "usps").write_text(" ".join(["1", *(f"{place}:-1" for place in range(1, 100))]))
    assert "line 1: the file ends in the middle" in refused(tmp_path / "usps", tmp_path)


# --- IDX


def int_table(rows: list[list[int]]) -> bytes:
    table = np.array(rows, ">i4")
    return bytes((0, 0, 0x0C, 2)) + struct.pack(">2I", *table.shape) + table.tobytes()


def test_qmnist_labels_tell_the_writer(tmp_path: Path) -> None:
    (tmp_path / "qmnist-test-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(ink_images(2))))
    labels = int_table([[7, 4, 2600, 12, 37, 1, 0, 0], [2, 4, 2601, 12, 32, 2, 0, 0]])
    (tmp_path / "qmnist-test-labels-idx2-int.gz").write_bytes(gzip.compress(labels))
    data = read_path(tmp_path, "test")
    assert data.characters() == ["7", "2"]
    assert data.writers is not None
    assert data.writers.tolist() == [2600, 2601]


def test_qmnist_labels_without_a_writer(tmp_path: Path) -> None:
    (tmp_path / "test-images-idx3-ubyte").write_bytes(idx_bytes(ink_images(1)))
    (tmp_path / "test-labels-idx2-int").write_bytes(int_table([[7, 4]]))
    assert "table of 2 columns" in refused(tmp_path, tmp_path)


def test_idx_folder_splits(tmp_path: Path) -> None:
    make_idx(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(ink_images(2)))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(np.array([7, 8])))
    assert read_path(tmp_path, "test").labels.tolist() == [7, 8]
    assert read_path(tmp_path, "train").labels.tolist() == LABELS
    assert len(read_path(tmp_path, "all")) == len(LABELS) + 2
    assert read_path(tmp_path / "t10k-images-idx3-ubyte").labels.tolist() == [7, 8]
    with pytest.raises(DataError, match="has the splits test, train; say which"):
        read_path(tmp_path)
    with pytest.raises(DataError, match="no split 'val'; it has test, train"):
        read_path(tmp_path, "val")


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize(
    ("shape", "phrase"),
    [
        ((2**31, 2**10, 2**10), "its header lies"),
        ((2**32 - 1, 2**32 - 1, 2**32 - 1), "its header lies"),
        ((7, 6, 6), "holds fewer"),
        ((5, 6, 6), "holds more"),
        ((0, 6, 6), "holds more"),
    ],
)
def test_idx_header_that_lies(tmp_path: Path, shape: tuple[int, int, int], phrase: str, packed: bool) -> None:
    content = bytes((0, 0, 8, 3)) + struct.pack(">3I", *shape) + ink_images().tobytes()
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(gzip.compress(content) if packed else content)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.array(LABELS)))
    assert phrase in refused(path, tmp_path)


def test_idx_counts_must_agree(tmp_path: Path) -> None:
    path, _ = make_idx(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.array([1, 2])))
    assert "6 images but train-labels-idx1-ubyte 2 labels" in refused(path, tmp_path)


def test_idx_without_labels(tmp_path: Path) -> None:
    path, _ = make_idx(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    assert "labels" in refused(path, tmp_path)
    assert "without labels" in refused(tmp_path, tmp_path)


def test_published_emnist_is_turned_upright(tmp_path: Path) -> None:
    upright = ink_images(3)
    upright[:, 1, 2:5] = 200  # not its own transpose
    lying = upright.transpose(0, 2, 1)
    (tmp_path / "emnist-letters-test-images-idx3-ubyte").write_bytes(idx_bytes(lying))
    (tmp_path / "emnist-letters-test-labels-idx1-ubyte").write_bytes(idx_bytes(np.array([1, 2, 26])))
    data = read_path(tmp_path, "test")
    assert np.array_equal(data.images, upright)
    assert data.characters() == ["A", "B", "Z"]
    assert data.case_known is not None
    assert not data.case_known.any()


def test_emnist_balanced_knows_which_cases_are_merged(tmp_path: Path) -> None:
    (tmp_path / "emnist-balanced-test-images-idx3-ubyte").write_bytes(idx_bytes(ink_images(4)))
    (tmp_path / "emnist-balanced-test-labels-idx1-ubyte").write_bytes(idx_bytes(np.array([0, 10, 12, 46])))
    data = read_path(tmp_path)
    assert data.characters() == ["0", "A", "C", "t"]
    assert data.case_known is not None
    assert data.case_known.tolist() == [True, True, False, True]


def test_two_idx_sets_in_one_folder(tmp_path: Path) -> None:
    for part, label in (("emnist-digits", 4), ("emnist-mnist", 5)):
        (tmp_path / f"{part}-train-images-idx3-ubyte").write_bytes(idx_bytes(ink_images(1)))
        (tmp_path / f"{part}-train-labels-idx1-ubyte").write_bytes(idx_bytes(np.array([label])))
    assert "several sets (emnist-digits, emnist-mnist)" in refused(tmp_path, tmp_path)
    assert read_path(tmp_path / "emnist-mnist-train-images-idx3-ubyte").labels.tolist() == [5]
    assert read_path(tmp_path, "train", ReadOptions(part="emnist-digits")).labels.tolist() == [4]


# --- NPZ


def test_npz_optional_arrays(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    np.savez(
        path,
        images=ink_images(3),
        labels=np.array([0, 1, 1]),
        characters="xy",
        writers=np.array([5, 5, 9]),
        case_known=np.array([True, False, True]),
    )
    data = read_path(path)
    assert data.characters() == ["x", "y", "y"]
    assert data.writers is not None
    assert data.writers.tolist() == [5, 5, 9]
    assert data.case_known is not None
    assert data.case_known.tolist() == [True, False, True]


def test_npz_of_keras_has_splits(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=ink_images(), y_train=np.array(LABELS), x_test=ink_images(1), y_test=np.array([8]))
    assert read_path(path, "test").labels.tolist() == [8]
    assert read_path(path, "train").labels.tolist() == LABELS


@pytest.mark.parametrize(
    ("arrays", "phrase"),
    [
        ({"images": ink_images()}, "needs the arrays `images`"),
        ({"images": ink_images(), "labels": np.array([1, 2])}, "2 labels for 6 images"),
        ({"images": ink_images() / 255, "labels": np.array(LABELS)}, "images are float64"),
        ({"images": ink_images() * np.int16(-1), "labels": np.array(LABELS)}, "images are int16"),
        ({"images": ink_images()[0], "labels": np.array(LABELS)}, "images have shape (6, 6)"),
        ({"images": ink_images(), "labels": np.array(LABELS) / 2}, "labels are float64"),
        ({"images": ink_images(), "labels": np.array([*LABELS[:5], -1])}, "label -1 is outside"),
        ({"images": ink_images(), "labels": np.array([*LABELS[:5], 62])}, "label 62 is outside"),
        ({"images": ink_images(), "labels": np.array(LABELS), "characters": "0120"}, "are no alphabet"),
        ({"images": ink_images(), "labels": np.array(LABELS), "characters": "01"}, "outside 0..1"),
        ({"images": ink_images(0), "labels": np.zeros(0, np.int64)}, "holds no images"),
        (
            {"images": ink_images(), "labels": np.array(LABELS), "case_known": np.array(["a"] * 6)},
            "case_known is <U1",
        ),
    ],
)
def test_npz_that_does_not_fit(tmp_path: Path, arrays: dict[str, np.ndarray], phrase: str) -> None:
    np.savez(tmp_path / "set.npz", **arrays)
    assert phrase in refused(tmp_path / "set.npz", tmp_path)


def test_npz_with_objects_is_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    np.savez(path, images=ink_images(), labels=np.array([{}] * 6, dtype=object))
    assert "Python objects" in refused(path, tmp_path)


def test_npz_array_header_that_lies(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    np.savez(path, images=ink_images(), labels=np.array(LABELS))
    with zipfile.ZipFile(path) as source:
        members = {name: source.read(name) for name in source.namelist()}
    members["images.npy"] = members["images.npy"].replace(b"(6, 6, 6)", b"(6000000, 6, 6)")
    with zipfile.ZipFile(path, "w") as target:
        for name, content in members.items():
            target.writestr(name, content)
    refused(path, tmp_path)


def test_npz_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handread.data.bounds.MAX_BYTES", 1000)
    path = tmp_path / "set.npz"
    np.savez_compressed(path, images=np.zeros((100, 10, 10), np.uint8), labels=np.zeros(100, np.int64))
    assert "at most 1000" in refused(path, tmp_path)


@pytest.mark.parametrize(("first", "last"), [(0, 25), (1, 26), (0, 46)])
def test_numbers_that_count_letters_are_not_taken_for_alphanumeric(tmp_path: Path, first: int, last: int) -> None:
    labels = np.arange(first, last + 1)
    np.savez(tmp_path / "set.npz", images=ink_images(len(labels)), labels=labels)
    assert "characters" in refused(tmp_path / "set.npz", tmp_path)


# --- polarity and range


def test_bright_paper_is_inverted_as_a_set(tmp_path: Path) -> None:
    paper = 255 - ink_images()
    paper[0] = 0  # one image may be dark to its border
    np.savez(tmp_path / "set.npz", images=paper, labels=np.array(LABELS))
    data = read_path(tmp_path / "set.npz")
    assert np.array_equal(data.images, 255 - paper)


@pytest.mark.parametrize("highest", [1, 16])
def test_small_ranges_are_stretched(tmp_path: Path, highest: int) -> None:
    images = (ink_images() > 0).astype(np.uint8) * highest
    np.savez(tmp_path / "set.npz", images=images, labels=np.array(LABELS))
    assert np.unique(read_path(tmp_path / "set.npz").images).tolist() == [0, 255]


# --- splits, nesting and unknown things


def test_files_named_by_split(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", images=ink_images(), labels=np.array(LABELS))
    np.savez(tmp_path / "val.npz", images=ink_images(1), labels=np.array([2]))
    assert read_path(tmp_path, "validation").labels.tolist() == [2]
    assert read_path(tmp_path, "train").name == f"{tmp_path.name}/train"
    assert read_path(tmp_path / "train.npz", "train").labels.tolist() == LABELS
    with pytest.raises(DataError, match="it has train, validation"):
        read_path(tmp_path, "test")


def test_the_only_data_below_is_read(tmp_path: Path) -> None:
    inner = tmp_path / "English" / "Hnd"
    picture(inner / "Sample011" / "img011-003.png")
    (inner.parent / "notes.txt").write_text("nothing")
    assert read_path(tmp_path).characters() == ["A"]


def test_several_sets_in_one_folder_are_listed(tmp_path: Path) -> None:
    make_npz(tmp_path)
    make_csv(tmp_path)
    assert "several sets (set.csv, set.npz)" in refused(tmp_path, tmp_path)


def test_unknown_things_get_the_list_of_forms(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    assert "Sample001..Sample062" in refused(tmp_path, tmp_path)


def test_a_tar_is_read_like_its_folder(tmp_path: Path) -> None:
    folder, _ = make_folders(tmp_path)
    path = tmp_path / "set.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, "pages")
    data = read_path(path)
    assert sorted(data.labels.tolist()) == sorted(LABELS)
    assert data.files is not None
    assert data.files[0] == str(path / "pages" / "1" / "1.png")
    assert form_of(path) == "archive"
