from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from handread.errors import ModelError
from handread.runtime.count import count_work, multiply_adds
from handread.runtime.peak import KINDS, best_time, matmul_model, measure_peak


@pytest.mark.parametrize("precision", KINDS)
def test_the_graph_written_by_hand_is_onnx_and_multiplies(precision: str) -> None:
    kind = KINDS[precision]
    right = np.arange(-200, 200, dtype=np.int16).reshape(2, 200).astype(kind.numpy_right)
    content = matmul_model(precision, right)
    onnx.checker.check_model(onnx.load_from_string(content))
    left = np.array([[1, 2], [3, 0], [0, 0]]).astype(kind.numpy_left)
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    product = session.run(None, {"left": left})[0]
    assert product.dtype == kind.numpy_product
    assert product.tolist() == (left.astype(np.int64) @ right.astype(np.int64)).tolist()


def test_a_peak_is_a_positive_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handread.runtime.peak.SIDES", (16,))
    assert measure_peak("fp32", threads=1, seconds=0.001) > 0


def test_a_peak_in_other_numbers_is_refused() -> None:
    with pytest.raises(ModelError, match="'fp64' is no precision that is measured; there are int8, fp32"):
        measure_peak("fp64", threads=1, seconds=0.1)


def test_the_best_time_is_the_least_of_at_least_three() -> None:
    calls: list[int] = []
    assert 0 <= best_time(lambda: calls.append(1), 0) < 1
    assert len(calls) == 4  # one is not counted


@pytest.mark.parametrize(
    ("kind", "inputs", "output", "count"),
    [
        ("Conv", [(1, 4, 8, 8), (6, 4, 3, 3), (6,)], (1, 6, 8, 8), 6 * 64 * 4 * 9),
        ("Conv", [(1, 4, 8, 8), (4, 1, 3, 3)], (1, 4, 8, 8), 4 * 64 * 9),  # each channel for itself
        ("QLinearConv", [(1, 4, 8, 8), (), (), (6, 4, 3, 3)], (1, 6, 4, 4), 6 * 16 * 36),
        ("Gemm", [(2, 5), (5, 3)], (2, 3), 30),
        ("Gemm", [(5, 2), (3, 5)], (2, 3), 30),  # both turned over
        ("MatMul", [(7, 2, 5), (5, 3)], (7, 2, 3), 210),
        ("Relu", [(1, 6, 8, 8)], (1, 6, 8, 8), 0),
    ],
)
def test_multiply_adds_of_a_node(kind: str, inputs: list[tuple[int, ...]], output: tuple[int, ...], count: int) -> None:
    assert multiply_adds(kind, inputs, output) == count


def test_the_tiny_network_is_one_matrix_product(tiny_bytes: bytes) -> None:
    work = count_work(tiny_bytes)
    assert work.multiply_adds == 32 * 32 * 63
    assert work.precision == "fp32"


def test_both_shipped_networks_compute_the_same_in_other_numbers() -> None:
    from handread.runtime import store

    plain, small = (count_work(store.load(name)) for name in ("handread", "handread-int8"))
    assert plain.multiply_adds == small.multiply_adds > 1_000_000
    assert (plain.precision, small.precision) == ("fp32", "int8")


def test_counting_leaves_no_file_behind(tiny_bytes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    count_work(tiny_bytes)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_onnx_cannot_be_counted() -> None:
    with pytest.raises(ModelError, match=r"mine\.onnx is not an ONNX file"):
        count_work(b"no network", name="mine.onnx")
