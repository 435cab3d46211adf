"""The SavedModel, judged by a stranger: a fresh process with TensorFlow and nothing of ours."""

from __future__ import annotations

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.data.image_ops import prepare
from landmarks_tf.export import (
    ParityError,
    export_embedder,
    measure_parity,
    probe_images,
    zip_saved_model,
)

SIZE = 32
FRAMES = [(40, 30), (32, 32), (7, 90), (1, 1)]

# What Kaggle's machine does, and what it must refuse. It never imports Keras or this project.
STRANGER = """
import json, sys, zipfile
import numpy as np
import tensorflow as tf
zipfile.ZipFile(sys.argv[1]).extractall("unpacked")
model = tf.saved_model.load("unpacked")
assert not any(name.startswith("landmarks_tf") for name in sys.modules)
signature = model.signatures["serving_default"]
frames = np.load(sys.argv[2])
result = {"descriptors": [], "errors": {}}
for name in frames.files:
    output = signature(tf.constant(frames[name]))
    assert list(output) == ["global_descriptor"], output
    assert output["global_descriptor"].dtype == tf.float32
    result["descriptors"].append(output["global_descriptor"].numpy().tolist())
for name, bad in {
    "float": tf.zeros((8, 8, 3)), "batched": tf.zeros((1, 8, 8, 3), tf.uint8),
    "grey": tf.zeros((8, 8, 1), tf.uint8),
}.items():
    try:
        signature(bad)
        result["errors"][name] = None
    except Exception as error:
        result["errors"][name] = f"{type(error).__name__}: {error}"
(spec,) = signature.structured_input_signature[1].values()
result["input"] = [spec.name, spec.dtype.name, str(spec.shape)]
print(json.dumps(result))
"""


@keras.saving.register_keras_serializable("tests")
class Half(keras.layers.Layer):
    """A layer of our own that no stranger's process knows; it counts how often it is traced."""

    traces = 0

    def call(self, x):
        type(self).traces += not tf.executing_eagerly()
        return x * 0.5


class Noisy(keras.layers.Layer):
    """A layer that acts otherwise in a graph than it does eagerly: the defect parity is for."""

    def call(self, x):
        if tf.executing_eagerly():
            return x
        return x + tf.constant(np.linspace(0, 0.01, x.shape[-1], dtype=np.float32))


