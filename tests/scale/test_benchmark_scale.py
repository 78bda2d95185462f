from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

ROW = {"runs": "5", "machine": "a machine", "versions": "Python 3.11", "weights": "0", "pictures": "4000"}


@pytest.fixture(autouse=True)
def from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts are no part of the package: they are found from the repository's root."""
    monkeypatch.syspath_prepend(str(ROOT))


def test_a_run_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    from benchmarks import scale

    scale.draw(str(tmp_path), 2)
    done = scale._read(tmp_path, "threads", "one", 6, 3, tmp_path / "out")
    assert done.rate > 0
    assert done.start >= 0
    assert sorted(path.name for path in (tmp_path / "out").glob("part-*")) == [
        "part-00000.parquet",
        "part-00001.parquet",
    ]
    assert (tmp_path / "one-6.txt").read_text().splitlines() == ["one/0.png", "one/1.png"] * 3


def test_rows_that_differ_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from benchmarks import scale

    for name, values in (("a", [1, 2, 3]), ("b", [1, 4])):
        (tmp_path / name).mkdir()
        pq.write_table(pa.table({"x": values}), tmp_path / name / "part-00000.parquet")
    for one, other in ("aa", "ab", "ba"):
        scale.differing(str(tmp_path / one), str(tmp_path / other))
    assert capsys.readouterr().out.split() == ["0", "2", "2"]


def test_the_tables_work_out_what_a_billion_takes() -> None:
    from benchmarks import scale

    rows = [
        ROW | {"measure": "rate", "engine": "threads", "kind": "one", "value": "500.0", "unit": ""},
        ROW | {"measure": "rate", "engine": "ray", "kind": "one", "value": "400.0", "unit": ""},
        ROW
        | {"measure": "core-hours", "engine": "threads", "kind": "one", "value": str(1e9 / 500 / 3600), "unit": "h"},
        ROW | {"measure": "differing", "engine": "ray", "kind": "one", "value": "0.000", "unit": "rows"},
    ]
    lines = scale.table(rows).splitlines()
    assert lines[0] == "| what | `threads` | `ray` |"
    assert lines[2] == "| one digit of 96 x 128 pixels, read a second on each core | 500 | 400 |"
    assert lines[3] == "| rows of 4,000 that are not the threads' (one) |  | 0 |"
    assert scale.billion(rows).splitlines()[2] == (
        "| one digit of 96 x 128 pixels | threads | 500 a second | 556 | 33 minutes |"
    )
