"""What every layer, loss and model of ours must pass. A test file calls these with its own part.

A contract raises AssertionError with the reason. It runs on the Keras backend of the test process,
TensorFlow; tests/test_backends.py runs the parts on JAX.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from tests import seeded_weights

MIXED_POLICIES = ("mixed_float16", "mixed_bfloat16")

# TensorFlow 2.20's tensors do not know NumPy 2.4's copy keyword; keras' own saving trips over it.
IGNORE_ARRAY_COPY = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)


@contextlib.contextmanager
def global_policy(name: str) -> Iterator[None]:
    """Set Keras' global dtype policy for the time of a test."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def check_layer(
    make: Callable[[], keras.layers.Layer],
    inputs: np.ndarray,
    folder: Path,
    *,
    always_float32: bool,
) -> None:
    """The contract of a layer.

    Args:
        make: returns a new layer with its own name and the same numbers each time.
        inputs: a float32 batch, not constant; at least two rows.
        folder: an empty folder to save in.
        always_float32: whether the layer promises float32 outputs under every policy.
    """
    layer = make()
    outputs = layer(inputs)
    assert _dtype(outputs) == "float32"
    _check_shapes(layer, inputs, np.asarray(outputs).shape)
    _check_config(layer)
    _check_gradients(lambda: layer(inputs), layer.trainable_weights)
    _check_traced_once(layer, inputs)
    _check_layer_saves(layer, inputs, folder)
    for policy in MIXED_POLICIES:
        with global_policy(policy):
            mixed = make()
            mixed.build(inputs.shape)
            mixed.set_weights([np.asarray(w) for w in layer.weights])
            half = mixed(keras.ops.cast(inputs, policy.removeprefix("mixed_")))
            expected = "float32" if always_float32 else policy.removeprefix("mixed_")
            assert _dtype(half) == expected, f"{_dtype(half)} under {policy}"
            assert all(_dtype(w) == "float32" for w in mixed.weights)
        np.testing.assert_allclose(
            np.asarray(keras.ops.cast(half, "float32")), np.asarray(outputs), rtol=0.05, atol=0.05
        )


def check_loss(
    make: Callable[..., keras.losses.Loss],
    labels: np.ndarray,
    predictions: np.ndarray,
    folder: Path,
) -> None:
    """The contract of a loss: (B,) labels, (B, N) predictions -> one value a row.

    Args:
        make: takes Keras' `reduction` (or nothing) and returns the loss.
        labels: class ids.
        predictions: float32.
        folder: an empty folder to save in.
    """
    import tensorflow as tf

    loss = make()
    _check_config(loss)
    rows = np.asarray(make(reduction="none")(labels, predictions))
    assert rows.shape == labels.shape and rows.dtype == np.float32
    assert np.isfinite(rows).all()
    mean, total = loss(labels, predictions), make(reduction="sum")(labels, predictions)
    np.testing.assert_allclose(mean, rows.mean(), rtol=1e-6)
    np.testing.assert_allclose(total, rows.sum(), rtol=1e-6)
    weighted = loss(labels, predictions, sample_weight=np.arange(len(labels)) == 0)
    np.testing.assert_allclose(weighted, rows[0] / len(labels), rtol=1e-6)
    assert not [v for v in vars(loss).values() if isinstance(v, keras.Variable)], (
        "a loss holds no weights: Keras never trains them"
    )

    scores = tf.constant(predictions)
    _check_gradients(lambda: loss(labels, scores), [scores])
    for policy in MIXED_POLICIES:
        with global_policy(policy):
            assert make().dtype == "float32"
            np.testing.assert_array_equal(make(reduction="none")(labels, predictions), rows)
    _check_loss_traced_once(loss, labels, predictions)
    _check_loss_saves(loss, labels, predictions, folder)


def check_model(model: keras.Model, images: np.ndarray, folder: Path) -> None:
    """The contract of a network over pictures.

    Args:
        model: (B, S, S, 3) pixels 0..255 -> float32 rows, or a dict of them.
        images: (B, S, S, 3) uint8, B at least 2.
        folder: an empty folder to save in.
    """
    flat = check_outputs(model, images)
    predicted = keras.tree.flatten(model.predict(images, verbose=0))
    model.predict(images[::-1].copy(), verbose=0)
    assert model.predict_function.experimental_get_tracing_count() == 1
    for left, right in zip(predicted, flat, strict=True):
        np.testing.assert_allclose(left, right, atol=2e-5, err_msg="uint8 and float pixels differ")

    path = folder / "model.keras"
    model.save(path)
    with seeded_weights.no_initial_values():
        loaded = keras.saving.load_model(path)
    assert {y.name for y in loaded.layers} == {y.name for y in model.layers}
    for before, after in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(before), np.asarray(after))
    again = keras.tree.flatten(loaded(images.astype(np.float32), training=False))
    for left, right in zip(again, flat, strict=True):
        np.testing.assert_array_equal(np.asarray(left), np.asarray(right))


