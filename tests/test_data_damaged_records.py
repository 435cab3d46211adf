"""Damaged records are named, counted and replaced by others of their class, whatever the damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from landmarks_tf import records
from landmarks_tf.data import dataset, sampling
from landmarks_tf.data.damaged_records import SUBSTITUTES, DamagedRecords
from tests.test_data_dataset import LABELS, NUM_CLASSES, NUM_RECORDS, batches, write_split


def index_of(labels: list[int]) -> records.RecordIndex:
    rows = len(labels)
    return records.RecordIndex(
        split="train",
        shards=("one", "two"),
        shard=np.arange(rows, dtype=np.int32) % 2,
        offset=np.arange(rows, dtype=np.int64) * 10,
        label=np.array(labels, np.int32),
        id=np.array([f"{row:016x}".encode() for row in range(rows)]),
        num_classes=max(labels) + 1,
    )


def test_candidates_follow_each_other_within_their_class():
    damaged = DamagedRecords(index_of([4, 1, 4, 4, 1, 0]))
    assert SUBSTITUTES == 3
    assert damaged.candidates(np.array([3, 0, 4, 5])).tolist() == [
        [3, 0, 2, 3],
        [0, 2, 3, 0],
        [4, 1, 4, 1],
        [5, 5, 5, 5],  # alone in its class: nothing can take its place
    ]


@pytest.fixture
def split(tmp_path) -> records.RecordIndex:
    """A split with three damages: a flipped bit, a file that is no picture, a shard cut short."""
    index = write_split(tmp_path, LABELS)
    for row in (2, 9):
        path = Path(index.shards[int(index.shard[row])])
        content = bytearray(path.read_bytes())
        content[int(index.offset[row]) + 60] ^= 1
        path.write_bytes(content)
    last = Path(index.shards[2])
    last.write_bytes(last.read_bytes()[:-20])
    return index


DAMAGED = {2, 9, NUM_RECORDS - 1}


def test_batches_keep_their_classes_and_every_other_picture(split, capfd):
    plan = sampling.class_balanced(split.label, classes_per_batch=3, images_per_class=2, seed=1)
    damaged = DamagedRecords(split)
    ours = batches(split, plan, num_steps=20, with_rows=True, damaged=damaged)
    asked = np.stack([plan.batch(step) for step in range(20)])
    given = np.stack([rows for _, _, rows in ours])
    assert np.stack([labels for _, labels, _ in ours]).tolist() == split.label[asked].tolist()
    replaced = np.isin(asked, list(DAMAGED))
    assert set(asked[replaced].tolist()) == DAMAGED
    np.testing.assert_array_equal(given[~replaced], asked[~replaced])
    assert not np.isin(given, list(DAMAGED)).any()
    for row, other in zip(asked[replaced], given[replaced], strict=True):
        same_class = [r for r in range(NUM_RECORDS) if LABELS[r] == LABELS[row]]
        following = same_class[same_class.index(row) :] + same_class
        assert other == next(r for r in following if r not in DAMAGED)

    times = {row: int((asked == row).sum()) for row in DAMAGED}
    # Batches read ahead may have met some of them again.
    assert damaged.replaced.keys() == DAMAGED
    assert all(damaged.replaced[row] >= times[row] for row in DAMAGED)
    assert damaged.as_dict().keys() == {f"{row:016x}" for row in DAMAGED}
    told = capfd.readouterr().err
    for row in DAMAGED:
        where = f"record {row:016x} (byte {split.offset[row]} of {split.shards[split.shard[row]]})"
        assert told.count(where) == 1


def test_replaced_batches_are_the_same_again_and_from_any_step(split):
    def read(start):
        plan = sampling.shuffled(NUM_RECORDS, batch_size=5, seed=2)
        options = {"damaged": DamagedRecords(split, quiet=True), "augment": "s1", "seed": 4}
        return batches(split, plan, start_step=start, num_steps=9 - start, **options)

    whole = read(0)
    for (images, labels), (again, labels_again) in zip(read(3), whole[3:], strict=True):
        np.testing.assert_array_equal(images, again)
        assert labels.tolist() == labels_again.tolist()


def test_intact_records_give_what_they_give_without(tmp_path):
    index = write_split(tmp_path, LABELS)
    plan = sampling.shuffled(NUM_RECORDS, batch_size=5, seed=2)
    damaged = DamagedRecords(index)
    ours = batches(index, plan, num_steps=5, damaged=damaged)
    for (images, _), (expected, _) in zip(ours, batches(index, plan, num_steps=5), strict=True):
        np.testing.assert_array_equal(images, expected)
    assert not damaged.replaced


def test_a_class_that_is_damaged_whole_stops_the_run(tmp_path):
    index = write_split(tmp_path, [0] * (NUM_RECORDS - 1) + [NUM_CLASSES - 1])
    last = Path(index.shards[2])
    last.write_bytes(last.read_bytes()[:-20])
    plan = sampling.shuffled(NUM_RECORDS, batch_size=NUM_RECORDS, seed=0)
    with (
        pytest.raises(records.RecordsError, match="no substitute that can be read"),
        dataset.clear_errors(index),
    ):
        batches(index, plan, num_steps=1, damaged=DamagedRecords(index, quiet=True))


def test_evaluation_never_replaces(split):
    plan = sampling.evaluation_order(NUM_RECORDS, batch_size=8)
    with pytest.raises(ValueError, match="'evaluation_order' gives each row once"):
        batches(split, plan, damaged=DamagedRecords(split))
