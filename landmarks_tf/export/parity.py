"""Does an exported model say what the Keras model said? Measured, not assumed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

# The largest difference of one component of two unit descriptors that we let pass. In float32 the
# graph differs from eager execution by the order of sums alone, about 1e-6; with 16-bit layers the
# fused graph rounds elsewhere than the single operations do.
TOLERANCE_FLOAT32 = 1e-4
TOLERANCE_MIXED = 2e-2


class ParityError(ValueError):
    """An exported model does not give the descriptors of the model it was made from."""


def probe_images(image_size: int, seed: int = 0) -> list[np.ndarray]:
    """Made-up pictures of many shapes: square, tall, wide, small, a sliver and a single pixel.

    Args:
        image_size: the network's input side in pixels; the shapes lie around it.
        seed: same seed, same pictures.

    Returns:
        Arrays (H, W, 3) uint8: smooth colour fields under noise, so that every frequency is there.
    """
    rng = np.random.default_rng(seed)
    s = image_size
    shapes = [(s, s), (3 * s // 2, s), (s, 2 * s + 1), (s // 2 + 1, s // 3 + 1), (2, 3 * s), (1, 1)]
    images = []
    for height, width in shapes:
        y, x = np.linspace(0, 1, height)[:, None, None], np.linspace(0, 1, width)[None, :, None]
        waves, phase = rng.uniform(0, 12, (2, 3)), rng.uniform(0, 6, 3)
        field = 127 + 90 * np.sin(waves[0] * y + waves[1] * x + phase)
        noisy = field + rng.normal(0, 25, (height, width, 3))
        images.append(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
    return images


def measure_parity(
    saved_model_dir: str | Path,
    embedder: keras.Model,
    images: Sequence[np.ndarray],
    *,
    image_size: int,
    mode: str,
) -> dict[str, float | int]:
    """Compares a SavedModel of the Retrieval 2020 contract with its Keras model, image by image.

    The reference is the Keras model run eagerly on `image_ops.prepare`'s output, its row brought to
    unit length in float64.

    Args:
        saved_model_dir: folder with saved_model.pb, loaded as a stranger loads it.
        embedder: (B, S, S, 3) 0..255 -> (B, D).
        images: (H, W, 3) uint8 arrays, best of many shapes.
        image_size: S in pixels.
        mode: resizing mode of `image_ops.prepare`.

    Returns:
        max_abs: largest difference of a component; min_cosine: smallest cosine similarity;
        max_norm_error: largest distance of a descriptor's length from 1; descriptor_size; images,
        their number. Non-finite output makes max_abs infinite and min_cosine -1.

    Raises:
        ParityError: the two models give descriptors of different sizes.
        ValueError: no images.
    """
    import tensorflow as tf

    from landmarks_tf.data.image_ops import prepare

    if not len(images):
        raise ValueError("expected at least one image to measure parity on, received none.")
    # A name of its own: the signature alone need not keep the model's variables alive.
    loaded = tf.saved_model.load(str(saved_model_dir))
    describe = loaded.signatures["serving_default"]
    exported, reference = [], []
    with _full_float32():
        for image in images:
            exported.append(describe(tf.constant(image))["global_descriptor"].numpy())
            batch = prepare(image, mode=mode, image_size=image_size)[tf.newaxis]
            output = embedder(tf.cast(batch, tf.float32), training=False)[0]
            reference.append(tf.cast(output, tf.float32).numpy())
    return compare_descriptors(np.array(exported), np.array(reference))


def compare_descriptors(exported: np.ndarray, reference: np.ndarray) -> dict[str, float | int]:
    """The numbers of `measure_parity` for two arrays (N, D); `reference` is normalised here."""
    if exported.shape != reference.shape:
        raise ParityError(
            f"expected descriptors of shape {reference.shape[1:]} as the Keras model gives them, "
            f"received {exported.shape[1:]} from the exported one."
        )
    exported, reference = exported.astype(np.float64), reference.astype(np.float64)
    counts = {"descriptor_size": exported.shape[1], "images": len(exported)}
    if not (np.isfinite(exported).all() and np.isfinite(reference).all()):
        infinite = float("inf")
        return {"max_abs": infinite, "min_cosine": -1.0, "max_norm_error": infinite, **counts}
    reference = reference / np.maximum(np.linalg.norm(reference, axis=1, keepdims=True), 1e-12)
    norms = np.linalg.norm(exported, axis=1)
    cosines = (exported * reference).sum(axis=1) / np.maximum(norms, 1e-12)
    return {
        "max_abs": float(np.abs(exported - reference).max()),
        "min_cosine": float(cosines.min()),
        "max_norm_error": float(np.abs(norms - 1).max()),
        **counts,
    }


@contextmanager
def _full_float32() -> Iterator[None]:
    """Switches TF32 off: on a GPU its 10-bit products would hide a difference, or feign one."""
    import tensorflow as tf

    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def default_tolerance(embedder: keras.Model) -> float:
    """`TOLERANCE_MIXED` for a model with layers that compute in 16 bits, else the float32 one."""
    layers = [embedder]
    for layer in layers:
        layers += getattr(layer, "layers", [])
    narrow = any(layer.compute_dtype in ("float16", "bfloat16") for layer in layers)
    return TOLERANCE_MIXED if narrow else TOLERANCE_FLOAT32


def check_parity(parity: dict[str, float | int], tolerance: float) -> None:
    """Raises ParityError unless max_abs and max_norm_error are within `tolerance`."""
    worst = max(parity["max_abs"], parity["max_norm_error"])
    if not worst <= tolerance:
        raise ParityError(
            "the exported model does not match the Keras model, so nothing was exported: "
            f"expected a difference of at most {tolerance:g}, received {parity['max_abs']:.3g} "
            f"(smallest cosine {parity['min_cosine']:.6f}, largest error of the length "
            f"{parity['max_norm_error']:.3g}, on {parity['images']} images). Look for a layer that "
            "acts differently in a graph, or state a larger tolerance if the precision asks for it."
        )
