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


@dataclass(frozen=True, slots=True)
class Entry:
    """One data set of the catalogue."""

    name: str
    title: str
    licence: str
    source: str
    """Page where a person finds it."""
    files: tuple[str, ...]
    """What to look for in a data folder, in order; the first that exists is read ..."""
    part: str = ""
    """... or, where its folder holds several sets, those files of that folder that begin so."""


_EMNIST_PAGE = "https://www.nist.gov/itl/products-and-services/emnist-dataset"


def _emnist(part: str, title: str) -> Entry:
    files = tuple(
        f"{place}emnist-{part}-train-images-idx3-ubyte{ending}"
        for place in (f"emnist-{part}/", "emnist/", "emnist/gzip/", "")
        for ending in ("", ".gz")
    )
    return Entry(f"emnist-{part}", f"EMNIST {part}: {title}", "public domain", _EMNIST_PAGE, files, f"emnist-{part}")


_ENTRIES = (
    Entry(
        "mnist",
        "MNIST: 70,000 digits, 28x28",
        "CC BY-SA 3.0",
        "http://yann.lecun.com/exdb/mnist/",
        ("mnist", "MNIST/raw", "mnist.npz", "mnist.zip"),
    ),
    Entry(
        "qmnist",
        "QMNIST: MNIST with its 60,000 test digits and writers restored",
        "BSD-3-Clause",
        "https://github.com/facebookresearch/qmnist",
        ("qmnist", "QMNIST/raw", "qmnist.npz"),
    ),
    Entry(
        "kaggle-digits",
        "Kaggle Digit Recognizer: MNIST's images as CSV, 42,000 labelled",
        "CC BY-SA 3.0",
        "https://www.kaggle.com/c/digit-recognizer/data",
        ("kaggle-digits", "digit-recognizer", "kaggle-digits.zip", "digit-recognizer.zip"),
    ),
    Entry(
        "chars74k",
        "Chars74K handwritten: 3,410 characters of 62 classes by 55 writers",
        "research use, cite de Campos et al. 2009",
        "http://www.ee.surrey.ac.uk/CVSSP/demos/chars74k/",
        ("chars74k", "EnglishHnd", "EnglishHnd.tgz", "chars74k.zip"),
    ),
    Entry(
        "usps",
        "USPS: 9,298 digits from postcodes, 16x16",
        "not stated",
        "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass.html#usps",
        ("usps", "usps.npz"),
    ),
    Entry(
        "digits",
        "Optical digits: 1,797 digits, 8x8, carried by scikit-learn",
        "CC BY 4.0",
        "https://archive.ics.uci.edu/dataset/80",
        (),
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


def locate(name: str) -> Path:
    """The file or folder to read for a catalogue set.

    Raises `DataError`, which says how to get it by hand, where it is not on this machine.
    """
    entry = CATALOG.get(name)
    if entry is None:
        raise DataError(unknown("data set", name, CATALOG))
    for folder in data_folders():
        for file in entry.files:
            if (folder / file).exists():
                return (folder / file).parent if entry.part else folder / file
    places = " or ".join(str(folder) for folder in data_folders())
    raise DataError(
        f"{name} is not on this machine; get it from {entry.source} and put it as {entry.files[0]} into {places}"
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
