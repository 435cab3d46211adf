"""Checkpoints by step: the whole state of a training, whole or not there.

One `.npz` file a step holds every weight, every random-seed state and every optimizer slot, under
the variable's path. NumPy's zip carries a checksum for each array, so a damaged file is noticed;
the file gets its name only when it is complete. It is independent of Keras' backend and of the
number of devices and processes: a weight that is split over devices is stored whole.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np

from landmarks_tf.training import processes

_NAME = re.compile(r"step-(\d{9})\.npz")

# Keras numbers what it names itself (dense, dense_1, ...), process-wide; a checkpoint must fit the
# same network built a second time in one process. The variable's rank in the key tells such apart.
_PROCESS_WIDE_COUNTER = re.compile(r"_\d+(?=[_/]|$)")


class CheckpointError(ValueError):
    """A checkpoint that cannot be used, and why."""


class DamagedCheckpointError(CheckpointError):
    """The file itself cannot be read."""


class TrainingDivergedError(ValueError):
    """The loss or a weight is no number any more."""


def training_state(model: keras.Model) -> dict:
    """Every variable that decides the future of a compiled model, by a unique key.

    Builds the optimizer's slots if no step has been taken yet.
    """
    optimizer = model.optimizer
    if not optimizer.built:
        with _strategy_scope(model):
            optimizer.build(model.trainable_variables)
    named = [("model", v.path, v) for v in model.variables]
    # The first part of a slot's path depends on who built the optimizer, `fit` or we.
    kind = type(optimizer).__name__
    named += [("optimizer", f"{kind}/{v.path.split('/')[-1]}", v) for v in optimizer.variables]
    # Paths alone are not unique: two seed generators may share a name.
    return {
        f"{group}/{number:04d}/{_PROCESS_WIDE_COUNTER.sub('', path)}": variable
        for number, (group, path, variable) in enumerate(named)
    }


class Checkpoints:
    """The checkpoints of one training, in one folder.

    Args:
        folder: where they lie; made when the first is saved.
        keep: how many of the newest to keep, at least 1.

    Raises:
        ValueError: `keep` below 1.
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
        """Where the checkpoint of a step lies."""
        return self.folder / f"step-{step:09d}.npz"

    def save(self, step: int, model: keras.Model) -> Path:
        """Write the state after `step` steps, then drop the oldest beyond `keep`.

        Of several processes the first alone writes; all must call this.

        Raises:
            TrainingDivergedError: a variable is not finite; nothing is written.
            OSError: the disk is full or not writable; nothing half-written stays.
        """
        arrays = {key: _to_numpy(v) for key, v in training_state(model).items()}
        for key, array in arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise TrainingDivergedError(
                    f"{key!r} is no longer finite at step {step}, so no checkpoint is written. "
                    f"Lower the learning rate, or clip the gradients."
                )
        final = self.path(step)
        if not processes.is_first():
            return final
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = final.with_suffix(".partial")
        try:
            with partial.open("wb") as stream:
                np.savez(stream, **arrays)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(final)
            # After a power cut the new name must be there before the old file is gone.
            _flush_names(self.folder)
        finally:
            partial.unlink(missing_ok=True)
        for old in self.steps()[: -self.keep]:
            self.path(old).unlink()
        return final

    def restore(self, step: int, model: keras.Model) -> None:
        """Set a compiled model to the state after `step` steps.

        Raises:
            DamagedCheckpointError: the file is not what was written.
            CheckpointError: it is another network's or optimizer's, or may not be read.
        """
        path = self.path(step)
        arrays = _read(path)
        state = training_state(model)
        _check_same(path, state, arrays)
        for key, variable in state.items():
            variable.assign(arrays[key])

    def restore_latest(self, model: keras.Model) -> int:
        """Restore the newest readable checkpoint; return its step, 0 when there is none.

        A damaged newest file (a disk that lost power, a copy cut short) is set aside under the name
        `<name>.damaged` for the one before it, with a line on stderr that says so. Left in place it
        would count as the newest, and the checkpoints written from now on as the oldest.

        Raises:
            CheckpointError: the newest is another network's, or may not be read.
        """
        if processes.count() > 1:
            return self._restore_together(model)
        for step in reversed(self.steps()):
            try:
                self.restore(step, model)
            except DamagedCheckpointError as error:
                self._set_aside(step, error)
                continue
            return step
        return 0

    def _restore_together(self, model: keras.Model) -> int:
        """As `restore_latest`; the first process finds the step, all restore it."""
        step = 0
        if processes.is_first():
            for found in reversed(self.steps()):
                try:
                    _read(self.path(found))
                except DamagedCheckpointError as error:
                    self._set_aside(found, error)
                    continue
                step = found
                break
        step = processes.number_of_the_first(step)
        if step:
            self.restore(step, model)
        return step

    def _set_aside(self, step: int, error: DamagedCheckpointError) -> None:
        path = self.path(step)
        aside = path.with_suffix(".npz.damaged")
        # An earlier one makes way; what stands there as a folder, of whatever origin, cannot.
        number = 1
        while aside.is_dir():
            number += 1
            aside = path.with_suffix(f".npz.damaged-{number}")
        path.replace(aside)
        older = self.steps()
        going_on = f"from step {older[-1]}" if older else "from the start"
        print(
            f"warning: {error} It was renamed to {aside.name}; training goes on {going_on}.",
            file=sys.stderr,
            flush=True,
        )


def _flush_names(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Not every network file system can do this for a folder.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _strategy_scope(model: keras.Model):
    """Where slots must be made: the scope of the strategy that the model was built under."""
    strategy = getattr(model, "distribute_strategy", None)
    return contextlib.nullcontext() if strategy is None else strategy.scope()


def _to_numpy(variable) -> np.ndarray:
    array = processes.to_numpy(variable)
    # NumPy has no bfloat16 of its own and would store raw bytes; float32 holds it exactly.
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:
            # Before any array is made: a flipped bit in a header can claim any shape.
            damaged = archive.testzip()
        if damaged:
            raise zipfile.BadZipFile(f"the checksum of {damaged} does not match")
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no checkpoint {path}.") from error
    except PermissionError as error:
        raise CheckpointError(f"There is no permission to read the checkpoint {path}.") from error
    except MemoryError:
        raise
    except Exception as error:  # zipfile alone raises half a dozen kinds over damaged files
        raise DamagedCheckpointError(f"The checkpoint {path} cannot be read ({error}).") from error


def _check_same(path: Path, state: dict, arrays: dict[str, np.ndarray]) -> None:
    advice = "It belongs to another recipe: train in another folder, or delete the checkpoints."
    for key, variable in state.items():
        if key not in arrays:
            raise CheckpointError(
                f"{path} has no {key!r}, which this network and optimizer need. {advice}"
            )
        if tuple(variable.shape) != arrays[key].shape:
            raise CheckpointError(
                f"{path} holds {key!r} with shape {arrays[key].shape}; the network expects "
                f"{tuple(variable.shape)}. {advice}"
            )
    extra = sorted(arrays.keys() - state.keys())
    if extra:
        raise CheckpointError(
            f"{path} holds {len(extra)} arrays that this network and optimizer do not have, "
            f"{extra[0]!r} first. {advice}"
        )
