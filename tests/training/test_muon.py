"""Muon: steps of orthogonal kernels, and AdamW for the rest."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from handread.training.muon import OTHERS, Muon, _inner, orthogonal


@pytest.mark.parametrize("shape", [(16, 144), (144, 16), (10, 10), (64, 640)], ids=str)
def test_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    """In single precision and, for the largest, in bfloat16."""
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonal(matrix))
    assert values.max() < 1.3
    # a square matrix has singular values near zero, which are driven up last
    assert values.min() > (0.6 if shape != (10, 10) else 0.0)
    assert orthogonal(matrix).dtype == torch.float32


def test_the_directions_stay() -> None:
    """U and V of the product of singular vectors are those of the matrix."""
    matrix = torch.randn(8, 40, generator=torch.Generator().manual_seed(2))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    inside = left.T @ orthogonal(matrix) @ right.T
    assert (inside - torch.diag(inside.diagonal())).abs().max() < 1e-4
    assert inside.diagonal().min() > 0.6


def test_other_weights_go_as_adamw_does() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.Conv2d(6, 5, 3), nn.Linear(5, 3))
    same = nn.Sequential(nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.Conv2d(6, 5, 3), nn.Linear(5, 3))
    same.load_state_dict(network.state_dict())
    ours = Muon(network, learning_rate=0.05, momentum=0.9, decay=0.1)
    plain = {id(weight) for weight in (same[1].weight, same[1].bias, *(same[k].bias for k in (0, 2, 3)))}
    theirs = torch.optim.AdamW(
        [
            {"params": [same[0].weight, same[2].weight, same[3].weight], "weight_decay": 0.1},
            {"params": [weight for weight in same.parameters() if id(weight) in plain], "weight_decay": 0.0},
        ],
        lr=OTHERS * 0.05, betas=(0.9, 0.99), eps=1e-8,
    )  # fmt: skip
    for step in range(3):
        for number, (weight, other) in enumerate(zip(network.parameters(), same.parameters(), strict=True)):
            weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(10 * number + step))
            other.grad = weight.grad.clone()
        ours.step()
        theirs.step()
    inner = network[2].weight  # between the layers that see the picture and give the answers
    for (name, weight), other in zip(network.named_parameters(), same.parameters(), strict=True):
        if weight is inner:
            assert not torch.allclose(weight, other, atol=1e-3), name
        else:
            assert torch.allclose(weight, other, atol=1e-6), name


def test_every_branch_sees_the_picture_through_a_layer_of_adamws() -> None:
    stems = [nn.Conv2d(1, 4, 3, bias=False) for _ in range(2)]
    inner = [nn.Conv2d(4, 4, 3, bias=False) for _ in range(2)]
    network = nn.ModuleList([stems[0], inner[0], stems[1], inner[1], nn.Linear(8, 3, bias=False)])
    found = _inner(network)
    assert [weight is layer.weight for weight, layer in zip(found, inner, strict=True)] == [True, True]
