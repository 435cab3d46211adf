"""The files that Kaggle's landmark competitions take: submission.zip and submission.csv."""

from __future__ import annotations

import csv
import re
import shutil
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path

from landmarks_tf.export.atomic import replacing

_IMAGE_ID = re.compile(r"[0-9a-f]{16}")
_HEADERS = (["id", "images"], ["id", "landmarks"])
# The earliest time a zip entry can carry: equal models give equal archives.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def zip_saved_model(saved_model_dir: str | Path, zip_path: str | Path) -> list[str]:
    """Packs a SavedModel as Retrieval 2020 wants it: its files at the root of the archive.

    Whatever TensorFlow wrote is packed, by walking the folder: the names of the variable shards
    differ between versions. Empty folders (`assets/`) are kept. The archive is read back and
    compared, entry by entry, before it takes its name.

    Args:
        saved_model_dir: folder that holds saved_model.pb.
        zip_path: where the archive goes, outside of that folder; an older one is replaced.

    Returns:
        The names of the entries, sorted.

    Raises:
        ValueError: `saved_model_dir` holds no saved_model.pb, or `zip_path` lies inside it.
        OSError: a file cannot be read or written, or the archive does not read back.
    """
    source, target = Path(saved_model_dir), Path(zip_path)
    if not (source / "saved_model.pb").is_file():
        raise ValueError(
            f"expected a SavedModel in {source}, found no saved_model.pb there; "
            "give the folder that tf.saved_model.save wrote."
        )
    if target.resolve().is_relative_to(source.resolve()):
        raise ValueError(f"{target} lies inside {source}; the archive would contain itself.")
    files = {path.relative_to(source).as_posix(): path for path in _entries(source)}
    with replacing(target) as scratch:
        with zipfile.ZipFile(scratch, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, path in sorted(files.items()):
                _add(archive, name, path)
        return _verified_names(scratch, files)


def read_sample_ids(path: str | Path) -> list[str]:
    """The query ids of a sample_submission.csv, in its order: those that want a row.

    Raises:
        ValueError: no header `id,images` or `id,landmarks`, a row of other than two fields, an id
            that is not 16 hexadecimal characters, or one given twice.
        OSError: the file cannot be read.
    """
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file) if any(field.strip() for field in row)]
    header = [name.strip() for name in rows[0]] if rows else []
    if header not in _HEADERS:
        raise ValueError(
            f"{path}: expected the header id,images or id,landmarks, received "
            f"{','.join(header)[:100]!r}."
        )
    for row in rows[1:]:
        if len(row) != 2:
            raise ValueError(f"{path}: expected two fields a row, received {row!r:.200}.")
        _check_id(row[0], str(path))
    ids = [row[0] for row in rows[1:]]
    if len(set(ids)) != len(ids):
        raise ValueError(f"{path}: expected each id once, received one twice.")
    return ids


def write_retrieval_submission(
    path: str | Path,
    rankings: Mapping[str, Sequence[str]],
    *,
    max_predictions: int = 100,
    expected_ids: Sequence[str] | None = None,
) -> None:
    """Writes `id,images`: one row a query, index ids separated by blanks, best first.

    Args:
        path: the CSV file; replaced whole or not at all.
        rankings: query id -> index ids, each id 16 hexadecimal characters in lower case. An empty
            list is a query without an answer.
        max_predictions: the competition scores 100.
        expected_ids: the queries that want a row, in this order, as `read_sample_ids` gives them;
            None for those of `rankings` in their order.

    Raises:
        ValueError: an id of another form, an index id twice for a query, too many of them, or other
            queries than expected.
    """
    ids = _ordered_ids(rankings, expected_ids)
    rows = (_retrieval_row(query, rankings[query], max_predictions) for query in ids)
    _write_rows(path, "id,images", rows)


def write_recognition_submission(
    path: str | Path,
    predictions: Mapping[str, tuple[int, float] | None],
    *,
    expected_ids: Sequence[str] | None = None,
) -> None:
    """Writes `id,landmarks`: one row a query, "<landmark> <confidence>" or nothing.

    Args:
        path: the CSV file; replaced whole or not at all.
        predictions: query id -> (landmark id, confidence), or None for no landmark. All test ids
            belong in it: the competition expects a row for each.
        expected_ids: as `write_retrieval_submission`.

    Raises:
        ValueError: an id that is not 16 hexadecimal characters, a negative landmark or one that is
            no integer, a confidence that is not finite, or other queries than expected.
    """
    ids = _ordered_ids(predictions, expected_ids)
    rows = (_recognition_row(query, predictions[query]) for query in ids)
    _write_rows(path, "id,landmarks", rows)


