"""Mixup and CutMix: what is mixed, by how much, and that it depends on (seed, step) alone."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.data.mixing import mix, mix_batches

B, S = 6, 16
LABELS = np.arange(B, dtype=np.int32) * 10_000 + 81_312
# Each picture has one level of its own, so that a mixed pixel tells what it was made of.
LEVELS = np.arange(B) * 40


def batches(steps: int) -> tf.data.Dataset:
    images = np.broadcast_to(LEVELS[:, None, None, None], (B, S, S, 3)).astype(np.uint8)
    return tf.data.Dataset.from_tensors((images, LABELS)).repeat(steps)


def mixed(steps: int = 200, **options):
    found = list(mix_batches(batches(steps), **options).as_numpy_iterator())
    return np.stack([i for i, _ in found]).astype(int), np.stack([t for _, t in found])


def levels_of(labels: np.ndarray) -> np.ndarray:
    return (labels - 81_312) / 10_000 * 40


def test_mixup_blends_pictures_and_labels_alike():
    images, targets = mixed(mixup=0.4, seed=1)
    assert images.shape == (200, B, S, S, 3)
    first, other, share = np.moveaxis(targets.astype(float), -1, 0)
    np.testing.assert_array_equal(first, np.broadcast_to(LABELS, first.shape))
    assert (np.sort(other, axis=1) == LABELS).all()  # a permutation: each is once the other
    assert (other != first).mean() == pytest.approx(1 - 1 / B, abs=0.05)
    expected = share * levels_of(first) + (1 - share) * levels_of(other)
    assert np.abs(images - expected[..., None, None, None]).max() <= 0.51
    assert (share == share[:, :1]).all()  # one share a batch
    # Beta(a, a) has the mean 1/2 and the variance 1 / (8 a + 4).
    assert share[:, 0].mean() == pytest.approx(0.5, abs=0.08)
    assert share[:, 0].var() == pytest.approx(1 / (8 * 0.4 + 4), rel=0.2)


def test_cutmix_pastes_a_box_and_counts_its_pixels():
    images, targets = mixed(cutmix=1.0, seed=2)
    first, other, share = np.moveaxis(targets.astype(float), -1, 0)
    pasted = images[..., 0] == levels_of(other)[..., None, None]
    kept = images[..., 0] == levels_of(first)[..., None, None]
    assert (pasted | kept).all()  # nothing is blended
    apart = first != other
    np.testing.assert_allclose(kept.mean((2, 3))[apart], share[apart], atol=1e-6)
    boxes = pasted[apart]
    for box in boxes[:60]:
        rows, columns = np.flatnonzero(box.any(1)), np.flatnonzero(box.any(0))
        if rows.size:
            inside = box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            assert inside.all()
            assert inside.sum() == box.sum()
    assert boxes[:, 0, 0].any()
    assert boxes[:, -1, -1].any()  # its middle may be anywhere
    assert share.min() < 0.3
    assert share.max() > 0.95


def test_both_take_turns_by_chance():
    images, targets = mixed(mixup=1.0, cutmix=1.0)
    apart = targets[..., 0] != targets[..., 1]
    flat = np.ptp(images.reshape(200, B, -1), axis=-1) == 0
    # A blended picture here is flat, a pasted one is not (unless its box is empty).
    shares = [flat[step][apart[step]].mean() for step in range(200)]
    assert set(np.round(shares, 6)) == {0.0, 1.0}
    assert np.mean(shares) == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize("options", [{"mixup": 0.2}, {"cutmix": 1.0}, {"mixup": 0.3, "cutmix": 1}])
def test_a_step_is_the_same_wherever_the_run_began(options):
    images, targets = mixed(12, seed=5, **options)
    resumed, resumed_targets = mixed(5, seed=5, start_step=7, **options)
    np.testing.assert_array_equal(resumed, images[7:])
    np.testing.assert_array_equal(resumed_targets, targets[7:])
    alone, _ = mix(
        *next(iter(batches(1))), _seed_of(5, 9), mixup=options.get("mixup", 0.0),
        cutmix=float(options.get("cutmix", 0.0)),
    )  # fmt: skip
    assert np.abs(alone.numpy().astype(int) - images[9]).max() <= 1  # eager may round otherwise
    assert len(np.unique(targets[:, 0, 2])) > 8
    assert (mixed(12, seed=6, **options)[1] != targets).any()


def _seed_of(seed: int, step: int) -> tf.Tensor:
    own = tf.constant([seed, step], tf.int64)
    return tf.random.experimental.stateless_fold_in(own, 0x6D69782E, alg="philox")


def test_a_tiny_a_gives_one_picture_or_the_other():
    _, targets = mixed(60, mixup=1e-3)
    assert np.isfinite(targets).all()
    assert (np.minimum(targets[..., 2], 1 - targets[..., 2]) < 1e-3).all()


def test_mistakes_are_named():
    for wrong in (-0.1, True, "1", float("nan")):
        with pytest.raises(ValueError, match=r"mixup must be a number of 0 or more"):
            mix_batches(batches(1), mixup=wrong)
    with pytest.raises(ValueError, match=r"nothing to mix"):
        mix_batches(batches(1))
