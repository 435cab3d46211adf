"""The organisers' loop on folders of colour patches, with models made of bare tf.Modules."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from landmarks_tf.export import scoring
from landmarks_tf.export.scoring import SubmissionRejectedError

PICTURE = tf.TensorSpec((None, None, 3), tf.uint8, name="input_image")


def image_id(number):
    return f"{number:016x}"


def patch(folder, number, colour, size=(6, 5)):
    """One plain JPEG at folder/a/b/c/<id>.jpg, as GLDv2 lays files out."""
    name = image_id(number)
    path = folder / name[0] / name[1] / name[2] / f"{name}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, quality=95)
    return path


def save(path, function, *specs, key="serving_default"):
    """A SavedModel of one signature around `function`."""
    module = tf.Module()
    module.function = tf.function(function, input_signature=specs or (PICTURE,))
    tf.saved_model.save(module, str(path), signatures={key: module.function})
    return path


def mean_colour(image):
    return {"global_descriptor": tf.reduce_mean(tf.cast(image, tf.float32), axis=(0, 1))}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save(tmp_path_factory.mktemp("model") / "m", mean_colour)


@pytest.fixture
def images(tmp_path):
    """Two queries, red and green, a third that is not scored, and six index patches."""
    root = tmp_path / "images"
    patch(root / "test", 1, (250, 0, 0), (9, 4))
    patch(root / "test", 2, (0, 250, 0), (3, 11))
    patch(root / "test", 3, (0, 0, 250))
    for number, colour in enumerate(
        [(0, 200, 0), (200, 0, 0), (150, 0, 0), (0, 150, 0), (100, 0, 0), (0, 0, 0)], start=0xA0
    ):
        patch(root / "index", number, colour, (4 + number % 3, 7))
    return root


def test_known_rankings(model, images):
    found = scoring.rank_kaggle_2020(model, images, [image_id(1), image_id(2)], k=4)
    assert found.rankings == {
        image_id(1): [image_id(n) for n in (0xA1, 0xA2, 0xA4, 0xA5)],
        image_id(2): [image_id(n) for n in (0xA0, 0xA3, 0xA5, 0xA4)],
    }
    assert (found.num_test, found.num_index, found.descriptor_size) == (3, 6, 3)
    assert found.unreadable == []


def test_outputs_are_ranked_raw(tmp_path, images):
    """The length of a descriptor counts: nobody normalises on the organisers' side."""

    def short_for_bright(image):
        colour = mean_colour(image)["global_descriptor"]
        return {"global_descriptor": colour / (1 + tf.reduce_sum(colour)) ** 2}

    path = save(tmp_path / "m", short_for_bright)
    found = scoring.rank_kaggle_2020(path, images, [image_id(1)], k=4)
    # Reds of 250, 200, 150, 100 become .0040, .0050, .0066, .0098, and black stays 0: black is
    # nearer than the darkest red, though all the reds point the same way.
    assert found.rankings[image_id(1)] == [image_id(n) for n in (0xA1, 0xA2, 0xA5, 0xA4)]


def test_every_file_is_described_once_and_without_a_batch(model, images, monkeypatch):
    seen = []
    load = scoring.load_descriptor

    def recording(model_dir):
        describe = load(model_dir)
        return lambda image: (seen.append(image.shape), describe(image))[1]

    monkeypatch.setattr(scoring, "load_descriptor", recording)
    scoring.rank_kaggle_2020(model, images, [image_id(1)])
    assert seen[:3] == [(4, 9, 3), (11, 3, 3), (5, 6, 3)]
    assert len(seen) == 9


