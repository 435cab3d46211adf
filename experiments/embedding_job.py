"""One embedding of a split: which model, which records, how, and where to.

A job is plain data, so that it can be sent to another machine; `opened` loads the model there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from experiments.workdir import Workdir, WorkdirError, read_json
from landmarks_tf.retrieval.embed import Shard, plan_shards
from landmarks_tf.retrieval.files import sha256
from landmarks_tf.retrieval.multi_scale import check_scales

BATCH_SIZE, RESIZE = 64, "letterbox"


@dataclass(frozen=True)
class EmbeddingJob:
    """What is embedded, by what, and how.

    Attributes:
        model: an embedder's .keras file.
        records: folder of records, or a URL that TensorFlow opens.
        split: which of its splits.
        path: NAME.npy of the result.
        num_shards: files that it is spread over; None for NAME.npy itself.
        dtype: one of `embedding_files.DTYPES`.
        image_size: side of the pictures in pixels; None for what the model is built for.
        resize: how a picture becomes a square, one of `image_ops.MODES`.
        batch_size: pictures at once.
        scales, pooling, flip: as of `multi_scale.describe_batches`.

    Raises:
        ValueError: a number out of range, or scales that cannot be meant.
    """

    model: Path
    records: str
    split: str
    path: Path
    num_shards: int | None = None
    dtype: str = "float32"
    image_size: int | None = None
    resize: str = RESIZE
    batch_size: int = BATCH_SIZE
    scales: tuple[float, ...] = (1.0,)
    pooling: str = "sum"
    flip: bool = False

    def __post_init__(self):
        for name in ("num_shards", "image_size", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1. Received: {value}.")
        check_scales(self.scales, self.pooling)

    def opened(self) -> OpenJob:
        """The same job with its model and its records at hand.

        Raises:
            FileNotFoundError: there is no such model or split.
            ValueError: the model is no embedder, or not for pictures of this size.
            RecordsError: the split is not whole.
        """
        return OpenJob(self)


class OpenJob:
    """A job with its model loaded and its records open.

    Args:
        job: the job.

    Attributes:
        ids: (N,) text.
        dim: D.
        fingerprint: names all that the rows depend on.
        predict: (B, S, S, 3) uint8 -> (B, D) unit rows.
    """

    def __init__(self, job: EmbeddingJob):
        from landmarks_tf.records import Manifest, RecordIndex
        from landmarks_tf.retrieval.multi_scale import describe_batches

        self.job = job
        embedder = load_embedder(job.model)
        self._image_size = _image_size(embedder, job)
        self._index = RecordIndex.open(job.records, job.split)
        self.ids = np.array([one.decode("ascii") for one in self._index.id])
        self.dim = int(embedder.output.shape[-1])
        self.predict = describe_batches(
            embedder, job.batch_size, scales=job.scales, pooling=job.pooling, flip=job.flip
        )
        records = Manifest.load(job.records, job.split).index_sha256
        # Rows of a batch of another size may differ in their last bit: none is continued.
        parts = (
            sha256(job.model), records, self._image_size, job.resize, job.batch_size,
            job.scales, job.pooling, job.flip,
        )  # fmt: skip
        self.fingerprint = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    @cached_property
    def shards(self) -> list[Shard]:
        """The shards that the job asks for; one for the whole where it asks for none."""
        if self.job.num_shards is None:
            return [Shard(self.job.path, 0, len(self.ids))]
        return plan_shards(
            self.job.path, len(self.ids), self.job.num_shards, rows_per_batch=self.job.batch_size
        )

    @property
    def about(self) -> dict:
        """What `embed_dataset` and its like are told of the whole."""
        return {
            "ids": self.ids,
            "dim": self.dim,
            "fingerprint": self.fingerprint,
            "dtype": self.job.dtype,
        }

    def batches_between(self, first: int, end: int):
        """Pictures of the rows from `first`, where a batch begins, to `end`, where one ends.

        Raises:
            RecordsError: the records are damaged.
        """
        from landmarks_tf.data import sampling
        from landmarks_tf.data.dataset import clear_errors, make_dataset

        if first >= end:
            return
        size = self.job.batch_size
        dataset = make_dataset(
            self._index,
            sampling.evaluation_order(len(self._index), batch_size=size),
            image_size=self._image_size,
            mode=self.job.resize,
            start_step=first // size,
            num_steps=-(-end // size) - first // size,
        )
        with clear_errors(self._index):
            yield from dataset


def load_embedder(path: Path):
    """The Keras embedder in a file: (B, S, S, 3) -> (B, D).

    Raises:
        FileNotFoundError: there is none.
        ValueError: it cannot be loaded, or is something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no model {path}")
    import keras

    import landmarks_tf.layers
    import landmarks_tf.losses
    import landmarks_tf.models
    import landmarks_tf.training.gather  # noqa: F401  (registers the classes that models hold)

    try:
        embedder = keras.saving.load_model(path, compile=False)
    except (ValueError, TypeError, OSError, KeyError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path} cannot be loaded as a Keras model: {first}") from None
    shapes = getattr(embedder, "input_shape", None), getattr(embedder, "output_shape", None)
    if not (_has_rank(shapes[0], 4) and _has_rank(shapes[1], 2)):
        raise ValueError(
            f"{path} is no embedder: expected pictures (B, S, S, 3) -> rows (B, D), found "
            f"{shapes[0]} -> {shapes[1]}. A run's embedder is model/embedder.keras"
        )
    return embedder


