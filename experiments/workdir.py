"""The folder of one run: its recipe, its files, and which stages are done."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path

from experiments.config import Experiment
from experiments.recipe import differences, recipe_dict

_FORMAT_VERSION = 1


class WorkdirError(ValueError):
    """A workdir that this run must not touch, and why."""


def write_json(path: Path, value) -> None:
    """Write JSON so that the file is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def read_json(path: Path):
    """Read JSON that a stage wrote.

    Raises:
        WorkdirError: the file is missing or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WorkdirError(f"{path} is missing. Run the earlier stages first.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise WorkdirError(
            f"{path} cannot be read as JSON ({error}). Delete it and run again."
        ) from None


class Workdir:
    """Paths of a run, under one folder.

    Args:
        root: the folder; made by `claim`.
    """

    def __init__(self, root: Path):
        self.root = Path(root)
        self.raw = self.root / "raw"
        self.records = self.root / "records"
        self.stage_records = self.root / "stage_records"
        self.training = self.root / "training"
        self.trainer = self.root / "model" / "trainer.keras"
        self.embedder = self.root / "model" / "embedder.keras"
        self.embeddings = self.root / "embeddings"
        self.predictions = self.root / "predictions"
        self.metrics = self.root / "metrics.json"
        self.index = self.root / "scann_index"
        self.saved_model = self.root / "saved_model"
        self.submission = self.root / "submission.zip"
        self.submission_csv = self.root / "submission.csv"
        self.train_landmarks = self.root / "train_image_to_landmark.csv"
        self.report = self.root / "report.html"

    @contextmanager
    def claim(
        self,
        experiment: Experiment,
        data: Path | None,
        stage_data: Mapping[str, str] | None = None,
        identity: str | None = None,
    ):
        """Hold the folder for this run of this recipe on this data, and no other.

        Args:
            experiment: the recipe.
            data: the folder; None for the demo.
            stage_data: the names of stages with data of their own -> `DataSource.identity`.
            identity: the same of `data`; None where it is not compared.

        Raises:
            WorkdirError: it belongs to another recipe or other data, another process is at work
                in it, or it holds something that is no run.
            OSError: it cannot be made or written.
        """
        if self.root.exists() and not self.root.is_dir():
            raise WorkdirError(f"--workdir {self.root} is a file. Name a folder, or a new one.")
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise WorkdirError(
                    f"Another process is at work in {self.root}. Wait for it, or use another "
                    f"--workdir."
                ) from None
            self._claim(experiment, data, dict(stage_data or {}), identity)
            yield

    def _claim(
        self, experiment: Experiment, data: Path | None, stage_data: dict, identity: str | None
    ) -> None:
        path = self.root / "run.json"
        mine = {
            "format_version": _FORMAT_VERSION,
            "recipe": recipe_dict(experiment),
            "data": str(data.resolve()) if data else "demo",
            "stage_data": stage_data,
            "training_pictures": identity,
        }
        if path.exists():
            _check_same_run(self.root, _read_claim(path), mine)
            return
        strangers = [entry.name for entry in self.root.iterdir() if entry.name != ".lock"]
        if strangers:
            raise WorkdirError(
                f"{self.root} is no run of ours, but holds {sorted(strangers)[0]!r}. Name an empty "
                f"or a new folder with --workdir."
            )
        write_json(path, mine)

    def is_done(self, stage: str) -> bool:
        """Whether a stage finished and what it made is still there."""
        if not self._marker(stage).is_file():
            return False
        return all(output.exists() for output in self.outputs(stage))

    def outputs(self, stage: str) -> list[Path]:
        """What a finished stage made."""
        return [self.root / output for output in _read_marker(self._marker(stage))["outputs"]]

    def mark_done(self, stage: str, started: float, outputs: list[Path]) -> None:
        """Write a stage's completion marker, last of all it writes."""
        names = [os.path.relpath(output, self.root) for output in outputs]
        seconds = round(time.time() - started, 1)
        write_json(self._marker(stage), {"stage": stage, "seconds": seconds, "outputs": names})

    def unmark(self, stage: str) -> None:
        """Forget that a stage is done; what follows from it is about to change."""
        self._marker(stage).unlink(missing_ok=True)

    def seconds(self) -> dict[str, float]:
        """Wall time of each finished stage."""
        done = sorted((self.root / "stages").glob("*.json"), key=lambda path: path.stat().st_mtime)
        return {marker.stem: _read_marker(marker)["seconds"] for marker in done}

    def _marker(self, stage: str) -> Path:
        return self.root / "stages" / f"{stage}.json"


def _read_claim(path: Path) -> dict:
    """The run.json of a folder, which tells whose it is."""
    try:
        claim = read_json(path)
    except WorkdirError:
        claim = None
    if not isinstance(claim, dict):
        # Without it the rest of the folder is nobody's: to delete it would not help.
        raise WorkdirError(
            f"{path} is damaged, so nobody knows which recipe the folder belongs to. Use another "
            f"--workdir."
        )
    return claim


def _read_marker(path: Path) -> dict:
    """A stage's completion marker."""
    marker = read_json(path)
    if not isinstance(marker, dict) or not {"outputs", "seconds"} <= marker.keys():
        raise WorkdirError(f"{path} is no completion marker. Delete it and run again.")
    return marker


def _check_same_run(root: Path, before: dict, now: dict) -> None:
    if before.get("format_version") != _FORMAT_VERSION:
        raise WorkdirError(
            f"{root} was made by another version of this program (format "
            f"{before.get('format_version')!r}, this is {_FORMAT_VERSION}). Use another --workdir."
        )
    # A run from before stages had data of their own is one without; one from before its training
    # pictures were noted has those that are there.
    known = {"stage_data": {}, "training_pictures": now["training_pictures"]}
    changed = differences(known | before, now)
    if changed:
        lines = "\n  ".join(line.removeprefix("recipe.") for line in changed)
        raise WorkdirError(
            f"{root} belongs to a run of another recipe or other data:\n  {lines}\n"
            f"Repeat that run's options, or use another --workdir."
        )
