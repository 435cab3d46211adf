"""VGG16 (Simonyan and Zisserman, ICLR 2015, arXiv 1409.1556, configuration D), without batch norm.

S2 trained it from scratch, from PyTorch's default initial values (reproduction.md section 1.6). Its
two dense layers of 4096 fit one image size only and stand in the embedder's neck, after the pooling
"flatten": "dense:4096", "relu", "dropout:0.5", twice. A torchvision file's numbers for them
(`classifier.0`, `classifier.3`) are therefore left out when it is loaded; those of the
convolutions are taken.
"""

from __future__ import annotations

from keras import layers

from landmarks_tf.models.blocks import convolution
from landmarks_tf.models.feature_maps import FeatureMaps

# Widths of the 3x3 convolutions; after each group a maximum over 2x2.
_GROUPS = ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3)


def vgg16_features(x) -> FeatureMaps:
    """The network without its dense layers, named as torchvision's: "features.0" to "features.30".

    Args:
        x: (B, S, S, 3) standardised pixels.

    Returns:
        The last map after its maximum pooling, (B, S // 32, S // 32, 512).
    """
    number = 0
    for widths in _GROUPS:
        for width in widths:
            x = convolution(x, width, 3, padding=1, use_bias=True, name=f"features.{number}")
            x = layers.ReLU(name=f"features.{number + 1}")(x)
            number += 2
        x = layers.MaxPooling2D(2, name=f"features.{number}")(x)
        number += 1
    return FeatureMaps(x)
