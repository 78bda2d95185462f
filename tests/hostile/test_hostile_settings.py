"""Recipes, reports, checkpoints and inputs to scale that mean harm."""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save
from torch import nn

from handread.cli.comparing import _read
from handread.errors import ConfigError, DataError, ModelError
from handread.evaluation.report import EvaluationReport
from handread.scale.listing import MARK, entries
from handread.scale.manifest import Manifest, agree
from handread.scale.outlet import LocalFolder
from handread.scale.parquet import opened
from handread.training import checkpoint
from handread.training.checkpoint import DamagedError, load_checkpoint, restore_optimizer, restore_random
from handread.training.config import load_recipe
from handread.training.run import train_recipe

Refused = Callable[..., str]

RECIPES: list[tuple[str, str, str]] = [
    ("deep arrays", "x = " + "[" * 20_000, "cannot be read"),
    ("deep tables", "x = " + "{a=" * 15_000, "cannot be read"),
    ("a key of 20,000 parts", ".".join("a" * 20_000) + " = 1", "line 1 has 19,999 dots"),
    ("a key of many parts", ".".join("a" * 250) + " = 1", "no option called 'a'"),
    ("a number of 9,999 digits", "epochs = " + "9" * 9999, "cannot be read"),
    ("a hexadecimal number without end", "epochs = 0x" + "f" * 9999, "epochs is a int of endless length"),
    ("the same as a fraction", "learning_rate = 0x" + "f" * 9999, "learning_rate is a int of endless length"),
    ("no number", "learning_rate = nan", "expected a finite number"),
    ("more than any number", "learning_rate = inf", "expected a finite number"),
    ("a table instead of a number", "epochs = {a = 1}", "epochs is {'a': 1}"),
    ("a number instead of tables", "sources = 3", "sources is 3; expected tables"),
    ("numbers instead of tables", "sources = [1]", "is 1; expected a table"),
    ("an option without end", "x" * 60_000 + " = 1", "no option called 'xx"),
    ("an option nobody knows", '"__class__" = 1', "no option called '__class__'"),
    ("a text that clears the screen", 'name = "\\u001b[2J"', "a character that cannot be shown"),
    ("a date", "epochs = 2020-01-01", "expected int"),
    ("NUL", "name = \0", "cannot be read"),
    ("a file of megabytes", "#" * 2_000_000, "has more than 65,536 bytes"),
]


