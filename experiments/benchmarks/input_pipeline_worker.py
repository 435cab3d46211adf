"""One input pipeline in a process of its own, timed whenever it is told.

    python -m experiments.benchmarks.input_pipeline_worker '{"subject": "p_x_k", "folder": ...}'

`experiments.benchmarks.input_pipeline` starts it. tensorflow-similarity's pipeline runs in the
Keras-2 environment: what is imported here at the top must be there too.
"""

from __future__ import annotations

import time
from pathlib import Path

from experiments.benchmarks.worker import serve


class MeasuredPipeline:
    """A pipeline, read anew every time it is timed.

    Args:
        subject: a function of this name in `experiments.benchmarks.input_pipeline_subjects`.
        folder: what `experiments.benchmarks.input_pipeline_pictures.make` wrote.
        settings: arguments of that function.
        batches, warm_up: how many batches of a round are timed, and how many are thrown away
            before: the first ones bring the pipeline's start with them.
    """

    def __init__(self, subject: str, folder: str, settings: dict, batches: int, warm_up: int):
        self.subject, self.folder, self.settings = subject, Path(folder), settings
        self.batches, self.warm_up = batches, warm_up

    def prepare(self) -> dict:
        """Build the pipeline and read from it once."""
        import tensorflow as tf

        from experiments.benchmarks import input_pipeline_subjects

        tf.config.set_visible_devices([], "GPU")
        make = getattr(input_pipeline_subjects, self.subject)
        self._dataset = make(self.folder, **self.settings)
        return {"tensorflow": tf.__version__, **self.run()}

    def run(self) -> dict:
        """Seconds by the clock and of processor time for each picture of a round."""
        batches = iter(self._dataset)
        for _ in range(self.warm_up):
            next(batches)
        pictures = 0
        wall, processor = time.perf_counter(), time.process_time()
        for _ in range(self.batches):
            pictures += int(next(batches)[0].shape[0])
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        # What the iterator has under way ends with it, so that the next one's turn is its own.
        del batches
        return {"wall": wall / pictures, "processor": processor / pictures}


if __name__ == "__main__":
    serve(MeasuredPipeline)
