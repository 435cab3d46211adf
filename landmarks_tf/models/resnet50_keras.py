"""The ResNet50 of `keras.applications`, under S4's baseline (reproduction.md section 3.2).

It is v1, the stride on a stage's first 1x1, and its convolutions have biases: 23,587,712 parameters
in all, where torchvision's ResNet50 has 23,561,152. Its weights come from Caffe and expect BGR
pixels less ImageNet's mean colour, which the table's preprocessing "caffe" makes. The last stage's
layers, which S4 trains while all others stay frozen, are those whose names start with "conv5".

Of S4's head the activations and the rate of the dropout are stated nowhere (ReLU is presumed); its
flattening after the average pooling changes nothing and has no layer here.
"""

from __future__ import annotations

import keras

from landmarks_tf.models.feature_maps import FeatureMaps


def resnet50_keras_features(x) -> FeatureMaps:
    """The network without its classifier.

    Args:
        x: (B, S, S, 3) pixels as Caffe's weights expect them.

    Returns:
        The last map (B, ceil(S/32), ceil(S/32), 2048).
    """
    trunk = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=x)
    return FeatureMaps(trunk.output)
