"""What is measured: a backbone of ours, or the network of `keras.applications` beside it."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from landmarks_tf.models.backbones import create_backbone, find_backbone
from landmarks_tf.models.preprocessing import find_preprocessing
from landmarks_tf.training.fit import compile_model

# The network of `keras.applications` that differs least, where there is one. Its ResNets are v1:
# the stride sits on a stage's first 1x1, so "resnet50" and "resnet101", which are v1.5, compute
# 6 % and 3 % more.
TWINS = {
    "resnet50": "ResNet50",
    "resnet50_v1": "ResNet50",
    "resnet50_keras": "ResNet50",
    "resnet101": "ResNet101",
    "inception_v3": "InceptionV3",
    "vgg16": "VGG16",
    "efficientnet_b0": "EfficientNetB0",
    "efficientnet_b0_torchvision": "EfficientNetB0",
    "mobilenet_v2": "MobileNetV2",
}

_PREPROCESS_THEMSELVES = ("EfficientNetB0",)

NUM_CLASSES = 1000  # of the classifier that training stands on, ImageNet's


@dataclass(frozen=True)
class Subject:
    """One network to measure.

    Attributes:
        backbone: a key of `landmarks_tf.models.BACKBONES`.
        is_twin: its twin in `keras.applications` is meant.
    """

    backbone: str
    is_twin: bool = False

    @property
    def title(self) -> str:
        """Its name in a table: "resnet50", "keras.applications.ResNet50"."""
        return f"keras.applications.{TWINS[self.backbone]}" if self.is_twin else self.backbone


@dataclass(frozen=True)
class Networks:
    """A subject as it is measured; the three share their layers.

    Attributes:
        trunk: (B, S, S, 3) pixels 0..255 -> the last feature map.
        embedder: pixels -> (B, C), the map's mean.
        classifier: pixels -> (B, 1000) logits.
    """

    trunk: keras.Model
    embedder: keras.Model
    classifier: keras.Model


def build(subject: Subject, image_size: int) -> Networks:
    """Build and compile a subject.

    Both kinds read pixels 0..255 through the same preprocessing, and get the same pooling and the
    same classifier.

    Raises:
        ValueError: an unknown backbone or a size below its minimum.
        ImportError: the twin needs TensorFlow, and there is none.
    """
    keras.utils.set_random_seed(0)
    if subject.is_twin:
        trunk = _build_twin(subject.backbone, image_size)
    else:
        trunk = create_backbone(subject.backbone, image_size=image_size).model
    pooled = keras.layers.GlobalAveragePooling2D(name="benchmark_pool")(trunk.output)
    logits = keras.layers.Dense(NUM_CLASSES, dtype="float32", name="benchmark_logits")(pooled)
    networks = Networks(trunk, keras.Model(trunk.input, pooled), keras.Model(trunk.input, logits))
    for model in (networks.embedder, networks.classifier):
        compile_model(
            model,
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            # At a rate of 0 a step is the same work, and no network runs off into infinities.
            optimizer=keras.optimizers.SGD(learning_rate=0.0, momentum=0.9),
        )
    return networks


def _build_twin(backbone: str, image_size: int) -> keras.Model:
    twin = TWINS[backbone]
    pixels = keras.Input((image_size, image_size, 3), name="image")
    x = pixels
    if twin not in _PREPROCESS_THEMSELVES:
        x = find_preprocessing(find_backbone(backbone).preprocessing).layer()(x)
    make = getattr(keras.applications, twin)
    network = make(include_top=False, weights=None, input_tensor=x)
    return keras.Model(pixels, network.output, name=twin.lower())


def batch(batch_size: int, image_size: int) -> tuple[object, object]:
    """Random pixels (B, S, S, 3) and classes (B,), as tensors on the device."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (batch_size, image_size, image_size, 3))
    classes = random.integers(0, NUM_CLASSES, batch_size)
    return (
        keras.ops.convert_to_tensor(pixels.astype(np.float32)),
        keras.ops.convert_to_tensor(classes.astype(np.int32)),
    )
