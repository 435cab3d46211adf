"""From pixels 0..255 to what a set of weights was trained on, inside the model."""

from __future__ import annotations

from dataclasses import dataclass

from landmarks_tf.layers import PixelScaling


@dataclass(frozen=True)
class Preprocessing:
    """(pixels * range / 255 - mean) / std, channel by channel, in the order of the channels.

    Attributes:
        range: what a pixel of 255 becomes before the mean is taken off: 1 or 255.
        mean: three numbers, in `channel_order`.
        std: three numbers above 0, in `channel_order`.
        channel_order: "rgb" or "bgr". Pictures always come as RGB; "bgr" turns them round.
    """

    range: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channel_order: str = "rgb"

    def layer(self) -> PixelScaling:
        """The layer that does it, named "preprocessing"."""
        return PixelScaling(
            scale=[self.range / 255 / s for s in self.std],
            offset=[-m / s for m, s in zip(self.mean, self.std, strict=True)],
            reverse_channels=self.channel_order == "bgr",
            name="preprocessing",
        )


PREPROCESSINGS = {
    # torchvision's and timm's: the statistics of ImageNet's training pictures.
    "imagenet": Preprocessing(1.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    # TensorFlow's Inception and MobileNet: -1..1.
    "plus_minus_one": Preprocessing(1.0, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    # Caffe's, which keras.applications' ResNet and VGG weights were trained with.
    "caffe": Preprocessing(255.0, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0), "bgr"),
    # What S1's programs feed an ImageNet network with: OpenCV's BGR over 255 (section 5, S0/S1, 1).
    "bgr_unit": Preprocessing(1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "bgr"),
    "unit": Preprocessing(1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


def find_preprocessing(name: str) -> Preprocessing:
    """The preprocessing called `name`.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in PREPROCESSINGS:
        raise ValueError(
            f"Expected a preprocessing among {', '.join(PREPROCESSINGS)}. Received: {name!r}."
        )
    return PREPROCESSINGS[name]
