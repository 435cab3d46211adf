"""An embedding on Apache Beam: one element a shard, the same bytes as on one machine.

Each worker loads the model once and writes its shards into the folder of the result, which all
machines must see under the same name (a shared file system). A shard that is finished is left as
it is, one that was begun is continued by whoever gets it; the mark over all of them is written
here, when all are there. Workers need what embedding needs: TensorFlow, Keras and this package.
"""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam

from experiments.beam_runner import Runner, progress_bar, run_pipeline
from experiments.embedding_job import EmbeddingJob, OpenJob
from landmarks_tf.retrieval.embed import Shard, embed_shard, finish_shards
from landmarks_tf.retrieval.embedding_files import mark_path


def write_on_beam(opened: OpenJob, runner: Runner, *, progress: bool = True) -> None:
    """Embeds on a Beam runner; continues what an earlier run began, on Beam or not.

    Args:
        opened: the job, with shards.
        runner: where.
        progress: show a progress bar of shards.

    Raises:
        OSError: the pipeline failed; finished shards stay, and the same call continues.
    """
    job = opened.job
    mark_path(job.path).unlink(missing_ok=True)  # its shards may become others

    def build(pipeline: beam.Pipeline) -> None:
        # Without the reshuffle a runner may keep all of them on the worker that made them.
        _ = (
            pipeline
            | "Shards" >> beam.Create(opened.shards)
            | "Spread" >> beam.Reshuffle()
            | "Embed" >> beam.ParDo(EmbedShard(job))
        )

    marks = [mark_path(shard.path) for shard in opened.shards]
    with progress_bar(marks, desc="embed", unit=" shards", progress=progress):
        run_pipeline(build, runner, kept="finished shards")
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
