"""Pre-trained weights: where they come from, and errors a person can act on."""

from __future__ import annotations

import warnings
from pathlib import Path

import keras
import numpy as np

from landmarks_tf.models.torch_files import read_state_dict
from landmarks_tf.models.torch_weights import assign_state_dict

_TORCH_SUFFIXES = (".pth", ".pt", ".bin", ".safetensors")


def load_weights(model: keras.Model, name: str, weights: str | None) -> None:
    """Fill a backbone's model from a file.

    Raises:
        ValueError: the file is missing, or does not hold this network's weights, whole and finite.
        OSError: the download failed.
    """
    if weights is None:
        return
    path = Path(weights).expanduser()
    if not path.is_file():
        raise ValueError(f"There is no weights file at {str(weights)!r}.")
    if path.suffix in _TORCH_SUFFIXES:
        assign_state_dict(model, read_state_dict(path))
    else:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*retain their freshly-initialized weights")
            model.load_weights(path)
    for variable in model.weights:
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
            raise ValueError(f"{path}: {variable.path} is not finite")
