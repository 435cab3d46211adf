"""The table of backbones: name -> layers, what they read, and how their source starts them.

Every backbone takes pixels in 0..255 (RGB); what its weights expect (range, mean, standard
deviation, channel order) is done inside the model, so no caller can feed the wrong range.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial

import keras

from landmarks_tf.models import efficientnet, inception
from landmarks_tf.models.efficientnet import EFFICIENTNETS, efficientnet_features
from landmarks_tf.models.feature_maps import FeatureMaps
from landmarks_tf.models.inception import INCEPTIONS, MIN_IMAGE_SIZE, inception_features
from landmarks_tf.models.preprocessing import find_preprocessing
from landmarks_tf.models.res2net import RES2NETS, res2net_features
from landmarks_tf.models.resnest import RESNESTS, resnest_features
from landmarks_tf.models.resnet import RESNETS, resnet_features
from landmarks_tf.models.resnet50_keras import resnet50_keras_features
from landmarks_tf.models.vgg import vgg16_features
from landmarks_tf.models.weights import find_weights, load_weights


@dataclass(frozen=True)
class Backbone:
    """A network up to its last feature map.

    Attributes:
        name: its key in `BACKBONES`.
        model: (B, S, S, 3) pixels 0..255 -> (B, h, w, C). One flat graph: every layer of the
            network is a layer of this model, under its own name.
        auxiliary_tap: symbolic (B, h', w', C') map inside `model`, or None.
        skips: symbolic maps inside `model` for a decoder (see `FeatureMaps`).
        dense_init: how the source starts dense layers on top of it; a key of
            `landmarks_tf.models.blocks.DENSE_INITS`.
    """

    name: str
    model: keras.Model
    auxiliary_tap: object | None = None
    skips: tuple = ()
    dense_init: str = "keras"


@dataclass(frozen=True)
class BackboneEntry:
    """How a backbone is built, and the smallest image it takes.

    Attributes:
        features: (B, S, S, 3) preprocessed pixels -> the maps. It names each layer as the
            module of the source's program.
        min_image_size: in pixels.
        preprocessing: what the source's program feeds it: a key of `PREPROCESSINGS`. Weights of
            the table `PRETRAINED` have their own.
        dense_init: see `Backbone`.
        has_auxiliary_tap: whether `features` returns one.
        torch_modules: PyTorch programs that name its modules otherwise: the program, and the
            function from our layer's name to its module's.
    """

    features: Callable[[object], FeatureMaps]
    min_image_size: int = 32
    preprocessing: str = "imagenet"
    dense_init: str = "torch"
    has_auxiliary_tap: bool = False
    torch_modules: Mapping[str, Callable[[str], str]] = field(default_factory=dict)


# The programs whose names for an EfficientNet's modules are not timm's.
_EFFICIENTNET_MODULES = {
    "efficientnet_b0": {"lukemelas": efficientnet.lukemelas_module},
    "efficientnet_b0_torchvision": {"torchvision": efficientnet.torchvision_module},
}


def _mobilenet_v2(x) -> FeatureMaps:
    trunk = keras.applications.MobileNetV2(input_tensor=x, include_top=False, weights=None)
    return FeatureMaps(trunk.output)


BACKBONES: dict[str, BackboneEntry] = {
    **{
        name: BackboneEntry(
            partial(inception_features, config),
            min_image_size=MIN_IMAGE_SIZE,
            dense_init="inception",
            has_auxiliary_tap=True,
            torch_modules={"torchvision": inception.torchvision_module},
        )
        for name, config in INCEPTIONS.items()
    },
    **{name: BackboneEntry(partial(resnet_features, config)) for name, config in RESNETS.items()},
    **{name: BackboneEntry(partial(resnest_features, config)) for name, config in RESNESTS.items()},
    **{name: BackboneEntry(partial(res2net_features, config)) for name, config in RES2NETS.items()},
    **{
        name: BackboneEntry(
            partial(efficientnet_features, config), torch_modules=_EFFICIENTNET_MODULES[name]
        )
        for name, config in EFFICIENTNETS.items()
    },
    "vgg16": BackboneEntry(vgg16_features),
    "resnet50_keras": BackboneEntry(
        resnet50_keras_features, preprocessing="caffe", dense_init="keras"
    ),
    "mobilenet_v2": BackboneEntry(
        _mobilenet_v2, preprocessing="plus_minus_one", dense_init="keras"
    ),
}


def create_backbone(
    name: str,
    *,
    image_size: int,
    weights: str | None = None,
    preprocessing: str | None = None,
) -> Backbone:
    """Build a backbone by name.

    Args:
        name: a key of `BACKBONES`.
        image_size: side of the square input in pixels.
        weights: None (random), "imagenet" (downloaded by Keras), a row of the table `PRETRAINED`
            by name, or the path of a weights file (`landmarks_tf.models.weights.load_weights`).
        preprocessing: a key of `PREPROCESSINGS`; None for what the weights expect where they are
            in the table (a local file is recognised by its hash), and for what the source's
            program feeds the network otherwise.

    Raises:
        ValueError: unknown name, an image too small for the network, or weights that do not fit.
        OSError: the download of the weights failed.
    """
    entry = find_backbone(name, image_size)
    found = find_weights(name, weights)
    expected = found.row.preprocessing if found and found.row else entry.preprocessing
    pixels = keras.Input((image_size, image_size, 3), name="image")
    prepare = find_preprocessing(preprocessing or expected).layer()
    maps = entry.features(prepare(pixels))
    model = keras.Model(pixels, maps.last, name=name)
    load_weights(model, name, found, entry.torch_modules)
    return Backbone(name, model, maps.auxiliary, maps.skips, entry.dense_init)


def find_backbone(name: str, image_size: int | None = None) -> BackboneEntry:
    """The entry of `BACKBONES` called `name`.

    Args:
        name: a key of `BACKBONES`.
        image_size: side of the pictures in pixels that it is to take; None where it is not known.

    Raises:
        ValueError: there is none, and the message names the nearest; or it takes no pictures as
            small as these.
    """
    entry = BACKBONES.get(name)
    if entry is not None and image_size is not None and image_size < entry.min_image_size:
        raise ValueError(
            f"{name} needs images of at least {entry.min_image_size} px: there its last feature "
            f"map has shrunk to 1x1. Received: image_size={image_size}."
        )
    if entry is not None:
        return entry
    near = get_close_matches(name, BACKBONES, n=3, cutoff=0.3)
    raise ValueError(
        f"There is no backbone {name!r}. "
        + (f"Nearest: {', '.join(near)}. " if near else "")
        + f"Known: {', '.join(sorted(BACKBONES))}."
    )
