"""What makes a conversion survive being killed: a lock, the plan on disk, a note a finished shard.

While a conversion of `train` (or index, or test) is under way, the records folder has a hidden
folder `.convert-train` with `plan.json`, one JSON file for each finished shard and a lock. It is
removed after the manifest, which takes its place, is written.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from landmarks_tf.records import (
    Manifest,
    list_splits,
    sha256_of_file,
    shard_name,
    split_of_shard,
    write_text,
)
from tfrecords_tools.plan import Plan

GROUPS = {"train": ("train", "validation"), "index": ("index",), "test": ("test",)}
IDS = "sha256_of_ids"
# A lock of `lockf` is the process' own: workers forked from it do not hold it when it was killed.
# So it keeps out other processes only, and the folders that are locked here are remembered.
_locked_here: set[tuple[int, int]] = set()
CONSEQUENCES = {"records_planned", "sha256_of_ids_and_labels", IDS, "shards"}


class PlanMismatchError(ValueError):
    """The records folder belongs to another conversion than the one that is asked for."""


def state_folder(out: Path, group: str) -> Path:
    """The hidden folder of a conversion under way; `group` is "train", "index" or "test"."""
    return out / f".convert-{group}"


def is_complete(out: Path, group: str, plan: Plan) -> bool:
    """Whether `out` holds the finished records of exactly this plan.

    Raises:
        PlanMismatchError: `out` holds records of the same splits from another plan (the message
            tells the differences field by field) or shards of unknown origin.
    """
    asked = {split.split: split.parameters for split in plan.splits}
    done = [split for split in GROUPS[group] if split in list_splits(out)]
    there = {split: Manifest.load(out, split).plan for split in done}
    begun = _begun_plan(out, group)
    if begun is not None:
        there = begun | there
    if there:
        _refuse_differences(out, there, asked)
    _refuse_unknown_shards(out, group, plan, known=bool(there))
    return set(done) == set(asked)


def begin(out: Path, group: str, plan: Plan) -> None:
    """Notes the plan, and clears away temporary files that a killed run left behind."""
    state = state_folder(out, group)
    content = {split.split: split.parameters for split in plan.splits}
    if not (state / "plan.json").exists():
        write_text(state / "plan.json", json.dumps(content, indent=1) + "\n")
    for split in GROUPS[group]:
        for left_over in (*out.glob(f".{split}[-.]*.tmp-*"), *state.glob(".*.tmp-*")):
            left_over.unlink(missing_ok=True)


def finish(out: Path, group: str) -> None:
    """Removes the notes once the manifests have taken their place."""
    shutil.rmtree(state_folder(out, group), ignore_errors=True)


def save_note(out: Path, group: str, note: dict[str, Any]) -> None:
    """Notes a finished shard, as `shards.write_shard` returns it.

    Raises:
        OSError: the note cannot be written.
    """
    content = {**note, "offsets": note["offsets"].tolist()}
    write_text(state_folder(out, group) / f"{note['name']}.json", json.dumps(content))


def load_note(out: Path, group: str, name: str) -> dict[str, Any] | None:
    """The note of shard `name` if that shard is there exactly as it was written, else None."""
    try:
        note = json.loads((state_folder(out, group) / f"{name}.json").read_text("utf-8"))
        note["offsets"] = np.array(note["offsets"], np.int64)
        shard = out / name
        same = shard.stat().st_size == note["bytes"] and sha256_of_file(shard) == note["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return note if same else None


@contextlib.contextmanager
def locked(out: Path, group: str) -> Iterator[None]:
    """Keeps a second conversion of the same split out of the folder while this one runs.

    Raises:
        PlanMismatchError: another process is converting into it.
        OSError: the folder is not writable.
    """
    state = state_folder(out, group)
    state.mkdir(exist_ok=True)
    key = (state.stat().st_dev, state.stat().st_ino)
    taken = PlanMismatchError(
        f"another process is converting split {group!r} into {out}: wait for it, or stop it"
    )
    if key in _locked_here:
        raise taken
    descriptor = os.open(state / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    _locked_here.add(key)
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise taken from None
        except OSError:
            pass  # a file system without locks: two conversions at once are then the user's care
        yield
    finally:
        _locked_here.discard(key)
        os.close(descriptor)


def _begun_plan(out: Path, group: str) -> dict[str, Any] | None:
    path = state_folder(out, group) / "plan.json"
    try:
        return json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise PlanMismatchError(
            f"{path}, the plan of an unfinished conversion, cannot be read ({error}): remove the "
            f"folder {path.parent} and the shards of {group!r}, or choose another --out"
        ) from None


def _refuse_differences(out: Path, there: dict[str, Any], asked: dict[str, Any]) -> None:
    found: dict[str, list[str]] = {}  # difference -> the splits that have it
    for split, parameters in sorted(there.items()):
        if split not in asked:
            found[f"there are records of {split}, none are asked for"] = []
            continue
        for difference in _differences(parameters, asked[split]):
            found.setdefault(difference, []).append(split)
    if found:
        lines = (
            f"  {difference}" + (f" ({', '.join(splits)})" if splits else "")
            for difference, splits in found.items()
        )
        raise PlanMismatchError(
            f"{out} holds records of another plan:\n" + "\n".join(lines) + "\n"
            "choose another --out, or remove those records first"
        )


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    names = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    if IDS not in old and IDS in names:  # records written before it was noted
        names.remove(IDS)
    # Where something else differs as well, these only follow from it.
    causes = [name for name in names if name not in CONSEQUENCES]
    return [
        f"{name} is {_short(old.get(name))} there, {_short(new.get(name))} is asked for"
        for name in causes or names
    ]


def _short(value: Any) -> str:
    text = str(value)
    return f"{text[:12]}..." if len(text) == 64 else text


def _refuse_unknown_shards(out: Path, group: str, plan: Plan, *, known: bool) -> None:
    ours = set(shard_names(plan)) if known else set()
    found = {path.name for path in out.glob("*-of-*") if split_of_shard(path.name) in GROUPS[group]}
    strange = sorted(found - ours)
    if strange:
        raise PlanMismatchError(
            f"{out} holds {len(strange)} shard(s) that this conversion did not write, such as "
            f"{strange[0]}: choose another --out, or remove them first"
        )


def shard_names(plan: Plan) -> list[str]:
    """File names of all shards of a plan, in the order they are written."""
    return [
        shard_name(split.split, shard, split.num_shards)
        for split in plan.splits
        for shard in range(split.num_shards)
    ]
