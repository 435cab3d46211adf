"""Layers that a landmark model needs beyond Keras' own."""

from landmarks_tf.layers.cosine_classifier import CosineClassifier
from landmarks_tf.layers.gem import GeMPooling2D
from landmarks_tf.layers.grouped_convolution import GroupedConv2D
from landmarks_tf.layers.l2_normalization import L2Normalization
from landmarks_tf.layers.pixel_scaling import PixelScaling

__all__ = ["CosineClassifier", "GeMPooling2D", "GroupedConv2D", "L2Normalization", "PixelScaling"]
