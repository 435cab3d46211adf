"""`convert` on Apache Beam: the same plan, one element a shard, the same bytes.

A worker writes its shard to its own disk, image by image, then to the records folder under a
temporary name, then renames it and notes it. Side-car and manifest follow when all are there.
Shards, notes and plan are those of tfrecords_tools.resume: the next run continues, whatever ended
the one before.
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from tqdm import tqdm

from landmarks_tf.records import Manifest, list_splits, shard_name
from landmarks_tf.records.places import place
from tfrecords_tools import resume
from tfrecords_tools.beam import files
from tfrecords_tools.beam.source import RemoteImages, RemoteRawFolder
from tfrecords_tools.convert import reencoding_of, remarks_on
from tfrecords_tools.finish import LABEL_MAP, copy_metadata, finish_split, summary, write_label_map
from tfrecords_tools.image_source import FolderImages, ImageSource
from tfrecords_tools.images import Reencoding, strict_decoding
from tfrecords_tools.options import ConvertOptions
from tfrecords_tools.plan import Plan, SplitPlan, make_plan
from tfrecords_tools.raw import RawFolder
from tfrecords_tools.shards import ShardTask, write_shard
from tfrecords_tools.subsets import list_images

_RUNNERS = {"flink": "FlinkRunner", "spark": "SparkRunner", "dataflow": "DataflowRunner"}
_POLL_SECONDS = 2.0
_ROWS = np.dtype([("id", "S16"), ("label", "<i4")])


def convert_on_beam(
    raw: str,
    out: str,
    options: ConvertOptions,
    *,
    runner: str = "direct",
    flags: list[str] | tuple[str, ...] = (),
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> list[Manifest]:
    """As `tfrecords_tools.convert.convert`, on a Beam runner.

    Args:
        raw, out: a folder that this machine and all workers see, or a URL that Beam opens. Two
            runs at a time into one folder are the user's care: URLs have no locks.
        options: what to convert, and how.
        runner: "direct" (this machine), "flink", "spark" or "dataflow".
        flags: the runner's own, as "--region=R".
        progress: whether to draw a progress bar.
        say: receives the lines that tell what was done.

    Raises:
        ValueError: as `convert`.
        OSError: the pipeline failed; the finished shards stay, and the same call continues.
    """
    beam_options = PipelineOptions(list(flags), runner=_RUNNERS.get(runner))
    FileSystems.set_options(beam_options)
    out = out.rstrip("/")
    with tempfile.TemporaryDirectory() as folder:
        copies, here = Path(folder, "raw"), Path(folder, "out")
        source: RawFolder
        if "://" in raw:
            source = RemoteRawFolder(raw, options.split, copies)
            images: ImageSource = RemoteImages(raw, options.split)
        else:
            source = RawFolder(raw, options.split)
            images = FolderImages(source)
        found = source.files()
        listing, clean = list_images(source, found, options)
        plan = make_plan(listing, found, options, clean=clean)
        for line in remarks_on(plan, options):
            say(line)
        _fetch_state(out, options.split, here)
        if resume.is_complete(here, options.split, plan):
            say(f"{out} is already complete: nothing to do")
        else:
            work = WriteShard(
                images, out, options.split, reencoding_of(options), options.verify_pixels
            )
            _begin(source, out, here, options.split, plan)
            left = [split for split in plan.splits if split.split not in list_splits(here)]
            _run(work, left, runner, beam_options, progress)
            for split in left:
                _finish(out, here, options.split, plan, split)
        files.delete_folder(_state(out, options.split))
        manifests = [Manifest.load(here, split.split) for split in plan.splits]
    for manifest in manifests:
        say(summary(manifest, place(out)))
    return manifests


class WriteShard(beam.DoFn):
    """(name of a shard, first row of the plan) -> its name, once it is written and noted.

    Args:
        images: where the images are.
        out: the records folder, or its URL.
        group: the split of the raw folder.
        reencoding, verify_pixels: as of ShardTask.
    """

    def __init__(
        self,
        images: ImageSource,
        out: str,
        group: str,
        reencoding: Reencoding | None,
        verify_pixels: bool,
    ):
        self.images, self.out, self.group = images, out, group
        self.reencoding, self.verify_pixels = reencoding, verify_pixels

    def process(self, element: tuple[str, int]) -> Iterator[str]:
        name, first = element
        state = _state(self.out, self.group)
        if _finished_note(self.out, state, name) is None:
            rows = np.load(io.BytesIO(files.read(files.join(state, f"{name}.rows.npy"))))
            with tempfile.TemporaryDirectory() as folder:
                task = ShardTask(
                    self.images,
                    Path(folder),
                    name,
                    first,
                    rows["id"],
                    rows["label"],
                    self.reencoding,
                    self.verify_pixels,
                )
                count = beam.metrics.Metrics.counter("convert", "images")
                with _decoding():
                    note = write_shard(task, stop=threading.Event(), tick=count.inc)
                files.write(files.join(self.out, name), task.out / name)
            content = {**note, "offsets": note["offsets"].tolist()}
            files.write(files.join(state, f"{name}.json"), json.dumps(content).encode())
        yield name


# Those at work in this process, after the setting that they share.
_decoders: tuple[threading.Lock, list] = threading.Lock(), []


@contextlib.contextmanager
def _decoding() -> Iterator[None]:
    """`strict_decoding` for runners that work on several shards in one process."""
    lock, settings = _decoders
    with lock:
        if not settings:
            setting = strict_decoding()
            setting.__enter__()
            settings.append(setting)
        settings.append(None)
    try:
        yield
    finally:
        with lock:
            settings.pop()
            if len(settings) == 1:
                settings.pop().__exit__(None, None, None)


def _state(out: str, group: str) -> str:
    return files.join(out, f".convert-{group}")


def _finished_note(out: str, state: str, name: str) -> dict[str, Any] | None:
    """The note of a shard if that shard is there exactly as it was written, else None."""
    shard, path = files.join(out, name), files.join(state, f"{name}.json")
    if not files.exists(path) or not files.exists(shard):
        return None
    note = json.loads(files.read(path))
    return note if files.sha256(shard) == note["sha256"] else None


def _fetch_state(out: str, group: str, here: Path) -> None:
    """What tells whose records `out` holds, copied to `here`; of shards the names alone."""
    here.mkdir()
    for pattern in ("*.manifest.json", LABEL_MAP, "metadata/*.csv", f".convert-{group}/plan.json"):
        for path in files.matching(out, pattern):
            files.fetch(path, here / path.removeprefix(f"{out}/"))
    for path in files.matching(out, "*-of-*"):
        (here / path.rpartition("/")[2]).touch()


def _begin(source: RawFolder, out: str, here: Path, group: str, plan: Plan) -> None:
    """Label map, metadata and the plan: whole, and row by row for the workers."""
    copy_metadata(source, here)
    if plan.classes is not None:
        write_label_map(here, plan.classes)
    resume.state_folder(here, group).mkdir(exist_ok=True)
    resume.begin(here, group, plan)
    for folder in (_state(out, group), files.join(out, "metadata")):
        if not files.exists(folder):
            FileSystems.mkdirs(folder)
    if plan.classes is not None:
        files.write(f"{out}/{LABEL_MAP}", here / LABEL_MAP)
    for path in sorted((here / "metadata").iterdir()):
        if not files.exists(f"{out}/metadata/{path.name}"):
            files.write(f"{out}/metadata/{path.name}", path)
    for split in plan.splits:
        for name, first, end in _shards(split):
            rows = np.empty(end - first, _ROWS)
            rows["id"], rows["label"] = split.ids[first:end], split.labels[first:end]
            content = io.BytesIO()
            np.save(content, rows)
            files.write(f"{_state(out, group)}/{name}.rows.npy", content.getvalue())
    for folder in (out, _state(out, group)):
        files.delete(files.matching(folder, ".*.tmp-*"))  # of a run that was killed
    # Last: it says whose folder this is.
    files.write(f"{_state(out, group)}/plan.json", resume.state_folder(here, group) / "plan.json")


def _shards(split: SplitPlan) -> list[tuple[str, int, int]]:
    """(name, first row, row after the last) of each shard."""
    return [
        (shard_name(split.split, i, split.num_shards), int(split.bounds[i]), int(end))
        for i, end in enumerate(split.bounds[1:])
    ]


def _run(
    work: WriteShard,
    splits: list[SplitPlan],
    runner: str,
    beam_options: PipelineOptions,
    progress: bool,
) -> None:
    elements = [(name, first) for split in splits for name, first, _ in _shards(split)]
    try:
        with _shard_bar(work, len(elements), progress):
            pipeline = beam.Pipeline(_direct() if runner == "direct" else None, beam_options)
            # Without the reshuffle a runner may keep all of them on the worker that made them.
            _ = (
                pipeline
                | "Shards" >> beam.Create(elements)
                | "Spread" >> beam.Reshuffle()
                | "Write" >> beam.ParDo(work)
            )
            pipeline.run().wait_until_finish()
    except Exception as error:  # each runner has its own
        raise OSError(
            f"the Beam pipeline failed: {error}\nfinished shards are kept: once this is mended, "
            "the same command continues"
        ) from error


def _direct() -> beam.runners.runner.PipelineRunner:
    """Not Beam's "DirectRunner", which may fetch a program of another runner (Prism)."""
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    return FnApiRunner()


