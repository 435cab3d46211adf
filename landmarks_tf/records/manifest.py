"""The manifest of a split: what was written, from which plan; its presence marks completeness."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from landmarks_tf.records.files import write_text
from landmarks_tf.records.places import RemotePath, place
from landmarks_tf.records.shards import split_of_shard

FORMAT_VERSION = 1
_SUFFIX = ".manifest.json"


class RecordsError(ValueError):
    """A records folder is not what it should be: absent, unfinished, damaged or mixed up."""


@dataclasses.dataclass(frozen=True)
class ShardInfo:
    """One shard as it was written: file name, number of records, bytes, SHA-256 of the file."""

    name: str
    records: int
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Manifest:
    """All that is known of one split of a records folder, stored as `<split>.manifest.json`.

    Attributes:
        split: "train", "validation", "index" or "test".
        num_records: records over all shards.
        num_classes: classes of the label map, C; None for splits without labels.
        shards: the shards in order.
        index_file: name of the side-car, `<split>.index.npy`.
        index_sha256: SHA-256 of that file.
        label_map_sha256: SHA-256 of relabeling.csv; None for splits without labels.
        plan: every parameter that decides the content.
        skipped: images listed in the source and left out (see `<split>.skipped.csv`).
        skipped_reasons: how many of them for which kind of reason.
        source_counts: what the source held, by name.
        empty_classes: labels of classes of which train has no record (bad files, or a random
            validation split, took all their images); always empty for other splits.
    """

    split: str
    num_records: int
    num_classes: int | None
    shards: tuple[ShardInfo, ...]
    index_file: str
    index_sha256: str
    label_map_sha256: str | None
    plan: dict[str, Any]
    skipped: int = 0
    skipped_reasons: dict[str, int] = dataclasses.field(default_factory=dict)
    source_counts: dict[str, int] = dataclasses.field(default_factory=dict)
    empty_classes: tuple[int, ...] = ()

    @staticmethod
    def path(folder: str | os.PathLike | RemotePath, split: str) -> Path | RemotePath:
        """Where the manifest of a split is, or would be."""
        return place(folder) / f"{split}{_SUFFIX}"

    @classmethod
    def load(cls, folder: str | os.PathLike | RemotePath, split: str) -> Manifest:
        """Reads the manifest of `split`, from a local folder or a URL (`places.place`).

        Raises:
            RecordsError: the folder or the manifest is not there (the message tells an unfinished
                conversion from an absent one), or the file is not a manifest of this version.
        """
        path = cls.path(folder, split)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise RecordsError(_why_missing(place(folder), split)) from None
        except (UnicodeError, json.JSONDecodeError) as error:
            raise RecordsError(
                f"{path} is not JSON ({error}): remove it and convert the split again"
            ) from None
        return cls._from_json(content, path, split)

    @classmethod
    def _from_json(cls, content: Any, path: Path | RemotePath, split: str) -> Manifest:
        version = content.pop("format_version", None) if isinstance(content, dict) else None
        if version != FORMAT_VERSION:
            raise RecordsError(
                f"{path} has format_version {version!r}, this code reads {FORMAT_VERSION}: "
                "convert the split again, or use the version of the code that wrote it"
            )
        fields = {field.name: field for field in dataclasses.fields(cls)}
        wrong = sorted(content.keys() ^ fields.keys())
        if wrong:
            raise RecordsError(
                f"{path} has missing or unknown fields: {', '.join(wrong)}; "
                "remove it and convert the split again"
            )
        try:
            content["shards"] = tuple(ShardInfo(**shard) for shard in content["shards"])
            content["empty_classes"] = tuple(content["empty_classes"])
            manifest = cls(**content)
            records = sum(shard.records for shard in manifest.shards)
        except TypeError as error:
            raise RecordsError(f"{path} does not describe shards as it should: {error}") from None
        if manifest.split != split:
            raise RecordsError(f"{path} is the manifest of split {manifest.split!r}, not {split!r}")
        if records != manifest.num_records:
            raise RecordsError(
                f"{path} contradicts itself: num_records is {manifest.num_records}, "
                f"its shards sum to {records}"
            )
        return manifest

    def save(self, folder: str | os.PathLike) -> Path:
        """Writes the manifest, wholly or not at all, and returns its path.

        Raises:
            OSError: the file cannot be written.
        """
        content = {"format_version": FORMAT_VERSION, **dataclasses.asdict(self)}
        path = self.path(folder, self.split)
        write_text(path, json.dumps(content, indent=1) + "\n")
        return path


def list_splits(folder: str | os.PathLike | RemotePath) -> list[str]:
    """Names of the splits that are complete in `folder`, sorted; empty when there is none."""
    return sorted(path.name.removesuffix(_SUFFIX) for path in place(folder).glob(f"*{_SUFFIX}"))


def _why_missing(folder: Path | RemotePath, split: str) -> str:
    if not folder.is_dir():
        return f"there is no records folder {folder}"
    shards = sum(split_of_shard(path.name) == split for path in folder.iterdir())
    if shards:
        return (
            f"{folder} holds {shards} shard(s) of split {split!r} but no {split}{_SUFFIX}: "
            "its conversion was not finished; run the same convert command again"
        )
    complete = ", ".join(list_splits(folder)) or "none"
    return (
        f"{folder} holds no records of split {split!r} (no {split}{_SUFFIX}); "
        f"complete splits there: {complete}"
    )
