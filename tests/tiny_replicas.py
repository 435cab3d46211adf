"""A small network and batches of P classes x K pictures, for runs on one device and on several.

Weights and batches are functions of a seed in NumPy, so that all runs, on either backend, may be
compared with each other.
"""

from __future__ import annotations

import numpy as np

P, K, SIDE, CLASSES = 8, 2, 8, 10
BATCH_SIZE = P * K
STEPS = 3
# Each term of these is of several rows, so that devices have to know each other's.
PAIR_LOSSES = ("ge2e", "triplet", "supervised_contrastive", "proxy_anchor")


def loss_named(name: str):
    """A loss of the project at settings where few of its terms are zero."""
    from landmarks_tf import losses

    return {
        "arcface": lambda: losses.ArcFaceLoss(scale=8.0),
        "ge2e": losses.GE2ELoss,
        "proxy_anchor": lambda: losses.ProxyAnchorLoss(scale=4.0),
        "triplet": lambda: losses.TripletLoss(margin=1.0, mining="all"),
        "supervised_contrastive": losses.SupervisedContrastiveLoss,
    }[name]()


def network(name: str, *, norm=None, gather: bool = False, multiple_of: int = 1):
    """(B, 8, 8, 3) pixels -> what the loss of that name reads.

    Args:
        norm: makes the batch norm; None for none, so that a part of a batch gives the same rows as
            the whole.
    """
    import keras

    from landmarks_tf.layers import CosineClassifier, GE2ESimilarity, L2Normalization, PixelScaling
    from landmarks_tf.training.gather import GatherReplicas

    keras.utils.set_random_seed(0)
    x = pixels = keras.Input((SIDE, SIDE, 3))
    x = PixelScaling([1 / 127.5] * 3, [-1.0] * 3)(x)
    # No bias: before a batch norm it has no gradient but rounding.
    x = keras.layers.Conv2D(6, 3, strides=2, use_bias=False, name="conv")(x)
    x = norm(name="norm")(x) if norm else x
    x = keras.layers.Flatten()(keras.layers.ReLU()(x))
    x = keras.layers.Dense(8, name="dense")(x)
    x = L2Normalization(name="embedding")(x)
    if gather and name != "proxy_anchor":  # which gathers for itself
        x = GatherReplicas(name="gathered")(x)
    if name in ("arcface", "proxy_anchor"):
        x = CosineClassifier(CLASSES, 2, multiple_of=multiple_of, name="cosines")(x)
    elif name == "ge2e":
        # At S1's 10 and -5 the softmax is all but sure of every row.
        x = GE2ESimilarity(K, initial_scale=3.0, gradient_scale=1.0, name="similarities")(x)
    model = keras.Model(pixels, x, name="trainer")
    seeded = np.random.default_rng(1)
    for weight in model.trainable_weights:
        if len(weight.shape) > 1:
            weight.assign(seeded.normal(0, 0.4, tuple(weight.shape)).astype(np.float32))
    return model


def compiled(name: str, **options):
    """`network`, ready for `fit` by SGD with momentum."""
    import keras

    from landmarks_tf.training.fit import compile_model
    from landmarks_tf.training.gather import GatheredLoss
    from landmarks_tf.training.optimizers import create_optimizer

    model = network(name, **options)
    loss = loss_named(name)
    compile_model(
        model,
        loss=GatheredLoss(loss) if options.get("gather") else loss,
        optimizer=create_optimizer("sgd", 0.2, clip_global_norm=2.0),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
        if name == "arcface"
        else None,
    )
    return model


def batch(step: int):
    """(16, 8, 8, 3) pictures whose tint tells the class, and (16,) labels in runs of K."""
    random = np.random.default_rng(step)
    labels = np.repeat(random.permutation(CLASSES)[:P], K).astype(np.int32)
    tints = np.random.default_rng(99).integers(0, 80, (CLASSES, 3))
    noise = random.integers(0, 170, (BATCH_SIZE, SIDE, SIDE, 3))
    return (noise + tints[labels][:, None, None]).astype(np.uint8), labels


def batches(start: int, stop: int):
    """`batch(start)` ... `batch(stop - 1)`, one after the other."""
    for step in range(start, stop):
        yield batch(step)


def weights_of(model) -> dict[str, np.ndarray]:
    """Every variable by its path."""
    return {variable.path: np.asarray(variable) for variable in model.variables}
