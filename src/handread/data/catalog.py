"""The classic sets by name: what they are, under which licence, where they come from, where they are kept."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handread.alphabet import Alphabet
from handread.data.images import LabelledImages
from handread.errors import DataError, MissingExtraError
from handread.registry import unknown

FOLDER_VARIABLE = "HANDREAD_DATA"
"""Environment variable that names a folder with data sets; looked into before the cache."""

PART = ".part"
"""What stands behind a file's name while it is being fetched."""


@dataclass(frozen=True, slots=True)
class Download:
    """One file that can be fetched."""

    urls: tuple[str, ...]
    """The same file on several servers, tried in this order."""
    file: str
    """Where it belongs in a data folder."""
    checksum: str = ""
    """``sha256:...`` or ``md5:...`` as published; "" where nobody published one."""
    bytes: int | None = None
    """Its size, None where it is not known beforehand."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One data set of the catalogue."""

    name: str
    title: str
    """What is in it, in a few words."""
    licence: str
    source: str
    """Page where a person finds it."""
    files: tuple[str, ...]
    """What to look for in a data folder, in order; the first that exists is read ..."""
    part: str = ""
    """... or, where its folder holds several sets, those files of that folder that begin so."""
    downloads: tuple[Download, ...] = ()
    """What `handread.data.fetch` gets; () where that cannot be done by a program."""
    unpack: str = ""
    """Members of the one downloaded zip to lay beside it, as a pattern for their names; the zip is removed then."""
    by_hand: str = ""
    """How a person gets it where a program cannot; ``FOLDER`` stands for the data folder."""
    note: str = ""
    """What whoever uses it must know, one sentence."""


_MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_MNIST_FILES = (
    ("train-images-idx3-ubyte.gz", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9_912_422),
    ("train-labels-idx1-ubyte.gz", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28_881),
    ("t10k-images-idx3-ubyte.gz", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1_648_877),
    ("t10k-labels-idx1-ubyte.gz", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4_542),
)
_QMNIST_FILES = (
    ("qmnist-train-images-idx3-ubyte.gz", "ed72d4157d28c017586c42bc6afe6370"),
    ("qmnist-train-labels-idx2-int.gz", "0058f8dd561b90ffdd0f734c6a30e5e4"),
    ("qmnist-test-images-idx3-ubyte.gz", "1394631089c404de565df7b7aeaf9412"),
    ("qmnist-test-labels-idx2-int.gz", "5b5b05890a5e13444e108efe57b788aa"),
)
_USPS_FILES = (
    ("usps.bz2", "train.bz2", "ec16c51db3855ca6c91edd34d0e9b197"),
    ("usps.t.bz2", "test.bz2", "8ea070ee2aca1ac39742fdd1ef5ed118"),
)
_EMNIST_PAGE = "https://www.nist.gov/itl/products-and-services/emnist-dataset"
_EMNIST = (
    Download(
        ("https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",),
        "emnist/gzip.zip",
        "sha256:fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
        561_753_746,
    ),
)
_EMNIST_MEMBERS = r"emnist-[a-z]+-(train|test)-(images-idx3|labels-idx1)-ubyte\.gz"
_EMNIST_NOTE = (
    "EMNIST holds images of MNIST's test set: whoever trains on it and quotes MNIST's test figure must first take "
    "out what resembles a MNIST test image"
)


def _emnist(part: str, title: str) -> Entry:
    files = tuple(
        f"{place}emnist-{part}-train-images-idx3-ubyte{ending}"
        for place in (f"emnist-{part}/", "emnist/", "emnist/gzip/", "")
        for ending in ("", ".gz")
    )
    return Entry(
        f"emnist-{part}",
        title,
        "public domain",
        _EMNIST_PAGE,
        files,
        part=f"emnist-{part}",
        downloads=_EMNIST,
        unpack=_EMNIST_MEMBERS,
        note="" if part == "letters" else _EMNIST_NOTE,
    )


