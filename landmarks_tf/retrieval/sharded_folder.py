"""The folder of an index in parts: which there are, and whether they are those it was made of.

    index/manifest.json             the parts, their first rows, a digest of each part's manifest
    index/part-00000/ ...           each an index of its own, ScaNN's or exact

`ShardedIndex` makes it and searches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landmarks_tf.retrieval.files import read_json, sha256, write_json
from landmarks_tf.retrieval.index_folder import (
    FORMAT_VERSION,
    MANIFEST,
    PART,
    IndexFolderError,
    read_ids,
    read_manifest,
)

_FIELDS = ("num_rows", "dim", "fingerprint", "parts")


@dataclass(frozen=True)
class Parts:
    """What a sharded index is made of, none of it opened.

    Attributes:
        offsets: number of each part's first row.
        num_rows: N, of all parts.
        dim: D, the length of a row.
        ids: (N,) image ids, or None.
        digest: of the whole; another after whatever change.
    """

    offsets: tuple[int, ...]
    num_rows: int
    dim: int
    ids: np.ndarray | None
    digest: str


def read_parts(path: str | Path, *, fingerprint: str | None = None) -> Parts:
    """The parts of an index that others will open with `ShardedIndex.load(path, parts=[n])`.

    Args:
        path: the folder.
        fingerprint: what must have made the embeddings; None accepts any.

    Raises:
        FileNotFoundError, IndexFolderError: as `ShardedIndex.load`.
    """
    path = Path(path)
    manifest = read_sharded_manifest(path, fingerprint)
    ids = []
    for number in range(len(manifest["parts"])):
        folder = checked_part(path, manifest, number)
        ids.append(read_ids(folder, read_manifest(folder, fingerprint=None, digests=False)))
    return Parts(
        tuple(part["first_row"] for part in manifest["parts"]),
        manifest["num_rows"],
        manifest["dim"],
        None if ids[0] is None else np.concatenate(ids),
        sha256(path / MANIFEST),
    )


def checked_part(path: Path, manifest: dict, number: int) -> Path:
    """The folder of a part, if it is the one that was built."""
    folder = part_folder(path, number)
    if not (folder / MANIFEST).is_file():
        raise FileNotFoundError(f"{path} is incomplete: {folder.name} is missing")
    if sha256(folder / MANIFEST) != manifest["parts"][number]["manifest_sha256"]:
        raise IndexFolderError(
            f"{folder} is not the part that was built here: build the index again"
        )
    return folder


def write_sharded_manifest(folder: Path, bounds: Sequence[int], dim: int, how: dict) -> None:
    """Writes the completion mark over parts that are all built.

    Args:
        folder: the unfinished index.
        bounds: number of each part's first row, and of all rows.
        dim: D, the length of a row.
        how: `fingerprint` of what made the embeddings.
    """
    parts = []
    for number, first_row in enumerate(bounds[:-1]):
        manifest = sha256(part_folder(folder, number) / MANIFEST)
        parts.append({"first_row": int(first_row), "manifest_sha256": manifest})
    facts = {"num_rows": int(bounds[-1]), "dim": dim, "fingerprint": how["fingerprint"]}
    values = {"format_version": FORMAT_VERSION, "kind": "sharded", **facts, "parts": parts}
    write_json(folder / MANIFEST, values)


def read_sharded_manifest(path: Path, fingerprint: str | None) -> dict:
    """The manifest of a finished index in parts.

    Raises:
        FileNotFoundError: if there is none.
        IndexFolderError: if it is another kind of index, or another model's.
    """
    if not path.is_dir():
        raise FileNotFoundError(f"no index at {path}: there is no such folder")
    manifest = read_json(path / MANIFEST, what="index")
    missing = [name for name in _FIELDS if name not in manifest]
    if manifest.get("kind") != "sharded" or missing:
        raise IndexFolderError(f"{path} is no sharded index: open it with open_index")
    if fingerprint is not None and manifest["fingerprint"] != fingerprint:
        raise IndexFolderError(
            f"{path} was built from another model's embeddings: expected fingerprint "
            f"{fingerprint!r}, found {manifest['fingerprint']!r}; build the index again"
        )
    return manifest


def part_folder(folder: Path, number: int) -> Path:
    """Where the part of that number lies, or will."""
    return folder / f"{PART}{number:05d}"
