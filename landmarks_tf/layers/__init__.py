"""Layers that a landmark model needs beyond Keras' own."""

from landmarks_tf.layers.batch_norm import BatchNorm
from landmarks_tf.layers.channel_split import ChannelSplit
from landmarks_tf.layers.class_centers import CenterCosines, ClassCenters
from landmarks_tf.layers.cosine_classifier import CosineClassifier
from landmarks_tf.layers.ge2e_similarity import GE2ESimilarity
from landmarks_tf.layers.gem import GeMPooling2D
from landmarks_tf.layers.grouped_convolution import GroupedConv2D
from landmarks_tf.layers.l2_normalization import L2Normalization
from landmarks_tf.layers.pixel_scaling import PixelScaling
from landmarks_tf.layers.split_attention import SplitAttention2D, SplitPooling2D
from landmarks_tf.layers.step_count import StepCount

__all__ = [
    "BatchNorm",
    "CenterCosines",
    "ChannelSplit",
    "ClassCenters",
    "CosineClassifier",
    "GE2ESimilarity",
    "GeMPooling2D",
    "GroupedConv2D",
    "L2Normalization",
    "PixelScaling",
    "SplitAttention2D",
    "SplitPooling2D",
    "StepCount",
]
