from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from handread.data.atomic import ENDING
from handread.errors import AlphabetError, ConfigError, DataError, HandreadError, UnknownNameError
from handread.recognizer import Recognizer
from handread.scale import entry, job, listing, outcome, outlet, parquet, shard, threads
from handread.scale.listing import MARK
from handread.scale.run import ReadConfig, Summary, read_all

Rows = Callable[[Path], list[dict[str, Any]]]


@pytest.fixture
def config(tiny_model: Path) -> Callable[..., ReadConfig]:
    """A function that makes a `ReadConfig` for the tiny network: --one, 3 pictures a shard, or as told."""
    return lambda **other: ReadConfig(**{"one": True, "model": str(tiny_model), "shard_size": 3, **other})


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the shards that were read and written, in order."""
    numbers: list[int] = []
    real = job.write_shard

    def spy(*arguments: Any) -> Any:
        numbers.append(arguments[1].number)
        return real(*arguments)

    monkeypatch.setattr(threads, "write_shard", spy)
    return numbers


def contents(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.iterdir()}


def test_rows_say_what_the_recogniser_says(
    folder: Path, tmp_path: Path, tiny_model: Path, config: Callable[..., ReadConfig], rows: Rows
) -> None:
    out = tmp_path / "deep" / "out"
    assert read_all([str(folder)], str(out), config()) == Summary(pictures=7, failed=1, shards=3, found=0)
    assert sorted(path.name for path in out.iterdir()) == [MARK, *(f"part-0000{n}.parquet" for n in range(3))]
    found = rows(out)
    assert [row["source"] for row in found] == [str(folder / f"{n}.png") for n in range(1, 8)]
    assert "".join(row["text"] for row in found) == "710107"
    reader = Recognizer(tiny_model)
    for row in found:
        if row["error"]:
            continue
        (character,) = reader.read(row["source"], one=True).characters
        box = character.box
        assert row["characters"] == [
            {"text": character.text, "confidence": pytest.approx(character.confidence, abs=1e-6), "accepted": True,
             "reason": "", "x": box.x, "y": box.y, "width": box.width, "height": box.height}
        ]  # fmt: skip
        assert (row["confidence"], row["accepted"]) == (pytest.approx(character.confidence, abs=1e-6), True)


def test_a_bad_picture_is_a_row_with_its_error(
    folder: Path, tmp_path: Path, config: Callable[..., ReadConfig], rows: Rows
) -> None:
    read_all([str(folder)], str(tmp_path / "out"), config())
    bad = rows(tmp_path / "out")[3]
    assert bad.pop("error").startswith(f"{folder / '4.png'} is not a picture that Handread reads")
    assert bad == {"source": str(folder / "4.png"), "text": "", "confidence": 0, "accepted": False, "characters": []}


@pytest.mark.parametrize("one", [True, False])
def test_a_picture_that_nobody_foresaw_does_not_end_the_run(
    folder: Path,
    tmp_path: Path,
    config: Callable[..., ReadConfig],
    rows: Rows,
    one: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = outcome._content

    def fail(picture: Any, base: str) -> Any:
        if picture.source.endswith("2.png"):
            raise ZeroDivisionError("by zero")
        return real(picture, base)

    monkeypatch.setattr(outcome, "_content", fail)
    assert read_all([str(folder)], str(tmp_path / "out"), config(one=one)).failed == 2
    assert rows(tmp_path / "out")[1]["error"].startswith("this is a bug in Handread (ZeroDivisionError: by zero)")


def test_lines_are_read_without_one(
    tmp_path: Path, folder: Path, config: Callable[..., ReadConfig], rows: Rows, tiny_model: Path
) -> None:
    read_all([str(folder)], str(tmp_path / "out"), config(one=False))
    first = Recognizer(tiny_model).read(folder / "1.png")
    assert rows(tmp_path / "out")[0]["text"] == first.text == "7"


def test_a_finished_shard_is_not_read_again(
    folder: Path, tmp_path: Path, config: Callable[..., ReadConfig], written: list[int]
) -> None:
    out = tmp_path / "out"
    read_all([str(folder)], str(out), config())
    before = contents(out)
    (out / "part-00001.parquet").unlink()
    assert written == [0, 1, 2]
    assert read_all([str(folder)], str(out), config()) == Summary(pictures=7, failed=1, shards=3, found=2)
    assert written == [0, 1, 2, 1]
    assert contents(out) == before
    assert read_all([str(folder)], str(out), config()) == Summary(pictures=7, failed=1, shards=3, found=3)
    assert written == [0, 1, 2, 1]


@pytest.mark.parametrize("harm", ["cut", "other"])
def test_a_damaged_shard_is_read_again(
    folder: Path, tmp_path: Path, config: Callable[..., ReadConfig], written: list[int], harm: str
) -> None:
    out = tmp_path / "out"
    read_all([str(folder)], str(out), config())
    before = contents(out)
    first = out / "part-00000.parquet"
    # cut off, or with fewer rows than it should have
    first.write_bytes(before[first.name][:-9] if harm == "cut" else before["part-00002.parquet"])
    assert read_all([str(folder)], str(out), config()).found == 2
    assert written == [0, 1, 2, 0]
    assert contents(out) == before


def test_what_a_killed_run_left_is_taken_away(folder: Path, tmp_path: Path, config: Callable[..., ReadConfig]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / f".part-00001.parquet.x1y2{ENDING}").write_bytes(b"half")
    read_all([str(folder)], str(out), config())
    assert not list(out.glob(".*"))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"one": False}, "--one set otherwise (True, now False)"),
        ({"strict": True}, "--strict set otherwise"),
        ({"alphabet": "digits"}, "another --alphabet ('0123456789ABCDEFGHI...', now '0123456789')"),
        ({"shard_size": 4}, "another --shard-size (3, now 4)"),
        ({"column": "scan"}, "another --column ('image', now 'scan')"),
        ({"model": "handread"}, "another model;"),
    ],
)
def test_another_reading_is_refused_and_nothing_is_lost(
    folder: Path, tmp_path: Path, config: Callable[..., ReadConfig], other: dict[str, Any], said: str
) -> None:
    out = tmp_path / "out"
    read_all([str(folder)], str(out), config())
    before = contents(out)
    with pytest.raises(ConfigError) as told:
        read_all([str(folder)], str(out), config(**other))
    assert said in str(told.value)
    assert str(told.value).endswith("give the same again to go on, or another folder for --out")
    assert contents(out) == before


def test_another_input_is_refused(folder: Path, tmp_path: Path, config: Callable[..., ReadConfig]) -> None:
    read_all([str(folder)], str(tmp_path / "out"), config())
    (folder / "7.png").rename(folder / "8.png")
    with pytest.raises(ConfigError, match="begun with another input;"):
        read_all([str(folder)], str(tmp_path / "out"), config())


def test_an_input_that_changes_meanwhile_is_told(
    folder: Path, tmp_path: Path, config: Callable[..., ReadConfig]
) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "1.png").touch()

    def progress(done: int, total: int) -> None:
        (tmp_path / "more" / "2.png").touch()

    inputs = [str(folder), str(tmp_path / "more")]
    with pytest.raises(DataError, match="changed while it was read"):
        read_all(inputs, str(tmp_path / "out"), config(shard_size=1), workers=1, progress=progress)


def test_a_picture_that_goes_meanwhile_is_a_row_with_its_error(
    folder: Path, tmp_path: Path, config: Callable[..., ReadConfig], rows: Rows
) -> None:
    def progress(done: int, total: int) -> None:
        (folder / "7.png").unlink(missing_ok=True)

    found = read_all([str(folder)], str(tmp_path / "out"), config(shard_size=1), workers=1, progress=progress)
    assert found.failed == 2
    assert rows(tmp_path / "out")[6]["error"] == f"{folder / '7.png'} does not exist; check the name"


def test_files_of_somebody_else_are_not_written_over(
    folder: Path, tmp_path: Path, config: Callable[..., ReadConfig]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "part-00000.parquet").write_bytes(b"precious")
    with pytest.raises(ConfigError, match="holds part- files that no reading has left there"):
        read_all([str(folder)], str(out), config())
    assert contents(out) == {"part-00000.parquet": b"precious"}


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"format": 2}', b'{"format": 1}'])
def test_a_damaged_manifest_is_told(
    folder: Path, tmp_path: Path, config: Callable[..., ReadConfig], content: bytes
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / MARK).write_bytes(content)
    with pytest.raises(DataError, match=f"{MARK} is damaged"):
        read_all([str(folder)], str(out), config())
    assert contents(out) == {MARK: content}


@pytest.mark.parametrize(
    ("other", "more", "error", "said"),
    [
        ({"alphabet": "0-"}, {}, AlphabetError, "never seen '-'"),
        ({"model": "none.onnx"}, {}, HandreadError, "none.onnx does not exist"),
        ({}, {"engine": "thread"}, UnknownNameError, "did you mean threads?"),
        ({}, {"workers": 0}, ConfigError, "0 workers read nothing"),
    ],
)
def test_a_wrong_wish_is_told_before_anything_is_written(
    folder: Path, tmp_path: Path, config: Callable[..., ReadConfig], other: Any, more: Any, error: type, said: str
) -> None:
    with pytest.raises(error, match=said.replace("?", r"\?")):
        read_all([str(folder)], str(tmp_path / "out"), config(**other), **more)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size", [0, 1_000_001])
def test_a_shard_has_a_size(size: int) -> None:
    with pytest.raises(ConfigError, match=r"allowed are 1 to 1,000,000 pictures"):
        ReadConfig(shard_size=size)


def test_nothing_to_read_is_an_error(tmp_path: Path, config: Callable[..., ReadConfig]) -> None:
    (tmp_path / "bare").mkdir()
    with pytest.raises(DataError, match="bare holds no pictures"):
        read_all([str(tmp_path / "bare")], str(tmp_path / "out"), config())


def test_a_file_in_the_way_of_the_folder(folder: Path, tmp_path: Path, config: Callable[..., ReadConfig]) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(DataError, match="cannot be made a folder"):
        read_all([str(folder)], str(tmp_path / "out"), config())


def test_a_column_of_pictures(
    tmp_path: Path,
    png: dict[str, bytes],
    as_parquet: Callable[..., Path],
    config: Callable[..., ReadConfig],
    rows: Rows,
) -> None:
    (tmp_path / "1.png").write_bytes(png["1"])
    cells = [
        {"bytes": png["7"], "path": "seven.png"}, {"bytes": None, "path": "1.png"}, {"bytes": b"x", "path": None},
        {"bytes": None, "path": None}, None, {"bytes": png["0"], "path": None}, {"bytes": png["7"], "path": None},
    ]  # fmt: skip
    file = as_parquet(tmp_path / "set.parquet", cells, name="scan")
    found = read_all([str(file)], str(tmp_path / "out"), config(column="scan", shard_size=2))
    assert found == Summary(pictures=7, failed=3, shards=4, found=0)
    table = rows(tmp_path / "out")
    assert [row["source"] for row in table] == [f"{file}#{n}" for n in range(7)]
    assert [row["text"] for row in table] == ["7", "1", "", "", "", "0", "7"]
    assert [row["error"] for row in table[3:5]] == [f"{file}#{n} holds no picture; its cell is empty" for n in (3, 4)]


def test_a_column_of_bytes_and_one_of_addresses(
    tmp_path: Path,
    png: dict[str, bytes],
    as_parquet: Callable[..., Path],
    config: Callable[..., ReadConfig],
    rows: Rows,
) -> None:
    (tmp_path / "1.png").write_bytes(png["1"])
    file = as_parquet(tmp_path / "a.parquet", [png[c] for c in "7017"], rows=3)
    as_parquet(tmp_path / "b.parquet", ["1.png", "2.png"])
    read_all([str(file), str(tmp_path / "b.parquet")], str(tmp_path / "out"), config(shard_size=5))
    table = rows(tmp_path / "out")
    assert [row["text"] for row in table] == ["7", "0", "1", "7", "1", ""]
    assert [row["source"] for row in table[4:]] == [str(tmp_path / "1.png"), str(tmp_path / "2.png")]
    assert table[5]["error"] == f"{tmp_path / '2.png'} does not exist; check the name"


def test_a_parquet_file_damaged_inside_gives_rows_with_the_reason(
    tmp_path: Path,
    png: dict[str, bytes],
    as_parquet: Callable[..., Path],
    config: Callable[..., ReadConfig],
    rows: Rows,
) -> None:
    grain = np.random.default_rng(1)  # what cannot be compressed stands in the file as it is
    file = as_parquet(tmp_path / "a.parquet", [png["7"] + grain.bytes(3000) for _ in range(6)])
    content = bytearray(file.read_bytes())
    where = pq.ParquetFile(file).metadata.row_group(1).column(1).data_page_offset
    content[where : where + 30] = b"\xff" * 30
    file.write_bytes(content)
    assert read_all([str(file)], str(tmp_path / "out"), config(shard_size=6)).failed == 2
    table = rows(tmp_path / "out")
    assert [row["source"] for row in table] == [f"{file}#{n}" for n in range(6)]
    assert [row["text"] for row in table] == ["7", "7", "", "", "7", "7"]
    for n in (2, 3):
        assert table[n]["error"].startswith(f"{file} cannot be read at row {n}: ")


def test_a_parquet_file_that_goes_meanwhile(png: dict[str, bytes], tmp_path: Path) -> None:
    found = list(parquet.pictures_in(listing.Rows(str(tmp_path / "a.parquet"), "image", 4, 2, 99)))
    assert [picture.source.rpartition("#")[2] for picture in found] == ["4", "5"]
    assert "cannot be opened: No such file" in found[1].error


def test_a_list_of_addresses_from_another_folder(
    folder: Path, tmp_path: Path, config: Callable[..., ReadConfig], rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.csv").write_text("image\nphotos/2.png\nphotos/none.png\n")
    read_all(["list.csv"], "out", config())
    assert [(row["source"], row["text"]) for row in rows(Path("out"))] == [
        ("photos/2.png", "1"),
        ("photos/none.png", ""),
    ]


def test_a_name_that_is_no_utf8(folder: Path, tmp_path: Path, config: Callable[..., ReadConfig], rows: Rows) -> None:
    (folder / "4.png").rename(folder / "4\udcff.png")
    read_all([str(folder)], str(tmp_path / "out"), config())
    bad = rows(tmp_path / "out")[3]
    assert bad["source"] == str(folder / "4\\xff.png")
    assert bad["error"].startswith(bad["source"])


def test_everything_may_be_behind_urls(
    folder: Path, tmp_path: Path, png: dict[str, bytes], as_parquet: Callable[..., Path], rows: Rows,
    config: Callable[..., ReadConfig], written: list[int],
) -> None:  # fmt: skip
    store = pytest.importorskip("fsspec").filesystem("memory")
    store.pipe_file("/read-all/in/1.png", png["7"])
    store.pipe_file("/read-all/in/2.png", b"x")
    store.pipe_file("/read-all/in/3.parquet", as_parquet(tmp_path / "x.parquet", [png["0"]] * 3).read_bytes())
    store.pipe_file("/read-all/list.txt", b"in/1.png\nnone.png\n")
    inputs, out = ["memory://read-all/in", "memory://read-all/list.txt"], "memory://read-all/out"
    assert read_all(inputs, out, config()) == Summary(pictures=7, failed=2, shards=3, found=0)
    store.rm_file("/read-all/out/part-00001.parquet")
    assert read_all(inputs, out, config()) == Summary(pictures=7, failed=2, shards=3, found=2)
    assert written == [0, 1, 2, 1]
    for name in store.ls("/read-all/out", detail=False):
        (tmp_path / Path(name).name).write_bytes(store.cat_file(name))
    table = rows(tmp_path)
    assert [row["text"] for row in table] == ["7", "", "0", "0", "0", "7", ""]
    assert table[6]["error"] == "memory://read-all/none.png does not exist; check the address"


def test_a_file_url_is_a_disk_on_which_nothing_half_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fsspec")
    written: list[Path] = []
    monkeypatch.setattr(outlet, "write_atomic", lambda path, content: written.append(path))
    outlet.outlet(f"file://{tmp_path}/out").write("a", b"content")
    assert written == [tmp_path / "out" / "a"]


def test_threads_change_nothing(folder: Path, tmp_path: Path, config: Callable[..., ReadConfig]) -> None:
    for workers in (1, 5):
        read_all([str(folder)], str(tmp_path / str(workers)), config(), workers=workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "5")


def test_a_few_pictures_are_held_whatever_their_number(
    tmp_path: Path, png: dict[str, bytes], as_parquet: Callable[..., Path], config: Callable[..., ReadConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    alive: weakref.WeakSet[entry.Picture] = weakref.WeakSet()
    most = []

    def counted(*arguments: Any, **named: Any) -> entry.Picture:
        picture = real(*arguments, **named)
        alive.add(picture)
        most.append(len(alive))
        return picture

    real = entry.Picture
    for module in (parquet, shard):
        monkeypatch.setattr(module, "Picture", counted)
    count, workers = 200, 2
    file = as_parquet(tmp_path / "a.parquet", [png["7"]] * count, rows=100)
    names = tmp_path / "names.txt"
    names.write_text("none.png\n" * count)
    found = read_all([str(file), str(names)], str(tmp_path / "out"), config(shard_size=50), workers=workers)
    assert (found.pictures, found.failed) == (2 * count, count)
    assert len(most) == 2 * count
    # those that wait, those that the threads are at, and the one that is being put together
    assert max(most) <= (workers + threads.AHEAD + 1) * outcome.BATCH


def test_large_pictures_come_in_smaller_batches() -> None:
    pictures = [parquet.Picture(str(n), content=bytes(outcome.BATCH_BYTES // 4)) for n in range(10)]
    assert [len(batch) for batch in outcome.batches(pictures)] == [4, 4, 2]
    small = [parquet.Picture(str(n)) for n in range(70)]
    assert [len(batch) for batch in outcome.batches(small)] == [32, 32, 6]
    huge = [parquet.Picture("x", content=bytes(outcome.BATCH_BYTES + 1))] * 2
    assert [len(batch) for batch in outcome.batches(huge)] == [1, 1]


def test_the_manifest_says_what_was_read(folder: Path, tmp_path: Path, config: Callable[..., ReadConfig]) -> None:
    read_all([str(folder)], str(tmp_path / "out"), config())
    said = json.loads((tmp_path / "out" / MARK).read_text())
    assert {name: said[name] for name in ("inputs", "pictures", "shards", "shard_size", "one", "model")} == {
        "inputs": [str(folder)], "pictures": 7, "shards": 3, "shard_size": 3, "one": True, "model": "tiny",
    }  # fmt: skip
