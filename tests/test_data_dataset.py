"""The tf.data pipeline on real shards: right rows and pictures, resumable, clear on damage."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from landmarks_tf import records
from landmarks_tf.data import dataset, image_ops, sampling

NUM_RECORDS, NUM_SHARDS, NUM_CLASSES = 23, 3, 5
S = 20


def file_bytes(row: int) -> bytes:
    """A different picture for each row: JPEG, grey JPEG, or PNG."""
    coarse = np.random.default_rng(row).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    size = (30 + row, 50 - row)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    (image.convert("L") if row % 7 == 3 else image).save(buffer, "PNG" if row % 5 == 2 else "JPEG")
    return buffer.getvalue()


def write_split(folder: Path, labels: list[int] | None) -> records.RecordIndex:
    shard, offset, shards = [], [], []
    bounds = np.linspace(0, NUM_RECORDS, NUM_SHARDS + 1).astype(int)
    for number, (first, last) in enumerate(itertools.pairwise(bounds)):
        path = folder / records.shard_name("train", number, NUM_SHARDS)
        shards.append(str(path))
        with records.ShardWriter(path) as writer:
            for row in range(first, last):
                example = records.encode_example(
                    file_bytes(row),
                    image_id=f"{row:016x}",
                    height=50 - row,
                    width=30 + row,
                    label=None if labels is None else labels[row],
                )
                shard.append(number)
                offset.append(writer.write(example))
    return records.RecordIndex(
        split="train",
        shards=tuple(shards),
        shard=np.array(shard, np.int32),
        offset=np.array(offset, np.int64),
        label=np.array([-1] * NUM_RECORDS if labels is None else labels, np.int32),
        id=np.array([f"{row:016x}".encode() for row in range(NUM_RECORDS)]),
        num_classes=None if labels is None else NUM_CLASSES,
    )


LABELS = [row % NUM_CLASSES for row in range(NUM_RECORDS)]


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> records.RecordIndex:
    return write_split(tmp_path_factory.mktemp("records"), LABELS)


def balanced(seed: int = 1) -> sampling.Plan:
    return sampling.class_balanced(
        np.array(LABELS), classes_per_batch=3, images_per_class=2, seed=seed
    )


def batches(index, plan, **options) -> list[tuple[np.ndarray, ...]]:
    options = {"image_size": S, **options}
    made = dataset.make_dataset(index, plan, **options)
    return [tuple(part.numpy() for part in element) for element in made]


def assert_equal(ours, expected) -> None:
    assert len(ours) == len(expected)
    for a, b in zip(ours, expected, strict=True):
        for left, right in zip(a, b, strict=True):
            np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("mode", ["letterbox", "center_crop"])
def test_pictures_and_labels_are_those_of_the_plans_rows(index, mode):
    plan = sampling.shuffled(NUM_RECORDS, batch_size=4, seed=5)
    ours = batches(index, plan, mode=mode, num_steps=9)
    for step, (images, labels) in enumerate(ours):
        assert images.dtype == np.uint8
        assert labels.dtype == np.int32
        rows = plan.batch(step)
        assert labels.tolist() == [LABELS[row] for row in rows]
        for row, image in zip(rows, images, strict=True):
            opened = np.asarray(Image.open(io.BytesIO(file_bytes(row))).convert("RGB"))
            expected = image_ops.prepare(opened, mode=mode, image_size=S)
            np.testing.assert_array_equal(image, expected)


PLANS = {
    "shuffled": lambda: sampling.shuffled(NUM_RECORDS, batch_size=5, seed=2),
    "class_balanced": balanced,
}


@pytest.mark.parametrize(
    "name,policy",
    [
        ("shuffled", "flip_jitter"),
        ("class_balanced", "s1"),
        ("class_balanced", "s2"),
        ("shuffled", "resized_crop+random_erasing"),
    ],
)
def test_a_resumed_dataset_goes_on_bit_for_bit(index, name, policy):
    options = {"augment": policy, "seed": 9}
    whole = batches(index, PLANS[name](), num_steps=12, **options)
    for start in (1, 8):  # within the first epoch of rows and classes, and past it
        resumed = batches(index, PLANS[name](), start_step=start, num_steps=12 - start, **options)
        assert_equal(resumed, whole[start:])
    assert batches(index, PLANS[name](), start_step=12, num_steps=0) == []


def test_decoding_less_gives_the_same_batches_and_resumes(index):
    options = {"augment": "resized_crop", "seed": 9, "mode": "squash", "image_size": 8}
    whole = batches(index, balanced(), num_steps=6, **options)
    assert_equal(batches(index, balanced(), num_steps=6, decoding="crop", **options), whole)
    scaled = batches(index, balanced(), num_steps=6, decoding="scaled", **options)
    resumed = batches(index, balanced(), start_step=4, num_steps=2, decoding="scaled", **options)
    assert_equal(resumed, scaled[4:])
    for ours, expected in zip(scaled, whole, strict=True):
        np.testing.assert_array_equal(ours[1], expected[1])
        assert 0 < np.abs(ours[0].astype(int) - expected[0]).mean() < 12
    with pytest.raises(ValueError, match=r"unknown way to decode 'scale'"):
        batches(index, balanced(), decoding="scale")


def test_augmentation_differs_by_seed_step_and_place(index):
    plan = sampling.class_balanced(
        np.array(LABELS), classes_per_batch=1, images_per_class=10, seed=0
    )
    first = batches(index, plan, augment="s1", seed=1, num_steps=20, with_rows=True)
    images, rows = (np.concatenate([batch[part] for batch in first]) for part in (0, 2))
    again = np.concatenate(
        [batch[0] for batch in batches(index, plan, augment="s1", seed=2, num_steps=20)]
    )
    assert (images != again).any((1, 2, 3)).mean() > 0.95
    # Classes have 4 or 5 images and give 10: each copy is augmented on its own (S1).
    copies = images[rows == rows[0]]
    assert len(copies) > 4
    assert len(np.unique(copies.reshape(len(copies), -1), axis=0)) > 0.8 * len(copies)


def test_hosts_read_the_parts_of_the_single_hosts_batches(index):
    whole = batches(index, balanced(), augment="flip_jitter", seed=3, num_steps=4, with_rows=True)
    parts = [
        batches(
            index,
            sampling.shard(balanced(), index=host, count=3),
            augment="flip_jitter",
            seed=3,
            num_steps=4,
            with_rows=True,
        )
        for host in range(3)
    ]
    together = [
        tuple(np.concatenate(columns) for columns in zip(*step, strict=True))
        for step in zip(*parts, strict=True)
    ]
    assert_equal(together, whole)


def test_evaluation_order_drops_nothing(index):
    plan = sampling.evaluation_order(NUM_RECORDS, batch_size=8)
    ours = batches(index, plan, with_rows=True)
    assert [len(images) for images, _, _ in ours] == [8, 8, 7]
    assert np.concatenate([rows for _, _, rows in ours]).tolist() == list(range(NUM_RECORDS))
    assert np.concatenate([labels for _, labels, _ in ours]).tolist() == LABELS
    assert_equal(batches(index, plan, start_step=2, with_rows=True), ours[2:])


def test_a_split_without_labels_gives_minus_one(tmp_path):
    unlabelled = write_split(tmp_path, None)
    plan = sampling.evaluation_order(NUM_RECORDS, batch_size=NUM_RECORDS)
    ((_, labels),) = batches(unlabelled, plan)
    assert labels.tolist() == [-1] * NUM_RECORDS


def test_shapes_are_static_and_lengths_known(index):
    made = dataset.make_dataset(index, balanced(), image_size=S, num_steps=7)
    assert made.element_spec == (
        tf.TensorSpec((6, S, S, 3), tf.uint8),
        tf.TensorSpec((6,), tf.int32),
    )
    assert made.cardinality().numpy() == 7
    assert made.options().deterministic
    endless = dataset.make_dataset(index, balanced(), image_size=S)
    assert endless.cardinality() == tf.data.INFINITE_CARDINALITY
    finite = dataset.make_dataset(
        index, sampling.evaluation_order(NUM_RECORDS, batch_size=8), image_size=S, with_rows=True
    )
    assert finite.element_spec == (
        tf.TensorSpec((None, S, S, 3), tf.uint8),
        tf.TensorSpec((None,), tf.int32),
        tf.TensorSpec((None,), tf.int64),
    )
    assert finite.cardinality().numpy() == 3

    traces = []

    @tf.function
    def train_step(images, labels):
        traces.append(images.shape)
        return tf.reduce_sum(tf.cast(images, tf.int64)) + tf.cast(tf.reduce_sum(labels), tf.int64)

    for images, labels in made:
        train_step(images, labels)
    assert traces == [(6, S, S, 3)]


def test_it_works_on_a_converted_data_set(demo_records):
    opened = records.RecordIndex.open(demo_records, "train")
    plan = sampling.class_balanced(opened.label, classes_per_batch=4, images_per_class=3, seed=0)
    ours = batches(opened, plan, augment="flip_jitter", num_steps=3)
    assert [labels.tolist() for _, labels in ours] == [
        opened.label[plan.batch(step)].tolist() for step in range(3)
    ]


STRATEGY = """
import numpy as np, sys, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
from landmarks_tf import records
from landmarks_tf.data import dataset, sampling
with np.load(sys.argv[1]) as saved:
    index = records.RecordIndex(
        split="train", shards=tuple(saved["shards"].tolist()), num_classes=5,
        **{name: saved[name] for name in ("shard", "offset", "label", "id")},
    )