def _ordered_ids(answers: Mapping, expected_ids: Sequence[str] | None) -> Iterable[str]:
    if expected_ids is None:
        return answers
    missing, strange = set(expected_ids) - answers.keys(), answers.keys() - set(expected_ids)
    if missing or strange:
        raise ValueError(
            f"expected a row for each of {len(expected_ids)} queries and no other, received none "
            f"for {len(missing)} of them and {len(strange)} others, such as "
            f"{min(missing or strange)!r}. A query without an answer has an empty one."
        )
    return expected_ids


def _entries(folder: Path) -> Iterable[Path]:
    for path in folder.rglob("*"):
        if path.is_file() or not any(path.iterdir()):
            yield path


def _add(archive: zipfile.ZipFile, name: str, path: Path) -> None:
    is_folder = path.is_dir()
    entry = zipfile.ZipInfo(f"{name}/" if is_folder else name, _EPOCH)
    entry.external_attr = (0o40755 << 16 | 0x10) if is_folder else 0o100644 << 16
    entry.compress_type = zipfile.ZIP_STORED if is_folder else zipfile.ZIP_DEFLATED
    if is_folder:
        archive.writestr(entry, b"")
        return
    entry.file_size = path.stat().st_size  # lets zipfile choose 64-bit headers for big files
    with path.open("rb") as source, archive.open(entry, "w") as target:
        shutil.copyfileobj(source, target, 1 << 20)


def _verified_names(scratch: Path, files: Mapping[str, Path]) -> list[str]:
    """Reads the archive back against the folder; `testzip` alone would miss a lost entry."""
    expected = {
        f"{name}/" if path.is_dir() else name: 0 if path.is_dir() else path.stat().st_size
        for name, path in files.items()
    }
    with zipfile.ZipFile(scratch) as archive:
        damaged = archive.testzip()
        received = {entry.filename: entry.file_size for entry in archive.infolist()}
    if damaged or received != expected:
        wrong = damaged or min(set(received.items()) ^ set(expected.items()))[0]
        raise OSError(
            f"the archive does not read back as it was written, beginning with {wrong!r}; "
            "is the disk full, or was the model written to meanwhile?"
        )
    return sorted(received)


def _write_rows(path: str | Path, header: str, rows: Iterable[str]) -> None:
    with replacing(path) as scratch, scratch.open("w", encoding="ascii", newline="") as file:
        file.write(f"{header}\n")
        file.writelines(rows)


def _retrieval_row(query_id: str, images: Sequence[str], max_predictions: int) -> str:
    _check_id(query_id, "a query")
    for image_id in images:
        _check_id(image_id, f"query {query_id}")
    if len(set(images)) != len(images):
        raise ValueError(
            f"query {query_id}: an index id is repeated; a repeat occupies a rank and never counts."
        )
    if len(images) > max_predictions:
        raise ValueError(
            f"query {query_id}: expected at most {max_predictions} ids, received {len(images)}."
        )
    return f"{query_id},{' '.join(images)}\n"


def _recognition_row(query_id: str, answer: tuple[int, float] | None) -> str:
    _check_id(query_id, "a query")
    if answer is None:
        return f"{query_id},\n"
    landmark, score = answer
    if int(landmark) != landmark or landmark < 0:
        raise ValueError(
            f"query {query_id}: expected a landmark id from 0 up, received {landmark!r}."
        )
    if not isfinite(score):
        raise ValueError(f"query {query_id}: expected a finite confidence, received {score!r}.")
    # repr of a Python float reads back to the same number: equal scores stay equal, others do not.
    return f"{query_id},{int(landmark)} {float(score)!r}\n"


def _check_id(image_id: str, where: str) -> None:
    if not isinstance(image_id, str) or not _IMAGE_ID.fullmatch(image_id):
        raise ValueError(
            f"{where}: expected an id of 16 hexadecimal characters in lower case, "
            f"received {image_id!r}."
        )