def build(*extra, seed=0):
    """conv, pooling, dense, unit rows; normalisation inside, dropout and batch norm on the way."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.layers.Rescaling(1 / 127.5, -1.0),
            keras.layers.Conv2D(8, 3, strides=2, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(16),
            *extra,
            keras.layers.UnitNormalization(dtype="float32"),
        ]
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    embedder = build(Half())
    folder = tmp_path_factory.mktemp("export") / "sub" / "saved_model"
    Half.traces = 0
    report = export_embedder(embedder, folder, image_size=SIZE, mode="letterbox")
    return embedder, folder, report, Half.traces


@pytest.fixture(scope="module")
def frames():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, width, 3), np.uint8) for height, width in FRAMES]


@pytest.fixture(scope="module")
def stranger(exported, frames, tmp_path_factory):
    path = tmp_path_factory.mktemp("frames") / "frames.npz"
    np.savez(path, *frames)
    archive = path.parent / "submission.zip"
    zip_saved_model(exported[1], archive)
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, archive, path],
        capture_output=True,
        text=True,
        cwd=path.parent,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_stranger_gets_the_descriptors_of_the_keras_model(exported, frames, stranger):
    embedder = exported[0]
    for frame, descriptor in zip(frames, stranger["descriptors"], strict=True):
        image = prepare(frame, mode="letterbox", image_size=SIZE).numpy().astype(np.float32)
        expected = embedder.predict(image[None], verbose=0)[0]
        assert np.shape(descriptor) == (16,)
        np.testing.assert_allclose(descriptor, expected, atol=1e-5)
        assert np.linalg.norm(descriptor) == pytest.approx(1, abs=1e-5)


def test_the_signature_is_the_contract(stranger):
    assert stranger["input"] == ["input_image", "uint8", "(None, None, 3)"]


def test_a_stranger_s_mistakes_are_refused(stranger):
    assert "expected to be a uint8 tensor" in stranger["errors"]["float"]
    assert stranger["errors"]["batched"]
    assert stranger["errors"]["grey"]


def test_the_function_is_traced_once(exported):
    assert exported[3] == 1


def test_only_what_tensorflow_wrote_and_the_report_are_left(exported):
    _, folder, report, _ = exported
    assert sorted(path.name for path in folder.parent.iterdir()) == ["parity.json", "saved_model"]
    assert json.loads((folder.parent / "parity.json").read_text()) == {
        "saved_model": "saved_model",
        "image_size": SIZE,
        "mode": "letterbox",
        "size_bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        "tolerance": 1e-4,
        "parity": report.parity,
    }
    assert report.parity["max_abs"] < 1e-5
    assert report.parity["min_cosine"] > 0.99999
    assert (report.parity["descriptor_size"], report.parity["images"]) == (16, 6)


def test_parity_sees_another_model_and_another_resizing(exported):
    embedder, folder, _, _ = exported
    images = probe_images(SIZE, seed=3)
    same = measure_parity(folder, embedder, images, image_size=SIZE, mode="letterbox")
    resized = measure_parity(folder, embedder, images, image_size=SIZE, mode="squash")
    other = measure_parity(folder, build(Half(), seed=1), images, image_size=SIZE, mode="letterbox")
    assert same["max_abs"] < 1e-5
    assert tf.config.experimental.tensor_float_32_execution_enabled()
    assert resized["max_abs"] > 1e-3
    assert other["max_abs"] > 1e-2


def test_a_model_that_differs_in_a_graph_is_not_exported(tmp_path):
    embedder = build(Noisy())
    with pytest.raises(ParityError, match=r"expected a difference of at most 0\.0001, received"):
        export_embedder(embedder, tmp_path / "model", image_size=SIZE, mode="letterbox")
    assert not list(tmp_path.iterdir())
    # A stated tolerance lets it pass, and the report says what was let pass.
    report = export_embedder(
        embedder, tmp_path / "model", image_size=SIZE, mode="letterbox", tolerance=0.5
    )
    assert 1e-4 < report.parity["max_abs"] < report.tolerance == 0.5


def test_an_older_export_survives_unless_overwriting_is_asked_for(tmp_path):
    path = tmp_path / "model"
    export_embedder(build(), path, image_size=SIZE, mode="letterbox")
    before = (path / "variables" / "variables.data-00000-of-00001").read_bytes()
    with pytest.raises(FileExistsError, match=r"model exists already; export to another path"):
        export_embedder(build(seed=1), path, image_size=SIZE, mode="letterbox")
    with pytest.raises(ParityError):
        export_embedder(build(Noisy()), path, image_size=SIZE, mode="letterbox", overwrite=True)
    assert (path / "variables" / "variables.data-00000-of-00001").read_bytes() == before
    export_embedder(build(seed=1), path, image_size=SIZE, mode="letterbox", overwrite=True)
    assert (path / "variables" / "variables.data-00000-of-00001").read_bytes() != before
    assert sorted(item.name for item in tmp_path.iterdir()) == ["model", "parity.json"]


def test_a_folder_that_is_no_export_is_never_overwritten(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="is no SavedModel; it will not be overwritten"):
        export_embedder(
            build(), tmp_path / "thesis", image_size=SIZE, mode="letterbox", overwrite=True
        )
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"


def test_wrong_size_mode_and_output_are_named(tmp_path):
    with pytest.raises(
        ValueError, match=r"input \(B, 64, 64, 3\), received one of input \(None, 3"
    ):
        export_embedder(build(), tmp_path / "model", image_size=64, mode="letterbox")
    with pytest.raises(ValueError, match="'leterbox'"):
        export_embedder(build(), tmp_path / "model", image_size=SIZE, mode="leterbox")
    maps = keras.Sequential([keras.Input((SIZE, SIZE, 3)), keras.layers.Conv2D(4, 3)])
    with pytest.raises(ValueError, match=r"output \(B, D\).*\(30, 30, 4\)"):
        export_embedder(maps, tmp_path / "model", image_size=SIZE, mode="letterbox")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_takes_no_files_is_an_os_error():
    with pytest.raises(OSError, match="cannot write the SavedModel in /proc/self"):
        export_embedder(build(), "/proc/self/model", image_size=SIZE, mode="letterbox")


def test_a_mixed_precision_model_keeps_float32_outside(tmp_path):
    embedder = build(keras.layers.Dense(8, dtype="mixed_bfloat16"))
    report = export_embedder(embedder, tmp_path / "model", image_size=SIZE, mode="center_crop")
    assert report.tolerance == 2e-2
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    output = loaded.signatures["serving_default"](tf.zeros((5, 9, 3), tf.uint8))
    assert output["global_descriptor"].dtype == tf.float32
