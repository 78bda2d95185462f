"""What Handread stands on is pinned, hashed, licensed and listed; what it hands on is built to the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("packaging")
pytest.importorskip("hatchling", reason="needs the extra dev")

from handread.errors import ModelError
from handread.recognizer import Recognizer
from handread.runtime import store
from release import lock, rendering, sbom
from release.dependencies import BASE, Package, load, normal, pinned, wanted

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "src/handread/web/static"
LOCKED = load()
NAMES = {package.name for package in LOCKED}

_LINE = re.compile(r"([a-z0-9-]+)==(\S+)((?: --hash=sha256:[0-9a-f]{64})+)")


# pins and hashes


def test_the_lock_is_that_of_the_constraints() -> None:
    """The same names and versions; all that is declared is there, and nothing that nobody needs."""
    assert {package.name: package.version for package in LOCKED} == pinned()
    for kind, requirements in wanted().items():
        asked = {normal(re.split(r"[\[<>=~! ]", line)[0]) for line in requirements}
        assert asked <= {package.name for package in LOCKED if kind in package.sets}
    assert [package.name for package in LOCKED if not package.sets] == []
    assert {need for package in LOCKED for need in package.needs} <= NAMES
    assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for package in LOCKED for file in package.files)
    assert [package.name for package in LOCKED if not 1 <= len(package.files) <= 2] == []


def test_every_file_of_a_package_is_a_wheel_of_its_version() -> None:
    """A source archive would run code of its own to be built."""
    for package in LOCKED:
        for file in package.files:
            name, version, *_, platform = file.name.removesuffix(".whl").split("-")
            assert (file.name[-4:], normal(name), version) == (".whl", package.name, package.version)
            assert platform == "any" or platform.endswith("x86_64"), file.name


def test_what_is_made_of_the_lock_is_up_to_date() -> None:
    for path, text in rendering.written().items():
        assert path.read_text(encoding="utf-8") == text, f"run python -m release pages: {path.name}"


@pytest.mark.parametrize("name", rendering.LOCKS)
def test_a_file_of_hashes_pins_all_that_its_set_needs(name: str) -> None:
    text = (rendering.REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    assert "://" not in text  # whose index the files come from is for the one who installs
    rows = [" ".join(row.split()) for row in text.replace("\\\n", "").splitlines() if not row.startswith("#")]
    found = {row[1]: row[2] for row in map(_LINE.fullmatch, rows) if row}
    assert len(found) == len(rows)
    assert found == {key: version for key, version in pinned().items() if key in found}
    assert {need for package in LOCKED if package.name in found for need in package.needs if _is_in(need, name)} <= set(
        found
    )


def _is_in(name: str, file: str) -> bool:
    (package,) = (package for package in LOCKED if package.name == name)
    return bool(set(package.sets) & set(rendering.LOCKS[file]))


def test_reading_needs_no_more_than_it_did() -> None:
    """The base set is a promise: whoever lengthens it does so here, and knows why."""
    assert {package.name for package in LOCKED if BASE in package.sets} == {
        "click", "flatbuffers", "markdown-it-py", "mdurl", "numpy", "onnxruntime", "opencv-python-headless",
        "packaging", "pillow", "protobuf", "pygments", "rich",
    }  # fmt: skip


# licences


def test_no_licence_is_missing_and_reading_needs_nothing_under_the_gpl() -> None:
    known = re.compile(r"(?:LicenseRef-NVIDIA-Proprietary|[A-Za-z0-9.+-]+)")
    words = {p.name: [w for w in re.split(r" AND | OR | WITH |[()]", p.licence) if w] for p in LOCKED}
    assert all(parts and all(known.fullmatch(part) for part in parts) for parts in words.values())
    strong = {name for name, parts in words.items() if any(re.match(r"A?GPL|SSPL|EUPL|OSL", part) for part in parts)}
    assert strong == {"pillow-heif"}  # and the page says so
    (heic,) = (package for package in LOCKED if package.name == "pillow-heif")
    assert heic.sets == ("heic",)
    unfree = {package.name for package in LOCKED if "Proprietary" in package.licence}
    assert all(package.sets == ("train",) for package in LOCKED if package.name in unfree)


def test_the_page_of_licences_names_every_package_in_its_version() -> None:
    page = rendering.LICENCES.read_text(encoding="utf-8")
    assert [p.name for p in LOCKED if f"| {p.name} | {p.version} | {p.licence} |" not in page] == []


def test_what_is_installed_says_of_its_licence_what_the_lock_says() -> None:
    compared = 0
    for package in LOCKED:
        try:
            told = metadata.metadata(package.name)
        except metadata.PackageNotFoundError:
            continue
        if told["Version"] != package.version:
            continue
        said = {
            "name": package.name,
            "license_expression": told.get("License-Expression"),
            "license": told.get("License"),
            "classifier": told.get_all("Classifier") or [],
        }
        assert lock.licence(said) == package.licence, package.name
        compared += 1
    assert compared >= 12


@pytest.mark.parametrize(
    "told",
    [{}, {"license": "see the file"}, {"classifier": ["License :: OSI Approved :: BSD License"]}],
    ids=["none", "vague", "which BSD"],
)
def test_a_licence_that_is_not_certain_is_asked_for(told: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="new-thing has no certain licence"):
        lock.licence({"name": "new_thing", **told})


# how the lock is made


def report(*rows: dict[str, Any]) -> lock.Report:
    """What pip would report."""
    return {
        "install": [
            {
                "metadata": {"version": "1", "license": "MIT", "requires_dist": [], **row},
                "download_info": {
                    "url": f"somewhere/{row['name']}-1-py3-none-any.whl",
                    "archive_info": {"hashes": {"sha256": "0" * 64}},
                },
            }
            for row in rows
        ]
    }


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A project that needs a[x], and pins a, b and c."""
    monkeypatch.setattr(lock, "pinned", lambda: {"a": "1", "b": "1", "c": "1"})
    monkeypatch.setattr(lock, "wanted", lambda: {BASE: ["a[x]>=1"]})