def settings_of_run(folder: Path) -> dict:
    """What a run's recipe says about its pictures, as attributes of `EmbeddingJob`.

    Raises:
        ValueError: the folder is no run, or it is not trained yet.
    """
    workdir = Workdir(folder)
    if not (folder / "run.json").is_file():
        raise WorkdirError(f"{folder} is no folder of a run: run.json is missing")
    recipe = read_json(folder / "run.json")["recipe"]
    if not workdir.embedder.is_file():
        raise WorkdirError(f"{workdir.embedder} is missing: the run is not trained yet")
    data, evaluation = dict(recipe["data"]), recipe["evaluation"]
    if stages := recipe.get("stages"):
        last = stages[max(stages, key=int)]
        data |= {k.removeprefix("data."): v for k, v in last.items() if k.startswith("data.")}
    return {
        "model": workdir.embedder,
        "image_size": data["image_size"],
        "resize": data["resize"],
        "batch_size": evaluation["batch_size"],
        "scales": tuple(evaluation.get("scales", (1.0,))),
        "pooling": evaluation.get("scale_pooling", "sum"),
        "flip": evaluation.get("flip", False),
    }


def _image_size(embedder, job: EmbeddingJob) -> int:
    _, height, width, _ = embedder.input_shape
    if height is None and job.image_size is None:
        raise ValueError(
            f"{job.model} takes pictures of any size: say which with --image-size PIXELS"
        )
    if height != width:
        raise ValueError(f"{job.model} takes pictures of {height} x {width}, expected squares")
    if None not in (height, job.image_size) and height != job.image_size:
        raise ValueError(
            f"{job.model} is built for pictures of {height} px, {job.image_size} were asked for. "
            f"Other sizes of the same picture are scales: --scales {job.image_size / height:.4g}"
        )
    return job.image_size or height


def _has_rank(shape, rank: int) -> bool:
    return isinstance(shape, tuple) and len(shape) == rank and not isinstance(shape[0], tuple)


def write(opened: OpenJob, *, progress: bool = True) -> None:
    """Embeds in this process; continues what an earlier run began.

    Args:
        opened: the job.
        progress: show a progress bar with images/s.
    """
    from landmarks_tf.retrieval.embed import embed_dataset, embed_shards

    job = opened.job
    if job.num_shards is None:
        embed_dataset(
            opened.predict,
            lambda row: opened.batches_between(row, len(opened.ids)),
            path=job.path,
            progress=progress,
            **opened.about,
        )
        return
    embed_shards(
        opened.predict,
        opened.batches_between,
        shards=opened.shards,
        path=job.path,
        progress=progress,
        **opened.about,
    )
