"""Pre-trained weights: where they come from, and errors a person can act on."""

from __future__ import annotations

from pathlib import Path


def check_weights(weights: str | None) -> str | None:
    """Return what `keras.applications` takes: None, "imagenet", or a path that exists.

    Raises:
        ValueError: a path without a file behind it.
    """
    if weights is None or weights == "imagenet":
        return weights
    path = Path(weights).expanduser()
    if not path.is_file():
        raise ValueError(
            f"There is no weights file at {weights!r}. Expected None (random), 'imagenet' "
            f"(downloaded by Keras), or the path of a .h5 or .weights.h5 file."
        )
    return str(path)


def load_or_explain(build, name: str, weights: str | None):
    """Call `build(weights)`; turn a failed download or a file that does not fit into advice.

    Args:
        build: function of the checked weights that returns a model.
        name: the network's name, for the message.
        weights: None, "imagenet" or a path.

    Raises:
        ValueError: the file does not hold this network's weights.
        OSError: the download failed.
    """
    checked = check_weights(weights)
    try:
        return build(checked)
    except Exception as error:
        if checked is None:
            raise
        if checked == "imagenet":
            raise OSError(
                f"The ImageNet weights of {name} could not be downloaded ({error}). Connect to "
                f"the network, or pass the path of a local file "
                f"(--set model.weights=PATH), or train from scratch (--set model.weights=none)."
            ) from error
        raise ValueError(
            f"{checked} does not hold the weights of {name} without its classifier: {error}"
        ) from error
