"""Behind the bytes of an input: training and the exported network make the same numbers of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from handread.training.augment import augment
from handread.training.config import AugmentConfig
from handread.training.export import _Deployed, _DeployedWithoutCues


class Echo(nn.Module):
    """A network that answers with what it is shown."""

    def forward(self, image: Tensor, cues: Tensor) -> Tensor:
        return torch.cat([image.flatten(1), cues], dim=1)


def test_bytes_become_the_same_numbers_and_no_variation_is_the_identity() -> None:
    images, cues = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16), torch.rand(1, 4)
    shown = augment(images.float() / 255, AugmentConfig(), torch.Generator().manual_seed(0))
    deployed = _Deployed(Echo())(images, cues)  # type: ignore[arg-type]
    assert torch.equal(deployed, torch.cat([shown.flatten(1), cues], dim=1))
    alone = _DeployedWithoutCues(Echo())(images)  # type: ignore[arg-type]
    assert torch.equal(alone, torch.cat([shown.flatten(1), torch.zeros(1, 4)], dim=1))
    assert torch.equal(shown, torch.arange(256).reshape(1, 1, 16, 16) / 255)
