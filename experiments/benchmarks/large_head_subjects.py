"""The ways to train a head of many classes that the benchmark compares, one step each."""

from __future__ import annotations

import math
from collections.abc import Callable

import keras
import numpy as np
from keras import ops

MARGIN, SCALE, SAMPLE_RATE = 0.35, 30.0, 0.1

TITLES = {
    "products": "the three matrix products alone",
    "textbook": "textbook: one-hot rows, arccos of all cosines",
    "apart": "CosineClassifier and ArcFaceLoss",
    "fused": "CenterLoss, fused",
    "streamed": "CenterLoss, streamed",
    "sampled": f"CenterLoss, fused, a sample of {SAMPLE_RATE:.0%}",
}


class Head:
    """Embeddings, labels and centres, and a step for each name of `TITLES`.

    Args:
        batch_size: B.
        dim: D.
        num_classes: N.
    """

    def __init__(self, batch_size: int, dim: int, num_classes: int):
        random = np.random.default_rng(0)
        rows = random.standard_normal((batch_size, dim), dtype=np.float32)
        self.rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        self.labels = random.integers(0, num_classes, batch_size).astype(np.int32)
        self.num_classes = num_classes
        self.seed = keras.random.SeedGenerator(0)
        # Not by an initializer of Keras: the memory that it takes would stand among the head's.
        # And through an operation: the framework takes over the memory of a NumPy array, unseen by
        # its allocator, where that array happens to be aligned as it likes.
        drawn = random.random((num_classes, dim), dtype=np.float32)
        self.centers = keras.Variable(ops.subtract(drawn, 0.5))

    def step(self, name: str) -> Callable[[], object]:
        """Forward and backward, compiled: call it to run one and wait for its end."""
        if name == "products":
            slopes = np.random.default_rng(1).standard_normal(
                (len(self.rows), self.num_classes), dtype=np.float32
            )
            return _compiled_products(self.rows, self.centers, slopes)
        from landmarks_tf.losses.center_loss import chunk_classes

        loss = {
            "textbook": self._textbook,
            "apart": self._apart,
            "fused": lambda rows, centers: self._from_centers(rows, centers),
            "streamed": lambda rows, centers: self._from_centers(
                rows, centers, chunk_classes=chunk_classes(len(rows))
            ),
            "sampled": self._sampled,
        }[name]
        return _compiled_gradients(loss, self.rows, self.centers, self.seed)

    def _textbook(self, rows, centers):
        cosines = ops.matmul(ops.normalize(rows), ops.transpose(ops.normalize(centers)))
        angles = ops.arccos(ops.clip(cosines, -1 + 1e-7, 1 - 1e-7))
        own = ops.one_hot(self.labels, self.num_classes)
        widened = ops.where(
            cosines > math.cos(math.pi - MARGIN),
            ops.cos(angles + MARGIN),
            cosines - MARGIN * math.sin(MARGIN),
        )
        logits = SCALE * (own * widened + (1 - own) * cosines)
        return ops.mean(ops.categorical_crossentropy(own, logits, from_logits=True))

    def _apart(self, rows, centers):
        from landmarks_tf.layers.l2_normalization import l2_normalize
        from landmarks_tf.losses import ArcFaceLoss

        cosines = ops.matmul(l2_normalize(rows), ops.transpose(l2_normalize(centers)))
        return ops.mean(ArcFaceLoss(MARGIN, SCALE).call(self.labels, cosines))

    def _from_centers(self, rows, centers, ids=None, **options):
        from landmarks_tf.losses import ArcFaceLoss, center_cross_entropy

        labels = ops.convert_to_tensor(self.labels)
        _, change = ArcFaceLoss(MARGIN, SCALE).own_alone(labels, self.num_classes)
        ids = labels if ids is None else ids
        return ops.mean(center_cross_entropy(ids, rows, centers, change, scale=SCALE, **options)[0])

    def _sampled(self, rows, centers):
        from landmarks_tf.losses.sampled_classes import sample_classes, sample_size

        size = sample_size(self.num_classes, SAMPLE_RATE, len(self.rows))
        ids = ops.convert_to_tensor(self.labels)
        classes, places = sample_classes(ids, self.num_classes, size, self.seed)
        return self._from_centers(rows, ops.take(centers, classes, axis=0), places)


def _compiled_products(rows, centers, slopes) -> Callable[[], object]:
    def products(rows, centers, slopes):
        scores = ops.matmul(rows, ops.transpose(centers))
        by_centers = ops.matmul(ops.transpose(slopes), rows)
        return scores, ops.matmul(slopes, centers), by_centers

    if keras.backend.backend() == "jax":
        import jax

        return _JaxStep(jax.jit(products), (rows, centers.value, slopes))
    import tensorflow as tf

    rows, slopes = tf.constant(rows), tf.constant(slopes)
    return tf.function(lambda: products(rows, tf.convert_to_tensor(centers.value), slopes))


def _compiled_gradients(loss: Callable, rows, centers, seed) -> Callable[[], object]:
    """(loss, (by rows, by centres)), the latter as the framework has it: sparse on TensorFlow
    where only some centres were read."""
    if keras.backend.backend() == "jax":
        import jax

        def stateless(rows, centers, state):
            with keras.StatelessScope([(seed.state, state)]) as scope:
                value = loss(rows, centers)
            return value, scope.get_current_value(seed.state)

        compiled = jax.jit(jax.value_and_grad(stateless, argnums=(0, 1), has_aux=True))
        return _JaxStep(compiled, (rows, centers.value, seed.state.value))
    import tensorflow as tf

    rows = tf.constant(rows)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            tape.watch(rows)
            value = loss(rows, tf.convert_to_tensor(centers.value))
        return value, tape.gradient(value, [rows, centers.value])

    return step


class _JaxStep:
    """Runs a jitted function over fixed arguments; knows what memory XLA planned for it."""

    def __init__(self, function, arguments):
        import jax

        self._arguments = tuple(jax.device_put(argument) for argument in arguments)
        self._compiled = function.lower(*self._arguments).compile()

    def __call__(self):
        import jax

        return jax.block_until_ready(self._compiled(*self._arguments))

    def planned_bytes(self) -> int:
        """Arguments, results and what is held between."""
        memory = self._compiled.memory_analysis()
        return (
            memory.argument_size_in_bytes + memory.output_size_in_bytes + memory.temp_size_in_bytes
        )
