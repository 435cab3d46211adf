"""S1's U-Net baseline: a decoder over ResNet-101 that draws the network's own input again."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from landmarks_tf.models.blocks import batch_norm, convolution, torch_default, torch_default_bias

# Channels after each step up; the first four also take in a skip map (reproduction.md section 2.4).
_WIDTHS = (512, 256, 128, 64, 32)


def _up(x, width: int, name: str):
    """Transposed convolution 2x2 at stride 2: twice the side, `width` channels."""
    # PyTorch counts a transposed kernel's fan-in over its output channels.
    return layers.Conv2DTranspose(
        width,
        2,
        strides=2,
        kernel_initializer=torch_default(),
        bias_initializer=torch_default_bias(4 * width),
        name=name,
    )(x)


def _two_convolutions(x, width: int, name: str):
    for number in (1, 2):
        x = convolution(x, width, 3, padding=1, use_bias=True, name=f"{name}.conv{number}")
        x = layers.ReLU(name=f"{name}.relu{number}")(batch_norm(x, f"{name}.bn{number}"))
    return x


def decode(last, skips: Sequence):
    """From the coarsest map back to a picture.

    Args:
        last: (B, S/32, S/32, C).
        skips: maps of side S/2, S/4, S/8 and S/16, fine to coarse.

    Returns:
        (B, S, S, 3), linear, float32.

    Raises:
        ValueError: no skips, or maps whose sides do not double from one to the next.
    """
    sides = [last.shape[1] * 2**step for step in range(1, 5)]
    if [skip.shape[1] for skip in reversed(skips)] != sides:
        raise ValueError(
            f"The decoder doubles the side of the map at each step and needs the backbone's maps "
            f"of sides {sides}: a ResNet, and an image size that is a multiple of 32. Received "
            f"maps of sides {[skip.shape[1] for skip in reversed(skips)]} over a last map of side "
            f"{last.shape[1]}."
        )
    x = last
    for number, (width, skip) in enumerate(
        zip(_WIDTHS, [*reversed(skips), None], strict=True), start=1
    ):
        name = f"decoder{number}"
        x = _up(x, width, f"{name}.up")
        if skip is not None:
            x = layers.Concatenate(name=f"{name}.concat")([x, skip])
            x = _two_convolutions(x, width, name)
    return layers.Conv2D(
        3,
        1,
        kernel_initializer=torch_default(),
        bias_initializer=torch_default_bias(_WIDTHS[-1]),
        dtype="float32",
        name="decoder.out",
    )(x)


def reconstruct(model: keras.Model, skips: Sequence):
    """The decoder's picture minus the network's preprocessed input: (B, S, S, 3), float32.

    Its mean square is the source's loss: the target is the very input, after augmentation.

    Raises:
        ValueError: see `decode`.
    """
    picture = decode(model.output, skips)
    target = layers.Identity(dtype="float32", name="decoder.target")(
        model.get_layer("preprocessing").output
    )
    return layers.Subtract(dtype="float32", name="reconstruction")([picture, target])
