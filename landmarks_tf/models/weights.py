"""Pre-trained weights: where they come from, and errors a person can act on."""

from __future__ import annotations

import warnings
from pathlib import Path

import keras
import numpy as np


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
            f"There is no weights file at {str(weights)!r}. Expected None (random), 'imagenet' "
            f"(downloaded by Keras), or the path of a .h5, .weights.h5 or .keras file."
        )
    return str(path)


def load_or_explain(build, name: str, weights: str | None):
    """Call `build(weights)`; turn a failed download or a file that does not fit into advice.

    Args:
        build: function of the checked weights that returns a model.
        name: the network's name, for the message.
        weights: None, "imagenet" or a path.

    Raises:
        ValueError: the file does not hold this network's weights, whole and finite.
        OSError: the download failed.
    """
    checked = check_weights(weights)
    if checked is None:
        return build(None)
    try:
        with warnings.catch_warnings():
            # Keras only warns when a file leaves layers at their random values.
            warnings.filterwarnings("error", message=".*retain their freshly-initialized weights")
            model = build(checked)
    except Exception as error:
        if checked == "imagenet":
            raise OSError(
                f"The ImageNet weights of {name} could not be downloaded ({_first_line(error)}). "
                f"Connect to the network, or give weights the path of a local file, or none to "
                f"train from scratch."
            ) from error
        raise ValueError(_does_not_fit(checked, name, _first_line(error))) from error
    for variable in model.weights:
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
            raise ValueError(_does_not_fit(checked, name, f"{variable.path} is not finite"))
    return model


def _does_not_fit(path: str, name: str, reason: str) -> str:
    return (
        f"{path} does not hold the weights of {name} without its classifier: {reason}. Expected a "
        f"file that keras.applications.{name}(include_top=False) wrote."
    )


def _first_line(error: Exception) -> str:
    """Keras appends a list of every layer; the first line says what is wrong."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")
