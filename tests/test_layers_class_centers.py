"""Centres whose scores only the loss computes: what goes through, what is held, what is refused."""

from __future__ import annotations

import numpy as np

from landmarks_tf.layers import CenterCosines, ClassCenters, CosineClassifier
from tests import contracts


def rows(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(6, 4)).astype(np.float32)


@contracts.IGNORE_ARRAY_COPY
def test_contract(tmp_path):
    # Only the centres' own loss gives them a gradient (tests/test_losses_center_loss.py).
    layer = ClassCenters(5, 2, sample_rate=0.5, seed=3, name="cosines")
    inputs = rows()
    np.testing.assert_allclose(
        layer(inputs), inputs / np.linalg.norm(inputs, axis=1, keepdims=True), rtol=1e-5
    )
    assert layer.compute_output_shape((None, 4)) == (None, 4)
    assert [w.shape for w in layer.trainable_weights] == [(10, 4)]
    contracts._check_config(layer)
    contracts._check_layer_saves(layer, inputs, tmp_path)
    for policy in contracts.MIXED_POLICIES:
        with contracts.global_policy(policy):
            assert contracts._dtype(ClassCenters(5)(inputs)) == "float32"


def test_the_cosines_are_the_classifiers():
    for subcenters in (1, 3):
        classifier, head = CosineClassifier(5, subcenters), ClassCenters(5, subcenters)
        classifier.build((None, 4))
        head.build((None, 4))
        cosines = CenterCosines(head)
        for seed in (1, 2):  # the centres as they are at each call
            head.centers.assign(np.random.default_rng(seed).normal(size=(5 * subcenters, 4)))
            classifier.set_weights([np.asarray(head.centers)])
            np.testing.assert_allclose(cosines(rows()), classifier(rows()), atol=1e-6)
        assert cosines.compute_output_shape((None, 4)) == (None, 5)


def test_only_training_is_sampled():
    head, whole = ClassCenters(5, sample_rate=0.5), ClassCenters(5)
    for training, sampled in ((True, True), (False, False), (None, False)):
        head(rows(), training=training)
        whole(rows(), training=training)
        assert (head.is_sampled, whole.is_sampled) == (sampled, False)
    assert head.accuracy.name == "sampled_accuracy" and whole.accuracy.name == "accuracy"
    assert len(head.variables) - len(whole.variables) == 1  # the random numbers' state


def test_refusals():
    contracts.check_refusals(
        {
            "num_classes=1": lambda: ClassCenters(1),
            "subcenters=0": lambda: ClassCenters(2, 0),
            "sample_rate=0": lambda: ClassCenters(2, sample_rate=0),
            "sample_rate=1.5": lambda: ClassCenters(2, sample_rate=1.5),
            "an input of shape (6, 4, 1)": lambda: ClassCenters(2)(rows()[..., None]),
            "dtype='float16'": lambda: ClassCenters(2, dtype="float16"),
        }
    )
