"""Augmentation policies: reproducible, within their documented ranges, bars left black."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from landmarks_tf.data import augment, image_ops, transforms

SEED = 7


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(30, 256, (6, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR))


def seeds(count: int) -> tf.data.Dataset:
    return tf.data.Dataset.range(count).map(lambda n: tf.stack([tf.constant(SEED, tf.int64), n]))


@functools.cache
def compiled(policy: str, mode: str, image_size: int):
    """`augment.prepare`, traced once however many datasets are made of it."""
    spec = [tf.TensorSpec((None, None, 3), tf.uint8), tf.TensorSpec((2,), tf.int64)]
    options = {"policy": policy, "mode": mode, "image_size": image_size}
    return tf.function(functools.partial(augment.prepare, **options), input_signature=spec)


def many(image: np.ndarray, count: int, policy: str, mode="letterbox", image_size=24, parallel=2):
    """The pictures of samples 0..count-1, (count, S, S, 3) int."""
    prepare = compiled(policy, mode, image_size)
    dataset = seeds(count).map(lambda seed: prepare(image, seed), num_parallel_calls=parallel)
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
    else:  # some leave a part of the pictures as they are
        seldom = {"trivial_augment": 20, "s1_validation": 20, "random_erasing": 10}
        assert distinct > seldom.get(policy, 35)


@pytest.mark.parametrize(
    "policy,mode",
    [(policy, "letterbox") for policy in augment.POLICIES]
    + [("flip_jitter", mode) for mode in image_ops.MODES[1:]],
)
def test_traced_once_for_all_shapes(policy, mode):
    """One graph for pictures of every size: `compiled` has one signature."""
    prepare = compiled(policy, mode, 24)
    for number, (height, width) in enumerate([(30, 44), (1, 1), (1, 500), (500, 2), (24, 24)]):
        image = tf.constant(picture(height, width))
        for sample in range(6):
            prepared = prepare(image, tf.constant([number, sample], tf.int64))
            assert prepared.shape == (24, 24, 3)
            assert prepared.dtype == tf.uint8
    assert prepare.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    "policy", ["s1", "s2", "s4", "flip_jitter", "rand_augment", "random_erasing:1", "cutout"]
)
def test_the_black_bars_stay_black(policy):
    """A 2:1 picture: crops change its shape, but the bars around what is left are never touched."""
    white = np.full((20, 40, 3), 220, np.uint8)
    pictures = many(white, 60, policy)
    if policy != "flip_jitter":  # no crop before resizing: 24 x 12 in the middle
        assert pictures[:, :6].max() == 0
        assert pictures[:, 18:].max() == 0
    corners = pictures[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.max() == 0
    assert pictures[:, 12, 12].min() >= (1 if policy in ("s1", "flip_jitter") else 0)


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


@pytest.mark.parametrize("policy", ["s1", "s1_validation", "flip_jitter"])
def test_half_of_the_pictures_are_flipped(policy):
    left_bright = np.zeros((16, 16, 3), np.uint8)
    left_bright[:, :8] = 200
    pictures = many(left_bright, 600, policy, image_size=16)
    halves = pictures[:, :, :3].mean((1, 2, 3)) > pictures[:, :, -3:].mean((1, 2, 3))
    assert halves.mean() == pytest.approx(0.5, abs=0.06)


def test_flip_jitter_crops_within_its_range():
    image = tf.constant(np.indices((120, 90)).transpose(1, 2, 0)[..., [0, 1, 0]].astype(np.uint8))
    box_of = tf.function(augment.stages("flip_jitter")[0].box)
    shares, corners, stretches = [], [], []
    for draw in draws(300):
        box = box_of(tf.constant([120, 90]), tf.constant(draw))
        part = transforms.crop(image, box).numpy()
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
    for made in many(image, 200, "flip", mode="squash", image_size=20):
        flipped = np.array_equal(made, image[:, ::-1])
        assert flipped or np.array_equal(made, image)
        mirrored += flipped
    assert 70 < mirrored < 130  # 200 fair coins lie outside once in fifty thousand


def test_s1_validation_shifts_by_minus_40_to_41_in_three_of_four_and_adds_no_noise():
    pictures = many(np.full((4, 4, 3), 100, np.uint8), 3000, "s1_validation", image_size=4)
    assert np.ptp(pictures.reshape(3000, -1), axis=1).max() == 0
    shifts = pictures[:, 0, 0, 0] - 100
    assert (shifts.min(), shifts.max()) == (-40, 41)
    assert (shifts == 0).mean() == pytest.approx(0.25 + 0.75 / 82, abs=0.03)


def test_s1_opencv_draws_what_s1_draws():
    image = picture(24, 24)
    ours, theirs = many(image, 60, "s1_opencv"), many(image, 60, "s1")
    assert 0 < np.abs(ours - theirs).mean() < 1.5
    assert np.abs(ours - theirs).max() <= 9  # the rounding of hue and saturation to bytes
    unshifted = (many(image, 60, "flip") == theirs).all((1, 2, 3))
    assert unshifted.sum() > 2
    np.testing.assert_array_equal(ours[unshifted], theirs[unshifted])


def test_resized_crop_is_torchvisions_crop_of_the_whole_picture():
    """The box of the same draws, cut out and squashed by Pillow, mirrored or not."""
    image = picture(50, 70)
    box_of = augment.stages("resized_crop")[0].box
    for sample, ours in enumerate(many(image, 30, "resized_crop", mode="squash")):
        numbers = tf.random.stateless_uniform((48,), [SEED, sample], alg="philox")
        box = tuple(int(side) for side in box_of(tf.constant([50, 70]), numbers))
        assert box == torchvision_box(numbers.numpy(), 50, 70)
        top, left, height, width = box
        part = Image.fromarray(image[top : top + height, left : left + width])
        expected = np.asarray(part.resize((24, 24), Image.Resampling.BILINEAR)).astype(int)
        mirrored = expected[:, ::-1] if numbers[0] < 0.5 else expected
        assert np.abs(ours - mirrored).max() <= 1


def test_joined_policies_follow_one_another():
    image = picture(24, 24)
    both = many(image, 30, "s1+cutout:0.25", mode="squash")
    alone = many(image, 30, "s1", mode="squash")
    cut = (both == (124, 116, 104)).all(-1)
    assert 0 < cut.mean() < 0.1
    np.testing.assert_array_equal(both[~cut], alone[~cut])
    # Of the same kind twice: each draws its own.
    twice = many(image, 30, "cutout:0.25+cutout:0.25", mode="squash")
    assert (twice == (124, 116, 104)).all(-1).sum((1, 2)).max() > 50


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("s1:3", r"'s1' takes 0 argument\(s\), got 's1:3'"),
        ("none:1", r"'none' takes 0 argument"),
        ("rand_augment:2:9:1", r"takes 2 argument"),
        ("rand_augment:0:9", r"N must be a whole number from 1 to 16, got '0'"),
        ("rand_augment:2:11", r"M must be a number from 0 to 10, got '11'"),
        ("cutout:half", r"'cutout:half': L must be a number from 0 to 1, got 'half'"),
        ("random_erasing:nan", r"P must be a number from 0 to 1"),
        ("s1+", r"unknown augmentation ''"),
        ("flip_jitter+resized_crop", r"one part .* can crop"),
        ("cutuot", r"did you mean 'cutout'"),
        ("s1_quick", r"'s1_quick' is no more: use 's1'"),
    ],
)
def test_a_wrong_name_is_an_error_for_people(policy, message):
    with pytest.raises(ValueError, match=message):
        augment.stages(policy)
