from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from handread.training import peak  # noqa: E402


def test_a_peak_is_a_rate_and_leaves_the_threads_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "SIDES", (16,))
    monkeypatch.setattr(peak, "has_bf16", lambda device: True)
    before = torch.get_num_threads()
    rate = peak.measure_bf16_peak(threads=1, seconds=0.001)
    assert rate is not None
    assert rate > 0
    assert torch.get_num_threads() == before


def test_without_it_there_is_no_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "has_bf16", lambda device: False)
    assert peak.measure_bf16_peak(threads=1, seconds=10) is None
