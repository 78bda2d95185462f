"""What every network offers, and the registry that builds one by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

from handread.frame import DEFAULT_FRAME, Frame
from handread.registry import Registry


class Network(nn.Module, ABC):
    """A classifier of ModelInput: float images (N, 1, height, width) in 0..1, cues (N, 4), to logits (N, outputs)."""

    frame: Frame = DEFAULT_FRAME
    """Size of the input, and how the ink is laid into it."""
    uses_cues: bool = False
    """Whether the forward pass looks at the cues."""

    def logit_layers(self) -> tuple[str, ...]:
        """Names of the linear layers whose sum the logits are, what the pixels say first; one row an output each."""
        return ([name for name, layer in self.named_modules() if isinstance(layer, nn.Linear)][-1],)

    @abstractmethod
    def forward(self, image: Tensor, cues: Tensor) -> Tensor:
        """Logits (N, outputs); `cues` is ignored by networks that do not use them.

        While learning, a network of several branches may give the logits of each, (N, branches, outputs): each is
        judged by itself.
        """


NETWORKS: Registry[Callable[[int], Network]] = Registry("network")
"""name -> builder(outputs) of every network."""


def parameter_count(network: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def keras_parameter_count(network: nn.Module) -> int:
    """Parameters as Keras counts them: the running means and variances of batch normalisation are among them."""
    running = sum(b.numel() for n, b in network.named_buffers() if n.endswith(("running_mean", "running_var")))
    return sum(p.numel() for p in network.parameters()) + running


def layers_of(network: nn.Module) -> list[dict[str, object]]:
    """The leaves of a network in order, for people and for architecture.json: name, kind, settings, parameters."""
    return [
        {
            "name": name,
            "kind": type(layer).__name__,
            "settings": layer.extra_repr(),
            "parameters": sum(p.numel() for p in layer.parameters()),
        }
        for name, layer in network.named_modules()
        if not list(layer.children())
    ]
