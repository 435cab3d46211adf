"""The class centres of a cosine head whose scores only the loss computes."""

from __future__ import annotations

import keras
from keras import ops

from landmarks_tf.layers.float32 import Float32Layer
from landmarks_tf.layers.l2_normalization import l2_normalize


@keras.saving.register_keras_serializable(package="landmarks_tf")
class ClassCenters(Float32Layer):
    """Holds the centres of `CosineClassifier`, and passes the embeddings on as unit rows.

    In training nothing of the size (B, N) leaves the head: `landmarks_tf.losses.CenterLoss` reads
    the centres and counts the hits here. Where the scores are wanted, as in evaluation,
    `CenterCosines` gives them.

    Args:
        num_classes: N, at least 2.
        subcenters: K, centres for each class, at least 1.
        sample_rate: part of the classes that a training step scores, in (0, 1]: Partial FC. 1 for
            all of them.
        seed: of the sample; None for one by chance (that of `keras.utils.set_random_seed`).

    Input shape: (B, D). Output shape: (B, D), float32.

    Weight: `centers` (N * K, D), as `CosineClassifier` has it: either takes the other's. The state
    of the sample's random numbers is a variable, and so in checkpoints.

    Metric: "accuracy", the rows whose own cosine is the largest; "sampled_accuracy" where it is the
    largest among the sampled classes alone.

    Raises:
        ValueError: fewer than two classes, no sub-centre, a rate out of range, an input that is not
            (B, D), or a dtype other than float32.
    """

    def __init__(
        self,
        num_classes: int,
        subcenters: int = 1,
        sample_rate: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if num_classes < 2:
            raise ValueError(
                f"A classifier needs at least 2 classes. Received: num_classes={num_classes}."
            )
        if subcenters < 1:
            raise ValueError(f"subcenters must be at least 1. Received: subcenters={subcenters}.")
        if not 0 < sample_rate <= 1:
            raise ValueError(
                f"sample_rate is a part of the classes in (0, 1]. Received: "
                f"sample_rate={sample_rate}."
            )
        self.num_classes = int(num_classes)
        self.subcenters = int(subcenters)
        self.sample_rate = float(sample_rate)
        self.seed = seed
        sampled = self.sample_rate < 1
        self.seed_generator = keras.random.SeedGenerator(seed) if sampled else None
        self.accuracy = keras.metrics.Mean(name="sampled_accuracy" if sampled else "accuracy")
        self._in_training = False

    def build(self, input_shape):
        if len(input_shape) != 2 or input_shape[-1] is None:
            raise ValueError(
                f"ClassCenters hold centres of embeddings of shape (B, D) with D known. "
                f"Received an input of shape {tuple(input_shape)}."
            )
        self.centers = self.add_weight(
            shape=(self.num_classes * self.subcenters, input_shape[-1]),
            initializer="glorot_uniform",
            name="centers",
        )

    def call(self, embeddings, training=None):
        # A loss is not told; its call follows this one, in the same step.
        self._in_training = bool(training)
        return l2_normalize(embeddings)

    @property
    def is_sampled(self) -> bool:
        """Whether the step that is being taken scores a part of the classes."""
        return self.sample_rate < 1 and self._in_training

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "subcenters": self.subcenters,
            "sample_rate": self.sample_rate,
            "seed": self.seed,
        }


class CenterCosines(Float32Layer):
    """What `CosineClassifier` with the same centres would give.

    Args:
        head: a built `ClassCenters`; its centres are used as they are at each call.

    Input shape: (B, D). Output shape: (B, N), float32.
    """

    def __init__(self, head: ClassCenters, **kwargs):
        super().__init__(**kwargs)
        self.head = head

    def call(self, embeddings):
        centers = l2_normalize(ops.convert_to_tensor(self.head.centers))
        cosines = ops.matmul(l2_normalize(embeddings), ops.transpose(centers))
        if self.head.subcenters > 1:
            by_class = ops.reshape(cosines, (-1, self.head.num_classes, self.head.subcenters))
            cosines = ops.max(by_class, axis=-1)
        return cosines

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.head.num_classes)
