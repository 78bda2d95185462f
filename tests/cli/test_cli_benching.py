from __future__ import annotations

import dataclasses
import json

import pytest
from click.testing import CliRunner

from handread import bench
from handread.bench import Bench, Machine, ModelBench, Peak, Process, Rate, Times
from handread.cli.benching import command
from handread.runtime import store


def model(name: str) -> ModelBench:
    rates = tuple(Rate(batch, 1, 100.0 * batch, 4e9, 0.4) for batch in (1, 256))
    times = Times(0.0005, 0.0011, 7)
    return ModelBench(name, 1.13, 26_000_000, "int8", times, rates, times, times, Process(0.26, None), Process(1, 140))


FOUND = Bench(
    Machine("a processor", 2, "Linux", {"python": "3.11"}), (Peak("int8", 1, 1e10),), (model("one"), model("two"))
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    seen: list[object] = []

    def measure(models: object, **options: object) -> Bench:
        seen.extend([models, options["seconds"], options["threads"]])
        return FOUND

    monkeypatch.setattr(bench, "measure_bench", measure)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)  # as without PyTorch
    return seen


def run(*arguments: str) -> str:
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_the_table_tells_every_model_and_the_limit(asked: list[object]) -> None:
    printed = run("--model", "one", "--model", "two", "--seconds", "3", "--threads", "1")
    assert asked == [("one", "two"), 3.0, (1,)]
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    assert "one character on 1 thread, ms 0.50 0.50" in lines
    assert "256 at once 25,600 25,600" in lines
    place = lines.index("whole process for the first photo, s 0.26 0.26")
    assert lines[place + 1 : place + 4] == [
        "memory, MB",
        "whole process for the second, s 1.00 1.00",
        "memory, MB 140 140",
    ]
    assert any("would read 385 characters a second on 1 thread; at 256 at once it reads 154, 40 %." in x for x in lines)


def test_all_shipped_models_fit_into_eighty_columns(asked: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    names = store.shipped()
    monkeypatch.setattr(bench, "measure_bench", lambda models, **options: dataclasses.replace(
        FOUND, models=tuple(model(name) for name in names)))  # fmt: skip
    table = run().partition("million")[0].splitlines()
    assert "…" not in "".join(table)
    shown = [" ".join(line.split()) for line in table]
    assert shown[-4:-2] == ["handread- handread- handread-", "handread digits int8 small"]


def test_json_holds_the_same(asked: list[object]) -> None:
    told = json.loads(run("--json"))
    assert told["machine"]["cores"] == 2
    assert told["models"][1]["name"] == "two"
    assert told["models"][0]["rates"][1] == {
        "batch": 256, "threads": 1, "per_second": 25600.0, "multiply_adds": 4e9, "of_peak": 0.4
    }  # fmt: skip


def test_a_wrong_model_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    from handread.cli.main import run as front_door

    with pytest.raises(SystemExit) as left:
        front_door(["bench", "--model", "handraed"])
    assert left.value.code == 2
    assert "did you mean handread" in capfd.readouterr().err