plan = sampling.class_balanced(index.label, classes_per_batch=4, images_per_class=2, seed=0)
made = dataset.make_dataset(
    index, plan, image_size=8, augment="s1", start_step=3, num_steps=4, with_rows=True
)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
plain = list(made)
for whole, parts in zip(plain, strategy.experimental_distribute_dataset(made), strict=True):
    for one, part in zip(whole, parts, strict=True):
        first, second = strategy.experimental_local_results(part)
        assert len(first) == len(second) == 4, (first.shape, second.shape)
        np.testing.assert_array_equal(np.concatenate([first, second]), one)
print("replicas hold whole groups of", len(plain), "batches")
"""


def test_replicas_get_contiguous_parts(index, tmp_path):
    """In a process of its own: virtual devices must be set up before TensorFlow starts."""
    columns = {name: getattr(index, name) for name in ("shard", "offset", "label", "id")}
    np.savez(tmp_path / "index.npz", shards=np.array(index.shards), **columns)
    done = subprocess.run(
        [sys.executable, "-c", STRATEGY, str(tmp_path / "index.npz")],
        cwd=Path(__file__).resolve().parent.parent,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "replicas hold whole groups of 4 batches" in done.stdout, done.stderr[-3000:]


# What goes wrong --------------------------------------------------------------------------------


def read_all(index) -> None:
    with dataset.clear_errors(index):
        batches(index, sampling.evaluation_order(NUM_RECORDS, batch_size=4))


@pytest.fixture
def damaged(tmp_path) -> records.RecordIndex:
    """An intact split of its own, to be damaged."""
    index = write_split(tmp_path, LABELS)
    read_all(index)
    return index


def test_labels_that_do_not_match_the_side_car(damaged):
    damaged.label[13] = 0
    with pytest.raises(
        records.RecordsError,
        match=r"label mismatch: record 13 of split train says class 3, the index side-car says 0"
        r".*tfrecords_tools verify",
    ):
        read_all(damaged)


def test_a_flipped_bit(damaged):
    """In the second record of the last shard."""
    row = int(np.flatnonzero(damaged.shard == 2)[1])
    path = Path(damaged.shards[2])
    content = bytearray(path.read_bytes())
    content[int(damaged.offset[row]) + 40] ^= 4
    path.write_bytes(content)
    with pytest.raises(
        records.RecordsError, match=rf"record {row:016x} \(byte \d+ of {path}\) is corrupted"
    ):
        read_all(damaged)


def test_the_failing_one_of_several_records_at_the_same_offset_is_named(damaged):
    row = int(np.flatnonzero(damaged.shard == 1)[0])
    path = Path(damaged.shards[1])
    content = bytearray(path.read_bytes())
    content[40] ^= 4
    path.write_bytes(content)
    with pytest.raises(records.RecordsError, match=rf"record {row:016x} \(byte 0 of {path}\)"):
        read_all(damaged)


def test_a_shard_cut_short(damaged):
    path = Path(damaged.shards[0])
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])  # inside the last record
    with pytest.raises(records.RecordsError, match=r"is truncated|is corrupted"):
        read_all(damaged)
    path.write_bytes(whole[: int(damaged.offset[3])])  # whole records are gone
    with pytest.raises(records.RecordsError, match="ends before a record that the index lists"):
        read_all(damaged)


def test_a_missing_shard(damaged):
    Path(damaged.shards[1]).unlink()
    with pytest.raises(records.RecordsError, match=f"the shard {damaged.shards[1]} is missing"):
        read_all(damaged)


def test_a_picture_that_does_not_decode(tmp_path, monkeypatch):
    whole = file_bytes(5)
    monkeypatch.setitem(
        globals(),
        "file_bytes",
        lambda row, known=file_bytes: whole[:200] if row == 5 else known(row),
    )
    with pytest.raises(records.RecordsError, match="a picture of split 'train' does not decode"):
        read_all(write_split(tmp_path, LABELS))


def test_other_errors_pass_unchanged(index):
    with pytest.raises(tf.errors.InvalidArgumentError), dataset.clear_errors(index):
        tf.linalg.matmul(tf.zeros((2, 3)), tf.zeros((2, 3)))
    with pytest.raises(KeyError), dataset.clear_errors(index):
        raise KeyError("not ours")


def test_mistakes_are_named_before_anything_is_read(index):
    def make(plan=None, **options):
        return dataset.make_dataset(index, plan or balanced(), **{"image_size": S, **options})

    with pytest.raises(ValueError, match="made for 9 rows, split 'train' has 23"):
        make(sampling.shuffled(9, batch_size=2, seed=0))
    with pytest.raises(ValueError, match=r"unknown resize mode 'squish'.*mean 'squash'"):
        make(mode="squish")
    with pytest.raises(ValueError, match="unknown augmentation 's3'"):
        make(augment="s3")
    with pytest.raises(ValueError, match="positive whole number of pixels, got 0"):
        make(image_size=0)
    for name in ("start_step", "num_steps"):
        with pytest.raises(ValueError, match=f"{name} must be a whole number of 0 or more, got -1"):
            make(**{name: -1})
    with pytest.raises(ValueError, match=r"seed must be a whole number, got 0\.5"):
        make(seed=0.5)
    with pytest.raises(ValueError, match="steps 2 to 3 were asked for, the plan ends with step 2"):
        make(sampling.evaluation_order(NUM_RECORDS, batch_size=8), start_step=2, num_steps=2)
