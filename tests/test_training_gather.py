"""Gathering over replicas, where there is nothing to gather; tests/test_training_distribution.py
has two replicas."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.losses import GE2ELoss, TripletLoss
from landmarks_tf.training.gather import GatheredLoss, GatherReplicas, gather_replicas
from tests import contracts
from tests import tiny_replicas as tiny

pytestmark = contracts.IGNORE_ARRAY_COPY


def test_one_replica_has_all_rows():
    rows = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    assert gather_replicas(rows) is rows
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    np.testing.assert_array_equal(strategy.run(gather_replicas, args=(rows,)), rows)


def test_the_loss_of_one_replica_is_the_loss_itself():
    labels = np.repeat([3, 1, 2], 2)
    rows = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    plain = TripletLoss(margin=1.0, mining="all")
    gathered = GatheredLoss(plain)
    assert gathered.name == "triplet"
    np.testing.assert_array_equal(gathered(labels, rows), plain(labels, rows))


def test_a_trainer_that_gathers_is_saved_and_loaded(tmp_path):
    model = tiny.compiled("ge2e", gather=True)
    model.optimizer.build(model.trainable_weights)
    model.save(tmp_path / "trainer.keras")
    loaded = keras.saving.load_model(tmp_path / "trainer.keras")
    assert isinstance(loaded.loss, GatheredLoss) and isinstance(loaded.loss.loss, GE2ELoss)
    images, labels = tiny.batch(0)
    before = model.evaluate(images, labels, batch_size=tiny.BATCH_SIZE, verbose=0)
    after = loaded.evaluate(images, labels, batch_size=tiny.BATCH_SIZE, verbose=0)
    assert before == pytest.approx(after, rel=1e-6)
    assert model.get_layer("gathered").compute_output_shape((8, 5)) == (None, 5)
    assert GatherReplicas(name="a").get_config()["name"] == "a"


def test_what_is_no_loss():
    with pytest.raises(
        ValueError, match=r"Expected a Keras loss to gather for\. Received: loss='t"
    ):
        GatheredLoss("triplet")
