"""A finished model as the teacher of another: its answers to the very images that the pupil is shown.

Source: Hinton et al. 2015, Distilling the Knowledge in a Neural Network; that teacher and pupil see the same
variation of an image is what makes it work (Beyer et al. 2022, A good teacher is patient and consistent).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from handread.alphabet import Alphabet
from handread.errors import ConfigError
from handread.frame import Frame
from handread.runtime import store
from handread.runtime.session import Session


class Teacher:
    """Answers of a shipped model, of an ONNX file, or of a run folder that holds one."""

    def __init__(self, model: str, alphabet: Alphabet, outputs: int, frame: Frame) -> None:
        """Raises `ConfigError` where teacher and pupil do not speak of the same classes and the same input."""
        self._session = Session(store.load(model), name=model, threads=1)
        card = self._session.card
        theirs = len(card.alphabet) + card.has_none
        if tuple(card.alphabet) != alphabet.characters or theirs != outputs or card.frame != frame:
            raise ConfigError(
                f"the teacher {model} answers for {theirs} classes at {card.height} x {card.width} pixels, the network "
                f"to be trained for {outputs} at {frame.height} x {frame.width}; both need the same alphabet, frame "
                "and reject"
            )

    def answers(self, images: Tensor, cues: npt.NDArray[np.float32]) -> Tensor:
        """Logits float32 (N, K) for images (N, 1, height, width), 0..1, and their cues float32 (N, 4)."""
        shown = (images * 255).round().to(torch.uint8).cpu().numpy()
        return torch.from_numpy(self._session.run(shown, cues if self._session.card.has_cues else None))


def imitation(logits: Tensor, answers: Tensor, temperature: float) -> Tensor:
    """Mean divergence (nats) of the pupil's distribution from the teacher's, both softened by `temperature`, times its
    square, so that gradients keep their size."""
    own = functional.log_softmax(logits / temperature, dim=1)
    theirs = functional.log_softmax(answers / temperature, dim=1)
    return functional.kl_div(own, theirs, reduction="batchmean", log_target=True) * temperature**2
