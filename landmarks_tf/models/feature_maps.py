"""What the convolutional part of a network hands on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FeatureMaps:
    """Symbolic maps inside a network.

    Attributes:
        last: (B, h, w, C), what is pooled into the embedding.
        auxiliary: (B, h', w', C') that an auxiliary classifier reads, or None.
        skips: maps at half, a quarter, an eighth and a sixteenth of the input's side, from fine
            to coarse, that a decoder may read; empty where no decoder is known for the network.
    """

    last: object
    auxiliary: object | None = None
    skips: tuple = ()
