"""How long the input pipeline takes to start on the whole of GLDv2 clean, and in what memory.

    python -m experiments.benchmarks.input_pipeline_start '{"folder": ..., "far_step": 1000000}'

The index is made up, of GLDv2's length, classes and shards; of the shards, files with holes, only
the records of the batches that are read hold anything.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from landmarks_tf import records

CLASSES, SHARDS = 81_313, 512
P, K, IMAGE_SIZE = 48, 5, 224
FAR_STEP = 1_000_000
_SPACING = 121_000  # bytes from record to record


def make(folder: Path, content: bytes, rows: int) -> None:
    """Write a split of so many records, of which the first and a far batch can be read.

    Args:
        folder: where.
        content: the JPEG that those batches hold.
        rows: how many records, at least two for each class.
    """
    from experiments.benchmarks.input_pipeline_pictures import write_split

    folder.mkdir(parents=True, exist_ok=True)
    classes = min(CLASSES, rows // 2)
    labels = long_tail(rows, classes)
    counts = np.diff(np.linspace(0, rows, SHARDS + 1).astype(int))
    shard = np.repeat(np.arange(SHARDS, dtype=np.int32), counts)
    offset = np.concatenate([np.arange(count) for count in counts]).astype(np.int64) * _SPACING
    ids = np.char.encode(np.char.mod("%016x", np.arange(rows)), "ascii")
    shards = []
    for number, count in enumerate(counts):
        name = records.shard_name("train", number, SHARDS)
        with (folder / name).open("wb") as stream:
            stream.truncate(int(count) * _SPACING)
        shards.append(records.ShardInfo(name, int(count), int(count) * _SPACING, "not hashed here"))
    write_split(folder, records.index_rows(shard, offset, labels, ids), shards, num_classes=classes)
    _fill(folder, labels, shard, offset, content)


def long_tail(rows: int, classes: int) -> np.ndarray:
    """(M,) int32 labels in random order: two of each class, the rest by a power law."""
    rng = np.random.default_rng(0)
    shares = rng.pareto(1.5, classes) + 1
    counts = 2 + rng.multinomial(rows - 2 * classes, shares / shares.sum())
    return rng.permutation(np.repeat(np.arange(classes, dtype=np.int32), counts))


def _plan(labels: np.ndarray):
    from landmarks_tf.data import sampling

    return sampling.class_balanced(
        labels,
        classes_per_batch=min(P, int(labels.max()) + 1),
        images_per_class=K,
        seed=0,
    )


def _fill(folder: Path, labels, shard, offset, content: bytes) -> None:
    """Put records into the holes that the measured batches, and those read ahead, lie in."""
    from experiments.benchmarks.input_pipeline_pictures import example

    plan = _plan(labels)
    ahead = [first + step for first in (0, FAR_STEP) for step in range(6)]
    for row in {int(row) for step in ahead for row in plan.batch(step)}:
        alone = folder / "one-record"
        with records.ShardWriter(alone) as writer:
            writer.write(example(content, row, int(labels[row])))
        frame = alone.read_bytes()
        if len(frame) > _SPACING:
            raise ValueError(f"a record of {len(frame)} bytes is longer than {_SPACING}")
        with (folder / records.shard_name("train", int(shard[row]), SHARDS)).open("r+b") as stream:
            stream.seek(int(offset[row]))
            stream.write(frame)
    (folder / "one-record").unlink()


def main() -> None:
    """Start, read a first and a far batch, and print what it took as JSON."""
    folder = Path(json.loads(sys.argv[1])["folder"])
    began = time.perf_counter()
    import keras
    import tensorflow as tf

    from experiments.benchmarks.device import peak_memory_mib
    from landmarks_tf.data.dataset import make_dataset

    imported, before = time.perf_counter(), peak_memory_mib()[1]
    index = records.RecordIndex.open(folder, "train")
    opened = time.perf_counter()
    plan = _plan(index.label)
    planned = time.perf_counter()
    next(iter(make_dataset(index, plan, image_size=IMAGE_SIZE)))
    first = time.perf_counter()
    next(iter(make_dataset(index, plan, image_size=IMAGE_SIZE, start_step=FAR_STEP)))
    far = time.perf_counter()
    steps = 200
    for step in range(steps):
        plan.batch(step)
    a_step = (time.perf_counter() - far) / steps
    print(
        json.dumps(
            {
                "rows": len(index),
                "classes": plan.describe()["num_classes"],
                "batch_size": plan.batch_size,
                "far_step": FAR_STEP,
                "import_s": imported - began,
                "open_s": opened - imported,
                "plan_s": planned - opened,
                "first_batch_s": first - planned,
                "far_batch_s": far - first,
                "plan_a_step_s": a_step,
                "start_s": first - imported,
                "memory_mib": peak_memory_mib()[1],
                "memory_of_frameworks_mib": before,
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
