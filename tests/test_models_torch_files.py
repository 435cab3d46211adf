"""PyTorch's weight files: the right ones whole, the wrong ones refused with the reason."""

from __future__ import annotations

import subprocess
import zipfile

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.models.torch_files import read_state_dict
from tests.conftest import ROOT
from tests.torch_twins import PYTHON
from tests.torch_writer import (
    FakeStorage,
    FakeTensor,
    state_dict,
    tensor,
    write_stream,
    write_zip,
    write_zip_of,
)

ARRAYS = {
    "0.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "0.bias": np.array([0.5, -1.5], np.float32),
}


def refusal(path) -> str:
    with pytest.raises(ValueError) as caught:
        read_state_dict(path)
    message = str(caught.value)
    assert message.startswith(f"{path} is no PyTorch weights file that can be read: ")
    assert "\n" not in message
    return message


def write(path, kind: str):
    if kind == "safetensors":
        safetensors.numpy.save_file(ARRAYS, path)
        return path
    return (write_zip if kind == "zip" else write_stream)(path, state_dict(ARRAYS))


KINDS = ("zip", "stream", "safetensors")


# --- PyTorch's own files --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The files of tests/peers/torch_files.py, and the numbers that they hold."""
    if not PYTHON.is_file():
        pytest.skip("PyTorch's environment (.venv-torch) is not built: make peers")
    folder = tmp_path_factory.mktemp("torch")
    script = ROOT / "tests" / "peers" / "torch_files.py"
    done = subprocess.run([PYTHON, script, folder], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(folder / "values.npz") as values:
        return folder, dict(values)


@pytest.mark.peers
@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize(
    "name", ["state", "views", "checkpoint", "parallel", "parameters", "channels_last", "double"]
)
def test_pytorchs_files_to_the_bit(written, name, old):
    folder, expected = written
    found = read_state_dict(folder / f"{'old_' if old else ''}{name}.pth")
    assert list(found) == list(expected)
    for entry, array in expected.items():
        np.testing.assert_array_equal(found[entry], array, err_msg=entry)
        assert found[entry].shape == array.shape


@pytest.mark.peers
@pytest.mark.parametrize("name", ["half.pth", "bfloat16.pth", "old_half.pth", "old_bfloat16.pth"])
def test_pytorchs_short_numbers(written, name):
    folder, expected = written
    found = read_state_dict(folder / name)
    for entry, array in expected.items():
        assert found[entry].dtype.name in ("float16", "float32")
        np.testing.assert_allclose(found[entry], array, rtol=2**-8, atol=1e-7)


@pytest.mark.peers
def test_pytorchs_safetensors(written):
    folder, expected = written
    found = read_state_dict(folder / "state.safetensors")
    assert found.keys() == expected.keys()
    for entry, array in expected.items():
        np.testing.assert_array_equal(found[entry], array)
    low = read_state_dict(folder / "bfloat16.safetensors")
    np.testing.assert_allclose(low["0.weight"], expected["0.weight"], rtol=2**-8)
    assert low["0.weight"].dtype == np.float32


@pytest.mark.peers
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("network.pth", "it asks for torch.nn.modules.container.Sequential"),
        ("complex.pth", "it asks for torch.ComplexFloatStorage"),
        ("float8.pth", "it asks for torch._utils._rebuild_tensor_v3"),
        ("sparse.pth", "it asks for torch._utils._rebuild_sparse_tensor"),
        ("list.pth", "it holds a list and no state dict"),
        ("tensor.pth", "it holds a StoredTensor and no state dict"),
        ("numbers.pth", "its entry 'epoch' is a int and no tensor; save the network's state dict"),
        ("float8.safetensors", "float8"),
    ],
)
def test_pytorchs_files_that_hold_something_else(written, name, reason):
    assert reason in refusal(written[0] / name)


