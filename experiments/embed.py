"""Embed a split of records, or join the embeddings of several models.

    python -m experiments.embed --model RUN --split index --out DIR
    python -m experiments.embed --model embedder.keras --records DIR --split index --out DIR \\
        --shards 8 --dtype float16 --scales 0.7071,1,1.4142 --flip
    python -m experiments.embed --concat A.npy:1 B.npy:0.8 --out C.npy
    python -m experiments.embed ... --shards 64 --runner DirectRunner      # on Apache Beam

RUN is the folder of a run of `experiments.run`: its embedder, the size and shape of its pictures
and its records are taken unless an option says otherwise. DIR gets SPLIT.npy, SPLIT.ids.npy and
SPLIT.json, or those of each shard and SPLIT.json over them; `load_embeddings` (of
landmarks_tf.retrieval) reads both. A command that was stopped goes on when it is given again.

A weight of --concat multiplies a model's unit rows, as the winner of Kaggle 2020 gave 1, 0.8, 0.55
and 0.5; the joint cosine weighs the models by its square.

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from experiments import beam_runner
from experiments.command import UsageError, exit_code
from experiments.startup import import_keras
from landmarks_tf.retrieval.embedding_files import DTYPES, npy_path, shard_paths
from landmarks_tf.retrieval.multi_scale import POOLINGS

_OF_A_MODEL = (
    "records", "split", "name", "shards", "scales", "scale_pooling", "flip", "batch", "image_size",
    "resize", "runner", "beam_options",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, embed, and turn every user's mistake into a message and an exit code."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return exit_code(
        lambda: _concatenate(options) if options.concat else _embed(options),
        interrupted="interrupted; the same command goes on from here",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.embed",
        description="Embed a split of records, or join the embeddings of several models.",
        epilog="A command that was stopped goes on when it is given again.",
    )
    add = parser.add_argument
    add("--model", metavar="PATH", type=Path, help="an embedder's .keras file, or a run's folder")
    add("--records", metavar="DIR", help="folder or URL of records (default: the run's own)")
    add("--split", metavar="NAME", help="which split of the records")
    add("--out", metavar="PATH", type=Path, required=True, help="folder; with --concat an .npy")
    add("--name", metavar="NAME", help="of the files (default: the split's)")
    add("--shards", metavar="N", type=int, help="spread over N files (default: one)")
    add("--dtype", choices=DTYPES, default="float32", help="what rows are kept as")
    add("--scales", metavar="F,F", type=_scales, help="sizes described: 0.7071,1,1.4142")
    add("--scale-pooling", choices=POOLINGS, help="of several sizes (default: sum)")
    add("--flip", action="store_true", default=None, help="describe the mirror image too")
    add("--batch", metavar="N", type=int, help="pictures at once (default: 64)")
    add("--image-size", metavar="PIXELS", type=int, help="for models that take any size")
    add("--resize", metavar="MODE", help="how pictures become squares (default: letterbox)")
    beam_runner.add_options(parser)
    add(
        "--concat",
        metavar="FILE[:WEIGHT]",
        nargs="+",
        help="join these embeddings, each times its weight (default: 1), into --out",
    )
    return parser


def _scales(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected numbers such as 0.7071,1,1.4142, received {text!r}"
        ) from None


def _embed(options: argparse.Namespace) -> int:
    from experiments.embedding_job import write

    job = job_of(options)
    if options.runner is not None and options.shards is None:
        raise UsageError("--runner works shard by shard: say how many with --shards")
    runner = beam_runner.runner_of(options)
    import_keras()
    started = time.time()
    opened = job.opened()
    if runner is None:
        write(opened)
    else:
        from experiments.embed_beam import write_on_beam

        write_on_beam(opened, runner)
    files = shard_paths(job.path)
    print(
        f"{job.path}: {len(opened.ids)} x {opened.dim} {job.dtype} in {len(files)} "
        f"file{'s' if len(files) > 1 else ''}, {time.time() - started:.0f} s, fingerprint "
        f"{opened.fingerprint}"
    )
    return 0


def job_of(options: argparse.Namespace):
    """The job that the options describe.

    Raises:
        UsageError: an option is missing, or one that does not go with --model.
        ValueError: a value out of range.
    """
    from experiments.embedding_job import EmbeddingJob, settings_of_run

    for name in ("model", "split"):
        if getattr(options, name) is None:
            raise UsageError(f"--{name} is missing; see --help")
    records, settings = options.records, {"model": options.model}
    if options.model.is_dir():
        settings = settings_of_run(options.model)
        own = options.model / "records"
        records = records or (str(own) if own.is_dir() else None)
    if records is None:
        raise UsageError("--records says where the pictures are: a folder of records, or its URL")
    asked = {
        "num_shards": options.shards,
        "image_size": options.image_size,
        "resize": options.resize,
        "batch_size": options.batch,
        "scales": options.scales,
        "pooling": options.scale_pooling,
        "flip": options.flip,
    }
    settings |= {name: value for name, value in asked.items() if value is not None}
    path = npy_path(options.out / f"{options.name or options.split}.npy")
    # Absolute: a worker of Beam's starts elsewhere.
    settings["model"] = settings["model"].resolve()
    return EmbeddingJob(
        records=records if "://" in records else str(Path(records).resolve()),
        split=options.split,
        path=path.resolve(),
        dtype=options.dtype,
        **settings,
    )


def _concatenate(options: argparse.Namespace) -> int:
    from landmarks_tf.retrieval.ensemble import concatenate_embeddings

    for name in ("model", *_OF_A_MODEL):
        if getattr(options, name) is not None:
            raise UsageError(f"--{name.replace('_', '-')} does not go with --concat")
    parts = [part_and_weight(text) for text in options.concat]
    joined = concatenate_embeddings(parts, options.out, dtype=options.dtype)
    print(
        f"{options.out}: {len(joined.ids)} x {joined.vectors.shape[1]} {options.dtype}, "
        f"fingerprint {joined.fingerprint}"
    )
    return 0


def part_and_weight(text: str) -> tuple[Path, float]:
    """ "A.npy:0.8" -> (A.npy, 0.8); without a weight 1.

    Raises:
        UsageError: the weight is no number.
    """
    name, colon, weight = text.rpartition(":")
    if not colon or weight.endswith(".npy"):
        return Path(text), 1.0
    try:
        return Path(name), float(weight)
    except ValueError:
        raise UsageError(f"--concat takes FILE.npy:WEIGHT, received {text!r}") from None


if __name__ == "__main__":
    code = main()
    if code == 130:
        # An interrupted tf.data iterator can hang the interpreter's own shutdown.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