@pytest.mark.usefixtures("little")
def test_who_needs_whom_is_worked_out_for_each_python() -> None:
    a = {"name": "a", "requires_dist": ["B; extra == 'x'", "c; python_version >= '3.12'", "d; sys_platform == 'win32'"]}
    told = report(a, {"name": "b"}, {"name": "c"})
    made = {package.name: package for package in lock.packages(dict.fromkeys(lock.PYTHONS, told))}
    assert made["a"] == Package("a", "1", "MIT", (BASE,), ("b", "c"), made["a"].files)
    assert [file.name for file in made["a"].files] == ["a-1-py3-none-any.whl"]


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize(
    ("needs", "sentence"),
    [("d", "d, which a needs, is not in constraints.txt"), ("b>=2", "a needs b>=2, constraints.txt has 1")],
)
def test_a_pin_that_is_missing_or_does_not_fit_is_named(needs: str, sentence: str) -> None:
    told = report({"name": "a", "requires_dist": [needs]}, {"name": "b"}, {"name": "c"})
    with pytest.raises(ValueError, match=sentence):
        lock.packages(dict.fromkeys(lock.PYTHONS, told))


# bills of materials


@pytest.mark.parametrize("name", sbom.BILLS)
def test_a_bill_is_cyclonedx_and_lists_all_that_is_handed_on(name: str) -> None:
    """The fields that CycloneDX 1.6 requires, references that lead somewhere, every package, page file and weight."""
    sets = sbom.BILLS[name]
    text = sbom.bill(sets)
    assert sbom.bill(sets) == text  # bit for bit
    found = json.loads(text)
    assert (found["bomFormat"], found["specVersion"], found["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", found["serialNumber"])
    components = found["components"]
    for component in [*components, *(part for one in components for part in one["components"])]:
        assert {"type", "name"} <= set(component)
        assert component["type"] in ("library", "file", "machine-learning-model")
        assert all(re.fullmatch("[0-9a-f]{64}", each["content"]) for each in component.get("hashes", []))
        assert component["type"] != "file" or component["hashes"][0]["alg"] == "SHA-256"
        for licence in component.get("licenses", []):
            assert set(licence) <= {"license", "expression"}
    references = [found["metadata"]["component"]["bom-ref"], *(component["bom-ref"] for component in components)]
    assert len(set(references)) == len(references)
    named = [row["ref"] for row in found["dependencies"]] + [
        n for row in found["dependencies"] for n in row["dependsOn"]
    ]
    assert set(named) == set(references)
    packages = {p.name: p.version for p in LOCKED if set(sets) & set(p.sets)}
    assert {c["name"]: c["version"] for c in components if c.get("purl", "").startswith("pkg:pypi/")} == packages
    files = {part["name"]: part["hashes"][0]["content"] for one in components for part in one["components"]}
    carried = {path: digest for path, digest in files.items() if path.startswith("handread/")}
    assert {f"handread/weights/{each}.onnx" for each in store.shipped()} <= set(carried)
    for path, digest in carried.items():
        assert hashlib.sha256((ROOT / "src" / path).read_bytes()).hexdigest() == digest


# builds


def test_two_builds_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second from the source archive of the first, in another folder, with other times and rights of the files."""
    from release.building import CHECKSUMS, build

    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    one = build(tmp_path / "one")
    wheel, sources = one[:2]
    with tarfile.open(sources) as tar:
        assert {(entry.mtime, entry.uid, entry.uname) for entry in tar if entry.isfile()} == {(1700000000, 0, "")}
        tar.extractall(tmp_path, filter="data")
    copy = tmp_path / sources.name.removesuffix(".tar.gz")
    for path in filter(Path.is_file, copy.rglob("*")):
        path.chmod(0o700 if path.stat().st_mode & stat.S_IXUSR else 0o600)
        os.utime(path, (10**9, 10**9))
    other = build(tmp_path / "other", copy)
    assert [path.name for path in one] == [path.name for path in other]
    assert [path.name for path, again in zip(one, other, strict=True) if path.read_bytes() != again.read_bytes()] == []
    with zipfile.ZipFile(wheel) as archive:
        assert {entry.date_time[:3] for entry in archive.infolist()} == {(2023, 11, 14)}
    sums = dict(row.split("  ")[::-1] for row in (tmp_path / "one" / CHECKSUMS).read_text().splitlines())
    assert sums == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in one[:-1]}


# what is carried


def test_every_foreign_file_of_the_page_is_listed_with_its_licence() -> None:
    """In the folders for foreign files nothing is unlisted, and outside them nothing is foreign."""
    rows: list[dict[str, Any]] = json.loads(rendering.VENDORED.read_text(encoding="utf-8"))
    opening = {"MIT": "Permission is hereby granted", "OFL-1.1": "SIL Open Font License"}
    listed = {"vendor/VENDORED.json"}
    for row in rows:
        assert set(row) == {"package", "version", "from", "licence", "licence_file", "files"}
        assert opening[row["licence"]].lower() in (STATIC / row["licence_file"]).read_text(encoding="utf-8").lower()
        for name, digest in row["files"].items():
            assert row["version"] in name
            assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == digest
        listed |= {*row["files"], row["licence_file"]}
    there = {path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file()}
    foreign = {name for name in there if name.split("/")[0] in ("vendor", "fonts")}
    assert foreign == listed
    for name in there - foreign - {f"examples/{path.name}" for path in (ROOT / "examples").iterdir()}:
        assert not re.search(r"©|copyright|@licen[cs]e|spdx", (STATIC / name).read_text("utf-8"), re.IGNORECASE)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shipped weights in their place."""
    place = tmp_path / "weights"
    shutil.copytree(store.WEIGHTS, place)
    monkeypatch.setattr(store, "WEIGHTS", place.resolve())
    return place


@pytest.mark.parametrize("name", store.shipped())
def test_shipped_weights_with_one_changed_bit_are_not_loaded(
    name: str, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name, by path, by a path with dots in it and by a link; as they were shipped they are."""
    path = shelf / f"{name}.onnx"
    assert Recognizer(name).card.name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (tmp_path / "link.onnx").symlink_to(path)
    monkeypatch.chdir(shelf)
    for way in (name, path, f"{name}.onnx", f"../weights/{name}.onnx", tmp_path / "link.onnx"):
        with pytest.raises(ModelError, match="is damaged: its checksum is not the one it was shipped with"):
            store.load(way)