def check_outputs(model: keras.Model, images: np.ndarray) -> list:
    """Float32 outputs as they were promised, all finite; every weight has a path of its own.

    Args:
        model: (B, S, S, 3) pixels 0..255 -> float32 rows, or a dict of them.
        images: (B, S, S, 3) uint8.

    Returns:
        The outputs in inference.
    """
    names = [weight.path for weight in model.weights]
    assert len(names) == len(set(names)), "two weights share a path"
    flat = keras.tree.flatten(model(images.astype(np.float32), training=False))
    for symbolic, real in zip(keras.tree.flatten(model.output), flat, strict=True):
        assert _dtype(symbolic) == _dtype(real) == "float32"
        assert symbolic.shape[0] is None and symbolic.shape[1:] == real.shape[1:]
        assert np.isfinite(np.asarray(real)).all()
    return flat


def check_gradients_of_model(model: keras.Model, images: np.ndarray) -> None:
    """Every trainable weight of a network moves in training mode."""
    _check_gradients(lambda: model(images, training=True), model.trainable_weights)


def check_step_of_model(model: keras.Model, images: np.ndarray) -> None:
    """One step of training moves every trained weight, and nothing of a frozen layer.

    Args:
        model: pixels -> (B, D) rows; compiled anew here.
        images: (B, S, S, 3).
    """
    before = {weight.path: np.array(weight) for weight in model.weights}
    targets = np.random.default_rng(0).normal(size=(len(images), model.output.shape[-1]))
    # Adam: its first step is as long for a small gradient as for a large one. Eagerly: tracing a
    # hundred layers' gradients costs twenty times the step.
    model.compile(keras.optimizers.Adam(1e-3), "mse", run_eagerly=True)
    assert np.isfinite(model.train_on_batch(images, targets.astype(np.float32)))
    moved = {w.path for w in model.weights if not np.array_equal(before[w.path], np.array(w))}
    still = [w.path for w in model.trainable_weights if w.path not in moved]
    assert not still, f"a step leaves {still} as they are"
    frozen = {w.path for layer in model.layers if not layer.trainable for w in layer.weights}
    assert not moved & frozen, f"a step moves the frozen {sorted(moved & frozen)}"


def check_frozen(model: keras.Model, images: np.ndarray) -> None:
    """In training mode a network whose layers are all frozen keeps its moving statistics too."""
    before = [np.array(weight) for weight in model.weights]
    model(images.astype(np.float32), training=True)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), value, err_msg=weight.path)


def check_half_precision(make: Callable[[], keras.Model], images: np.ndarray) -> None:
    """Under the mixed policies a network gives nearly the same rows, in float32.

    Its norms first take the statistics of `images`: with the initial ones a deep network's
    activations fade below what float16 holds.

    Args:
        make: returns a new model, pixels -> (B, D) unit rows.
        images: (B, S, S, 3), B at least 4.
    """
    model = make()
    _settle_norms(model, images)
    rows = np.asarray(model(images, training=False))
    # Rows of float16 (11 bits) and bfloat16 (8 bits) after a hundred layers.
    for policy, least in zip(MIXED_POLICIES, (0.97, 0.8), strict=True):
        with global_policy(policy), seeded_weights.no_initial_values():
            mixed = make()
        mixed.set_weights(model.get_weights())
        half = policy.removeprefix("mixed_")
        assert any(layer.compute_dtype == half for layer in mixed.layers if layer.weights)
        assert all(_dtype(weight) == "float32" for weight in mixed.weights)
        outputs = mixed(images, training=False)
        assert _dtype(outputs) == "float32", f"{_dtype(outputs)} under {policy}"
        cosines = np.asarray(outputs) @ rows.T
        own = np.diag(cosines)
        assert own.min() > least, f"{policy} turns a row to cosine {own.min()}"
        assert (own[:, None] >= cosines).all(), f"{policy} turns a row to another picture's"


