"""A network that answers with the mean of several views of a picture."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from handread.networks.base import Network


class ShiftedViews(Network):
    """The mean logits of a picture and of four copies of it, each moved by a pixel: five times the work.

    It is for a finished network; what is trained is the network inside.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.frame, self.uses_cues = network.frame, network.uses_cues

    def forward(self, image: Tensor, cues: Tensor) -> Tensor:
        height, width = self.frame.shape
        wide = functional.pad(image, (1, 1, 1, 1))
        views = [wide[:, :, y : y + height, x : x + width] for y, x in ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))]
        logits = self.network(torch.cat(views), torch.cat([cues] * len(views)))  # (5 N, K)
        mean: Tensor = logits.reshape(len(views), -1, logits.shape[1]).mean(dim=0)
        return mean
