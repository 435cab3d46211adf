"""Checkpoints: whole or not there, to the bit, and errors for what does not fit."""

from __future__ import annotations

import errno
import os

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landmarks_tf.training.checkpoints import (
    CheckpointError,
    Checkpoints,
    DamagedCheckpointError,
    TrainingDivergedError,
    training_state,
)
from landmarks_tf.training.optimizers import AdamL2
from tests import contracts, tiny_training


def trained(steps=3, seed=0):
    """The tiny network with batch norm, dropout and AdamL2 after some steps."""
    keras.utils.set_random_seed(seed)
    model = tiny_training.compiled(20)
    for step in range(steps):
        model.train_on_batch(*tiny_training.batch(step))
    return model


def arrays_of(model):
    return {key: np.asarray(variable).copy() for key, variable in training_state(model).items()}


def assert_same(left, right):
    assert left.keys() == right.keys()
    for key in left:
        np.testing.assert_array_equal(left[key], right[key], err_msg=key)


def small(units=2, inputs=3, optimizer="adam", layers=1):
    model = keras.Sequential([keras.Input((inputs,))])
    for _ in range(layers):
        model.add(keras.layers.Dense(units))
    model.compile(optimizer, "mse")
    return model


def test_a_checkpoint_holds_weights_slots_and_seeds():
    keys = " ".join(training_state(trained(steps=0)))
    for part in (
        "conv2d/kernel",
        "moving_variance",
        "seed_generator_state",
        "cosine_classifier",
        "momentum",
        "velocity",
        "iteration",
    ):
        assert part in keys


def test_restored_to_the_bit_and_the_next_steps_are_the_same(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    first = trained(steps=3)
    checkpoints.save(3, first)
    expected = arrays_of(first)

    # Another seed and another past; and in one process Keras gives its layers other names.
    second = trained(steps=1, seed=9)
    assert checkpoints.restore_latest(second) == 3
    restored = arrays_of(second)
    assert_same(restored, expected)
    seeds = [value for key, value in restored.items() if "seed_generator" in key]
    assert len(seeds) == 2 and all(seed[1] > 0 for seed in seeds)  # dropout has been drawn from

    for step in range(3, 6):
        left = first.train_on_batch(*tiny_training.batch(step), return_dict=True)
        right = second.train_on_batch(*tiny_training.batch(step), return_dict=True)
    # Not to the bit: the suite does not ask TensorFlow for deterministic kernels. That the bits
    # agree is tests/test_training_fit.py's part, in processes of their own.
    np.testing.assert_allclose(left["loss"], right["loss"], rtol=1e-4)


def test_restoring_into_a_model_that_took_no_step(tmp_path):
    first = trained()
    Checkpoints(tmp_path).save(3, first)
    fresh = tiny_training.compiled(20)
    assert not fresh.optimizer.built
    Checkpoints(tmp_path).restore(3, fresh)
    assert_same(arrays_of(fresh), arrays_of(first))
    assert int(np.asarray(fresh.optimizer.iterations)) == 3


@pytest.mark.parametrize("policy", [*contracts.MIXED_POLICIES, "bfloat16"])
def test_every_precision_comes_back(policy, tmp_path):
    def model():
        made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, dtype=policy)])
        made.compile(AdamL2(0.01), "mse", auto_scale_loss=policy == "mixed_float16")
        return made

    with contracts.global_policy(policy):
        first, second = model(), model()
    first.fit(np.ones((8, 3)), np.ones((8, 2)), epochs=2, verbose=0)
    Checkpoints(tmp_path).save(2, first)
    Checkpoints(tmp_path).restore(2, second)
    assert_same(arrays_of(second), arrays_of(first))
    if policy == "mixed_float16":
        assert any("dynamic_scale" in key for key in arrays_of(first))


def test_none_yet(tmp_path):
    model = small()
    before = arrays_of(model)
    for folder in (tmp_path, tmp_path / "missing"):
        assert Checkpoints(folder).steps() == []
        assert Checkpoints(folder).restore_latest(model) == 0
    assert_same(arrays_of(model), before)


