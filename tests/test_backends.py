"""layers, losses and models without TensorFlow, on Keras' JAX backend."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.reference import arcface, cosine, gem

pytest.importorskip("jax", reason="JAX, the second Keras backend, is not installed (extra `jax`)")

# In the child `import tensorflow` raises, as where only JAX is installed.
BLOCKED = "import sys; sys.modules['tensorflow'] = None\n"

IMPORTS = """
import landmarks_tf.layers, landmarks_tf.losses, landmarks_tf.models
import keras
assert keras.backend.backend() == "jax", keras.backend.backend()
assert not [m for m in sys.modules if m.split(".")[0] == "tensorflow" and sys.modules[m]]
"""

# Values that the parent compares with the float64 references.
VALUES = """
import numpy as np
from landmarks_tf.layers import CosineClassifier, GeMPooling2D, L2Normalization, PixelScaling
from landmarks_tf.losses import ArcFaceLoss

given, out = np.load(sys.argv[1]), {}
classifier = CosineClassifier(4, 2)
classifier.build(given["rows"].shape)
classifier.centers.assign(given["centers"])
out["cosines"] = classifier(given["rows"])
out["pooled"] = GeMPooling2D(p=2.5)(given["maps"])
out["unit"] = L2Normalization()(given["rows"])
out["scaled"] = PixelScaling([1 / 63.75] * 3, [-2.0] * 3, reverse_channels=True)(given["pixels"])
out["losses"] = ArcFaceLoss(reduction="none")(given["labels"], out["cosines"])
out["not_a_class"] = ArcFaceLoss(reduction="none")(np.array([-1, 4]), out["cosines"][:2])
np.savez(sys.argv[2], **{name: np.asarray(value) for name, value in out.items()})
"""

TRAINING = """
import numpy as np
from landmarks_tf.losses import ArcFaceLoss
from landmarks_tf.models import Backbone, build_embedder, build_landmark_model, create_backbone
from landmarks_tf.training.optimizers import create_optimizer

keras.utils.set_random_seed(0)
labels = np.arange(8) % 4

def step(backbone, head, loss, epsilon, **options):
    model = build_landmark_model(
        build_embedder(backbone, **options), backbone, num_classes=4, head=head
    )
    shape = (8, *backbone.model.input_shape[1:])
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    rows = model.embedder.predict(images, verbose=0)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    weights = model.trainer.trainable_weights
    before = [np.array(w) for w in weights]
    optimizer = create_optimizer("adam", 1e-3, weight_decay=1e-4, epsilon=epsilon)
    model.trainer.compile(optimizer=optimizer, loss=loss)
    assert np.isfinite(model.trainer.train_on_batch(images, labels))
    after = [np.array(w) for w in weights]
    assert all(np.isfinite(w).all() for w in after)
    still = [w.path for w, a, b in zip(weights, before, after) if np.array_equal(a, b)]
    assert not still, still
    return model

pixels = keras.Input((8, 8, 3))
tiny = Backbone("tiny", keras.Model(pixels, keras.layers.Conv2D(6, 3, strides=2)(pixels)))
step(tiny, "cosine", ArcFaceLoss(), 1e-7,
     pooling="gem", dim=16, neck=("dropout", "dense", "batch_norm"))
inception = create_backbone("inception_v200", image_size=75)
model = step(
    inception, "softmax", keras.losses.SparseCategoricalCrossentropy(from_logits=True), 1e-3
)
# reproduction.md section 1.5, at 4 classes instead of 890.
learned = sum(int(np.prod(w.shape)) for w in model.trainer.trainable_weights)
assert learned == 22_831_898 - (890 - 4) * 2049, learned
"""


def run(script: str, *arguments: str | Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED + IMPORTS + script, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def test_the_same_numbers_on_jax_without_tensorflow(tmp_path):
    random = np.random.default_rng(0)
    given = {
        "rows": random.normal(size=(6, 5)).astype(np.float32),
        "centers": random.normal(size=(8, 5)).astype(np.float32),
        "maps": random.normal(size=(2, 3, 3, 4)).astype(np.float32),
        "pixels": random.integers(0, 256, (1, 4, 4, 3)).astype(np.float32),
        "labels": np.array([0, 3, 2, 1, 1, 0]),
    }
    np.savez(tmp_path / "given.npz", **given)
    run(VALUES, tmp_path / "given.npz", tmp_path / "out.npz")
    out = np.load(tmp_path / "out.npz")
    cosines = cosine.class_cosines(given["rows"], given["centers"], 2)
    lengths = np.linalg.norm(given["rows"], axis=1, keepdims=True)
    expected = {
        "cosines": cosines,
        "pooled": gem.pool(given["maps"], 2.5),
        "unit": given["rows"] / lengths,
        "scaled": (given["pixels"][..., ::-1] / 255 - 0.5) / 0.25,
        "losses": arcface.loss(given["labels"], cosines, 0.35, 30.0),
        "not_a_class": [np.nan, np.nan],
    }
    for name, value in expected.items():
        np.testing.assert_allclose(out[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
        assert out[name].dtype == np.float32, name


@pytest.mark.slow
def test_a_training_step_moves_every_weight_on_jax_without_tensorflow():
    run(TRAINING)


def test_mirroring_belongs_to_tensorflow():
    run(
        """
from landmarks_tf.training import mesh
from landmarks_tf.training.distribution import create_strategy
with create_strategy("auto").scope():
    assert create_strategy("one_device").num_replicas_in_sync == 1
for name, message in (
    ("mirrored", "MirroredStrategy belongs to TensorFlow; the Keras backend is 'jax'"),
    ("tpu", "TPUStrategy belongs to TensorFlow; the Keras backend is 'jax'"),
    ("data_parallel", "data_parallel needs 2 devices or more. Found: cpu:0."),
):
    try:
        create_strategy(name)
    except ValueError as error:
        assert message in str(error), error
    else:
        raise AssertionError(name)
assert create_strategy("one_device", shard_centers=True).num_replicas_in_sync == 1
try:
    mesh.split_centers(["cpu:0"] * 3)
except ValueError as error:
    assert "over 1, 2, 4, ... 64 devices. Received: 3 devices." in str(error)
else:
    raise AssertionError("three devices")
"""
    )


FIT = """
import json
from pathlib import Path
import numpy as np
from landmarks_tf.training.fit import FitPlan, compile_model, fit

def batches(start):
    for step in range(start, 25):
        x = np.random.default_rng(step).normal(size=(8, 3)).astype("float32")
        yield x, x.sum(axis=1, keepdims=True)

def train(folder, steps):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.2), keras.layers.Dense(1)])
    compile_model(model, loss="mse", optimizer=keras.optimizers.Adam(0.1))
    plan = FitPlan(steps=steps, batch_size=8, log_every=10, checkpoint_every=10)
    report = fit(model, batches, plan, workdir=Path(sys.argv[1]) / folder)
    return report, [np.array(w).tolist() for w in model.weights]

_, whole = train("whole", 25)
assert train("halves", 20)[0] == {"steps": 20, "resumed_from": 0}
report, halves = train("halves", 25)
assert report == {"steps": 25, "resumed_from": 20}
assert whole == halves, (whole, halves)
lines = [json.loads(line) for line in (Path(sys.argv[1]) / "whole/metrics.jsonl").open()]
assert [line["step"] for line in lines] == [10, 20, 25]
"""


def test_fit_resumes_on_jax_without_tensorflow(tmp_path):
    run(FIT, tmp_path)
