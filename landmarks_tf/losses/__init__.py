"""Losses: a pure function and a thin Keras class each. They hold no weights."""

from landmarks_tf.losses.adacos import AdaCosLoss, adacos_logits
from landmarks_tf.losses.arcface import ArcFaceLoss, arcface_logits
from landmarks_tf.losses.center_loss import SOFTMAX_FORMS, CenterLoss
from landmarks_tf.losses.center_softmax import center_cross_entropy
from landmarks_tf.losses.circle import CircleLoss, circle_losses
from landmarks_tf.losses.class_sizes import class_weights, dynamic_margins
from landmarks_tf.losses.class_weighted import ClassWeightedLoss, weigh_by_class
from landmarks_tf.losses.contrastive import ContrastiveLoss, contrastive_losses
from landmarks_tf.losses.cosface import CosFaceLoss, cosface_logits
from landmarks_tf.losses.cross_entropy import CrossEntropyLoss, cross_entropy_losses
from landmarks_tf.losses.ge2e import GE2ELoss, ge2e_losses
from landmarks_tf.losses.margin_schedule import MarginSchedule
from landmarks_tf.losses.mixed import MixedAccuracy, MixedLoss, mix_losses
from landmarks_tf.losses.multi_similarity import MultiSimilarityLoss, multi_similarity_losses
from landmarks_tf.losses.norm_softmax import NormSoftmaxLoss, norm_softmax_logits
from landmarks_tf.losses.proxy_anchor import ProxyAnchorLoss, proxy_anchor_losses
from landmarks_tf.losses.reconstruction import ReconstructionLoss, mean_squared_difference
from landmarks_tf.losses.supervised_contrastive import (
    SupervisedContrastiveLoss,
    supervised_contrastive_losses,
)
from landmarks_tf.losses.triplet import TripletLoss, triplet_losses

__all__ = [
    "SOFTMAX_FORMS",
    "AdaCosLoss",
    "ArcFaceLoss",
    "CenterLoss",
    "CircleLoss",
    "ClassWeightedLoss",
    "ContrastiveLoss",
    "CosFaceLoss",
    "CrossEntropyLoss",
    "GE2ELoss",
    "MarginSchedule",
    "MixedAccuracy",
    "MixedLoss",
    "MultiSimilarityLoss",
    "NormSoftmaxLoss",
    "ProxyAnchorLoss",
    "ReconstructionLoss",
    "SupervisedContrastiveLoss",
    "TripletLoss",
    "adacos_logits",
    "arcface_logits",
    "center_cross_entropy",
    "circle_losses",
    "class_weights",
    "contrastive_losses",
    "cosface_logits",
    "cross_entropy_losses",
    "dynamic_margins",
    "ge2e_losses",
    "mean_squared_difference",
    "mix_losses",
    "multi_similarity_losses",
    "norm_softmax_logits",
    "proxy_anchor_losses",
    "supervised_contrastive_losses",
    "triplet_losses",
    "weigh_by_class",
]
