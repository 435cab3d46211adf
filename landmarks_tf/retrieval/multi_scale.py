"""One descriptor of a picture from several sizes of it, and from its mirror image.

Each size is described on its own, the unit rows are added, and the sum is divided by its length.
The sizes that the organisers of the Kaggle competitions took are 0.7071, 1 and 1.4142 of the
picture, resized bilinearly (the export of DELF; DELG, Cao et al., ECCV 2020, section 4). The mirror
image is added in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

POOLINGS = ("sum", "mean")
KAGGLE_SCALES = (0.7071, 1.0, 1.4142)


def describe_batches(
    embedder: keras.Model,
    batch_size: int,
    *,
    scales: Sequence[float] = (1.0,),
    pooling: str = "sum",
    flip: bool = False,
) -> Callable[[np.ndarray], np.ndarray]:
    """The embedder as a function of batches of pictures, traced for one shape only.

    Args:
        embedder: (B, S, S, 3) pixels 0..255 -> (B, D) unit rows.
        batch_size: the most pictures of a batch; smaller ones are filled up with black.
        scales: sizes of the picture that are described, as factors of S.
        pooling: how the descriptors of one picture become one, "sum" or "mean". After the division
            by the length both are the same but for rounding; the names are those in use.
        flip: describe each size's mirror image too.

    Returns:
        images (B, S, S, 3), uint8 or float, 0..255 -> (B, D) float32 unit rows.

    Raises:
        ValueError: scales that are none, not positive, given twice or absurd, an unknown pooling,
            or an embedder that cannot be given pictures of another size.
    """
    check_scales(scales, pooling)
    describe = embedder
    if tuple(scales) != (1.0,) or flip:
        describe = multi_scale_embedder(embedder, scales, pooling=pooling, flip=flip)

    def described(images):
        images = np.asarray(images)
        rest = [(0, batch_size - len(images))] + [(0, 0)] * (images.ndim - 1)
        return describe.predict_on_batch(np.pad(images, rest))[: len(images)]

    return described


def multi_scale_embedder(
    embedder: keras.Model, scales: Sequence[float], *, pooling: str = "sum", flip: bool = False
) -> keras.Model:
    """The same weights as a model that describes several sizes of a picture at once.

    Args, Raises:
        As `describe_batches`.

    Returns:
        (B, S, S, 3) pixels 0..255 -> (B, D) float32 unit rows.
    """
    import keras
    from keras import ops

    check_scales(scales, pooling)
    _, height, width, channels = embedder.input.shape
    if height is None or width is None:
        raise ValueError(
            "the embedder is built for pictures of any size, expected one with a size of its own: "
            "its scales are factors of that"
        )
    pixels = keras.Input((height, width, channels), name="image")
    rows = []
    for scale in scales:
        size = round(height * scale), round(width * scale)
        try:
            rows += _described(embedder, pixels, size, flip)
        except (ValueError, TypeError, RuntimeError) as error:
            raise ValueError(
                f"the embedder cannot be given pictures of {size[0]} x {size[1]} px (scale "
                f"{scale:g} of {height} x {width}): a layer of it is built for one size. Leave the "
                f"scales at 1, or use a network that pools over its last map ({_first_line(error)})"
            ) from None
    together = (
        ops.sum(ops.stack(rows), axis=0) if pooling == "sum" else ops.mean(ops.stack(rows), 0)
    )
    # In float32, whatever precision the network computes in.
    together = ops.cast(together, "float32")
    length = ops.sqrt(ops.sum(ops.square(together), axis=1, keepdims=True))
    return keras.Model(pixels, together / ops.maximum(length, 1e-12), name="multi_scale")


def check_scales(scales: Sequence[float], pooling: str) -> None:
    """Raises ValueError for scales or a pooling that cannot be meant."""
    known = f"for instance {', '.join(f'{s:g}' for s in KAGGLE_SCALES)}"
    if not scales or any(not 0.1 <= scale <= 10 for scale in scales):
        raise ValueError(
            f"scales are factors of the picture's size between 0.1 and 10, {known}; received "
            f"{tuple(scales)}"
        )
    if len(set(scales)) != len(tuple(scales)):
        raise ValueError(f"a scale is given twice: {tuple(scales)}")
    if pooling not in POOLINGS:
        raise ValueError(
            f"descriptors of several scales are pooled by {' or '.join(POOLINGS)}, received "
            f"{pooling!r}"
        )


def _described(embedder, pixels, size: tuple[int, int], flip: bool) -> list:
    import keras
    from keras import ops

    picture, network = pixels, embedder
    if size != tuple(pixels.shape[1:3]):
        network = _of_size(embedder, size)
        picture = keras.layers.Resizing(
            *size, interpolation="bilinear", data_format="channels_last", dtype="float32"
        )(pixels)
    rows = [network(picture)]
    if flip:
        rows.append(network(ops.flip(picture, axis=2)))
    return rows


def _of_size(embedder, size: tuple[int, int]):
    """The embedder's own layers, weights and all, on pictures of another size."""
    import keras

    pixels = keras.Input((*size, embedder.input.shape[-1]))
    other = keras.models.clone_model(
        embedder, input_tensors=pixels, clone_function=lambda layer: layer
    )
    return keras.Model(pixels, other.output, name=f"at_{size[0]}x{size[1]}")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