def test_keeps_the_newest(tmp_path):
    checkpoints, model = Checkpoints(tmp_path, keep=3), small()
    for step in (5, 10, 100, 1000, 20_000):
        path = checkpoints.save(step, model)
        assert path == checkpoints.path(step)
    assert checkpoints.steps() == [100, 1000, 20_000]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "step-000000100.npz",
        "step-000001000.npz",
        "step-000020000.npz",
    ]
    with pytest.raises(
        ValueError, match=r"At least one checkpoint must be kept\. Received: keep=0"
    ):
        Checkpoints(tmp_path, keep=0)


def test_what_a_kill_left_half_written_is_not_a_checkpoint(tmp_path):
    checkpoints, model = Checkpoints(tmp_path), small()
    whole = checkpoints.save(10, model).read_bytes()
    (tmp_path / "step-000000020.partial").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "notes.txt").write_text("not ours")
    assert checkpoints.steps() == [10]
    assert checkpoints.restore_latest(model) == 10
    checkpoints.save(20, model)
    assert not (tmp_path / "step-000000020.partial").exists()
    assert checkpoints.steps() == [10, 20]


def test_a_full_disk_leaves_the_older_checkpoint_and_no_half(tmp_path, monkeypatch):
    checkpoints, model = Checkpoints(tmp_path, keep=1), small()
    checkpoints.save(10, model)

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        checkpoints.save(20, model)
    assert [p.name for p in tmp_path.iterdir()] == ["step-000000010.npz"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_no_number_is_not_saved(tmp_path, value):
    checkpoints, model = Checkpoints(tmp_path), small()
    checkpoints.save(10, model)
    model.layers[0].kernel.assign(np.full((3, 2), value))
    with pytest.raises(TrainingDivergedError, match=r"kernel' is no longer finite at step 20"):
        checkpoints.save(20, model)
    assert checkpoints.steps() == [10]


# --- damage ------------------------------------------------------------------------------------


def test_a_damaged_newest_gives_way_to_the_one_before(tmp_path, capsys):
    checkpoints, model = Checkpoints(tmp_path), small()
    checkpoints.save(10, model)
    expected = arrays_of(model)
    newest = checkpoints.save(20, model)
    newest.write_bytes(newest.read_bytes()[:-100])
    model.layers[0].kernel.assign(np.zeros((3, 2)))
    assert checkpoints.restore_latest(model) == 10
    assert_same(arrays_of(model), expected)
    message = capsys.readouterr().err
    assert message.startswith(f"warning: The checkpoint {newest} cannot be read (")
    assert message.endswith(
        "renamed to step-000000020.npz.damaged; training goes on from step 10.\n"
    )
    # The damaged one must not count among the newest that are kept.
    checkpoints.save(15, model)
    assert checkpoints.steps() == [10, 15]


def test_all_damaged_starts_over_and_keeps_what_it_writes(tmp_path, capsys):
    checkpoints, model = Checkpoints(tmp_path), small()
    for step in (10, 20):
        checkpoints.save(step, model).write_bytes(b"")
    assert checkpoints.restore_latest(model) == 0
    assert "training goes on from the start" in capsys.readouterr().err
    checkpoints.save(5, model)
    checkpoints.save(8, model)
    assert checkpoints.steps() == [5, 8]


def truncate(path, whole):
    path.write_bytes(whole[: len(whole) // 2])


def fill_with_zeros(path, whole):  # as some file systems leave a file after a power cut
    path.write_bytes(bytes(len(whole)))


def lose_the_end(path, whole):
    path.write_bytes(whole[:-4096] + bytes(4096) if len(whole) > 4096 else bytes(len(whole)))


def replace_by_text(path, whole):
    path.write_text("<html>503 Service Unavailable</html>")


def replace_by_folder(path, whole):
    path.unlink()
    path.mkdir()
    (path / "arrays").touch()


@pytest.mark.parametrize(
    "damage",
    [truncate, fill_with_zeros, lose_the_end, replace_by_text, replace_by_folder],
)
def test_each_kind_of_damage_gives_way_to_the_one_before(tmp_path, capsys, damage):
    checkpoints, model = Checkpoints(tmp_path), small()
    checkpoints.save(10, model)
    expected = arrays_of(model)
    newest = checkpoints.save(20, model)
    damage(newest, newest.read_bytes())
    model.layers[0].kernel.assign(np.zeros((3, 2)))
    assert checkpoints.restore_latest(model) == 10
    assert_same(arrays_of(model), expected)
    assert "training goes on from step 10" in capsys.readouterr().err
    assert checkpoints.steps() == [10]
    # It is set aside again when it happens twice.
    newest = checkpoints.save(20, model)
    damage(newest, newest.read_bytes())
    assert checkpoints.restore_latest(model) == 10


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_flipped_bit_or_missing_end_is_noticed(one_checkpoint, data):
    checkpoints, model, whole, expected = one_checkpoint
    if data.draw(st.booleans()):
        damaged = bytearray(whole)
        damaged[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    else:
        damaged = whole[: data.draw(st.integers(0, len(whole) - 1))]
    checkpoints.path(1).write_bytes(damaged)
    model.layers[0].kernel.assign(np.zeros((3, 2)))
    untouched = arrays_of(model)
    try:
        checkpoints.restore(1, model)
    except CheckpointError:  # a flipped bit may also turn a name into another: nothing is set then
        assert_same(arrays_of(model), untouched)
    else:  # dates and permissions inside a zip decide nothing
        assert_same(arrays_of(model), expected)


@pytest.fixture
def one_checkpoint(tmp_path):
    """(checkpoints, model, bytes of its checkpoint of step 1, what it restores)."""
    checkpoints, model = Checkpoints(tmp_path), small()
    whole = checkpoints.save(1, model).read_bytes()
    return checkpoints, model, whole, arrays_of(model)


def test_a_missing_and_an_unreadable_file(tmp_path, monkeypatch):
    checkpoints, model = Checkpoints(tmp_path), small()
    with pytest.raises(CheckpointError, match=r"There is no checkpoint .*step-000000007\.npz"):
        checkpoints.restore(7, model)
    checkpoints.save(10, model)
    checkpoints.save(20, model)

    def forbidden(path):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("zipfile.ZipFile", forbidden)  # root may read anything
    with pytest.raises(CheckpointError, match="no permission to read") as caught:
        checkpoints.restore_latest(model)
    assert not isinstance(caught.value, DamagedCheckpointError)  # and no older one is taken
    assert checkpoints.steps() == [10, 20]


def test_no_pickle_is_ever_loaded(tmp_path):
    with (tmp_path / "step-000000001.npz").open("wb") as stream:
        np.savez(stream, evil=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DamagedCheckpointError, match="allow_pickle"):
        Checkpoints(tmp_path).restore(1, small())


# --- another network's -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"units": 5}, r"with shape \(3, 2\); the network expects \(3, 5\)"),
        ({"layers": 2}, r"'model/0002/sequential/dense/kernel'.* this network and optimizer need"),
        (
            {"optimizer": "sgd"},
            "has no 'optimizer/0002/SGD/iteration', which this network and opti",
        ),
        ({"optimizer": "adamax"}, "has no 'optimizer/0002/Adamax/iteration'"),
    ],
)
def test_another_networks_checkpoint_is_refused_and_changes_nothing(tmp_path, other, message):
    Checkpoints(tmp_path).save(10, small())
    model = small(**other)
    before = arrays_of(model)
    with pytest.raises(CheckpointError, match=message) as caught:
        Checkpoints(tmp_path).restore_latest(model)
    assert "belongs to another recipe: train in another folder, or delete" in str(caught.value)
    assert_same(arrays_of(model), before)
    assert Checkpoints(tmp_path).steps() == [10]


def test_a_checkpoint_of_more_than_the_network_has_is_refused(tmp_path):
    # Of AMSGrad's variables the first are Adam's.
    Checkpoints(tmp_path).save(10, small(optimizer=keras.optimizers.Adam(amsgrad=True)))
    with pytest.raises(CheckpointError, match="holds 2 arrays that this network and optimizer do"):
        Checkpoints(tmp_path).restore_latest(small(optimizer=keras.optimizers.Adam()))


def test_another_precisions_checkpoint_is_refused(tmp_path):
    # Keras itself would load the weights and reset the optimizer with a mere warning.
    with contracts.global_policy("mixed_float16"):
        scaled = small()
    Checkpoints(tmp_path).save(10, scaled)
    with pytest.raises(CheckpointError, match="which this network and optimizer need"):
        Checkpoints(tmp_path).restore_latest(small())
