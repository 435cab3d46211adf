"""Checkpoints by step: the whole state of a training, whole or not there.

One `.npz` file a step holds every weight, every random-seed state and every optimizer slot, under
the variable's path. NumPy's zip carries a checksum for each array, so a damaged file is noticed;
the file gets its name only when it is complete. It is independent of Keras' backend and of the
number of devices.
"""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path

import keras
import numpy as np

_NAME = re.compile(r"step-(\d{9})\.npz")


class CheckpointError(ValueError):
    """A checkpoint that cannot be used, and why."""


def training_state(model: keras.Model) -> dict:
    """Every variable that decides the future of a compiled model, by a unique key."""
    optimizer = model.optimizer
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    groups = {"model": model.variables, "optimizer": optimizer.variables}
    state = {}
    for group, variables in groups.items():
        for number, variable in enumerate(variables):
            # Paths alone are not unique: two seed generators may share a name.
            state[f"{group}/{number:04d}/{variable.path}"] = variable
    return state


class Checkpoints:
    """The checkpoints of one training, in one folder.

    Args:
        folder: where they lie; made when the first is saved.
        keep: how many of the newest to keep, at least 1.
    """

    def __init__(self, folder: Path, keep: int = 2):
        if keep < 1:
            raise ValueError(f"At least one checkpoint must be kept. Received: keep={keep}.")
        self.folder = Path(folder)
        self.keep = keep

    def steps(self) -> list[int]:
        """The steps that have a complete checkpoint, oldest first."""
        if not self.folder.is_dir():
            return []
        found = (_NAME.fullmatch(entry.name) for entry in self.folder.iterdir())
        return sorted(int(match[1]) for match in found if match)

    def path(self, step: int) -> Path:
        return self.folder / f"step-{step:09d}.npz"

    def save(self, step: int, model: keras.Model) -> Path:
        """Write the state after `step` steps, then drop the oldest beyond `keep`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        arrays = {key: _to_numpy(v) for key, v in training_state(model).items()}
        final = self.path(step)
        partial = final.with_suffix(".partial")
        try:
            with partial.open("wb") as stream:
                np.savez(stream, **arrays)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(final)
        finally:
            partial.unlink(missing_ok=True)
        for old in self.steps()[: -self.keep]:
            self.path(old).unlink()
        return final

    def restore(self, step: int, model: keras.Model) -> None:
        """Set a compiled model to the state after `step` steps.

        Raises:
            CheckpointError: the file is damaged, or is another network's or optimizer's.
        """
        path = self.path(step)
        arrays = _read(path)
        state = training_state(model)
        _check_same(path, state, arrays)
        for key, variable in state.items():
            variable.assign(arrays[key])

    def restore_latest(self, model: keras.Model) -> int:
        """Restore the newest readable checkpoint; return its step, 0 when there is none.

        A damaged newest file (a disk that filled up, a copy cut short) is passed over for the
        one before it, with a line that says so.
        """
        for step in reversed(self.steps()):
            try:
                self.restore(step, model)
            except DamagedCheckpointError as error:
                print(f"warning: {error} Going back to the checkpoint before it.", flush=True)
                continue
            return step
        return 0


class DamagedCheckpointError(CheckpointError):
    """The file itself cannot be read."""


def _to_numpy(variable) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(variable))


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except (zipfile.BadZipFile, ValueError, EOFError, KeyError, OSError) as error:
        raise DamagedCheckpointError(f"The checkpoint {path} cannot be read ({error}).") from error


def _check_same(path: Path, state: dict, arrays: dict[str, np.ndarray]) -> None:
    for key, variable in state.items():
        if key not in arrays:
            raise CheckpointError(
                f"{path} has no {key!r}, which this network and optimizer need: it belongs to "
                f"another recipe. Use another --workdir, or delete the checkpoints."
            )
        if tuple(variable.shape) != arrays[key].shape:
            raise CheckpointError(
                f"{path} holds {key!r} with shape {arrays[key].shape}, the network expects "
                f"{tuple(variable.shape)}. Use another --workdir, or delete the checkpoints."
            )
    extra = sorted(arrays.keys() - state.keys())
    if extra:
        raise CheckpointError(
            f"{path} holds {len(extra)} arrays that this network does not have, {extra[0]!r} "
            f"first: it belongs to another recipe. Use another --workdir."
        )
