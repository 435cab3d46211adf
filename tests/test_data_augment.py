"""Augmentation policies: reproducible, within their documented ranges, bars left black."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from landmarks_tf.data import augment, image_ops

SEED = 7


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(30, 256, (6, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR))


def seeds(count: int) -> tf.data.Dataset:
    return tf.data.Dataset.range(count).map(lambda n: tf.stack([tf.constant(SEED, tf.int64), n]))


def many(image: np.ndarray, count: int, policy: str, mode="letterbox", image_size=24, parallel=2):
    """The pictures of samples 0..count-1, (count, S, S, 3) int."""
    dataset = seeds(count).map(
        lambda seed: augment.prepare(image, seed, policy=policy, mode=mode, image_size=image_size),
        num_parallel_calls=parallel,
    )
    return next(iter(dataset.batch(count))).numpy().astype(int)


def draws(count: int) -> np.ndarray:
    return np.random.default_rng(3).random((count, 48)).astype(np.float32)


@pytest.mark.parametrize("mode", image_ops.MODES)
def test_none_is_what_evaluation_sees(mode):
    image = picture(33, 57)
    expected = image_ops.prepare(tf.constant(image), mode=mode, image_size=24)
    for ours in many(image, 3, "none", mode):
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("policy", augment.POLICIES)
def test_a_sample_is_the_same_whatever_the_parallelism(policy):
    image = picture(40, 50)
    expected = many(image, 40, policy, parallel=4)
    np.testing.assert_array_equal(many(image, 40, policy, parallel=1), expected)
    alone = augment.prepare(
        tf.constant(image),
        tf.constant([SEED, 31], tf.int64),
        policy=policy,
        mode="letterbox",
        image_size=24,
    )
    # Eager and compiled arithmetic may round a value on the border either way.
    assert np.abs(alone.numpy().astype(int) - expected[31]).max() <= 1
    distinct = len(np.unique(expected.reshape(40, -1), axis=0))
    if policy in ("none", "flip"):  # the picture, or the picture and its mirror image
        assert distinct == {"none": 1, "flip": 2}[policy]
    else:
        assert distinct > 35


@pytest.mark.parametrize("policy", augment.POLICIES)
@pytest.mark.parametrize("mode", image_ops.MODES)
def test_traced_once_for_all_shapes(policy, mode):
    traces = []

    @tf.function(
        input_signature=[tf.TensorSpec((None, None, 3), tf.uint8), tf.TensorSpec((2,), tf.int64)]
    )
    def prepare(image, seed):
        traces.append(policy)
        return augment.prepare(image, seed, policy=policy, mode=mode, image_size=20)

    for number, (height, width) in enumerate([(30, 44), (1, 1), (1, 500), (500, 2), (20, 20)]):
        image = tf.constant(picture(height, width))
        for sample in range(6):
            prepared = prepare(image, tf.constant([number, sample], tf.int64))
            assert prepared.shape == (20, 20, 3)
            assert prepared.dtype == tf.uint8
    assert traces == [policy]


@pytest.mark.parametrize("policy", ["s1", "s2", "s4", "flip_jitter"])
def test_the_black_bars_stay_black(policy):
    """A 2:1 picture: crops change its shape, but the bars around what is left are never touched."""
    white = np.full((20, 40, 3), 220, np.uint8)
    pictures = many(white, 60, policy)
    if policy != "flip_jitter":  # no crop before resizing: 24 x 12 in the middle
        assert pictures[:, :6].max() == 0
        assert pictures[:, 18:].max() == 0
    corners = pictures[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.max() == 0
    assert pictures[:, 12, 12].min() >= (0 if policy in ("s2", "s4") else 1)


def test_s1_shifts_value_by_minus_60_to_61_and_adds_noise_to_half():
    pictures = many(np.full((6, 6, 3), 100, np.uint8), 4000, "s1", image_size=6)
    noisy = pictures.reshape(4000, -1).std(axis=1) > 0
    assert noisy.mean() == pytest.approx(0.5, abs=0.04)
    shifts = pictures[~noisy, 0, 0, 0] - 100
    assert (shifts.min(), shifts.max()) == (-60, 61)
    assert len(np.unique(shifts)) == 122
    assert (shifts == 0).mean() == pytest.approx(0.2 + 0.8 / 122, abs=0.03)
    spread = pictures[noisy].reshape(noisy.sum(), -1)
    assert spread.std(axis=1).mean() == pytest.approx(5.0, abs=0.1)
    # One draw for a picture's noise and another for its shift: they must not go together.
    residual = spread[:, 0] - spread.mean(axis=1)
    assert abs(np.corrcoef(residual, spread.mean(axis=1))[0, 1]) < 0.08


def test_s4_moves_and_dims_every_picture_and_mirrors_none():
    left_bright = np.zeros((16, 16, 3), np.uint8)
    left_bright[4:12, 2:6] = 200
    pictures = many(left_bright, 300, "s4", image_size=16)
    assert len(np.unique(pictures.reshape(300, -1), axis=0)) == 300
    peaks = pictures.max(axis=(1, 2, 3))
    assert np.quantile(peaks, 0.05) >= 155 and peaks.max() <= 240  # 200 times 0.8 to 1.2
    # The bright bar stays left of the middle unless shifted: mirrored pictures would be half.
    centre = (pictures[..., 0] * np.arange(16)).sum((1, 2)) / pictures[..., 0].sum((1, 2))
    assert (centre < 7.5).mean() > 0.9


@pytest.mark.parametrize("policy", ["s1", "flip_jitter"])
def test_half_of_the_pictures_are_flipped(policy):
    left_bright = np.zeros((16, 16, 3), np.uint8)
    left_bright[:, :8] = 200
    pictures = many(left_bright, 600, policy, image_size=16)
    halves = pictures[:, :, :3].mean((1, 2, 3)) > pictures[:, :, -3:].mean((1, 2, 3))
    assert halves.mean() == pytest.approx(0.5, abs=0.06)


def test_flip_jitter_crops_within_its_range():
    image = tf.constant(np.indices((120, 90)).transpose(1, 2, 0)[..., [0, 1, 0]].astype(np.uint8))
    crop = augment.stages("flip_jitter").crop
    shares, corners, stretches = [], [], []
    for draw in draws(300):
        part = crop(image, tf.constant(draw)).numpy()
        height, width = part.shape[:2]
        shares.append(height * width / (120 * 90))
        stretches.append((height / 120) / (width / 90))
        if height < 110 and width < 80:
            corners.append(part[0, 0, :2] / (120 - height, 90 - width))
        rows, columns = part[:, 0, 0], part[0, :, 1]
        np.testing.assert_array_equal(np.diff(rows.astype(int)), 1)  # a window, nothing resampled
        np.testing.assert_array_equal(np.diff(columns.astype(int)), 1)
    assert min(shares) >= 0.38
    assert min(shares) < 0.45
    assert max(shares) > 0.95
    assert max(np.abs(np.log(stretches))) <= np.log(4 / 3) + 0.05
    np.testing.assert_allclose(np.mean(corners, axis=0), 0.5, atol=0.06)


def test_s2_takes_exactly_one_of_three():
    """In one flat colour a crop changes nothing, an affine adds black, jitter changes all."""
    colour = np.array([90, 140, 60])
    flat = np.broadcast_to(colour.astype(np.uint8), (32, 32, 3)).copy()
    pictures = many(flat, 900, "s2", mode="squash", image_size=32)
    same = (pictures == colour).all((1, 2, 3))
    moved = (np.ptp(pictures, axis=(1, 2)) > 0).any(-1)
    assert (pictures[moved, 16, 16] == colour).all()  # not recoloured as well
    assert (pictures[moved] == 0).all(-1).any((1, 2)).mean() > 0.98  # black from outside
    for share in (same.mean(), moved.mean(), (~moved & ~same).mean()):
        assert share == pytest.approx(1 / 3, abs=0.05)


def test_s2_jitter_stays_in_torchvisions_ranges():
    """A uniform colour: brightness 0.8..1.2 is all that can change its value."""
    pictures = many(np.full((8, 8, 3), 100, np.uint8), 1500, "s2", mode="squash", image_size=8)
    centre = pictures[:, 4, 4, 0]
    changed = centre[centre != 100]
    assert changed.min() >= 80
    assert changed.max() <= 120
    assert changed.min() <= 82
    assert changed.max() >= 118
    assert len(changed) / 1500 == pytest.approx(1 / 3, abs=0.05)


@pytest.mark.parametrize("height,width", [(64, 64), (40, 90)])
def test_s2_crop_follows_torchvisions_loop(height, width):
    """The box that torchvision's algorithm takes from the same draws, found by its own loop."""
    image = np.indices((height, width)).transpose(1, 2, 0)[..., [0, 1, 0]].astype(np.float32)
    for draw in draws(40):
        top, left, box_height, box_width = torchvision_box(draw, height, width)
        ours = augment.random_resized_crop(tf.constant(image), tf.constant(draw)).numpy()
        # The centre of a linear ramp tells the box' centre; its slope tells the box' size.
        centre = ours[height // 2 - 1 : height // 2 + 1, width // 2 - 1 : width // 2 + 1].mean(
            (0, 1)
        )
        assert centre[0] == pytest.approx(top + (box_height - 1) / 2, abs=0.1)
        assert centre[1] == pytest.approx(left + (box_width - 1) / 2, abs=0.1)
        if box_height > 8:
            slope = ours[height // 2, width // 2, 0] - ours[height // 2 - 1, width // 2, 0]
            assert slope == pytest.approx(box_height / height, rel=0.02)


def torchvision_box(draw, height, width):
    areas, ratios = draw[20:30], draw[30:40]
    for area_draw, ratio_draw in zip(areas, ratios, strict=True):
        area = (0.08 + 0.92 * float(area_draw)) * height * width
        ratio = np.exp(np.log(3 / 4) + (np.log(4 / 3) - np.log(3 / 4)) * float(ratio_draw))
        w, h = round(np.sqrt(area * ratio)), round(np.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            return int(draw[2] * (height - h + 1)), int(draw[3] * (width - w + 1)), h, w
    w, h = min(width, round(height * 4 / 3)), min(height, round(width * 4 / 3))
    return (height - h) // 2, (width - w) // 2, h, w


def test_s2_crop_falls_back_to_the_middle():
    """8 x 200: no try of at least 8 % fits within 3:4 to 4:3, so the middle 8 x 11 is taken."""
    ramp = np.zeros((8, 200, 3), np.float32)
    ramp[..., 0] = np.arange(200)
    draw = np.full(48, 0.9, np.float32)
    ours = augment.random_resized_crop(tf.constant(ramp), tf.constant(draw)).numpy()
    assert ours.shape == (8, 200, 3)
    assert ours[0, 0, 0] == pytest.approx(94, abs=0.1)
    assert ours[0, -1, 0] == pytest.approx(104, abs=0.1)


def test_mistakes_are_named():
    image, seed = tf.zeros((4, 4, 3), tf.uint8), tf.constant([0, 0], tf.int64)
    with pytest.raises(ValueError, match=r"unknown augmentation 'flip_jiter'.*mean 'flip_jitter'"):
        augment.prepare(image, seed, policy="flip_jiter", mode="squash", image_size=8)
    with pytest.raises(ValueError, match="unknown resize mode 'crop'"):
        augment.prepare(image, seed, policy="none", mode="crop", image_size=8)


def test_flip_mirrors_half_of_the_pictures_and_changes_no_pixel():
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    mirrored = 0
    for sample in range(200):
        seed = np.array([5, sample], np.int64)
        made = augment.prepare(image, seed, policy="flip", mode="squash", image_size=20).numpy()
        flipped = np.array_equal(made, image[:, ::-1])
        assert flipped or np.array_equal(made, image)
        mirrored += flipped
    assert 70 < mirrored < 130  # 200 fair coins lie outside once in fifty thousand
