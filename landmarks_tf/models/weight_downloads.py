"""Fetch published weights into Keras' own cache; a file is taken only whole and with its hash."""

from __future__ import annotations

import contextlib
import os
import socket
import urllib.error
import warnings
from collections.abc import Iterator
from pathlib import Path

import keras

from landmarks_tf.models.published_weights import PretrainedWeights, digests_of

SILENCE_S = 60.0  # how long a server may send nothing before it is given up


def cache_folder() -> Path:
    """Where Keras keeps weights: ~/.keras/models, or models in the folder KERAS_HOME."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models"


def fetch(row: PretrainedWeights) -> Path:
    """The file of a row, from Keras' cache or downloaded into it.

    A download goes under a name of its own and gets the file's name when it is whole and its hash
    is right, so that neither a broken connection nor a killed program leaves half a file there.

    Raises:
        ValueError: the row has nothing that could be downloaded.
        OSError: the download failed, or gave another file than the row's.
    """
    if row.url is None:
        raise ValueError(f"The weights {row.name} cannot be downloaded: {row.note}.")
    cached = cache_folder() / row.file_name
    if cached.is_file():
        wrong = _difference(cached, row)
        if wrong is None:
            return cached
        cached.unlink()
        warnings.warn(f"{cached} was removed and is downloaded again: {wrong}.", stacklevel=2)
    partial = _download(row)
    wrong = _difference(partial, row)
    if wrong is not None:
        partial.unlink()
        raise OSError(
            f"{row.url} gave another file than the weights {row.name} for {row.backbone}: {wrong}. "
            f"It was removed. {_instead(row)}"
        )
    whole = partial.with_name(row.file_name)
    partial.replace(whole)
    return whole


def _download(row: PretrainedWeights) -> Path:
    folder = cache_folder()
    with contextlib.suppress(OSError):  # where it cannot be made, Keras takes a temporary one
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with _impatient_sockets():
            path = keras.utils.get_file(
                f"{row.file_name}.{os.getpid()}.part",
                origin=row.url,
                cache_dir=str(folder.parent),
                cache_subdir=folder.name,
            )
    # get_file removes what it has; it raises a bare Exception for most failures.
    except Exception as error:
        if isinstance(error.__context__, urllib.error.HTTPError):
            error.__context__.close()  # its socket
        reason = " ".join(str(error).split()) or type(error).__name__
        raise OSError(
            f"The ImageNet weights of {row.backbone} could not be downloaded ({reason}). "
            f"{_instead(row)}"
        ) from error
    return Path(path)


def _difference(path: Path, row: PretrainedWeights) -> str | None:
    """What is wrong with a file's hash; None where nothing is, or none is known."""
    digests = digests_of(path)
    for algorithm, digits in row.expected_digests:
        if not digests[algorithm].startswith(digits):
            return f"its {algorithm.upper()} is {digests[algorithm]}, expected {digits}"
    return None


def _instead(row: PretrainedWeights) -> str:
    return (
        f"Connect to the network and try again, download {row.url} by hand and give weights the "
        f"path of that file, or give none to train from scratch."
    )


@contextlib.contextmanager
def _impatient_sockets() -> Iterator[None]:
    """Keras' downloads wait for a silent server for ever, unless sockets have a time limit."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
