"""An embedding on Apache Beam: one element a shard, the same bytes as on one machine.

Each worker loads the model once and writes its shards into the folder of the result, which all
machines must see under the same name (a shared file system). A shard that is finished is left as
it is, one that was begun is continued by whoever gets it; the mark over all of them is written
here, when all are there. Workers need what embedding needs: TensorFlow, Keras and this package.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from experiments.embedding_job import EmbeddingJob, OpenJob
from landmarks_tf.retrieval.embed import Shard, embed_shard, finish_shards
from landmarks_tf.retrieval.embedding_files import mark_path

_POLL_SECONDS = 1.0


def write_on_beam(opened: OpenJob, runner: str, flags: list[str], *, progress: bool = True) -> None:
    """Embeds on a Beam runner; continues what an earlier run began, on Beam or not.

    Args:
        opened: the job, with shards.
        runner: "DirectRunner" (this machine), or the name of another of Beam's.
        flags: the runner's own, as "--region=R".
        progress: show a progress bar of shards.

    Raises:
        OSError: the pipeline failed; finished shards stay, and the same call continues.
        ValueError: flags that the runner does not know.
    """
    job = opened.job
    mark_path(job.path).unlink(missing_ok=True)  # its shards may become others
    try:
        with _shard_bar(opened.shards, progress):
            pipeline = beam.Pipeline(
                _direct() if runner == "DirectRunner" else None,
                PipelineOptions(flags, runner=None if runner == "DirectRunner" else runner),
            )
            # Without the reshuffle a runner may keep all of them on the worker that made them.
            _ = (
                pipeline
                | "Shards" >> beam.Create(opened.shards)
                | "Spread" >> beam.Reshuffle()
                | "Embed" >> beam.ParDo(EmbedShard(job))
            )
            pipeline.run().wait_until_finish()
    except Exception as error:  # each runner has its own
        raise OSError(
            f"the Beam pipeline failed: {error}\nfinished shards are kept: once this is mended, "
            "the same command continues"
        ) from error
    finish_shards(job.path, opened.shards, **opened.about)


class EmbedShard(beam.DoFn):
    """Shard -> the name of its file, once it is finished.

    Args:
        job: what it is a part of.
    """

    def __init__(self, job: EmbeddingJob):
        self._job = job

    def setup(self) -> None:
        """Loads the model, once for all shards of this worker."""
        self._opened = self._job.opened()

    def process(self, shard: Shard) -> Iterator[str]:
        opened = self._opened
        embed_shard(
            opened.predict, opened.batches_between, shard=shard, progress=False, **opened.about
        )
        yield shard.path.name


def _direct():
    """Not Beam's "DirectRunner", which may fetch a program of another runner (Prism)."""
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    return FnApiRunner()


@contextlib.contextmanager
def _shard_bar(shards: list[Shard], progress: bool) -> Iterator[None]:
    """Counts the marks of finished shards, whatever machine wrote them."""
    from tqdm import tqdm

    stop = threading.Event()
    with tqdm(total=len(shards), desc="embed", unit=" shards", disable=not progress) as bar:

        def watch() -> None:
            while not stop.wait(_POLL_SECONDS):
                bar.update(sum(mark_path(shard.path).exists() for shard in shards) - bar.n)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            stop.set()
            watcher.join()
            bar.update(sum(mark_path(shard.path).exists() for shard in shards) - bar.n)
