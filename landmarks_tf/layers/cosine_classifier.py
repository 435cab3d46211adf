"""The class centres of a cosine-softmax head."""

from __future__ import annotations

import keras
from keras import ops

from landmarks_tf.layers.float32 import Float32Layer
from landmarks_tf.layers.l2_normalization import l2_normalize


@keras.saving.register_keras_serializable(package="landmarks_tf")
class CosineClassifier(Float32Layer):
    """Cosine between each embedding and each class centre, in float32 whatever the policy.

    With K sub-centres a class' cosine is that of its nearest sub-centre (Deng et al., "Sub-center
    ArcFace", ECCV 2020, section 3.2). Margins and scales belong to the loss, not here: this layer
    holds the weights, because Keras never trains a weight that a loss owns.

    Args:
        num_classes: N, at least 2.
        subcenters: K, centres for each class, at least 1.
        multiple_of: the centres are filled up to a multiple of this number of classes, so that
            they divide evenly over devices. What is filled up is never scored and has no gradient.

    Input shape: (B, D), of any length. Output shape: (B, N), in [-1, 1] up to rounding, float32;
    an embedding of zeros has cosine 0 with every class.

    Weight: `centers` (N * K, D), N filled up; row c * K + k is sub-centre k of class c.

    Raises:
        ValueError: fewer than two classes, no sub-centre, a multiple below 1, an input that is not
            (B, D), or a dtype other than float32.
    """

    def __init__(self, num_classes: int, subcenters: int = 1, multiple_of: int = 1, **kwargs):
        super().__init__(**kwargs)
        if num_classes < 2:
            raise ValueError(
                f"A classifier needs at least 2 classes. Received: num_classes={num_classes}."
            )
        if subcenters < 1:
            raise ValueError(f"subcenters must be at least 1. Received: subcenters={subcenters}.")
        if multiple_of < 1:
            raise ValueError(
                f"multiple_of must be at least 1. Received: multiple_of={multiple_of}."
            )
        self.num_classes = int(num_classes)
        self.multiple_of = int(multiple_of)
        self.subcenters = int(subcenters)

    def build(self, input_shape):
        if len(input_shape) != 2 or input_shape[-1] is None:
            raise ValueError(
                f"CosineClassifier compares embeddings of shape (B, D) with D known. "
                f"Received an input of shape {tuple(input_shape)}."
            )
        filled_up = -(-self.num_classes // self.multiple_of) * self.multiple_of
        # Glorot over (N, D) is the Xavier initialisation of S1 (reproduction.md section 2.3).
        self.centers = self.add_weight(
            shape=(filled_up * self.subcenters, input_shape[-1]),
            initializer="glorot_uniform",
            name="centers",
        )

    def call(self, embeddings):
        cosines = ops.matmul(l2_normalize(embeddings), ops.transpose(l2_normalize(self.centers)))
        if self.subcenters > 1:
            filled_up = self.centers.shape[0] // self.subcenters
            by_class = ops.reshape(cosines, (-1, filled_up, self.subcenters))
            cosines = ops.max(by_class, axis=-1)
        return cosines[:, : self.num_classes] if self.multiple_of > 1 else cosines

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.num_classes)

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "subcenters": self.subcenters,
            "multiple_of": self.multiple_of,
        }
