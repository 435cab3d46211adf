"""The pipelines that are compared: ours, the floor that none can beat, and others'.

Each takes the folder that `experiments.benchmarks.input_pipeline_pictures.make` wrote and gives an
endless dataset of (B pictures, ...). Where others leave decoding and resizing to their user, they
get ours, so that the pipelines are compared and not the resizing. tensorflow-similarity's runs in
the Keras-2 environment, which has TensorFlow 2.15 and little else.
"""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf


def decoding(folder: Path, *, batch_size: int, **_) -> tf.data.Dataset:
    """The floor: bytes in memory, decoded whole on all cores by TensorFlow's own choice of DCT."""
    contents = [path.read_bytes() for path in sorted((folder / "files").rglob("*.jpg"))]
    dataset = tf.data.Dataset.from_tensor_slices(contents).repeat()
    dataset = dataset.map(
        lambda content: tf.shape(tf.io.decode_jpeg(content, channels=3))[:2],
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return dataset.batch(batch_size).map(lambda sizes: (sizes,)).prefetch(2)


def p_x_k(
    folder: Path,
    *,
    batch_size: int,
    image_size: int,
    images_per_class: int,
    mode: str = "letterbox",
    augment: str = "none",
    decoding: str = "whole",
) -> tf.data.Dataset:
    """Ours: P classes x K pictures, records by byte offset."""
    from landmarks_tf.data import sampling
    from landmarks_tf.data.dataset import make_dataset
    from landmarks_tf.records import RecordIndex

    index = RecordIndex.open(folder / "records", "train")
    plan = sampling.class_balanced(
        index.label,
        classes_per_batch=batch_size // images_per_class,
        images_per_class=images_per_class,
        seed=0,
    )
    return make_dataset(
        index, plan, image_size=image_size, mode=mode, augment=augment, decoding=decoding
    )


def shuffled(folder: Path, *, batch_size: int, image_size: int, **_) -> tf.data.Dataset:
    """Ours: a global shuffle, records by byte offset."""
    from landmarks_tf.data import sampling
    from landmarks_tf.data.dataset import make_dataset
    from landmarks_tf.records import RecordIndex

    index = RecordIndex.open(folder / "records", "train")
    plan = sampling.shuffled(len(index), batch_size=batch_size, seed=0)
    return make_dataset(index, plan, image_size=image_size)


def sequential(folder: Path, *, batch_size: int, image_size: int, **_) -> tf.data.Dataset:
    """tf.data's usual way: shards interleaved, a shuffle buffer of records, decoded in parallel."""
    shards = sorted(str(path) for path in (folder / "records").glob("train-*-of-*"))
    dataset = tf.data.Dataset.from_tensor_slices(shards).repeat().shuffle(len(shards))
    dataset = dataset.interleave(
        tf.data.TFRecordDataset,
        cycle_length=len(shards),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=False,
    )
    dataset = dataset.shuffle(256).map(
        _picture_and_label(image_size), num_parallel_calls=tf.data.AUTOTUNE, deterministic=False
    )
    return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def similarity(
    folder: Path, *, batch_size: int, image_size: int, images_per_class: int
) -> tf.data.Dataset:
    """tensorflow-similarity's TFRecordDatasetSampler, from shards in blocks of one class."""
    from tensorflow_similarity.samplers import TFRecordDatasetSampler

    return TFRecordDatasetSampler(
        str(folder / "blocks"),
        _picture_and_label(image_size),
        example_per_class=images_per_class,
        batch_size=batch_size,
        shard_suffix="train-*-of-*",
        prefetch_size=2,
    )


def directory(folder: Path, *, batch_size: int, image_size: int, **_) -> tf.data.Dataset:
    """Keras' image_dataset_from_directory: files, its own decoding and squashing."""
    import keras

    dataset = keras.utils.image_dataset_from_directory(
        str(folder / "files"),
        label_mode="int",
        image_size=(image_size, image_size),
        batch_size=batch_size,
        verbose=False,
    )
    return dataset.repeat()


def _picture_and_label(image_size: int):
    from landmarks_tf.data import image_ops

    features = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "image/class/label": tf.io.FixedLenFeature([], tf.int64),
    }

    def read(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        record = tf.io.parse_single_example(serialized, features)
        picture = image_ops.decode(record["image/encoded"])
        picture = image_ops.prepare(picture, mode="letterbox", image_size=image_size)
        return picture, record["image/class/label"]

    return read