# --- files made here ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_whatever_its_ending(kind, tmp_path):
    found = read_state_dict(write(tmp_path / "weights.bin", kind))
    assert found.keys() == ARRAYS.keys()
    for entry, array in ARRAYS.items():
        np.testing.assert_array_equal(found[entry], array)
        assert found[entry].dtype == array.dtype


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_short_anywhere(kind, tmp_path):
    whole = write(tmp_path / "whole.pth", kind).read_bytes()
    path = tmp_path / "cut.pth"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        refusal(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_refused_or_holds_arrays(kind, tmp_path):
    whole = write(tmp_path / "whole.pth", kind).read_bytes()
    path = tmp_path / "damaged.pth"

    @settings(max_examples=200, deadline=None)
    @given(at=st.integers(0, len(whole) - 1), byte=st.integers(0, 255))
    def check(at, byte):
        path.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
        try:
            found = read_state_dict(path)
        except ValueError as error:
            assert str(error).startswith(str(path))
        else:
            assert all(isinstance(array, np.ndarray) for array in found.values())

    check()


def test_other_files(tmp_path):
    for content in (b"", b"<!DOCTYPE html>", b"PK\x03\x04", b"version https://git-lfs.github.com"):
        path = tmp_path / "weights.pth"
        path.write_bytes(content)
        refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme", b"")
    assert "it is a zip, but not one that torch.save wrote" in refusal(path)
    with pytest.raises(FileNotFoundError):
        read_state_dict(tmp_path / "absent.pth")


def test_a_tensor_that_reaches_outside_its_storage(tmp_path):
    lie = tensor(np.zeros(4), "0")
    lie.shape, lie.strides = (400, 400), (0, 1)
    for write_file in (write_zip, write_stream):
        message = refusal(write_file(tmp_path / "lie.pth", {"conv.weight": lie}))
        assert "its entry 'conv.weight': a tensor of shape (400, 400)" in message
        assert "reaches outside its storage of 4 numbers" in message


@pytest.mark.parametrize("data", [b"", bytes(12), bytes(20)])
def test_a_storage_of_another_length(tmp_path, data):
    lie = FakeTensor(FakeStorage("FloatStorage", "0", 4, data), 0, (4,), (1,))
    message = refusal(write_zip(tmp_path / "lie.pth", {"conv.weight": lie}))
    assert f"its storage '0' has {len(data)} bytes where 4 numbers of 4 bytes are named" in message


def test_a_storage_that_is_missing_or_is_none(tmp_path):
    path = tmp_path / "lie.pth"
    missing = write_zip(path, state_dict(ARRAYS))
    with zipfile.ZipFile(missing) as archive:
        pickled = archive.read("archive/data.pkl")
    assert "it lacks its part 'archive/data/0'" in refusal(write_zip_of(path, pickled))
    lie = FakeTensor("no storage", 0, (4,), (1,))
    assert "names no storage" in refusal(write_zip(path, {"conv.weight": lie}))


def test_the_list_of_storages_in_an_old_file(tmp_path):
    path = write_stream(tmp_path / "old.pth", state_dict(ARRAYS))
    before, key, after = path.read_bytes().rpartition(b"X\x01\x00\x00\x001")
    path.write_bytes(before + key[:-1] + b"9" + after)
    assert "the list of its storages is damaged" in refusal(path)


def test_big_endian_files(tmp_path):
    path = write_zip(tmp_path / "big.pth", state_dict(ARRAYS), byte_order=b"big")
    assert "a big-endian machine wrote it" in refusal(path)
    path = write_stream(tmp_path / "big.pth", state_dict(ARRAYS), little_endian=False)
    assert "a big-endian machine wrote it" in refusal(path)


def test_an_old_file_of_another_version(tmp_path):
    path = write_stream(tmp_path / "old.pth", state_dict(ARRAYS), version=1002)
    assert "it is of the unknown version 1002" in refusal(path)


def test_a_compressed_file(tmp_path):
    zeros = state_dict({"conv.weight": np.zeros(1_000_000)})
    path = write_zip(tmp_path / "bomb.pth", zeros, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10_000
    assert "is compressed, which torch.save never does" in refusal(path)


def test_a_hostile_file_runs_nothing(tmp_path):
    marker = tmp_path / "ran"
    pickled = b"cos\nsystem\n(S'touch %s'\ntR." % str(marker).encode()
    path = write_zip_of(tmp_path / "hostile.pth", pickled)
    assert "it asks for os.system" in refusal(path)
    old = write_stream(tmp_path / "old.pth", state_dict(ARRAYS))
    content = old.read_bytes()
    old.write_bytes(content[: content.index(b"\x80\x02ccollections")] + pickled)
    assert "it asks for os.system" in refusal(old)
    assert not marker.exists()


def test_wrappers_prefixes_go_and_other_shared_ones_stay(tmp_path):
    def entries(prefix):
        wrapped = {f"{prefix}{name}": array for name, array in ARRAYS.items()}
        return list(read_state_dict(write_zip(tmp_path / "a.pth", state_dict(wrapped))))

    assert entries("module.") == entries("_orig_mod.") == entries("module._orig_mod.")
    assert entries("module.") == list(ARRAYS)
    assert entries("backbone.") == [f"backbone.{name}" for name in ARRAYS]


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model", "net"])
def test_a_state_dict_inside_a_checkpoint(tmp_path, key):
    found = {"epoch": 3, key: state_dict(ARRAYS)}
    assert list(read_state_dict(write_zip(tmp_path / "a.pth", found))) == list(ARRAYS)


def test_an_entry_that_is_no_tensor(tmp_path):
    found = state_dict(ARRAYS)
    found["epoch"] = 3
    assert "its entry 'epoch' is a int and no tensor" in refusal(
        write_zip(tmp_path / "a.pth", found)
    )
    assert "it holds a dict and no state dict" in refusal(write_zip(tmp_path / "a.pth", {}))


def test_arrays_cannot_be_written_into(tmp_path):
    found = read_state_dict(write(tmp_path / "a.pth", "zip"))
    with pytest.raises(ValueError, match="read-only"):
        found["0.bias"][0] = 1