def _settle_norms(model: keras.Model, images: np.ndarray) -> None:
    """Give batch norms the statistics of `images` as their moving ones."""
    norms = [y for y in model.layers if isinstance(y, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    model(images, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def check_refusals(cases: dict[str, Callable[[], object]]) -> None:
    """Each call raises a ValueError whose text holds the key."""
    for message, call in cases.items():
        with pytest.raises(ValueError) as caught:
            call()
        assert message in str(caught.value), f"{message!r} is not in {str(caught.value)!r}"


def _dtype(tensor) -> str:
    return keras.backend.standardize_dtype(tensor.dtype)


def _check_shapes(layer, inputs: np.ndarray, real: tuple[int, ...]) -> None:
    assert tuple(layer.compute_output_shape(inputs.shape)) == real
    symbolic = layer(keras.Input(inputs.shape[1:]))
    assert symbolic.shape == (None, *real[1:])


def _check_config(part) -> None:
    config = keras.saving.serialize_keras_object(part)
    twin = keras.saving.deserialize_keras_object(json.loads(json.dumps(config)))
    assert type(twin) is type(part)
    again = keras.saving.serialize_keras_object(twin)
    assert json.dumps(again["config"]) == json.dumps(config["config"])


def _check_layer_saves(layer, inputs: np.ndarray, folder: Path) -> None:
    pixels = keras.Input(inputs.shape[1:])
    model = keras.Model(pixels, layer(pixels))
    model.save(folder / "layer.keras")
    loaded = keras.saving.load_model(folder / "layer.keras")
    np.testing.assert_array_equal(
        loaded.predict(inputs, verbose=0), model.predict(inputs, verbose=0)
    )


def _check_gradients(forward: Callable[[], object], weights: list) -> None:
    import tensorflow as tf

    values = [w.value if isinstance(w, keras.Variable) else w for w in weights]
    with tf.GradientTape() as tape:
        tape.watch(values)
        outputs = keras.tree.flatten(forward())
        # Random factors: a plain sum is blind to what normalisation takes out.
        rng = np.random.default_rng(0)
        total = sum(
            tf.reduce_sum(tf.cast(y, "float32") * rng.normal(size=y.shape).astype(np.float32))
            for y in outputs
        )
    for weight, gradient in zip(weights, tape.gradient(total, values), strict=True):
        name = getattr(weight, "path", "the prediction")
        assert gradient is not None, f"no gradient reaches {name}"
        gradient = np.asarray(tf.convert_to_tensor(gradient))
        assert np.isfinite(gradient).all(), f"the gradient of {name} is not finite"
        assert np.any(gradient != 0), f"the gradient of {name} is zero"


def _check_traced_once(layer, inputs: np.ndarray) -> None:
    import tensorflow as tf

    traces = []

    @tf.function(input_signature=[tf.TensorSpec((None, *inputs.shape[1:]), tf.float32)])
    def run(x):
        traces.append(x)
        return layer(x)

    np.testing.assert_allclose(run(inputs), layer(inputs), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run(inputs[:1]), layer(inputs[:1]), rtol=1e-5, atol=1e-6)
    assert len(traces) == 1


def _check_loss_traced_once(loss, labels: np.ndarray, predictions: np.ndarray) -> None:
    import tensorflow as tf

    traces = []

    @tf.function(
        input_signature=[
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((None, predictions.shape[1]), tf.float32),
        ]
    )
    def run(y_true, y_pred):
        traces.append(y_true)
        return loss(y_true, y_pred)

    for rows in (len(labels), 1):
        value = run(labels[:rows].astype(np.int32), predictions[:rows])
        np.testing.assert_allclose(value, loss(labels[:rows], predictions[:rows]), rtol=1e-6)
    assert len(traces) == 1


def _check_loss_saves(loss, labels: np.ndarray, predictions: np.ndarray, folder: Path) -> None:
    scores = keras.Input(predictions.shape[1:])
    model = keras.Model(scores, keras.layers.Identity()(scores))
    model.compile(loss=loss)
    model.save(folder / "loss.keras")
    loaded = keras.saving.load_model(folder / "loss.keras")
    assert type(loaded.loss) is type(loss)
    np.testing.assert_array_equal(loaded.loss(labels, predictions), loss(labels, predictions))
