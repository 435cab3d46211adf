"""Scalars for TensorBoard, written without TensorFlow."""

from __future__ import annotations

import time
from pathlib import Path


class ScalarEvents:
    """One event file of scalars by step.

    A run that resumes writes a new file; its first event tells TensorBoard to forget the points
    that an earlier, killed run wrote beyond the step it resumes from.

    Args:
        folder: what `tensorboard --logdir` is pointed at; made if missing.
        first_step: the first step this file may hold.

    Raises:
        OSError: the folder cannot be written to.
    """

    def __init__(self, folder: Path, first_step: int):
        # Imported here: TensorBoard brings TensorFlow with it where that is installed.
        from tensorboard.compat.proto import event_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._events = event_pb2
        try:
            self._writer = EventFileWriter(str(folder))
        except Exception as error:  # TensorFlow's file errors are no OSErrors
            raise OSError(f"TensorBoard's events cannot be written to {folder}: {error}") from error
        log = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._add(first_step, session_log=log)

    def write(self, step: int, values: dict[str, float]) -> None:
        """Add scalars at a step; they are on disk when this returns."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        points = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self._add(step, summary=Summary(value=points))

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()

    def _add(self, step: int, **content) -> None:
        event = self._events.Event(wall_time=time.time(), step=step, **content)
        self._writer.add_event(event)
        self._writer.flush()
