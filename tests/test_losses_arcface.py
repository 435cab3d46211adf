"""ArcFace: golden logits, a float64 loop over angles, gradients, class ids, dtypes."""

from __future__ import annotations

import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.layers import CosineClassifier
from landmarks_tf.losses import ArcFaceLoss, arcface_logits, dynamic_margins
from tests import contracts, softmax_losses
from tests.reference import arcface as reference
from tests.reference import cosine as cosine_reference
from tests.reference import cosine_softmax, finite_differences
from tests.softmax_losses import BIGGEST_CLASS_ID, cosines_of
from tests.torch_margins import check_peer

pytestmark = contracts.IGNORE_ARRAY_COPY

FORMS = ("hard", "easy", "plain")


@pytest.fixture
def floatx():
    before = keras.config.floatx()
    yield keras.config.set_floatx
    keras.config.set_floatx(before)


@pytest.mark.parametrize(
    ("margin", "form"),
    [(0.5, "hard"), (0.5, "easy"), (0.5, "plain"), ([0.1, 0.5, 0.0, 0.9], "hard")],
)
def test_contract(margin, form, tmp_path):
    contracts.check_loss(
        lambda **options: ArcFaceLoss(margin, scale=16.0, form=form, **options),
        np.array([3, 0, 2, 2, 1]),
        cosines_of(5, 4),
        tmp_path,
    )


# reproduction.md section 2.3: margin 0.35, scale 30.
GOLDEN = {
    1.0: 28.18118,
    0.9: 20.87909,
    0.5: 5.18184,
    0.0: -10.28693,
    -0.5: -22.99934,
    -0.93: -29.98956,
    -0.95: -32.10043,
    -1.0: -33.60043,
}


@pytest.mark.parametrize(("cosine", "expected"), GOLDEN.items())
def test_golden_target_logits(cosine, expected):
    logits = arcface_logits([1], np.float32([[0.2, cosine, -0.7]]))
    np.testing.assert_allclose(logits, [[6.0, expected, -21.0]], rtol=0, atol=2e-5)


def test_golden_target_logits_of_the_other_forms():
    # By hand: 30 cos(theta + 0.35) where the golden ones are; 30 cos(acos(-0.95) + 0.35) and, at
    # theta = pi, 30 cos(pi + 0.35) where "hard" falls back; with "easy" margin, 30 cos(theta).
    cosines = np.float32([[0.9], [0.0], [-0.5], [-0.93], [-0.95], [-1.0]])
    cosines = np.concatenate([cosines, np.zeros((6, 2), np.float32)], axis=1)
    plain = [20.87909, -10.28693, -22.99934, -29.98956, -29.98422, -28.18118]
    easy = [20.87909, 0, -15, -27.9, -28.5, -30]
    for form, expected in (("plain", plain), ("easy", easy)):
        logits = np.asarray(arcface_logits([0] * 6, cosines, form=form))
        np.testing.assert_allclose(logits[:, 0], expected, rtol=0, atol=2e-5)


def test_margins_by_class():
    cosines = np.float32([[0.5, 0.5, 0.5]] * 3)
    logits = np.asarray(arcface_logits([0, 1, 2], cosines, [0.0, 0.35, 0.1]))
    # Cosine 0.5 is 60 degrees: no margin, the golden 0.35, and 30 cos(pi/3 + 0.1).
    expected = [15, 5.18184, 30 * math.cos(math.pi / 3 + 0.1)]
    np.testing.assert_allclose(np.diag(logits), expected, rtol=1e-6)


def test_dynamic_margins_of_all_landmarks_are_saved_with_the_model(tmp_path):
    sizes = np.arange(BIGGEST_CLASS_ID + 1) % 300 + 1
    loss = ArcFaceLoss(dynamic_margins(sizes), scale=16.0)
    config = json.dumps(keras.saving.serialize_keras_object(loss))
    assert len(config) < 100_000
    again = keras.saving.deserialize_keras_object(json.loads(config))
    assert again.margin.dtype == np.float32
    np.testing.assert_array_equal(again.margin, loss.margin)
    np.testing.assert_allclose(loss.margin[[0, 299]], [0.5, 0.05], rtol=1e-6)


