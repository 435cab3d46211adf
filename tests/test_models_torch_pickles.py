"""Pickles of tensors: what is let through, and that nothing else ever runs."""

from __future__ import annotations

import io
import math
import os
import pickle
import subprocess
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.models.torch_pickles import Storage, StoredTensor, numbers_of, unpickle
from tests.torch_writer import FakeStorage, FakeTensor, pickle_as_torch, state_dict


def load(pickled: bytes):
    return unpickle(io.BytesIO(pickled))[0]


def test_a_state_dict_is_described_not_built():
    pickled, _ = pickle_as_torch(state_dict({"conv.weight": np.zeros((2, 3))}))
    found, storages = unpickle(io.BytesIO(pickled))
    storage = Storage("FloatStorage", "0", 6, 0, 6)
    assert found == OrderedDict({"conv.weight": StoredTensor(storage, 0, (2, 3), (3, 1))})
    assert storages == {"0": storage}


class _Command:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_hostile_pickle_runs_nothing(tmp_path, protocol):
    marker = tmp_path / "ran"
    for hostile in (
        _Command(os.system, f"touch {marker}"),
        _Command(subprocess.check_call, ["touch", str(marker)]),
        _Command(eval, f"open({str(marker)!r}, 'w')"),
        {"a": [_Command(os.mkdir, str(marker))]},
        _Command(getattr, OrderedDict, "fromkeys"),
    ):
        pickled = pickle.dumps(hostile, protocol)
        with pytest.raises(ValueError, match=r"it asks for \w+\.\w+"):
            load(pickled)
        assert not marker.exists()


@pytest.mark.parametrize(
    "pickled",
    [
        b"(S'touch ran'\nios\nsystem\n.",  # the opcode INST
        b"cos\nsystem\n(S'touch ran'\ntR.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x09touch ran\x85R.",  # STACK_GLOBAL
        b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.fromkeys\x93.",  # a dotted name
        b"ctorch\nload\n.",
        b"ctorch.storage\nUntypedStorage\n.",
        b"ctorch._utils\n_rebuild_tensor_v3\n.",
        b"\x80\x02\x82\x01.",  # the opcode EXT1
    ],
)
def test_other_ways_to_name_a_function(pickled, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"it asks for|unregistered extension"):
        load(pickled)
    assert not (tmp_path / "ran").exists()