def test_files_that_do_not_read_are_listed_and_the_rest_is_scored(model, images):
    whole = io.BytesIO()
    Image.new("RGB", (60, 60), (9, 9, 9)).save(whole, "JPEG")
    cut = images / "index" / f"{image_id(0xF0)}.jpg"
    cut.write_bytes(whole.getvalue()[:-200])
    (images / "test" / f"{image_id(4)}.jpg").write_bytes(b"no picture")
    Image.new("L", (3, 3), 40).save(images / "index" / f"{image_id(0xF1)}.jpg")
    found = scoring.rank_kaggle_2020(model, images, [image_id(1), image_id(4)])
    assert found.unreadable == [f"test/{image_id(4)}.jpg", f"index/{image_id(0xF0)}.jpg"]
    assert set(found.rankings) == {image_id(1)}
    assert len(found.rankings[image_id(1)]) == 7  # six patches and the grey one


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 12), st.integers(1, 15), st.integers(0, 9))
def test_nearest_rows_equals_a_full_sort(num_queries, num_rows, k, seed):
    # Whole coordinates in a small range: many distances are equal, and exactly so.
    rng = np.random.default_rng(seed)
    queries = rng.integers(0, 3, (num_queries, 2)).astype(np.float32)
    index = rng.integers(0, 3, (num_rows, 2)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patcher:
        patcher.setattr(scoring, "_QUERY_BLOCK", 4)
        patcher.setattr(scoring, "_INDEX_BLOCK", 5)
        distances, rows = scoring.nearest_rows(queries, index, k)
    for query in range(num_queries):
        keyed = sorted(
            (sum((float(a) - float(b)) ** 2 for a, b in zip(queries[query], row, strict=True)), n)
            for n, row in enumerate(index)
        )[:k]
        assert rows[query].tolist() == [n for _, n in keyed]
        assert distances[query] == pytest.approx([square**0.5 for square, _ in keyed])


def two_inputs(image, scales):
    return {"global_descriptor": tf.reduce_sum(scales) * mean_colour(image)["global_descriptor"]}


REJECTED = {
    "signature": (
        (mean_colour, PICTURE),
        "other",
        r"expected the signature 'serving_default'.*'ot",
    ),
    "output": (
        (lambda image: {"descriptor": tf.constant([1.0])}, PICTURE),
        "serving_default",
        "expected the output 'global_descriptor', serving_default gives 'descriptor'",
    ),
    "two inputs": (
        (two_inputs, PICTURE, tf.TensorSpec((None,), tf.float32, name="input_scales")),
        "serving_default",
        "one positional argument; serving_default has 2: input_image, input_scales",
    ),
    "float input": (
        (mean_colour, tf.TensorSpec((None, None, 3), tf.float32, name="input_image")),
        "serving_default",
        r"type uint8, without a batch dimension; received \(None, None, 3\) of type float32",
    ),
    "batched input": (
        (mean_colour, tf.TensorSpec((None, None, None, 3), tf.uint8, name="input_image")),
        "serving_default",
        r"received \(None, None, None, 3\) of type uint8",
    ),
}


@pytest.mark.parametrize("case", REJECTED)
def test_models_that_break_the_contract_are_rejected_at_load(tmp_path, case):
    (function, *specs), key, message = REJECTED[case]
    path = save(tmp_path / "m", function, *specs, key=key)
    with pytest.raises(SubmissionRejectedError, match=f"^rejected: .*{message}"):
        scoring.load_descriptor(path)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda i: {"global_descriptor": mean_colour(i)["global_descriptor"][None]},
            "shape .1, 3.",
        ),
        (lambda i: {"global_descriptor": tf.shape(i)}, r"float vector \(D,\), received int32"),
        (lambda i: {"global_descriptor": tf.constant([1.0, np.nan])}, "not finite"),
        (
            lambda i: {"global_descriptor": tf.reduce_mean(tf.cast(i, tf.float32), axis=(0, 2))},
            "has 3 components, those before it have 9",
        ),
        (
            lambda i: {
                "global_descriptor": tf.cast(tf.ensure_shape(i, (8, 8, 3)), tf.float32)[0, 0]
            },
            r"fails on an image of shape \(4, 9, 3\)",
        ),
    ],
)
def test_outputs_that_break_the_contract_are_rejected_with_the_file(
    tmp_path, images, function, message
):
    path = save(tmp_path / "m", function)
    with pytest.raises(SubmissionRejectedError, match=f"rejected: .*{message}") as caught:
        scoring.rank_kaggle_2020(path, images, [image_id(1)])
    assert f"{image_id(1)}.jpg" in str(caught.value) or f"{image_id(2)}.jpg" in str(caught.value)


def test_folders_that_hold_no_model_or_a_broken_one(tmp_path, model):
    with pytest.raises(SubmissionRejectedError, match=r"one saved_model\.pb in .*, found none"):
        scoring.load_descriptor(tmp_path)
    # One level up is fine, as long as it is clear which model is meant.
    assert scoring.load_descriptor(model.parent)(np.zeros((2, 2, 3), np.uint8)).shape == (3,)
    (tmp_path / "saved_model.pb").write_bytes(b"no graph")
    with pytest.raises(SubmissionRejectedError, match="rejected: TensorFlow cannot load the model"):
        scoring.load_descriptor(tmp_path)


def test_folders_that_cannot_be_scored(tmp_path, model, images):
    with pytest.raises(ValueError, match=r"1 of the 2 scored queries have no image .*0000ff"):
        scoring.rank_kaggle_2020(model, images, [image_id(1), image_id(0xFF)])
    with pytest.raises(ValueError, match="expected k to be at least 1"):
        scoring.rank_kaggle_2020(model, images, [image_id(1)], k=0)
    with pytest.raises(ValueError, match=r"expected a folder .*absent.test"):
        scoring.find_images(tmp_path / "absent", "test")
    (tmp_path / "test").mkdir()
    with pytest.raises(ValueError, match=r"expected \*\.jpg files under"):
        scoring.find_images(tmp_path, "test")
    patch(images / "test" / "again", 1, (0, 0, 0))
    with pytest.raises(ValueError, match="is also that of"):
        scoring.find_images(images, "test")
    (images / "index" / "holiday.jpg").touch()
    with pytest.raises(ValueError, match=r"holiday\.jpg: expected a hexadecimal id"):
        scoring.find_images(images, "index")
