"""Everything of a records folder that is not a shard: label map, metadata, side-car, manifest."""

from __future__ import annotations

import collections
import csv
import functools
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from landmarks_tf.records import (
    Manifest,
    ShardInfo,
    index_rows,
    replacing,
    save_index,
    sha256_of_file,
    write_text,
)
from tfrecords_tools.plan import Plan, SplitPlan
from tfrecords_tools.raw import METADATA_FILES, RawFolder, relative_path
from tfrecords_tools.shards import written_rows

LABEL_MAP = "relabeling.csv"


def write_label_map(out: Path, classes: np.ndarray) -> None:
    """Writes relabeling.csv, `new_label,old_label`, one row a class, ascending.

    Args:
        out: the records folder.
        classes: (C,) published landmark id of each label.
    """
    rows = "".join(f"{new},{old}\n" for new, old in enumerate(classes.tolist()))
    write_text(out / LABEL_MAP, "new_label,old_label\n" + rows)


def copy_metadata(raw: RawFolder, out: Path) -> None:
    """Copies what evaluation needs, byte for byte, so that the records folder stands alone.

    Raises:
        ValueError: a file of that name with another content is there.
        OSError: a file cannot be copied.
    """
    folder = out / "metadata"
    folder.mkdir(exist_ok=True)
    for name in METADATA_FILES:
        source, target = raw.csv_path(name), folder / name
        if source is None:
            continue
        if not target.is_file():
            with replacing(target) as temporary:
                shutil.copyfile(source, temporary)
        elif sha256_of_file(target) != sha256_of_file(source):
            raise ValueError(
                f"{target} differs from {source}: the records there are of another data set; "
                "choose another --out, or remove that file if it is out of date"
            )


def finish_split(
    out: Path,
    raw_split: str,
    plan: Plan,
    split: SplitPlan,
    notes: list[dict[str, Any]],
    place: Callable[[bytes], str] | None = None,
) -> Manifest:
    """Writes the side-car, the list of skipped images and, last, the manifest.

    Args:
        out: the records folder.
        raw_split: the split of the raw folder that the images came from.
        plan: the whole plan.
        split: the part of it to finish.
        notes: of its shards, in order, as `shards.write_shard` returns them.
        place: where the image of an id was; None for its path in a raw folder.

    Raises:
        ValueError: not one image could be decoded.
        OSError: a file cannot be written.
    """
    rows = [written_rows(note) for note in notes]
    order = np.concatenate(rows)
    if place is None:
        place = functools.partial(relative_path, raw_split)
    skipped = _skipped(raw_split, plan, split, notes, place)
    write_text(out / f"{split.split}.skipped.csv", _skipped_text(skipped))
    if not len(order):
        raise ValueError(
            f"none of the {len(split.ids)} images of split {split.split!r} could be read "
            f"(the last one: {skipped[-1][2]}); see {out / (split.split + '.skipped.csv')}"
        )
    index_path = out / f"{split.split}.index.npy"
    index_sha256 = save_index(
        index_path,
        index_rows(
            shard=np.repeat(np.arange(len(rows)), [len(part) for part in rows]),
            offset=np.concatenate([note["offsets"] for note in notes]),
            label=split.labels[order],
            id=split.ids[order],
        ),
    )
    has_labels = plan.classes is not None
    manifest = Manifest(
        split=split.split,
        num_records=len(order),
        num_classes=len(plan.classes) if has_labels else None,
        shards=tuple(
            ShardInfo(note["name"], len(note["offsets"]), note["bytes"], note["sha256"])
            for note in notes
        ),
        index_file=index_path.name,
        index_sha256=index_sha256,
        label_map_sha256=sha256_of_file(out / LABEL_MAP) if has_labels else None,
        plan=split.parameters,
        skipped=len(skipped),
        skipped_reasons=_reason_counts(skipped),
        source_counts=plan.counts,
        empty_classes=_empty_classes(plan, split, order),
    )
    manifest.save(out)
    return manifest


def summary(manifest: Manifest, out: Path) -> str:
    """What a person should know of a finished split, in one to two lines."""
    classes = "" if manifest.num_classes is None else f" of {manifest.num_classes} classes"
    line = (
        f"{manifest.split}: {manifest.num_records} records{classes} in "
        f"{len(manifest.shards)} shard(s), "
    )
    if manifest.skipped:
        reasons = ", ".join(f"{count} {kind}" for kind, count in manifest.skipped_reasons.items())
        line += (
            f"{manifest.skipped} image(s) left out ({reasons}): see "
            f"{out / (manifest.split + '.skipped.csv')}"
        )
    else:
        line += "no image left out"
    if manifest.empty_classes:
        some = ", ".join(map(str, manifest.empty_classes[:5]))
        more = ", ..." if len(manifest.empty_classes) > 5 else ""
        line += (
            f"\nwarning: {manifest.split} has no record of {len(manifest.empty_classes)} of its "
            f"classes (all images left out, or taken by validation): labels {some}{more}"
        )
    return line


def _empty_classes(plan: Plan, split: SplitPlan, order: np.ndarray) -> tuple[int, ...]:
    """Labels without a record: bad files, or a random validation split, took all their images.

    Told of train only, where classes are learned.
    """
    if split.split != "train":
        return ()
    present = np.zeros(len(plan.classes), bool)
    present[split.labels[order]] = True
    return tuple(np.flatnonzero(~present).tolist())


def _skipped(
    raw_split: str,
    plan: Plan,
    split: SplitPlan,
    notes: list[dict[str, Any]],
    place: Callable[[bytes], str],
) -> list[tuple[str, str, str]]:
    """(id, path, reason) of the images left out; absent files belong to the raw split's list."""
    entries = [(split.ids[row], reason) for note in notes for row, reason in note["skipped"]]
    if split.split == raw_split:
        entries = [(image_id, "missing") for image_id in plan.absent] + entries
    return [(image_id.decode(), place(image_id), reason) for image_id, reason in entries]


def _skipped_text(skipped: list[tuple[str, str, str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "path", "reason"])
    writer.writerows(skipped)
    return text.getvalue()


def _reason_counts(skipped: list[tuple[str, str, str]]) -> dict[str, int]:
    kinds = collections.Counter(reason.split(":")[0] for _, _, reason in skipped)
    return dict(sorted(kinds.items(), key=lambda item: (-item[1], item[0])))