def test_golden_cross_entropy():
    loss = ArcFaceLoss()(np.array([0]), np.float32([[0.7, 0.2, -0.1]]))
    np.testing.assert_allclose(loss, 0.00169307, rtol=1e-4)


def test_threshold_and_offset_of_the_hard_form():
    # For m = 0.35: the other branch begins at -0.9393727 and lies 0.1200142 below the cosine.
    above, below = -0.9393727 + 1e-6, -0.9393727 - 1e-6
    logits = arcface_logits([0, 0], np.float32([[above, 0], [below, 0]]), 0.35, 1.0)
    np.testing.assert_allclose(logits[0, 0], -1.0, atol=1e-6)
    np.testing.assert_allclose(logits[1, 0], below - 0.1200142, atol=1e-6)


@settings(max_examples=80, deadline=None)
@given(
    batch=st.integers(1, 6),
    num_classes=st.integers(2, 7),
    margin=st.floats(0, 1.5),
    scale=st.floats(0.5, 64),
    seed=st.integers(0, 2**31),
    form=st.sampled_from(FORMS),
    by_class=st.booleans(),
)
def test_equals_the_loop_over_angles(batch, num_classes, margin, scale, seed, form, by_class):
    rng = np.random.default_rng(seed)
    cosines = cosines_of(batch, num_classes, seed)
    labels = rng.integers(0, num_classes, batch)
    cosines[0, labels[0]] = rng.choice([-1.0, 1.0, cosines[0, labels[0]]])
    if by_class:
        margin = rng.uniform(0, margin, num_classes).astype(np.float32)
    expected = reference.logits(labels, cosines, margin, scale, form)
    logits = arcface_logits(labels, cosines, margin, scale, form)
    np.testing.assert_allclose(logits, expected, atol=1e-5 * scale)
    losses = ArcFaceLoss(margin, scale, form, reduction="none")(labels, cosines)
    np.testing.assert_allclose(
        losses, reference.cross_entropy(labels, expected), rtol=1e-4, atol=2e-5 * scale
    )


def test_without_margin_it_is_scaled_softmax():
    cosines, labels = cosines_of(4, 5), np.array([0, 4, 2, 2])
    loss = ArcFaceLoss(margin=0.0, scale=8.0)(labels, cosines)
    plain = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, 8 * cosines)
    np.testing.assert_allclose(loss, plain, rtol=1e-6)


