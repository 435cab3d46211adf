"""From a record's bytes to the picture that a network trains on: one way for every pipeline."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from landmarks_tf.data import augment as augmentations
from landmarks_tf.data import image_ops, jpeg


@dataclasses.dataclass(frozen=True)
class Preparation:
    """Decoding, augmentation and resizing, the same for the same (seed, sample number).

    Attributes:
        image_size: S, in pixels.
        mode: how a picture becomes a square, one of `image_ops.MODES`.
        augment: a policy of `landmarks_tf.data.augment`.
        seed: of the augmentation, any whole number.
        decoding: how much of a file is decoded, one of `jpeg.DECODES`.

    Raises:
        ValueError: an unknown mode, augmentation or way to decode, an impossible image size, a seed
            that is no whole number.
    """

    image_size: int
    mode: str = "letterbox"
    augment: str = "none"
    seed: int = 0
    decoding: str = "whole"

    def __post_init__(self):
        image_ops.check(self.mode, self.image_size)
        augmentations.stages(self.augment)
        jpeg.check(self.decoding)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int | np.integer):
            raise ValueError(f"seed must be a whole number, got {self.seed!r}")

    def decode(self, encoded: tf.Tensor, sample: tf.Tensor) -> tf.Tensor:
        """What `finish` needs of an image file's bytes: (h, w, 3) uint8.

        Raises:
            tf.errors.InvalidArgumentError: the bytes are no picture, or are cut short.
        """
        return augmentations.decode(
            encoded,
            self._seed_of(sample),
            policy=self.augment,
            mode=self.mode,
            image_size=self.image_size,
            how=self.decoding,
        )

    def finish(self, picture: tf.Tensor, sample: tf.Tensor) -> tf.Tensor:
        """The network's picture of what `decode` gave: (S, S, 3) uint8.

        Args:
            picture: (h, w, 3) uint8.
            sample: () int64, the number of the sample in the run.
        """
        return augmentations.finish(
            picture,
            self._seed_of(sample),
            policy=self.augment,
            mode=self.mode,
            image_size=self.image_size,
        )

    def _seed_of(self, sample: tf.Tensor) -> tf.Tensor:
        """(2,) int64: the run's seed, any whole number as a signed 64-bit one, and the sample's."""
        seed = (int(self.seed) + 2**63) % 2**64 - 2**63
        return tf.stack([tf.constant(seed, tf.int64), sample])
