"""What `convert` is measured against; each runs in a process of its own and prints its
seconds and its processor seconds.

    python -m experiments.benchmarks.ingestion_subjects NAME --raw DIR --out DIR --images N

floor   reads every file and computes its SHA-256, on all cores: no ingestion can do less
md5     the same with MD5, the checksum that GLDv2 is published with
copy    the floor, and writes the bytes once, in 128 files, each flushed to the disk
decode  the floor, and decodes every picture with Pillow, on all cores
delf    the algorithm of DELF's build_image_dataset.py, from its description, in one process
tfds    the writer of TensorFlow Datasets, given the files

Both are those of the work; imports are not counted.
"""

from __future__ import annotations

import argparse
import csv
import functools
import hashlib
import io
import json
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_SHARDS = 128


def listed(raw: Path, limit: int) -> list[tuple[str, Path, int]]:
    """(id, path, landmark id) of the first `limit` rows of train.csv."""
    with (raw / "train.csv").open(newline="") as stream:
        rows = [(row["id"], int(row["landmark_id"])) for row in csv.DictReader(stream)][:limit]
    return [
        (name, raw / "train" / name[0] / name[1] / name[2] / f"{name}.jpg", label)
        for name, label in rows
    ]


class Clock:
    """Runs from its making."""

    def __init__(self):
        self._started, self._used = time.perf_counter(), cpu_seconds()

    def read(self) -> dict[str, float]:
        """{"seconds", "cpu_seconds": of this process and those that it has waited for}."""
        return {
            "seconds": time.perf_counter() - self._started,
            "cpu_seconds": cpu_seconds() - self._used,
        }


def cpu_seconds() -> float:
    """Of this process and of those that it has waited for, so far."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in used)


def _on_all_cores(images: list, work: Callable[[list], None]) -> dict[str, float]:
    """As `Clock`; each process gets one part, and nothing is sent between them."""
    cores = len(os.sched_getaffinity(0))
    parts = [images[core::cores] for core in range(cores)]
    context = multiprocessing.get_context("fork")  # this process has no threads
    clock = Clock()
    processes = [context.Process(target=work, args=(part,)) for part in parts]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    told = clock.read()
    if any(process.exitcode for process in processes):
        raise SystemExit("a process of the measurement failed")
    return told


def _checksum_all(algorithm: str, images: list) -> None:
    for _, path, _ in images:
        hashlib.new(algorithm, path.read_bytes()).digest()


def floor(images: list, out: Path) -> dict[str, float]:
    """Reads and checksums."""
    return _on_all_cores(images, functools.partial(_checksum_all, "sha256"))


def md5(images: list, out: Path) -> dict[str, float]:
    """Reads and checksums."""
    return _on_all_cores(images, functools.partial(_checksum_all, "md5"))


def copy(images: list, out: Path) -> dict[str, float]:
    """Reads, checksums and writes once."""

    def work(part: list) -> None:
        for number in range(0, len(part), step):
            with (out / f"{os.getpid()}-{number}").open("wb", buffering=2**20) as stream:
                for _, path, _ in part[number : number + step]:
                    data = path.read_bytes()
                    hashlib.sha256(data).digest()
                    stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())

    step = max(1, len(images) // _SHARDS)
    return _on_all_cores(images, work)


def decode(images: list, out: Path) -> dict[str, float]:
    """Reads, checksums and decodes."""
    from PIL import Image

    def work(part: list) -> None:
        for _, path, _ in part:
            data = path.read_bytes()
            hashlib.sha256(data).digest()
            Image.open(io.BytesIO(data)).load()

    return _on_all_cores(images, work)


def delf(images: list, out: Path) -> dict[str, float]:
    """One table look-up, one decode and one record at a time (formats of GLDv2, section 2.1)."""
    import numpy as np
    import pandas as pd
    import tensorflow as tf

    def feature(value):
        if isinstance(value, bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    tf.io.decode_jpeg(images[0][1].read_bytes())  # the first call initialises the run-time
    clock = Clock()
    table = pd.DataFrame(
        {"id": [n for n, _, _ in images], "landmark_id": [label for _, _, label in images]}
    ).set_index("id")
    order = np.array([name for name, _, _ in images])
    np.random.RandomState(0).shuffle(order)
    paths = {name: path for name, path, _ in images}
    bounds = np.linspace(0, len(order), _SHARDS + 1).astype(int)
    for shard in range(_SHARDS):
        with tf.io.TFRecordWriter(str(out / f"train-{shard:05d}-of-{_SHARDS:05d}")) as writer:
            for name in order[bounds[shard] : bounds[shard + 1]]:
                with tf.io.gfile.GFile(str(paths[name]), "rb") as stream:
                    data = stream.read()
                height, width, _ = tf.io.decode_jpeg(data, channels=3).shape
                features = {
                    "image/encoded": data,
                    "image/height": height,
                    "image/width": width,
                    "image/colorspace": b"RGB",
                    "image/channels": 3,
                    "image/format": b"JPEG",
                    "image/id": name.encode(),
                    "image/class/label": int(table.loc[name, "landmark_id"]),
                }
                example = tf.train.Example(
                    features=tf.train.Features(
                        feature={key: feature(value) for key, value in features.items()}
                    )
                )
                writer.write(example.SerializeToString())
    return clock.read()


def tfds(images: list, out: Path) -> dict[str, float]:
    """A builder that gives paths, ids and labels; TFDS reads, shuffles and writes."""
    import tensorflow as tf
    import tensorflow_datasets

    class Landmarks(tensorflow_datasets.core.GeneratorBasedBuilder):
        """The files of this measurement."""

        VERSION = tensorflow_datasets.core.Version("1.0.0")

        def _info(self):
            features = tensorflow_datasets.features
            return tensorflow_datasets.core.DatasetInfo(
                builder=self,
                features=features.FeaturesDict(
                    {
                        "image": features.Image(shape=(None, None, 3), encoding_format="jpeg"),
                        "id": features.Text(),
                        "label": features.ClassLabel(num_classes=500),
                    }
                ),
            )

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for name, path, label in images:
                yield name, {"image": str(path), "id": name, "label": label}

    tf.io.decode_jpeg(images[0][1].read_bytes())  # TFDS would import it within the measurement
    tensorflow_datasets.disable_progress_bar()
    builder = Landmarks(data_dir=str(out))
    clock = Clock()
    builder.download_and_prepare()
    return clock.read()


SUBJECTS = {
    "floor": floor,
    "md5": md5,
    "copy": copy,
    "decode": decode,
    "delf": delf,
    "tfds": tfds,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one subject and prints {"seconds", "cpu_seconds", "images", "bytes"}."""
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks.ingestion_subjects")
    parser.add_argument("name", choices=tuple(SUBJECTS))
    parser.add_argument("--raw", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=int, required=True)
    options = parser.parse_args(arguments)
    images = listed(options.raw, options.images)
    told = SUBJECTS[options.name](images, options.out)
    size = sum(path.stat().st_size for _, path, _ in images)
    print(json.dumps(told | {"images": len(images), "bytes": size}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