_ENTRIES = (
    Entry(
        "mnist",
        "70,000 digits, 28x28",
        "CC BY-SA 3.0",
        "http://yann.lecun.com/exdb/mnist/",
        ("mnist", "MNIST/raw", "mnist.npz", "mnist.zip"),
        downloads=tuple(
            Download(tuple(mirror + file for mirror in _MNIST_MIRRORS), f"mnist/{file}", f"sha256:{checksum}", size)
            for file, checksum, size in _MNIST_FILES
        ),
    ),
    Entry(
        "qmnist",
        "120,000 digits by known writers",
        "BSD-3-Clause",
        "https://github.com/facebookresearch/qmnist",
        ("qmnist", "QMNIST/raw", "qmnist.npz"),
        downloads=tuple(
            Download(
                (f"https://raw.githubusercontent.com/facebookresearch/qmnist/master/{file}",),
                f"qmnist/{file}",
                f"md5:{checksum}",
            )
            for file, checksum in _QMNIST_FILES
        ),
        note="QMNIST's training images are MNIST's, and the first 10,000 of its test images are MNIST's test set",
    ),
    Entry(
        "kaggle-digits",
        "42,000 of MNIST's digits as CSV",
        "CC BY-SA 3.0",
        "https://www.kaggle.com/c/digit-recognizer/data",
        ("kaggle-digits", "digit-recognizer", "kaggle-digits.zip", "digit-recognizer.zip"),
        by_hand=(
            "Kaggle asks for an account: accept the rules of the competition on its page, then run "
            "kaggle competitions download -c digit-recognizer -p FOLDER"
        ),
        note="these are MNIST's images in another order and split: whoever trained on all of MNIST has seen its test set",
    ),
    Entry(
        "chars74k",
        "3,410 characters, 62 classes",
        "research use, cite de Campos et al. 2009",
        "https://info-ee.surrey.ac.uk/CVSSP/demos/chars74k/",
        ("chars74k", "EnglishHnd", "EnglishHnd.tgz", "chars74k.zip"),
        downloads=(
            Download(
                (
                    "https://info-ee.surrey.ac.uk/CVSSP/demos/chars74k/EnglishHnd.tgz",
                    "https://www.ee.surrey.ac.uk/CVSSP/demos/chars74k/EnglishHnd.tgz",
                ),
                "EnglishHnd.tgz",
            ),
        ),
    ),
    Entry(
        "usps",
        "9,298 digits from postcodes, 16x16",
        "not stated",
        "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass.html#usps",
        ("usps", "usps.npz"),
        downloads=tuple(
            Download(
                (f"https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/{remote}",),
                f"usps/{local}",
                f"md5:{checksum}",
            )
            for remote, local, checksum in _USPS_FILES
        ),
    ),
    Entry(
        "digits",
        "1,797 digits, 8x8, in scikit-learn",
        "CC BY 4.0",
        "https://archive.ics.uci.edu/dataset/80",
        (),
        by_hand="scikit-learn carries it: pip install 'handread[train]'",
    ),
    _emnist("byclass", "814,255 characters, 62 classes"),
    _emnist("bymerge", "814,255 characters, 47 classes"),
    _emnist("balanced", "131,600 characters, 47 classes"),
    _emnist("letters", "145,600 letters, 26 classes"),
    _emnist("digits", "280,000 digits"),
    _emnist("mnist", "70,000 digits"),
)

CATALOG: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}
"""Every set that has a name, in the order of `handread data list`."""


def data_folders() -> Iterator[Path]:
    """Where sets are looked for: the folder named by `HANDREAD_DATA`, then the cache."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        yield Path(named).expanduser()
    yield Path("~/.cache/handread").expanduser()


def entry_of(name: str) -> Entry:
    """The entry of that name; `DataError` with the nearest names for another one."""
    if name not in CATALOG:
        raise DataError(unknown("data set", name, CATALOG))
    return CATALOG[name]


def find(entry: Entry) -> Path | None:
    """The file or folder on this machine that holds the set, None where there is none or only a part of it."""
    return None if _broken(entry) else _found(entry)


def unfinished(entry: Entry) -> bool:
    """True where a fetch of the set was interrupted in the middle of a file, or before its zip was unpacked."""
    return _broken(entry) or (_found(entry) is None and any(_part(target).exists() for target in _targets(entry)))


def _found(entry: Entry) -> Path | None:
    for folder in data_folders():
        for file in entry.files:
            if _is_there(folder / file):
                return (folder / file).parent if entry.part else folder / file
    return None


def _is_there(path: Path) -> bool:
    # An empty folder, or one with hidden files alone, is what a fetch has left that was killed before it got anything.
    if not path.is_dir():
        return path.exists()
    try:
        return any(not name.startswith(".") for name in os.listdir(path))
    except OSError:  # whoever reads it will say why
        return True


def _broken(entry: Entry) -> bool:
    """A file is there in part only, or a zip, which goes when all of it is laid out."""
    if entry.unpack:
        return any(target.exists() for target in _targets(entry))
    return any(_part(target).exists() and not target.exists() for target in _targets(entry))


def _part(target: Path) -> Path:
    return target.with_name(target.name + PART)


def _targets(entry: Entry) -> list[Path]:
    return [next(data_folders()) / item.file for item in entry.downloads]


def locate(name: str) -> Path:
    """The file or folder to read for a catalogue set.

    Raises `DataError`, which says how to get it, where it is not on this machine.
    """
    entry = entry_of(name)
    found = find(entry)
    if found is not None:
        return found
    places = " or ".join(str(folder) for folder in data_folders())
    if unfinished(entry):
        raise DataError(f"{name} was not fetched to its end; go on with handread data fetch {name}")
    programs = f"run handread data fetch {name}, or " if entry.downloads else ""
    raise DataError(
        f"{name} is not on this machine; {programs}get it from {entry.source} and put it as {entry.files[0]} "
        f"into {places}"
    )


def sklearn_digits() -> LabelledImages:
    """The 1,797 real digits that scikit-learn carries (Alpaydin and Kaynak 1998), uint8 (1797, 8, 8).

    Raises `MissingExtraError` where scikit-learn is not installed.
    """
    try:
        datasets = importlib.import_module("sklearn.datasets")
    except ImportError:
        raise MissingExtraError("the data set 'digits'", "train") from None
    bunch = datasets.load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    return LabelledImages("digits", images, bunch.target.astype(np.int64), Alphabet.of("digits"))
