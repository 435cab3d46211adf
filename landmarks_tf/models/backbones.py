"""The table of backbones: name -> builder, what it reads, and where its weights come from.

Every backbone takes pixels in 0..255 (RGB); what its weights expect (range, mean, standard
deviation) is done inside the model, so no caller can feed the wrong range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

import keras

from landmarks_tf.layers import PixelScaling
from landmarks_tf.models.inception import INCEPTIONS, MIN_IMAGE_SIZE, inception_trunk
from landmarks_tf.models.weights import load_or_explain

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Backbone:
    """A network up to its last feature map.

    Attributes:
        name: its key in `BACKBONES`.
        model: (B, S, S, 3) pixels 0..255 -> (B, h, w, C).
        auxiliary_tap: symbolic (B, h', w', C') map inside `model`, or None.
        head_kernel_stddev: sigma of the source's normal initialisation (cut at 2 sigma) of the
            classifier's kernel, or None for Keras' own default.
    """

    name: str
    model: keras.Model
    auxiliary_tap: object | None = None
    head_kernel_stddev: float | None = None


@dataclass(frozen=True)
class BackboneEntry:
    """How a backbone is built, and the smallest image it takes."""

    build: Callable[[int, str | None], Backbone]
    min_image_size: int
    has_auxiliary_tap: bool = False


def _inception(name: str):
    def build(image_size: int, weights: str | None) -> Backbone:
        if weights is not None:
            raise ValueError(
                f"{name} is trained from scratch in its source: no published weights exist. "
                f"Expected weights=None. Received: weights={weights!r}."
            )
        trunk = inception_trunk(INCEPTIONS[name], image_size, name=f"{name}_trunk")
        pixels = keras.Input((image_size, image_size, 3), name="image")
        standardise = PixelScaling.standardise(_IMAGENET_MEAN, _IMAGENET_STD, name="standardise")
        features, tap = trunk(standardise(pixels))
        return Backbone(name, keras.Model(pixels, features, name=name), tap, 0.1)

    return build


def _mobilenet_v2(image_size: int, weights: str | None) -> Backbone:
    def build(checked):
        return keras.applications.MobileNetV2(
            input_shape=(image_size, image_size, 3), include_top=False, weights=checked
        )

    trunk = load_or_explain(build, "MobileNetV2", weights)
    pixels = keras.Input((image_size, image_size, 3), name="image")
    scaled = PixelScaling([1 / 127.5] * 3, [-1.0] * 3, name="to_plus_minus_one")(pixels)
    return Backbone("mobilenet_v2", keras.Model(pixels, trunk(scaled), name="mobilenet_v2"))


BACKBONES: dict[str, BackboneEntry] = {
    **{name: BackboneEntry(_inception(name), MIN_IMAGE_SIZE, True) for name in INCEPTIONS},
    "mobilenet_v2": BackboneEntry(_mobilenet_v2, 32),
}


def create_backbone(name: str, *, image_size: int, weights: str | None = None) -> Backbone:
    """Build a backbone by name.

    Args:
        name: a key of `BACKBONES`.
        image_size: side of the square input in pixels.
        weights: None (random), "imagenet" (downloaded by Keras) or the path of a weights file.

    Raises:
        ValueError: unknown name, an image too small for the network, or weights that do not fit.
        OSError: the download of the weights failed.
    """
    if name not in BACKBONES:
        near = get_close_matches(name, BACKBONES, n=3, cutoff=0.3)
        raise ValueError(
            f"There is no backbone {name!r}. "
            + (f"Nearest: {', '.join(near)}. " if near else "")
            + f"Known: {', '.join(sorted(BACKBONES))}."
        )
    entry = BACKBONES[name]
    if image_size < entry.min_image_size:
        raise ValueError(
            f"{name} needs images of at least {entry.min_image_size} px: there its last feature "
            f"map has shrunk to 1x1. Received: image_size={image_size}."
        )
    return entry.build(image_size, weights)