@pytest.mark.parametrize(("text", "sentence"), [r[1:] for r in RECIPES], ids=[r[0] for r in RECIPES])
def test_a_recipe_that_means_harm(tmp_path: Path, refused: Refused, text: str, sentence: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    assert sentence in refused(ConfigError, load_recipe, path)


def test_an_option_of_the_command_line_that_means_harm(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "recipe.toml").write_text("")
    for value in ("[" * 20_000, "9" * 9999, ".".join("a" * 20_000)):
        assert "epochs is " in refused(ConfigError, load_recipe, tmp_path / "recipe.toml", [f"epochs={value}"])


REPORT: dict[str, Any] = {
    "format": 3, "model": "m", "data": "d", "alphabet": "01", "n": 2, "correct": 2, "accuracy": 1.0,
    "interval95": [0.3, 1.0], "top2": 1.0, "top3": 1.0, "case_insensitive": 1.0, "merged": 1.0, "nll": 0.1,
    "ece": 0.1, "refused": 0.0, "seconds": 0.1, "confusion": [[1, 0], [0, 1]], "refusal_curve": [[1.0, 0.0]],
    "environment": {}, "digest": "", "reliability": [], "classes": [], "stress": None,
    "items": {"labels": [0, 1], "read": [0, 1], "confidence": [1, 1], "label_probability": [1, 1], "files": []},
}  # fmt: skip
BIN = {"count": 1, "confidence": 0.5, "accuracy": 1.0}

REPORTS: list[tuple[str, object, str]] = [
    ("deep", "[" * 100_000, "is not JSON"),
    ("a number of 9,999 digits", '{"format": ' + "9" * 9999 + "}", "is damaged"),
    ("a newer format", REPORT | {"format": 10**400}, "up to"),
    ("a format that is none", REPORT | {"format": True}, "format True is no Handread report"),
    ("counts that are fractions", REPORT | {"confusion": [[1.5, 0], [0, 0.5]]}, "what is no count"),
    ("counts below nothing", REPORT | {"confusion": [[3, -1], [0, 0]]}, "what is no count"),
    ("an alphabet that is a list", REPORT | {"alphabet": [{}, {}]}, "alphabet is [{}, {}], expected str"),
    ("a name that is a table", REPORT | {"model": {"a": 1}}, "model is {'a': 1}, expected str"),
    ("a loss that is a text", REPORT | {"nll": "low"}, "nll is 'low', expected float"),
    ("a loss that is none", REPORT | {"nll": float("nan")}, "nll is nan, expected float"),
    ("an interval beyond all numbers", REPORT | {"interval95": [0, 10**400]}, "is damaged"),
    ("an interval of three", REPORT | {"interval95": [0, 0, 0]}, "is damaged"),
    ("a bin that is none", REPORT | {"reliability": [BIN | {"count": "1"}]}, "count is '1', expected int"),
    ("items without end", REPORT | {"items": REPORT["items"] | {"labels": [0] * 100_000}}, "100000 labels for 2 items"),
    ("items of another kind", REPORT | {"items": REPORT["items"] | {"files": [1, 2]}}, "2 files for 2 items"),
    ("a field without end", REPORT | {"x" * 1_000_000: 1}, "field 'xx"),
    ("an environment that is a list", REPORT | {"environment": [1]}, "is damaged"),
]


@pytest.mark.parametrize(("content", "sentence"), [r[1:] for r in REPORTS], ids=[r[0] for r in REPORTS])
def test_a_report_that_means_harm(tmp_path: Path, refused: Refused, content: object, sentence: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    said = refused(DataError, _read, path)
    assert said.startswith(str(path))
    assert sentence in said


def test_the_report_itself_is_no_attack() -> None:
    assert EvaluationReport.from_json(json.dumps(REPORT)).n == 2


def saved(header: object, *, sha256: bool = False, **tensors: torch.Tensor) -> bytes:
    return save(tensors or {"a": torch.zeros(2)}, metadata={"handread": json.dumps(header)})


GOOD = {"format": 2, "epoch": 1, "facts": {}}

CHECKPOINTS: list[tuple[str, bytes, str]] = [
    ("a header longer than the file", struct.pack("<Q", 2**63) + b"{}", "is damaged"),
    ("a header of gigabytes", struct.pack("<Q", 2**32) + b"{}" * 500, "is damaged"),
    ("a deep header", struct.pack("<Q", 90_000) + b"[" * 90_000, "is damaged"),
    ("weights beyond the file", saved(GOOD).replace(b'"data_offsets":[0,8]', b'"data_offsets":[0,9]'), "is damaged"),
    ("weights of another size", saved(GOOD).replace(b'"shape":[2]', b'"shape":[9]'), "is damaged"),
    ("a type nobody knows", saved(GOOD).replace(b'"F32"', b'"X32"'), "is damaged"),
    ("no card", save({"a": torch.zeros(2)}), "is damaged"),
    ("a deep card", save({"a": torch.zeros(2)}, metadata={"handread": "[" * 90_000}), "is damaged"),
    ("facts that are none", saved(GOOD | {"facts": 3}), "is damaged"),
    ("an epoch that is none", saved(GOOD | {"epoch": "now"}), "is damaged"),
    ("another sum", saved(GOOD | {"sha256": "0" * 64}), "not what was written"),
    ("a pickle", b"\x80\x04\x95\x1a\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.", "is damaged"),
    ("nothing", b"", "is damaged"),
]


@pytest.mark.parametrize(("content", "sentence"), [c[1:] for c in CHECKPOINTS], ids=[c[0] for c in CHECKPOINTS])
def test_a_checkpoint_that_means_harm(tmp_path: Path, refused: Refused, content: bytes, sentence: str) -> None:
    path = tmp_path / "last.safetensors"
    path.write_bytes(content)
    assert sentence in refused(DamagedError, load_checkpoint, path)


def test_a_checkpoint_of_a_newer_version(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "last.safetensors").write_bytes(saved(GOOD | {"format": 99}))
    assert "upgrade Handread" in refused(ModelError, load_checkpoint, tmp_path / "last.safetensors")


@pytest.mark.parametrize("facts", [{}, {"config": 3, "data": "", "history": []},
                                   {"config": {}, "data": "", "history": 3},
                                   {"config": {}, "data": "", "history": [{"epoch": "x"}]}])  # fmt: skip
def test_a_run_of_a_stranger_is_not_gone_on_with(tmp_path: Path, refused: Refused, facts: dict[str, object]) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "last.safetensors").write_bytes(saved(GOOD | {"facts": facts}))
    (tmp_path / "recipe.toml").write_text("")
    said = refused(ModelError, train_recipe, tmp_path / "recipe.toml", "digits", tmp_path / "run", resume=True)
    assert "says nothing of its run" in said


@pytest.mark.parametrize("name", ["optimizer.99.exp_avg", "optimizer.x.exp_avg", "optimizer.0"])
def test_the_state_of_another_optimizer(name: str) -> None:
    optimizer = torch.optim.Adam(nn.Linear(2, 2).parameters())
    with pytest.raises(ModelError, match="no state of this optimizer"):
        restore_optimizer(optimizer, {name: torch.zeros(3)})


def test_the_state_of_another_generator(refused: Refused) -> None:
    before = torch.get_rng_state()
    for state in (torch.zeros(3), torch.zeros(3, dtype=torch.uint8)):
        said = refused(ModelError, restore_random, torch.device("cpu"), {"random.cpu": state})
        assert "no state of a generator" in said
    assert torch.equal(torch.get_rng_state(), before)


def listed(*inputs: object) -> list[object]:
    return list(entries([str(name) for name in inputs]))


LISTS: list[tuple[str, str, bytes, str]] = [
    ("a line without end", "list.txt", b"a" * 5_000_000, "line 1: it has more than 65536 characters"),
    ("a quote that is never closed", "list.csv", b'image\n"a\n' + b"b\n" * 200_000, "is no readable list"),
    ("another number of columns", "list.csv", b"image\na,b\n", "line 2: 2 columns"),
    ("what is no text", "list.txt", b"\xff\xfe\0\0", "is no readable list"),
    ("no column", "list.csv", b"\0" * 1000, "has no column 'image'"),
    ("what is no Parquet", "a.parquet", b"PAR1" + bytes(5000) + b"PAR1", "is no whole Parquet file"),
    ("a footer longer than the file", "a.parquet", b"PAR1" + struct.pack("<I", 2**31 - 1) + b"PAR1",
     "is no whole Parquet file"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "sentence"), [c[1:] for c in LISTS], ids=[c[0] for c in LISTS])
def test_an_input_that_means_harm(tmp_path: Path, refused: Refused, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert sentence in refused(DataError, listed, tmp_path / name)


def test_a_column_whose_name_is_no_text(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": pa.nulls(3, pa.binary())}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"image", b"im\xffge"))
    assert "is no whole Parquet file ('utf-8'" in refused(DataError, listed, path)


def test_more_rows_than_a_file_has_bytes(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "nothing.parquet"
    pq.write_table(pa.table({"image": pa.nulls(3_000_000, pa.binary())}), path)
    assert re.search(r"promises 3,000,000 rows in \d,\d+ bytes", refused(DataError, listed, path))
    with opened(_few(tmp_path)) as file:
        assert file.metadata.num_rows == 9000  # the same picture so often is odd, and no attack


def _few(folder: Path) -> str:
    pq.write_table(pa.table({"image": pa.nulls(9000, pa.binary())}), folder / "few.parquet")
    return str(folder / "few.parquet")


def test_links_that_lead_in_circles(tmp_path: Path) -> None:
    inner = tmp_path / "photos" / "deep"
    inner.mkdir(parents=True)
    (inner / "1.png").write_bytes(b"")
    for number in range(12):  # each of 12 links leads to 12 links: 12 to the power of 40 ways
        (tmp_path / "photos" / f"all{number}").symlink_to(tmp_path / "photos")
        (inner / f"up{number}").symlink_to("..")
    assert listed(tmp_path / "photos") == [str(inner / "1.png")]
    (tmp_path / "other").mkdir()
    for number in range(2):
        (tmp_path / "other" / f"to{number}").symlink_to(inner)
    assert len(listed(tmp_path / "other")) == 1


def test_folders_without_end(tmp_path: Path, refused: Refused) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(400):
        os.mkdir("a", dir_fd=here)
        here, above = os.open("a", os.O_RDONLY, dir_fd=here), here
        os.close(above)
    os.close(here)
    assert "lies more than 200 folders deep" in refused(DataError, listed, tmp_path / "a")


@pytest.mark.parametrize("content", [b"[" * 100_000, b"{}", b'{"format": ' + b"9" * 9999 + b"}", b" " * (17 << 20)])
def test_a_manifest_that_means_harm(tmp_path: Path, refused: Refused, content: bytes) -> None:
    (tmp_path / MARK).write_bytes(content)
    wanted = Manifest((), "", 1, 1, "image", 1, "0", False, False, "m", "", "0")
    assert "is damaged" in refused(DataError, agree, wanted, LocalFolder(str(tmp_path)), str(tmp_path))


def test_nothing_of_a_checkpoint_is_unpickled() -> None:
    assert not {"torch.load", "pickle"} & set(Path(checkpoint.__file__).read_text(encoding="utf-8").split())