def test_a_pickle_cannot_change_what_it_is_given():
    change = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(N}X\x0c\x00\x00\x00__defaults__)stb."
    first = load(change)
    assert first.__defaults__ == ()  # it did, on a function of its own
    assert load(b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n.").__defaults__ is None


def test_a_pickle_cannot_change_a_tensor():
    pickled, _ = pickle_as_torch({"a": state_dict({"w": np.zeros(4)})["w"]})
    *_, end = pickle.dumps({"a": 1}, 2).partition(b"K\x01")
    assert pickled.endswith(end) and isinstance(load(pickled)["a"], StoredTensor)
    for state in (b"}U\x05shape(K\x09tsb", b"(N}U\x05shape(K\x09tstb", b"(K\x01K\x02K\x03lb"):
        with pytest.raises(ValueError):
            load(pickled[: -len(end)] + state + end)


@pytest.mark.parametrize(
    "given_id",
    [
        "storage",
        ("storage",),
        ("module", "FloatStorage", "0", "cpu", 1),
        ("storage", "FloatStorage", "0", "cpu", -1),
        ("storage", "FloatStorage", "0", "cpu", 2**60),
        ("storage", "FloatStorage", "0", "cpu", True),
        ("storage", "FloatStorage", 0, "cpu", 1),
        ("storage", "QUInt8Storage", "0", "cpu", 1),
        ("storage", ["FloatStorage"], "0", "cpu", 1),
        ("storage", "FloatStorage", "0", "cpu", 4, ("view", 2, 3)),
    ],
)
def test_storages_that_are_none(given_id):
    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return given_id if value is Ellipsis else None

    buffer = io.BytesIO()
    Pickler(buffer, 2).dump([...])
    with pytest.raises(ValueError):
        load(buffer.getvalue())


def test_a_part_of_a_longer_storage_as_files_of_2017_have_it():
    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            view = ("another name", 2, 3)
            return ("storage", "FloatStorage", "7", "cpu", 6, view) if value is Ellipsis else None

    buffer = io.BytesIO()
    Pickler(buffer, 2).dump(...)
    storage = load(buffer.getvalue())
    assert storage == Storage("FloatStorage", "7", 3, 2, 6)
    run = np.arange(6, dtype=np.float32)
    np.testing.assert_array_equal(numbers_of(StoredTensor(storage, 1, (2,), (1,)), run), [3, 4])
    with pytest.raises(ValueError, match="outside its storage of 3 numbers"):
        numbers_of(StoredTensor(storage, 1, (3,), (1,)), run)


def test_a_pickle_cut_short_anywhere():
    pickled, _ = pickle_as_torch(state_dict({"conv.weight": np.zeros((2, 3))}))
    for length in range(len(pickled)):
        with pytest.raises(ValueError):
            load(pickled[:length])


RUN = np.arange(12, dtype=np.float32)
STORAGE = Storage("FloatStorage", "0", 12, 0, 12)


def test_strides_as_numpy_and_pytorch_mean_them():
    tensor = StoredTensor(STORAGE, 1, (2, 3), (6, 2))
    np.testing.assert_array_equal(numbers_of(tensor, RUN), [[1, 3, 5], [7, 9, 11]])
    np.testing.assert_array_equal(numbers_of(StoredTensor(STORAGE, 5, (), ()), RUN), 5)
    assert numbers_of(StoredTensor(STORAGE, 0, (0, 3), (3, 1)), RUN).shape == (0, 3)


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (13,), (1,)),
        (1, (12,), (1,)),
        (12, (), ()),
        (0, (2, 2), (12, 1)),
        (0, (2,), (-1,)),
        (11, (2,), (-1,)),
        (-1, (2,), (1,)),
        (0, (2**40, 2**40), (0, 0)),  # as many numbers as one likes, all of one
        (0, (4, 4), (0, 1)),
        (0, (2,), (2**62,)),
        (0, (2, 2), (1,)),
        (0, (2.0,), (1,)),
        (0, [2], [1]),
        (0, "ab", "ab"),
        (None, (2,), (1,)),
        (0, (True,), (1,)),
    ],
)
def test_a_tensor_that_reaches_outside_its_storage(offset, shape, strides):
    with pytest.raises(ValueError, match="a tensor of shape"):
        numbers_of(StoredTensor(STORAGE, offset, shape, strides), RUN)


sizes = st.integers(0, 6)


@settings(max_examples=300, deadline=None)
@given(offset=st.integers(-1, 14), dims=st.lists(st.tuples(sizes, sizes), max_size=3))
def test_any_view_is_inside_or_refused(offset, dims):
    shape, strides = tuple(n for n, _ in dims), tuple(s for _, s in dims)
    rows = [
        offset + sum(i * s for i, s in zip(at, strides, strict=True)) for at in np.ndindex(*shape)
    ]
    # A zero stride that repeats numbers is refused, too, once there are more than in the storage.
    fits = offset >= 0 and all(row < 12 for row in rows) and math.prod(shape) <= 12
    tensor = StoredTensor(STORAGE, offset, shape, strides)
    if fits:
        np.testing.assert_array_equal(numbers_of(tensor, RUN).ravel(), RUN[rows])
    else:
        with pytest.raises(ValueError, match="a tensor of shape"):
            numbers_of(tensor, RUN)


def test_the_writer_of_these_tests_describes_what_it_is_told():
    lie = FakeTensor(FakeStorage("FloatStorage", "0", 4), 3, (5,), (1,))
    assert load(pickle_as_torch({"a": lie})[0])["a"].shape == (5,)
