"""What the engine hangs into Keras' loop, on the JAX backend without TensorFlow, in one process."""

from __future__ import annotations

import json

import pytest

from tests.test_backends import run

pytest.importorskip("jax", reason="JAX, the second Keras backend, is not installed (extra `jax`)")

SCRIPT = """
import json, time
from pathlib import Path
import numpy as np
from landmarks_tf.layers import CosineClassifier, L2Normalization, PixelScaling
from landmarks_tf.losses import ArcFaceLoss
from landmarks_tf.training.checkpoints import TrainingDivergedError
from landmarks_tf.training.fit import FitPlan, compile_model, fit
from landmarks_tf.training.learning_rate_finder import find_learning_rate
from landmarks_tf.training.overfit import overfit_one_batch
from landmarks_tf.training.progress import PassBar

folder, found = Path(sys.argv[1]), {}

def batches(start, stop, bad=None, pause=0.0):
    for step in range(start, stop):
        time.sleep(pause)
        x = np.random.default_rng(step).normal(size=(8, 3)).astype("float32")
        y = x.sum(axis=1, keepdims=True)
        yield x, y * np.float32("nan") if step == bad else y

def network():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.2), keras.layers.Dense(1)])
    compile_model(model, loss="mse", optimizer=keras.optimizers.Adam(0.1))
    return model

def trained(name, steps=25, profile=False, **options):
    model = network()
    plan = FitPlan(steps=steps, batch_size=8, log_every=10, checkpoint_every=10)
    contents = lambda batch: {"rows": [8 * batch], "ids": [f"picture-{batch}"]}
    fit(model, lambda start: batches(start, steps, **options), plan, workdir=folder / name,
        batch_contents=contents, profile=profile)
    return [np.array(w).tolist() for w in model.weights]

found["ours"] = trained("profiled", profile=True)
plain = network()
for x, y in batches(0, 25):
    plain.train_on_batch(x, y)
found["plain"] = [np.array(w).tolist() for w in plain.weights]

trained("slow", pause=0.03)
try:
    trained("diverged", bad=13)
except TrainingDivergedError as error:
    found["diverged"] = str(error)

model = network()
model.predict(np.zeros((6, 3), "float32"), batch_size=2, verbose=0,
              callbacks=[PassBar("validation", 3, after_s=0)])

model = keras.Sequential(
    [keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")]
)
model.compile(keras.optimizers.SGD(1.0), "mse")
ones = ((np.full((1, 1), 5.0, "float32"), np.zeros((1, 1), "float32")) for _ in range(60))
test = find_learning_rate(model, ones, lowest=1e-5, highest=10.0, steps=60)
found["range test"] = [test.suggested, test.diverges_at, len(test.losses)]

def told(rate, optimizer=keras.optimizers.Adam):
    keras.utils.set_random_seed(0)
    pixels = keras.Input((4, 4, 3))
    x = keras.layers.Flatten()(PixelScaling([1 / 255] * 3, [0.0] * 3)(pixels))
    x = keras.layers.BatchNormalization()(keras.layers.Dense(32, activation="relu")(x))
    rows = L2Normalization()(keras.layers.Dense(16)(x))
    trainer = keras.Model(pixels, CosineClassifier(4)(rows))
    metrics = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
    trainer.compile(optimizer(rate), ArcFaceLoss(), metrics=metrics)
    images = np.random.default_rng(0).integers(0, 256, (16, 4, 4, 3)).astype("uint8")
    labels = np.arange(16) % 4
    report = overfit_one_batch(
        trainer, images, labels, embedder=keras.Model(pixels, rows), labels=labels, steps=150
    )
    return [report.passed, report.recognised, list(report.problems)]

found["overfit"] = [told(3e-3), told(1e-7), told(0.0)]
(folder / "found.json").write_text(json.dumps(found))
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """(folder of the trainings, what the script found)."""
    folder = tmp_path_factory.mktemp("jax")
    done = run(SCRIPT, folder)
    return folder, json.loads((folder / "found.json").read_text()) | {"stderr": done.stderr}


def lines_of(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_the_watched_steps_are_keras_own(engine):
    assert engine[1]["ours"] == engine[1]["plain"]


def test_the_wait_for_data(engine):
    lines = lines_of(engine[0] / "slow")
    assert [line["step"] for line in lines] == [10, 20, 25]
    # 30 ms a batch beside steps of next to nothing; the first segment compiles.
    assert all(line["data_wait"] > 0.5 for line in lines[1:])
    assert (engine[0] / "slow/metrics.csv").read_text().count("\n") == 4


def test_a_profile(engine):
    written = list((engine[0] / "profiled/tensorboard/plugins/profile").rglob("*.xplane.pb"))
    assert len(written) == 1 and written[0].stat().st_size > 1000


def test_the_bad_batch(engine):
    assert "became nan in step 14; nothing since step 10 is kept." in engine[1]["diverged"]
    assert "of the pictures picture-13 is written" in engine[1]["diverged"]
    found = json.loads((engine[0] / "diverged/diverged.json").read_text())
    assert (found["step"], found["batch"], found["rows"]) == (14, 13, [104])


def test_the_bar_of_a_pass(engine):
    assert "validation:" in engine[1]["stderr"]


def test_the_range_test(engine):
    suggested, diverges_at, steps = engine[1]["range test"]
    # The loss is (5 w) ** 2: SGD is stable below 2 / 50.
    assert 4e-5 < suggested < 0.04 < diverges_at < 4
    assert steps < 60


def test_one_batch(engine):
    (passed, right, none), (low, _, too_low), (zero, _, nothing) = engine[1]["overfit"]
    assert (passed, right, none) == (True, 1.0, [])
    assert not low and "learning rate of 1e-07 is low" in too_low[0]
    assert not zero and nothing[0].startswith("No weight has moved at a learning rate of 0")