def test_a_wider_margin_costs_more():
    cosines, labels = cosines_of(8, 5), np.arange(8) % 5
    losses = [ArcFaceLoss(margin, 30.0)(labels, cosines) for margin in (0, 0.1, 0.35, 0.5, 1.0)]
    assert np.all(np.diff(losses) > 0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("margin", [0.35, [0.0, 0.35, 1.2]])
def test_gradients_equal_finite_differences(form, margin):
    labels = np.array([0, 2, 1, 1])
    cosines = 0.98 * cosines_of(4, 3, seed=5)
    cosines[3, 1] = -0.97  # beyond the threshold
    _, gradient = softmax_losses.rows_and_gradient(
        ArcFaceLoss(margin, 6.0, form, reduction="none"), labels, cosines
    )
    expected = finite_differences.gradient(
        lambda moved: reference.loss(labels, moved, margin, 6.0, form).sum(), cosines
    )
    np.testing.assert_allclose(gradient, expected, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_edges(form):
    softmax_losses.check_edges(
        lambda **options: ArcFaceLoss(scale=16.0, form=form, **options),
        lambda labels, cosines: reference.loss(labels, cosines, 0.35, 16.0, form),
        jumps_at=("embeddings of zeros",) if form == "easy" else (),
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("subcenters", [1, 3])
def test_through_the_layer_of_centres(form, subcenters):
    """Sub-centre ArcFace (Deng et al., ECCV 2020): the nearest of K centres, then the margin."""
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(6, 4)).astype(np.float32)
    centers = rng.normal(size=(5 * subcenters, 4)).astype(np.float32)
    labels = np.array([4, 0, 3, 3, 1, 2])
    head = CosineClassifier(5, subcenters)
    head.build(rows.shape)
    head.centers.assign(centers)

    def expected(rows, centers):
        cosines = cosine_reference.class_cosines(rows, centers, subcenters)
        return reference.loss(labels, cosines, 0.35, 8.0, form)

    inputs, weights = tf.constant(rows), head.centers.value
    with tf.GradientTape() as tape:
        tape.watch([inputs, weights])
        losses = ArcFaceLoss(scale=8.0, form=form, reduction="none")(labels, head(inputs))
        total = tf.reduce_sum(losses)
    np.testing.assert_allclose(losses, expected(rows, centers), rtol=1e-5, atol=1e-5)
    by_rows, by_centers = tape.gradient(total, [inputs, weights])
    slopes = finite_differences.gradient(lambda moved: expected(moved, centers).sum(), rows)
    np.testing.assert_allclose(by_rows, slopes, rtol=1e-3, atol=1e-4)
    slopes = finite_differences.gradient(lambda moved: expected(rows, moved).sum(), centers)
    np.testing.assert_allclose(by_centers, slopes, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("cosine", [1.0, -1.0, 1.0 + 1e-6, -1.0 - 1e-6, 1.0 - 6e-8, 0.9999])
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("scale", [1.0, 30.0])  # at 30 softmax saturates, and hides what 1 shows
def test_finite_at_the_ends(cosine, label, scale):
    scores = tf.constant(np.float32([[cosine, -cosine]]))
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = ArcFaceLoss(scale=scale)([label], scores)
    assert np.isfinite(loss)
    assert np.isfinite(tape.gradient(loss, scores)).all()


def test_only_the_target_column_changes():
    cosines = cosines_of(3, 6)
    logits = np.asarray(arcface_logits([5, 0, 2], cosines, 0.35, 1.0))
    changed = logits != cosines
    assert [row.nonzero()[0].tolist() for row in changed] == [[5], [0], [2]]


@pytest.mark.parametrize("margin", [0.35, np.linspace(0, 1, 5)])
def test_labels(margin):
    softmax_losses.check_labels(lambda **options: ArcFaceLoss(margin, **options))


@pytest.mark.parametrize("form", FORMS)
def test_compiled(form):
    softmax_losses.check_compiled(lambda **options: ArcFaceLoss(form=form, **options))


def test_compiled_with_margins_by_class():
    margins = np.linspace(0, 1, 7)
    softmax_losses.check_compiled(lambda **options: ArcFaceLoss(margins, **options))


def test_label_smoothing_is_over_the_logits_with_margin():
    labels, cosines = np.array([1, 0, 3]), cosines_of(3, 4)
    rows = ArcFaceLoss(0.35, 8.0, label_smoothing=0.1, reduction="none")(labels, cosines)
    logits = reference.logits(labels, cosines, 0.35, 8.0)
    expected = cosine_softmax.smoothed_cross_entropy(labels, logits, 0.1)
    np.testing.assert_allclose(rows, expected, rtol=1e-5)


@pytest.mark.peers
def test_equals_pytorch_metric_learnings():
    """The hard form; its margins are in degrees."""
    check_peer("arcface", ArcFaceLoss(0.35, 30.0, reduction="none"))
    check_peer("arcface_wide", ArcFaceLoss(0.9, 10.0, reduction="none"))


@pytest.mark.peers
def test_subcentres_equal_pytorch_metric_learnings():
    check_peer("subcenter_arcface", ArcFaceLoss(0.35, 30.0, reduction="none"), subcenters=3)


@pytest.mark.parametrize("policy", ["float32", *contracts.MIXED_POLICIES])
def test_the_biggest_class_id_survives(policy):
    # In bfloat16 it becomes 202,752, in float16 infinite (engineering.md section 2).
    cosines = np.full((2, BIGGEST_CLASS_ID + 1), -0.2, np.float32)
    cosines[0, BIGGEST_CLASS_ID] = cosines[1, 202_752] = 0.5
    labels = np.array([BIGGEST_CLASS_ID] * 2)
    with contracts.global_policy(policy):
        near, far = np.asarray(ArcFaceLoss(reduction="none")(labels, cosines))
    # By hand: log(1 + 203093 exp(-6 - logit)) at the golden logit of 0.5, and with cosine -0.2.
    np.testing.assert_allclose(near, math.log1p(203_093 * math.exp(-6 - 5.18184)), rtol=1e-4)
    logit = 30 * math.cos(math.acos(-0.2) + 0.35)
    others = 203_092 * math.exp(-6) + math.exp(15)
    np.testing.assert_allclose(far, math.log(math.exp(logit) + others) - logit, rtol=1e-5)


def test_the_biggest_class_id_survives_compile_and_fit_under_mixed_float16():
    labels = np.array([BIGGEST_CLASS_ID, 81_312, 257, 0])
    rows = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    with contracts.global_policy("mixed_float16"):
        keras.utils.set_random_seed(0)
        head = CosineClassifier(BIGGEST_CLASS_ID + 1)
        model = keras.Sequential([keras.Input((3,)), head])
        model.compile(keras.optimizers.SGD(0.1), ArcFaceLoss(scale=4.0))
        before = head(rows.astype(np.float16)), np.asarray(head.centers)
        history = model.fit(rows, labels, epochs=1, batch_size=4, verbose=0)
    expected = reference.loss(labels, np.asarray(before[0]), 0.35, 4.0).mean()
    np.testing.assert_allclose(history.history["loss"][0], expected, rtol=1e-4)
    moved = np.abs(np.asarray(head.centers) - before[1]).max(axis=1)
    assert set(np.argsort(moved)[-4:]) == set(labels)


def test_half_precision_is_refused_whatever_the_policy():
    softmax_losses.check_half_precision_is_refused(ArcFaceLoss)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_a_half_precision_floatx_does_not_reach_it(name, floatx):
    floatx(name)
    loss = ArcFaceLoss(reduction="none")
    assert loss.dtype == "float32"
    rows = np.asarray(loss(np.array([300]), np.full((1, 301), 0.5, np.float32)))
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, math.log1p(300 * math.exp(15 - 5.18184)), rtol=1e-5)


def test_refusals():
    cosines = np.zeros((2, 3), np.float32)
    contracts.check_refusals(
        {
            "Received: margin=-0.1": lambda: ArcFaceLoss(margin=-0.1),
            "Received: margin=1.6": lambda: ArcFaceLoss(margin=1.6),
            "Received: margin=nan": lambda: ArcFaceLoss(margin=math.nan),
            "Received: scale=0": lambda: ArcFaceLoss(scale=0),
            "Received: scale=inf": lambda: ArcFaceLoss(scale=math.inf),
            "Received: margin=2": lambda: arcface_logits([0, 0], cosines, 2),
            "margin=28.6. In degrees? 28.6 degrees are 0.4992": lambda: ArcFaceLoss(margin=28.6),
            "one for each class": lambda: ArcFaceLoss(margin=[[0.1]]),
            "Received: 2 margins": lambda: arcface_logits([0, 0], cosines, [0.1, 0.2]),
            "hard, easy, plain. Received: form='soft'": lambda: ArcFaceLoss(form="soft"),
            "Received: label_smoothing=1": lambda: ArcFaceLoss(label_smoothing=1),
            "float16 of shape (2, 3)": lambda: arcface_logits([0, 0], cosines.astype("float16")),
            "float64 of shape (2, 3)": lambda: arcface_logits([0, 0], cosines.astype("float64")),
            "float32 of shape (3,)": lambda: arcface_logits([0], cosines[0]),
        }
    )
