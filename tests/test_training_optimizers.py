"""AdamL2 against a loop in float64 and against PyTorch's own numbers; the table of optimizers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.training.optimizers import OPTIMIZERS, AdamL2, create_optimizer
from landmarks_tf.training.schedules import learning_rate_schedule
from tests import contracts
from tests.reference.adam import Adam

pytestmark = contracts.IGNORE_ARRAY_COPY

S2 = {"epsilon": 1e-3, "l2": 1e-4}


def take_steps(optimizer, start, gradients):
    """The weight after each step, (steps, len(start))."""
    weight = keras.Variable(np.asarray(start, np.float32))
    path = []
    for gradient in gradients:
        gradient = keras.ops.convert_to_tensor(np.asarray(gradient, np.float32))
        optimizer.apply([gradient], [weight])
        path.append(np.array(weight))
    return np.stack(path)


# torch 2.13.0 (CPU), float64:
#   w = torch.nn.Parameter(torch.tensor([0.5, -1.5, 2.0]))
#   o = torch.optim.Adam([w], lr=1e-3, betas=(0.9, 0.999), eps=1e-3, weight_decay=1e-4)
#   s = torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=6, eta_min=1e-6)
#   for g in GRADIENTS: s.get_last_lr(); w.grad = torch.tensor(g); o.step(); s.step(); w.tolist()
GRADIENTS = [
    [0.1, -0.02, 3.0],
    [-0.3, 0.001, 2.0],
    [0.0, 0.5, -1.0],
    [0.2, 1e-4, 0.0],
    [1.0, -1.0, 1e-3],
    [0.05, 0.0, -4.0],
]
PYTORCH_WEIGHTS = [
    [0.499009896091044, -1.499047281323877, 1.9990003332000532],
    [0.49946880010513117, -1.498490923962842, 1.9980952687959557],
    [0.49975366603529314, -1.4989533010919636, 1.9976813577579633],
    [0.49973039680899206, -1.499205806284864, 1.9974551739781836],
    [0.49959907604660403, -1.4991315830574448, 1.99735935671071],
    [0.49956680070669285, -1.4991142539282418, 1.997370004131036],
]


def test_s2s_recipe_equals_pytorch_step_by_step():
    rate = learning_rate_schedule("cosine", learning_rate=1e-3, total_steps=6, floor=1e-6)
    path = take_steps(AdamL2(rate, **S2), [0.5, -1.5, 2.0], GRADIENTS)
    np.testing.assert_allclose(path, PYTORCH_WEIGHTS, rtol=0, atol=4e-7)


def test_keras_own_adam_would_not():
    # Its epsilon is added before the bias correction: 1e-3 acts like 1e-3 / sqrt(0.001) = 0.0316.
    path = take_steps(keras.optimizers.Adam(1e-3, epsilon=1e-3), [0.0], [[0.01]])
    by_hand = -1e-3 * 0.01 / (0.01 + 1e-3 / np.sqrt(0.001))
    np.testing.assert_allclose(path, [[by_hand]], rtol=1e-3)
    ours = take_steps(AdamL2(1e-3, epsilon=1e-3), [0.0], [[0.01]])
    np.testing.assert_allclose(ours, [[-1e-3 * 0.01 / (0.01 + 1e-3)]], rtol=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    epsilon=st.sampled_from([1e-8, 1e-7, 1e-3, 0.1]),
    l2=st.sampled_from([0.0, 1e-4, 0.1]),
    beta_1=st.sampled_from([0.5, 0.9]),
    beta_2=st.sampled_from([0.9, 0.999]),
    rate=st.floats(1e-4, 0.1),
    magnitude=st.floats(-6, 3),
    seed=st.integers(0, 2**31),
)
def test_equals_the_loop_in_float64(epsilon, l2, beta_1, beta_2, rate, magnitude, seed):
    options = {"epsilon": epsilon, "l2": l2, "beta_1": beta_1, "beta_2": beta_2}
    random = np.random.default_rng(seed)
    start = random.normal(size=4).astype(np.float32)
    gradients = (10.0**magnitude * random.normal(size=(12, 4))).astype(np.float32)
    path = take_steps(AdamL2(rate, **options), start, gradients)
    weights = [Adam(value, **options) for value in start]
    expected = [
        [w.step(float(g), rate) for w, g in zip(weights, row, strict=True)] for row in gradients
    ]
    # Each step moves by about `rate`; what matters is the error against that.
    np.testing.assert_allclose(path, expected, rtol=1e-6, atol=2e-4 * rate * 12)


def test_the_penalty_reaches_every_trainable_weight():
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2), keras.layers.BatchNormalization()]
    )
    for weight in model.trainable_weights:
        weight.assign(np.full(weight.shape, 2.0))
    zeros = [keras.ops.zeros(w.shape) for w in model.trainable_weights]
    AdamL2(0.1, l2=0.01).apply(zeros, model.trainable_weights)
    assert len(model.trainable_weights) == 4  # kernel, bias, gamma, beta
    for weight in model.trainable_weights:
        # The first step of Adam is the rate itself, whatever the gradient's size.
        np.testing.assert_allclose(np.asarray(weight), 1.9, rtol=1e-5, err_msg=weight.path)


def test_the_penalty_comes_after_clipping():
    # Norm 5 clipped to 1: (0.6, 0.8); then 0.5 * weight is added, as torch's clip before step.
    start, l2 = [2.0, -4.0], 0.5
    optimizer = create_optimizer("adam", 0.1, weight_decay=l2, epsilon=1e-1, clip_global_norm=1.0)
    path = take_steps(optimizer, start, [[3.0, 4.0]])
    expected = [
        Adam(w, l2=l2, epsilon=0.1).step(g, 0.1) for w, g in zip(start, (0.6, 0.8), strict=True)
    ]
    np.testing.assert_allclose(path[0], expected, rtol=1e-6)


def test_adamw_shrinks_weights_beside_the_step():
    optimizer = create_optimizer("adamw", 0.1, weight_decay=0.5)
    path = take_steps(optimizer, [2.0], [[0.0], [0.0]])
    np.testing.assert_allclose(path[:, 0], [2.0 * 0.95, 2.0 * 0.95**2], rtol=1e-6)


def test_sgd_has_momentum_of_s1():
    path = take_steps(create_optimizer("sgd", 0.1), [1.0], [[1.0], [1.0], [0.0]])
    # By hand: velocity 1, 1.9, 1.71 times the rate.
    np.testing.assert_allclose(path[:, 0], [0.9, 0.71, 0.539], rtol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_survives_saving_with_its_slots(name, tmp_path):
    decay = 0.0 if name == "sgd" else 1e-4
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    rate = learning_rate_schedule("cosine", learning_rate=0.1, total_steps=50, warmup_steps=5)
    model.compile(create_optimizer(name, rate, weight_decay=decay, epsilon=1e-3), "mse")
    x, y = np.ones((8, 3), np.float32), np.ones((8, 2), np.float32)
    model.fit(x, y, epochs=7, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    for part in (model, loaded):
        part.fit(x, y, epochs=7, verbose=0)
    for left, right in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(left), np.asarray(right))


def test_mixed_precision_keeps_float32_slots_and_learns():
    with contracts.global_policy("mixed_float16"):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, dtype="float32")])
        model.compile(create_optimizer("adam", 0.1, weight_decay=1e-4), "mse")
        x = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
        losses = model.fit(x, x.sum(axis=1), epochs=15, verbose=0).history["loss"]
    assert losses[-1] < 0.1 * losses[0]
    slots = [v for v in model.optimizer.variables if v.path.endswith(("momentum", "velocity"))]
    assert len(slots) == 4
    assert all(v.dtype == "float32" for v in slots)


def test_refusals():
    contracts.check_refusals(
        {
            "among adam, adamw, sgd. Received: 'lars'": lambda: create_optimizer("lars", 0.1),
            "no weight decay: set it to 0": lambda: create_optimizer("sgd", 0.1, weight_decay=0.1),
            "weight_decay must not be negative. Received: -1": lambda: create_optimizer(
                "adamw", 0.1, weight_decay=-1
            ),
            "Received: nan": lambda: create_optimizer("adam", 0.1, weight_decay=float("nan")),
            "clip_global_norm must be positive": lambda: create_optimizer(
                "adam", 0.1, clip_global_norm=0
            ),
            "positive and finite, or None for no clipping. Received: inf": lambda: create_optimizer(
                "sgd", 0.1, clip_global_norm=float("inf")
            ),
            "l2 must not be negative. Received: l2=-0.1": lambda: AdamL2(l2=-0.1),
            "epsilon must be positive and finite. Received: epsilon=0": lambda: AdamL2(epsilon=0),
            "finite. Received: epsilon=inf": lambda: AdamL2(epsilon=float("inf")),
            "finite. Received: epsilon=-1": lambda: create_optimizer("adamw", 0.1, epsilon=-1),
            "finite. Received: epsilon=nan": lambda: create_optimizer(
                "adamw", 0.1, epsilon=float("nan")
            ),
            "beta_2 must lie in (0, 1). Received: beta_2=1": lambda: AdamL2(beta_2=1),
        }
    )
