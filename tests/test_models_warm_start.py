"""Weights from network to network by name and shape."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from landmarks_tf.layers import BatchNorm, CosineClassifier, GeMPooling2D
from landmarks_tf.models.warm_start import carry_weights


def network(seed, *, size=8, classes=4, pooling="avg", width=6, dropout=0.0):
    keras.utils.set_random_seed(seed)
    pixels = keras.Input((size, size, 3))
    x = keras.layers.Conv2D(5, 3, name="conv", bias_initializer="uniform")(pixels)
    x = BatchNorm(name="norm")(x)
    if pooling == "avg":
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    else:
        x = GeMPooling2D(name="pool")(x)
    x = keras.layers.Dropout(dropout)(x)
    x = keras.layers.Dense(width, name="neck")(x)
    return keras.Model(pixels, CosineClassifier(classes, name="cosines")(x))


def weights_of(model):
    return {f"{v.path}": np.array(np.asarray(v)) for v in model.weights}


def test_another_size_keeps_every_weight():
    source = network(0)
    # Statistics move too.
    source.get_layer("norm").moving_mean.assign(np.arange(5.0))
    target = network(1, size=12)
    report = carry_weights(source, target)
    assert report.carried == ("conv", "norm", "neck", "cosines")
    assert str(report) == "4 layers carried over; new: none"
    for path, value in weights_of(source).items():
        np.testing.assert_array_equal(weights_of(target)[path], value, err_msg=path)


def test_what_does_not_fit_stays_as_it_was():
    source, target = network(0), network(1, classes=7, pooling="gem", width=9)
    before = weights_of(target)
    report = carry_weights(source, target)
    assert report.carried == ("conv", "norm")
    assert report.new == {
        "pool": "not in the network before",
        "neck": "shapes [(5, 6), (6,)] before, [(5, 9), (9,)] now",
        "cosines": "shapes [(4, 6)] before, [(7, 9)] now",
    }
    for path, value in weights_of(target).items():
        expected = before if path.split("/")[0] in report.new else weights_of(source)
        np.testing.assert_array_equal(value, expected[path], err_msg=path)


def test_fresh_layers_start_anew_though_their_shapes_fit():
    source, target = network(0), network(1)
    before = weights_of(target)["cosines/centers"]
    report = carry_weights(source, target, fresh={"cosines": "other classes"})
    assert report.new == {"cosines": "other classes"}
    np.testing.assert_array_equal(weights_of(target)["cosines/centers"], before)


def test_states_of_random_seeds_are_no_weights():
    source, target = network(0, dropout=0.5), network(1, dropout=0.5)
    seeds = [np.array(np.asarray(v)) for v in target.variables if "seed" in v.path]
    assert seeds
    carry_weights(source, target)
    after = [np.array(np.asarray(v)) for v in target.variables if "seed" in v.path]
    for one, other in zip(seeds, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_required_layer_that_does_not_fit_is_refused_and_nothing_changes():
    source, target = network(0), network(1, width=9)
    before = weights_of(target)
    with pytest.raises(ValueError, match=r"'neck' of the new network and 0 more .* one backbone"):
        carry_weights(source, target, required=("conv", "neck"))
    for path, value in weights_of(target).items():
        np.testing.assert_array_equal(value, before[path])