@contextlib.contextmanager
def _shard_bar(work: WriteShard, total: int, progress: bool) -> Iterator[None]:
    """Counts the notes of finished shards, whatever machine wrote them."""
    stop = threading.Event()
    state = _state(work.out, work.group)
    with tqdm(total=total, unit=" shards", disable=None if progress else True) as bar:

        def watch() -> None:
            while not stop.wait(_POLL_SECONDS):
                with contextlib.suppress(OSError):
                    bar.update(len(files.matching(state, "*-of-*.json")) - bar.n)

        watcher = threading.Thread(target=watch, daemon=True)
        if not bar.disable:
            watcher.start()
        try:
            yield
        finally:
            stop.set()


def _finish(out: str, here: Path, group: str, plan: Plan, split: SplitPlan) -> None:
    """Side-car and list of skipped images, then the manifest: made here, put there in order."""
    state = _state(out, group)
    notes = []
    for name, _, _ in _shards(split):
        note = json.loads(files.read(f"{state}/{name}.json"))
        notes.append({**note, "offsets": np.array(note["offsets"], np.int64)})
    finish_split(here, group, plan, split, notes)
    for ending in ("skipped.csv", "index.npy", "manifest.json"):
        files.write(f"{out}/{split.split}.{ending}", here / f"{split.split}.{ending}")
