"""A network by its name."""

from __future__ import annotations

from handread.networks import compact, mnist, notebooks, residual  # noqa: F401  each registers its networks
from handread.networks.base import NETWORKS, Network


def build_network(name: str, outputs: int) -> Network:
    """The network of that name with `outputs` logits; raises `UnknownNameError` with the nearest names."""
    return NETWORKS[name](outputs)
