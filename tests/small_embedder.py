"""A network of a moment's work that describes pictures, and a few pictures to describe."""

from __future__ import annotations

import warnings
from pathlib import Path

import keras

from landmarks_tf.layers import L2Normalization
from tests.reference import gldv2
from tfrecords_tools.convert import convert
from tfrecords_tools.options import ConvertOptions

SIZE, DIM = 24, 6
NUM_PICTURES = 43


def save_embedder(path: Path, *, size: int | None = SIZE) -> Path:
    """Random weights by a fixed seed; `size` None for pictures of any size."""
    keras.utils.set_random_seed(3)
    pixels = keras.Input((size, size, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    x = keras.layers.Conv2D(8, 5, strides=3, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    path.parent.mkdir(parents=True, exist_ok=True)
    embedder = keras.Model(pixels, L2Normalization()(keras.layers.Dense(DIM)(x)))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation")  # Keras' own
        embedder.save(path)
    return path


def write_records(folder: Path) -> Path:
    """Records of `NUM_PICTURES` pictures of 4 landmarks, split train, in two shards."""
    gldv2.write_folder(folder / "raw", {900: 20, 7: 6, 55: 8, 31: 9})
    options = ConvertOptions("train", shards=2)
    convert(folder / "raw", folder / "records", options, workers=1, progress=False, say=len)
    return folder / "records"
