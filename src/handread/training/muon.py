"""Muon: steps of kernels made orthogonal, so that every direction of a kernel learns at one pace.

Source: Jordan et al. 2024, Muon: an optimizer for hidden layers in neural networks. In a few epochs of MNIST it comes
as far as AdamW does in twice as many.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the odd polynomial whose repetition drives all singular values towards 1, from the same source."""
STEPS = 4
"""Repetitions: singular values come within about 0.7 to 1.2."""
OTHERS = 0.2
"""AdamW's learning rate for what is no inner kernel, as a fraction of the run's."""
_SMALL = 30_000
"""Numbers up to which a matrix is multiplied in single precision."""
_BETAS, _EPSILON = (0.9, 0.99), 1e-8


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum for the kernels and matrices between inner layers, AdamW for all other weights."""

    def __init__(self, network: nn.Module, *, learning_rate: float, momentum: float, decay: float) -> None:
        """`decay` is decoupled, and spares norms and biases."""
        inner = _inner(network)
        outer = [weight for weight in network.parameters() if all(weight is not one for one in inner)]
        groups: list[dict[str, Any]] = [
            {"params": inner, "weight_decay": decay, "inner": True},
            {"params": [w for w in outer if w.ndim > 1], "weight_decay": decay, "inner": False},
            {"params": [w for w in outer if w.ndim <= 1], "weight_decay": 0.0, "inner": False},
        ]
        kept = [group for group in groups if group["params"]]
        super().__init__(kept, {"lr": learning_rate, "momentum": momentum})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step along the gradients that are there; nothing is asked of `closure`, which the base class has."""
        with torch.no_grad():
            self._step()

    def _step(self) -> None:
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            (self._orthogonal if group["inner"] else self._adam)(group, weights)

    def _orthogonal(self, group: dict[str, Any], weights: list[Tensor]) -> None:
        rate, momentum = group["lr"], group["momentum"]
        for weight in weights:
            assert weight.grad is not None
            mean = self.state[weight].setdefault("mean", torch.zeros_like(weight))
            mean.lerp_(weight.grad, 1 - momentum)
            step = orthogonal(weight.grad.lerp(mean, momentum).flatten(1)).reshape(weight.shape)
            rows, columns = weight.shape[0], weight[0].numel()
            weight.mul_(1 - rate * group["weight_decay"])
            weight.add_(step, alpha=-rate * max(1.0, rows / columns) ** 0.5)

    def _adam(self, group: dict[str, Any], weights: list[Tensor]) -> None:
        if not weights:
            return
        rate = OTHERS * group["lr"]
        states = [self._state_of(weight) for weight in weights]
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        means, squares = [state["mean"] for state in states], [state["square"] for state in states]
        for state in states:
            state["step"] += 1
        done = int(states[0]["step"])
        # all weights of the group in one call each: they are small, and a call costs more than its arithmetic
        torch._foreach_lerp_(means, gradients, 1 - _BETAS[0])
        torch._foreach_mul_(squares, _BETAS[1])
        torch._foreach_addcmul_(squares, gradients, gradients, value=1 - _BETAS[1])
        spreads = torch._foreach_sqrt(torch._foreach_div(squares, 1 - _BETAS[1] ** done))
        torch._foreach_add_(spreads, _EPSILON)
        torch._foreach_mul_(weights, 1 - rate * group["weight_decay"])
        torch._foreach_addcdiv_(weights, means, spreads, value=-rate / (1 - _BETAS[0] ** done))

    def _state_of(self, weight: Tensor) -> dict[str, Any]:
        state: dict[str, Any] = self.state[weight]
        if not state:
            state["step"] = torch.zeros(())
            state["mean"], state["square"] = torch.zeros_like(weight), torch.zeros_like(weight)
        return state


def orthogonal(matrix: Tensor) -> Tensor:
    """The nearest matrix to (R, C) whose singular values are all one, nearly: float32, by Newton and Schulz.

    bfloat16 is exact enough for large ones: what is left over is noise beside that of a batch. For small ones its
    conversions take longer than they save.
    """
    a, b, c = COEFFICIENTS
    found = matrix.bfloat16() if matrix.numel() > _SMALL else matrix
    found = found / (found.norm() + 1e-7)
    tall = matrix.shape[0] > matrix.shape[1]
    if tall:
        found = found.T
    for _ in range(STEPS):
        square = found @ found.T
        square = torch.addmm(square, square, square, beta=b, alpha=c)
        found = torch.addmm(found, square, found, beta=a)
    whole: Tensor = found.T if tall else found
    return whole.float()


def _inner(network: nn.Module) -> list[nn.Parameter]:
    """Kernels and matrices neither of a layer that sees the picture, which takes no more channels than the first one
    does, nor of one that gives the answers."""
    wide = [weight for weight in network.parameters() if weight.ndim > 1]
    outputs = [layer.weight for layer in network.modules() if isinstance(layer, nn.Linear)]
    inner = [weight for weight in wide if all(weight is not last for last in outputs)]
    return [weight for weight in inner if weight.shape[1] > wide[0].shape[1]]
