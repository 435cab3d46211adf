"""Keras embedder -> SavedModel of the Google Landmark Retrieval 2020 contract.

The contract, as the organisers' scoring script holds a submission to it: the signature
`serving_default` takes one argument, `input_image`, an RGB picture (H, W, 3) uint8 of any size and
without a batch dimension, and returns {"global_descriptor": (D,) float32}. It is called
positionally, which TensorFlow allows only when there is exactly one input. Resizing, normalisation
and L2 norm are inside, and no code of ours is needed to load it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landmarks_tf.export.atomic import replacing, scratch_path
from landmarks_tf.export.parity import (
    check_parity,
    default_tolerance,
    measure_parity,
    probe_images,
)

if TYPE_CHECKING:
    import keras

SIGNATURE = "serving_default"
INPUT_NAME = "input_image"
OUTPUT_NAME = "global_descriptor"
PARITY_FILE = "parity.json"


@dataclass(frozen=True)
class ExportReport:
    """What was exported and how well it matches; the content of parity.json.

    Args:
        saved_model: name of the folder.
        image_size: side, in pixels, that pictures are brought to inside.
        mode: how they are brought there (`image_ops.prepare`).
        size_bytes: all files of the SavedModel together.
        tolerance: largest difference that would have been let pass.
        parity: the numbers of `parity.measure_parity`.
    """

    saved_model: str
    image_size: int
    mode: str
    size_bytes: int
    tolerance: float
    parity: dict[str, float | int]


def export_embedder(
    embedder: keras.Model,
    path: str | Path,
    *,
    image_size: int,
    mode: str,
    overwrite: bool = False,
    parity_images: Sequence[np.ndarray] | None = None,
    tolerance: float | None = None,
) -> ExportReport:
    """Writes `embedder` as a SavedModel of the contract above, and parity.json beside its folder.

    The model is written under a scratch name, loaded again and compared with the Keras model;
    only one that matches takes the name `path`.

    Args:
        embedder: (B, S, S, 3) float32 0..255 -> (B, D); its input normalisation is part of it.
        path: folder to make. Its parent receives parity.json.
        image_size: S in pixels.
        mode: resizing mode of `landmarks_tf.data.image_ops.prepare`.
        overwrite: replaces an older export at `path` (after the new one has passed).
        parity_images: (H, W, 3) uint8 pictures to compare on; `parity.probe_images` by default.
        tolerance: largest difference of a component; `parity.default_tolerance` by default.

    Raises:
        FileExistsError: `path` exists and `overwrite` is False.
        ValueError: unknown mode, an embedder of another input or output shape, Keras runs on
            another backend than TensorFlow.
        ParityError: the exported model differs from `embedder` by more than `tolerance`.
        OSError: the files cannot be written.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path} exists already; export to another path, remove it, or ask for overwriting."
        )
    if path.exists() and not (path / "saved_model.pb").is_file():
        raise FileExistsError(f"{path} exists and is no SavedModel; it will not be overwritten.")
    _check_embedder(embedder, image_size)
    tolerance = default_tolerance(embedder) if tolerance is None else tolerance
    images = probe_images(image_size) if parity_images is None else parity_images
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = scratch_path(path)
    try:
        _save(embedder, scratch, image_size, mode)
        parity = measure_parity(scratch, embedder, images, image_size=image_size, mode=mode)
        check_parity(parity, tolerance)
        size_bytes = sum(file.stat().st_size for file in scratch.rglob("*") if file.is_file())
        report = ExportReport(path.name, image_size, mode, size_bytes, tolerance, parity)
        _publish(scratch, path, report)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return report


def _save(embedder: keras.Model, folder: Path, image_size: int, mode: str) -> None:
    import tensorflow as tf

    from landmarks_tf.data.image_ops import prepare

    spec = tf.TensorSpec((None, None, 3), tf.uint8, name=INPUT_NAME)

    @tf.function(input_signature=[spec], autograph=False)
    def describe(input_image):
        image = tf.cast(prepare(input_image, mode=mode, image_size=image_size), tf.float32)
        descriptor = tf.cast(embedder(image[tf.newaxis], training=False)[0], tf.float32)
        return {OUTPUT_NAME: tf.math.l2_normalize(descriptor)}

    # The concrete function, nowhere the tf.function: `save` would trace that once more.
    signature = describe.get_concrete_function()
    output = signature.structured_outputs[OUTPUT_NAME]
    if output.shape.rank != 1:
        raise ValueError(
            f"expected an embedder of output (B, D), received one whose output for a single image "
            f"has the shape {output.shape}."
        )
    module = tf.Module()
    # The variables alone, not the Keras model: its own functions would be traced and saved as well,
    # and loading them would need Keras.
    module.weights = [variable.value for variable in embedder.variables]
    try:
        tf.saved_model.save(module, str(folder), signatures={SIGNATURE: signature})
    except tf.errors.OpError as error:  # a full disk or a read-only folder; it is no OSError
        raise OSError(f"cannot write the SavedModel in {folder.parent}: {error.message}") from error


def _publish(scratch: Path, path: Path, report: ExportReport) -> None:
    """Gives the finished folder its name, last of all: the name says that the model is whole."""
    with replacing(path.parent / PARITY_FILE) as file:
        file.write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")
    if not path.exists():
        scratch.rename(path)
        return
    retired = scratch_path(path)
    path.rename(retired)
    try:
        scratch.rename(path)
    except OSError:
        retired.rename(path)
        raise
    shutil.rmtree(retired)


def _check_embedder(embedder: keras.Model, image_size: int) -> None:
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"expected Keras on its TensorFlow backend, received {keras.backend.backend()!r}; "
            "export in a process with KERAS_BACKEND=tensorflow."
        )
    expected = (None, image_size, image_size, 3)
    received = getattr(embedder, "input_shape", expected)
    if len(received) != 4 or any(
        None not in (have, want) and have != want
        for have, want in zip(received, expected, strict=True)
    ):
        raise ValueError(
            f"expected an embedder of input (B, {image_size}, {image_size}, 3), "
            f"received one of input {received}; give the image_size it was built with."
        )
