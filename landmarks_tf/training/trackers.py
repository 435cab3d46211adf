"""MLflow and Weights & Biases, by the Keras callbacks that they bring themselves."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import keras

_NAMES = {"mlflow": "MLflow", "wandb": "Weights & Biases"}
TRACKERS = tuple(_NAMES)


def check_installed(name: str | None) -> None:
    """Say before any work that a tracker is missing.

    Raises:
        ImportError: it is not installed; the message says how to.
    """
    if name is not None and importlib.util.find_spec(name) is None:
        raise _missing(name)


@contextlib.contextmanager
def tracking(
    name: str | None, folder: Path, *, run_name: str, settings: Mapping[str, object]
) -> Iterator[list[keras.callbacks.Callback]]:
    """The callbacks that report a training to a tracker, for `fit(extra_callbacks=...)`.

    Both count Keras' epochs, which are our segments; "step" is among the values of each. A training
    that goes on is the same run there: the run's id is kept in `folder`. Where it goes is the
    tracker's own matter: MLFLOW_TRACKING_URI, or `wandb login` and WANDB_MODE=offline.

    Args:
        name: one of `TRACKERS`, or None for no callbacks.
        folder: of the training.
        run_name: what people see.
        settings: logged once; {"train": {"epochs": 3}} as "train.epochs".

    Raises:
        ValueError: an unknown tracker, or one that does not let this run begin.
        ImportError: the tracker is not installed; the message says how.
    """
    if name is None:
        yield []
        return
    if name not in TRACKERS:
        raise ValueError(f"Expected a tracker among {', '.join(TRACKERS)}. Received: {name!r}.")
    start = {"mlflow": _mlflow, "wandb": _wandb}[name]
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with start(folder / f"{name}_run.txt", run_name, _flat(settings)) as callback:
        yield [callback]


@contextlib.contextmanager
def _mlflow(id_file: Path, run_name: str, settings: Mapping[str, object]):
    try:
        import mlflow
        from mlflow.keras import MlflowCallback
    except ImportError as error:
        raise _missing("mlflow") from error
    try:
        started = mlflow.start_run(run_id=_kept(id_file), run_name=run_name)
    except mlflow.MlflowException as error:
        raise ValueError(
            f"MLflow does not let the run begin ({error}). Look at MLFLOW_TRACKING_URI; without it "
            f"MLflow writes into the current folder."
        ) from error
    with started as run:
        id_file.write_text(run.info.run_id)
        # MLflow refuses longer ones; the recipe is in the run's folder in full.
        mlflow.log_params({key: str(value)[:500] for key, value in settings.items()})
        yield MlflowCallback()


@contextlib.contextmanager
def _wandb(id_file: Path, run_name: str, settings: Mapping[str, object]):
    try:
        import wandb
        from wandb.integration.keras import WandbMetricsLogger
    except ImportError as error:
        raise _missing("wandb") from error
    try:
        run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "landmarks-tf"),
            name=run_name,
            id=_kept(id_file),
            resume="allow",
            dir=str(id_file.parent),
            config=dict(settings),
        )
    except wandb.Error as error:
        raise ValueError(
            f"Weights & Biases does not let the run begin ({error}). Log in with `wandb login`, "
            f"or set WANDB_MODE=offline."
        ) from error
    id_file.write_text(run.id)
    with run:
        yield WandbMetricsLogger()


def _flat(settings: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in settings.items():
        inner = isinstance(value, Mapping)
        found |= _flat(value, f"{prefix}{key}.") if inner else {prefix + key: value}
    return found


def _kept(id_file: Path) -> str | None:
    return id_file.read_text().strip() or None if id_file.is_file() else None


def _missing(name: str) -> ImportError:
    return ImportError(
        f"{_NAMES[name]} is not installed. Install it with `pip install 'landmarks-tf[{name}]'`, "
        f"or train without it: metrics.jsonl, metrics.csv and TensorBoard are there anyway."
    )
