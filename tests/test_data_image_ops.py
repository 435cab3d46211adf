"""Decoding and resizing against Pillow and against plain-loop NumPy."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from landmarks_tf.data import image_ops
from tests.conftest import ROOT
from tests.reference import image_ops as reference


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth structure plus noise, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 4, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    return np.clip(smooth + rng.integers(-20, 21, smooth.shape), 0, 255).astype(np.uint8)


def encoded(image: Image.Image, file_format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


RGB = Image.fromarray(picture(61, 83))
FILES = {
    "jpeg": encoded(RGB, "JPEG", quality=90),
    "progressive": encoded(RGB, "JPEG", progressive=True),
    "full chroma": encoded(RGB, "JPEG", subsampling=0),
    "grey": encoded(RGB.convert("L"), "JPEG"),
    "cmyk": encoded(RGB.convert("CMYK"), "JPEG"),
    "png": encoded(RGB, "PNG"),
    "grey png": encoded(RGB.convert("L"), "PNG"),
    "png with alpha": encoded(RGB.convert("RGBA"), "PNG"),
    "palette png": encoded(RGB.convert("P"), "PNG"),
    "gif": encoded(RGB.convert("P"), "GIF"),
    "animated gif": encoded(
        RGB.convert("P"), "GIF", save_all=True, append_images=[RGB.convert("L").convert("P")]
    ),
    "bmp": encoded(RGB, "BMP"),
    "webp": encoded(RGB, "WEBP", lossless=True),
}


@pytest.mark.parametrize("kind", FILES)
def test_decode_equals_pillow_to_the_last_bit(kind):
    expected = np.asarray(Image.open(io.BytesIO(FILES[kind])).convert("RGB"))
    decoded = image_ops.decode(tf.constant(FILES[kind]))
    assert decoded.dtype == tf.uint8
    np.testing.assert_array_equal(decoded, expected)


@pytest.mark.parametrize("bad", [b"", b"no picture at all", FILES["jpeg"][:600], b"\xff\xd8\xff"])
def test_decode_refuses_what_is_no_picture(bad):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"JPEG|empty|image"):
        image_ops.decode(tf.constant(bad))


@pytest.mark.parametrize("height,width", [(40, 60), (33, 100), (97, 31), (50, 49), (48, 48)])
def test_letterbox_equals_the_plain_loop(height, width):
    image = picture(height, width)
    ours = image_ops.letterbox(tf.constant(image), 48)
    np.testing.assert_allclose(ours, reference.letterbox(image, 48), atol=2e-3)


@pytest.mark.parametrize("height,width", [(90, 60), (30, 20), (96, 96), (97, 96), (470, 300)])
def test_letterbox_is_the_same_from_bytes_and_from_floats(height, width):
    """Those of up to four pixels to each new one are turned into floats before they are scaled."""
    image = tf.constant(picture(height, width))
    from_floats = image_ops.letterbox(tf.cast(image, tf.float32), 48)
    np.testing.assert_array_equal(image_ops.letterbox(image, 48), from_floats)


def test_letterbox_antialiased_equals_the_plain_loop():
    image = picture(41, 90)
    ours = image_ops.letterbox(tf.constant(image), 24, antialias=True)
    expected = reference.letterbox(image, 24, resample=reference.antialiased)
    np.testing.assert_allclose(ours, expected, atol=2e-3)


def test_letterbox_geometry_by_hand():
    """100 x 40 at 49: 19.6 is cut to 19, bars of 15 and 15; at 31: 12 wide, bars of 9 and 10."""
    white = tf.fill((100, 40, 3), tf.constant(255, tf.uint8))
    columns = image_ops.letterbox(white, 49).numpy()[0, :, 0]
    np.testing.assert_array_equal(np.flatnonzero(columns), np.arange(15, 34))
    columns = image_ops.letterbox(white, 31).numpy()[0, :, 0]
    np.testing.assert_array_equal(np.flatnonzero(columns), np.arange(9, 21))
    rows = image_ops.letterbox(tf.transpose(white, (1, 0, 2)), 31).numpy()[:, 0, 0]
    np.testing.assert_array_equal(np.flatnonzero(rows), np.arange(9, 21))


@pytest.mark.parametrize("side", [49, 98, 103, 107, 161, 187, 299])
def test_the_longer_side_is_exactly_the_image_size(side):
    """In floating point 49 * (224 / 49) is 223.99..., which would be cut to 223."""
    white = tf.fill((side, side // 2, 3), tf.constant(255, tf.uint8))
    letterboxed = image_ops.letterbox(white, 224).numpy()
    assert letterboxed[:, 112, 0].min() == 255


@given(
    height=st.integers(1, 130),
    width=st.integers(1, 130),
    size=st.sampled_from([8, 33, 64]),
    seed=st.integers(0, 3),
)
@settings(max_examples=40, deadline=None)
def test_squash_and_center_crop_agree_with_pillow(height, width, size, seed):
    image = picture(height, width, seed)
    pillow = Image.fromarray(image)
    squashed = image_ops.prepare(tf.constant(image), mode="squash", image_size=size)
    expected = np.asarray(pillow.resize((size, size), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(squashed.numpy() - expected).max() <= 1  # Pillow rounds between its two passes

    shorter = min(height, width)
    new_width, new_height = size * width // shorter, size * height // shorter
    scaled = np.asarray(pillow.resize((new_width, new_height), Image.Resampling.BILINEAR))
    top, left = round((new_height - size) / 2), round((new_width - size) / 2)
    expected = scaled[top : top + size, left : left + size].astype(int)
    cropped = image_ops.prepare(tf.constant(image), mode="center_crop", image_size=size)
    assert np.abs(cropped.numpy() - expected).max() <= 1


def test_center_crop_from_a_larger_short_side():
    image = picture(70, 91)
    scaled = np.asarray(
        Image.fromarray(image).resize((32 * 91 // 70, 32), Image.Resampling.BILINEAR)
    ).astype(int)
    expected = scaled[2:30, round((41 - 28) / 2) : round((41 - 28) / 2) + 28]
    ours = image_ops.to_uint8(image_ops.center_crop(tf.constant(image), 28, short_side=32))
    assert np.abs(ours.numpy() - expected).max() <= 1
    named = image_ops.prepare(tf.constant(image), mode="center_crop_from_8_7", image_size=28)
    np.testing.assert_array_equal(named, ours)
    with pytest.raises(ValueError, match="short_side must be at least image_size"):
        image_ops.center_crop(tf.constant(image), 28, short_side=27)


@pytest.mark.parametrize("mode", image_ops.MODES)
@pytest.mark.parametrize("height,width", [(1, 1), (1, 5000), (5000, 1), (3, 2000), (2, 3)])
def test_no_shape_is_too_extreme(mode, height, width):
    image = np.full((height, width, 3), 200, np.uint8)
    prepared = image_ops.prepare(tf.constant(image), mode=mode, image_size=37).numpy()
    assert prepared.shape == (37, 37, 3)
    assert prepared.max() == 200  # never only black: the picture keeps at least one pixel


@pytest.mark.parametrize("mode", image_ops.MODES)
def test_eager_graph_and_tf_data_agree_and_trace_once(mode):
    traces = []

    def prepare(image):
        traces.append(mode)
        return image_ops.prepare(image, mode=mode, image_size=32)

    compiled = tf.function(prepare, input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)])
    images = [picture(30, 50), picture(64, 20), picture(32, 32), picture(1, 7)]
    eager = [image_ops.prepare(tf.constant(image), mode=mode, image_size=32) for image in images]
    for image, expected in zip(images, eager, strict=True):
        np.testing.assert_array_equal(compiled(tf.constant(image)), expected)
    assert traces == [mode]

    files = tf.data.Dataset.from_tensor_slices([encoded(Image.fromarray(i), "PNG") for i in images])
    dataset = files.map(lambda file: prepare(image_ops.decode(file)), num_parallel_calls=2)
    assert dataset.element_spec == tf.TensorSpec((32, 32, 3), tf.uint8)
    for batch, expected in zip(dataset, eager, strict=True):
        np.testing.assert_array_equal(batch, expected)
    assert traces == [mode, mode]


def test_rounding_is_to_the_nearest_and_clipped():
    values = tf.constant([-3.0, 0.4, 0.6, 254.6, 300.0])
    np.testing.assert_array_equal(image_ops.to_uint8(values), [0, 0, 1, 255, 255])


def test_mistakes_are_named():
    image = tf.zeros((4, 4, 3), tf.uint8)
    with pytest.raises(
        ValueError, match=r"unknown resize mode 'leterbox'.*did you mean 'letterbox'"
    ):
        image_ops.prepare(image, mode="leterbox", image_size=8)
    for size in (0, -3, 7.5, True, None):
        with pytest.raises(ValueError, match="positive whole number of pixels"):
            image_ops.prepare(image, mode="squash", image_size=size)
    for shape in ((4, 4), (4, 4, 1), (2, 4, 4, 3)):
        with pytest.raises(ValueError, match=r"one RGB image of shape \(H, W, 3\)"):
            image_ops.prepare(tf.zeros(shape), mode="squash", image_size=8)


def test_training_evaluation_export_and_serving_see_one_picture(tmp_path):
    """A file through each door; the exported model's descriptor is its picture, of length 1."""
    import keras

    from landmarks_tf.data import augment
    from landmarks_tf.export.saved_model import OUTPUT_NAME, SIGNATURE, export_embedder
    from landmarks_tf.export.scoring import _read_image
    from landmarks_tf.serving.pictures import decode_upload

    size, options = 12, {"mode": "letterbox", "image_size": 12}
    pixels = keras.Input((size, size, 3))
    export_embedder(
        keras.Model(pixels, keras.layers.Flatten()(pixels)), tmp_path / "model", **options
    )
    exported = tf.saved_model.load(str(tmp_path / "model")).signatures[SIGNATURE]
    for kind in ("jpeg", "progressive", "grey", "png"):
        (tmp_path / "picture.jpg").write_bytes(FILES[kind])
        file, seed = tf.constant(FILES[kind]), tf.constant([0, 0], tf.int64)
        evaluated = image_ops.prepare(image_ops.decode(file), **options).numpy()
        part = augment.decode(file, seed, policy="none", **options)
        trained = augment.finish(part, seed, policy="none", **options)
        np.testing.assert_array_equal(trained, evaluated)
        for read in (_read_image(tmp_path / "picture.jpg"), decode_upload(FILES[kind])):
            described = exported(tf.constant(read))[OUTPUT_NAME].numpy()
            length = np.linalg.norm(evaluated.astype(float))
            np.testing.assert_allclose(
                described * length, evaluated.ravel(), atol=1e-3, err_msg=kind
            )


def test_nobody_else_decodes_or_resizes_what_a_network_sees():
    """Pillow reads for the competition and for uploads (compared above) and draws galleries."""
    there = r"image\.resize|ScaleAndTranslate|Resizing\(|smart_resize|decode_(jpeg|image|png)\("
    rooms = [ROOT / "landmarks_tf", ROOT / "experiments" / "stages"]
    found = {
        str(path.relative_to(ROOT))
        for room in rooms
        for path in room.rglob("*.py")
        if re.search(there, path.read_text(encoding="utf-8"))
    }
    assert found - {"landmarks_tf/records/example.py"} == {  # there in a docstring's example
        "landmarks_tf/data/image_ops.py",
        "landmarks_tf/data/jpeg.py",
        # Other sizes of a picture that image_ops prepared, by the layer that an export can hold.
        "landmarks_tf/retrieval/multi_scale.py",
    }
