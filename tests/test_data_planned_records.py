"""Records laid down in a plan's order: whose, where, resumed when killed, taken for no others."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf import records
from landmarks_tf.data import planned_records, sampling
from tests.test_data_dataset import LABELS, NUM_RECORDS, write_split


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> records.RecordIndex:
    return write_split(tmp_path_factory.mktemp("records"), LABELS)


@pytest.fixture(autouse=True)
def short_parts(monkeypatch):
    monkeypatch.setattr(planned_records, "_PARTS_OF_STEPS", 3)


def balanced(seed: int = 1) -> sampling.Plan:
    return sampling.class_balanced(
        np.array(LABELS), classes_per_batch=4, images_per_class=2, seed=seed
    )


def ids_in(path: Path) -> list[str]:
    """The ids in a file of records, by TensorFlow's own reader."""
    examples = map(
        tf.train.Example.FromString, tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    )
    return [e.features.feature["image/id"].bytes_list.value[0].decode() for e in examples]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_each_stripe_holds_its_part_of_every_batch(index, tmp_path):
    plan = balanced()
    planned = planned_records.write(
        index, plan, tmp_path / "p", num_steps=7, first_step=5, stripes=2
    )
    assert planned == planned_records.load(tmp_path / "p")
    assert (planned.parts, list(planned.steps_of(2))) == (3, [11])
    for part in range(3):
        offsets = np.load(tmp_path / "p" / planned.offsets_file(part))
        assert offsets.shape == (len(planned.steps_of(part)), 2)
        for stripe in (0, 1):
            found = ids_in(tmp_path / "p" / planned.file(part, stripe))
            rows = [plan.batch(step).reshape(2, 4)[stripe] for step in planned.steps_of(part)]
            assert found == [f"{row:016x}" for row in np.concatenate(rows)]
    # A step's records begin at its offset: the frame there is that of its first row.
    path = tmp_path / "p" / planned.file(1, 1)
    with path.open("rb") as stream:
        stream.seek(int(np.load(tmp_path / "p" / planned.offsets_file(1))[2, 1]))
        length = int.from_bytes(stream.read(8), "little")
        stream.read(4)
        example = tf.train.Example.FromString(stream.read(length))
    expected = f"{plan.batch(5 + 3 + 2)[4]:016x}".encode()
    assert example.features.feature["image/id"].bytes_list.value[0] == expected


KILLED = """
import os, signal, sys
import numpy as np
from landmarks_tf import records
from landmarks_tf.data import planned_records, sampling
from tests.test_data_planned_records import balanced
with np.load(sys.argv[1]) as saved:
    index = records.RecordIndex(
        split="train", shards=tuple(saved["shards"].tolist()), num_classes=5,
        **{name: saved[name] for name in ("shard", "offset", "label", "id")},
    )
planned_records._PARTS_OF_STEPS = 3
write = records.ShardWriter.write
left = 8 * 3 + 8 + 5  # in the second batch of the second part
def counting(self, serialized):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return write(self, serialized)
records.ShardWriter.write = counting
planned_records.write(index, balanced(), sys.argv[2], num_steps=7, stripes=4)
"""


def test_killed_while_writing_it_goes_on_to_the_same_files(index, tmp_path):
    columns = {name: getattr(index, name) for name in ("shard", "offset", "label", "id")}
    np.savez(tmp_path / "index.npz", shards=np.array(index.shards), **columns)
    killed = tmp_path / "killed"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "index.npz"), str(killed)],
        cwd=Path(__file__).resolve().parent.parent,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    assert (killed / "planned-00000.npy").exists()
    assert not (killed / "planned-00001.npy").exists()
    with pytest.raises(records.RecordsError, match="not finished; run it again"):
        planned_records.load(killed)
    before = (killed / "planned-00000-of-00003-000").stat().st_mtime_ns
    planned_records.write(index, balanced(), killed, num_steps=7, stripes=4)
    assert (killed / "planned-00000-of-00003-000").stat().st_mtime_ns == before
    planned_records.write(index, balanced(), tmp_path / "straight", num_steps=7, stripes=4)
    resumed = {n: c for n, c in contents(killed).items() if not n.startswith(".")}
    assert resumed == contents(tmp_path / "straight")


def test_a_folder_of_another_plan_is_refused(index, tmp_path):
    planned_records.write(index, balanced(), tmp_path, num_steps=2, stripes=2)
    before = contents(tmp_path)
    with pytest.raises(records.RecordsError, match=r"other planned records.*'seed': 1.*'seed': 2"):
        planned_records.write(index, balanced(2), tmp_path, num_steps=2, stripes=2)
    with pytest.raises(records.RecordsError, match="num_steps: 2 -> 3"):
        planned_records.write(index, balanced(), tmp_path, num_steps=3, stripes=2)
    relabelled = dataclasses.replace(index, label=index.label[::-1].copy())
    with pytest.raises(records.RecordsError, match="rows_sha256"):
        planned_records.write(relabelled, balanced(), tmp_path, num_steps=2, stripes=2)
    assert contents(tmp_path).keys() == before.keys()


def test_mistakes_are_named(index, tmp_path):
    def write(plan=None, **options):
        options = {"num_steps": 2, "stripes": 2, **options}
        planned_records.write(index, plan or balanced(), tmp_path / "x", **options)

    with pytest.raises(ValueError, match="4 groups a batch do not divide evenly over 3 stripes"):
        write(stripes=3)
    with pytest.raises(ValueError, match="made for 9 rows, split 'train' has 23"):
        write(sampling.shuffled(9, batch_size=2, seed=0))
    with pytest.raises(ValueError, match="partial last batch"):
        write(sampling.evaluation_order(NUM_RECORDS, batch_size=2))
    with pytest.raises(ValueError, match="num_steps and stripes are 1 or more"):
        write(num_steps=0)
    assert not (tmp_path / "x").exists()
    with pytest.raises(records.RecordsError, match="holds no planned records"):
        planned_records.load(tmp_path)
    (tmp_path / "planned.json").write_text('{"format_version": 9}')
    with pytest.raises(records.RecordsError, match="format_version 9, this code reads 1"):
        planned_records.load(tmp_path)
