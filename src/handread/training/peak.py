"""The most that bfloat16 matrix multiplication gives here, through PyTorch: onnxruntime has none on processors."""

from __future__ import annotations

import torch

from handread.runtime.peak import SIDES, best_time
from handread.training.loop import has_bf16


def measure_bf16_peak(*, threads: int, seconds: float) -> float | None:
    """Multiply-adds a second, the best within about `seconds`; None where the processor has no bfloat16 of its own.

    The number of PyTorch's threads stays as it was.
    """
    if not has_bf16(torch.device("cpu")):
        return None
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        best = 0.0
        for side in SIDES:
            left, right = (torch.rand(side, side).to(torch.bfloat16) for _ in range(2))
            product = torch.empty(side, side, dtype=torch.bfloat16)
            turn = best_time(lambda a=left, b=right, c=product: torch.mm(a, b, out=c), seconds / len(SIDES))  # type: ignore[misc]
            best = max(best, side**3 / turn)
        return best
    finally:
        torch.set_num_threads(before)
