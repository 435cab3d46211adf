"""Batches read front to back are those of the records by byte offset, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf import records
from landmarks_tf.data import dataset, planned_records, sampling
from landmarks_tf.data.planned_dataset import make_planned_dataset
from tests.test_data_dataset import LABELS, assert_equal, write_split

FIRST, STEPS = 4, 8


def balanced() -> sampling.Plan:
    return sampling.class_balanced(
        np.array(LABELS), classes_per_batch=4, images_per_class=2, seed=1
    )


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> records.RecordIndex:
    return write_split(tmp_path_factory.mktemp("records"), LABELS)


@pytest.fixture(scope="module")
def planned(index, tmp_path_factory):
    """Steps 4 to 11 in three parts and four stripes."""
    folder = tmp_path_factory.mktemp("planned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planned_records, "_PARTS_OF_STEPS", 3)
        planned_records.write(
            index, balanced(), folder, num_steps=STEPS, first_step=FIRST, stripes=4
        )
    return folder


OPTIONS = {"image_size": 20, "augment": "s1", "seed": 9}


def read(made) -> list[tuple[np.ndarray, ...]]:
    return [tuple(part.numpy() for part in batch) for batch in made]


@pytest.fixture(scope="module")
def expected(index):
    return read(
        dataset.make_dataset(index, balanced(), start_step=FIRST, num_steps=STEPS, **OPTIONS)
    )


def test_the_same_batches(planned, expected):
    made = make_planned_dataset(planned, **OPTIONS)
    assert made.element_spec == (
        tf.TensorSpec((8, 20, 20, 3), tf.uint8),
        tf.TensorSpec((8,), tf.int32),
    )
    assert made.cardinality().numpy() == STEPS
    assert_equal(read(made), expected)


@pytest.mark.parametrize(("start", "count"), [(FIRST + 1, 4), (FIRST + 3, 5), (FIRST + 7, 1)])
def test_from_any_step(planned, expected, start, count):
    made = make_planned_dataset(planned, start_step=start, num_steps=count, **OPTIONS)
    assert_equal(read(made), expected[start - FIRST : start - FIRST + count])
    assert read(make_planned_dataset(planned, start_step=FIRST + STEPS, **OPTIONS)) == []


def test_hosts_read_their_own_files(planned, expected, tmp_path):
    for name in planned.iterdir():
        if not name.name.endswith(("-002", "-003")):  # the second host's stripes alone
            (tmp_path / name.name).write_bytes(name.read_bytes())
    first = read(make_planned_dataset(tmp_path, host=0, hosts=2, **OPTIONS))
    second = read(make_planned_dataset(planned, host=1, hosts=2, **OPTIONS))
    together = [
        tuple(np.concatenate(parts) for parts in zip(one, other, strict=True))
        for one, other in zip(first, second, strict=True)
    ]
    assert_equal(together, expected)


def test_from_a_url(planned, expected):
    url = "ram://planned-records"
    for path in planned.iterdir():
        tf.io.gfile.GFile(f"{url}/{path.name}", "wb").write(path.read_bytes())
    assert_equal(read(make_planned_dataset(url, **OPTIONS)), expected)


def test_mistakes_are_named(planned, tmp_path):
    def make(**options):
        return make_planned_dataset(planned, **{**OPTIONS, **options})

    with pytest.raises(ValueError, match="steps 3 to 11 were asked for, 4 to 11 were written"):
        make(start_step=3)
    with pytest.raises(ValueError, match="steps 4 to 12 were asked for"):
        make(num_steps=9)
    with pytest.raises(ValueError, match="4 stripes do not divide evenly over 3 hosts"):
        make(hosts=3)
    with pytest.raises(ValueError, match=r"host must be one of 0\.\.1, got 2"):
        make(host=2, hosts=2)
    with pytest.raises(ValueError, match="unknown resize mode"):
        make(mode="sqash")
    for path in planned.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "planned-00000.npy").write_bytes(b"nothing")
    with pytest.raises(records.RecordsError, match=r"planned-00000\.npy cannot be read"):
        make_planned_dataset(tmp_path, **OPTIONS)
    shorter = np.load(planned / "planned-00000.npy")[:1]
    np.save(tmp_path / "planned-00000.npy", shorter)
    with pytest.raises(records.RecordsError, match="is of other planned records"):
        make_planned_dataset(tmp_path, **OPTIONS)
