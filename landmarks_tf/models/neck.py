"""The layers between the pooled features and the embedding, in the order each source has."""

from __future__ import annotations

from collections.abc import Sequence

from keras import layers

from landmarks_tf.models.blocks import batch_norm, dense

NECK_PARTS = ("dropout", "dense", "relu", "batch_norm")


def apply_neck(
    x, neck: Sequence[str], *, dim: int | None = None, dropout: float = 0.5, init: str = "keras"
):
    """Apply the parts one after the other.

    A part is "dropout", "dropout:RATE", "dense" (of width `dim`), "dense:WIDTH", "relu",
    "batch_norm" (PyTorch's momentum and epsilon) or "batch_norm:MOMENTUM:EPSILON" (Keras' meaning
    of momentum).

    Args:
        x: (B, C).
        neck: the parts, in order.
        dim: width of a "dense" part that states none.
        dropout: rate of a "dropout" part that states none, in [0, 1).
        init: how dense parts start: a key of `landmarks_tf.models.blocks.DENSE_INITS`.

    Raises:
        ValueError: an unknown part, a number that is none or out of range, or a dense part
            without its width (or the reverse).
    """
    if ("dense" in neck) != (dim is not None):
        raise ValueError(
            f"A neck with a dense part needs its width, and only then. "
            f"Received: neck={tuple(neck)}, dim={dim}."
        )
    seen: dict[str, int] = {}
    for part in neck:
        kind, *given = part.split(":")
        numbers = _numbers(part, given, kind)
        seen[kind] = seen.get(kind, 0) + 1
        name = f"neck_{kind}" + (f"_{seen[kind]}" if seen[kind] > 1 else "")
        if kind == "dropout":
            x = layers.Dropout(*(numbers or [dropout]), name=name)(x)
        elif kind == "dense":
            x = dense(x, *(map(int, numbers) if numbers else [dim]), init=init, name=name)
        elif kind == "relu":
            x = layers.ReLU(name=name)(x)
        else:
            momentum, epsilon = numbers or (0.9, 1e-5)
            x = batch_norm(x, name, momentum=momentum, epsilon=epsilon)
    return x


# How many numbers a part may state, and between what each lies.
_RANGES = {
    "dropout": [(0.0, 0.999)],
    "dense": [(1, 1_000_000)],
    "relu": [],
    "batch_norm": [(0.0, 1.0), (1e-12, 1.0)],
}


def _numbers(part: str, given: list[str], kind: str) -> list[float]:
    if kind not in _RANGES:
        raise ValueError(f"Expected neck parts among {', '.join(NECK_PARTS)}. Received: {part!r}.")
    try:
        numbers = [float(text) for text in given]
    except ValueError:
        numbers = [float("nan")]
    ranges = _RANGES[kind]
    fits = len(numbers) in (0, len(ranges)) and all(
        low <= number <= high for number, (low, high) in zip(numbers, ranges, strict=False)
    )
    if not fits or (kind == "dense" and numbers and numbers[0] != int(numbers[0])):
        raise ValueError(
            f"The neck part {part!r} is not understood. Expected a part such as dropout, "
            f"dropout:0.5, dense, dense:1024, relu, batch_norm or batch_norm:0.99:0.001 "
            f"(momentum and epsilon)."
        )
    return numbers
