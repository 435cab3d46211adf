"""The vectors of a search benchmark: an index and queries that are not in it, as two .npy files.

From embeddings in a file (.npy, .npz, an ann-benchmarks .hdf5), from the folder of a run of
`experiments.run`, or drawn like them (`experiments.benchmarks.retrieval_draw`).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.benchmarks.retrieval_draw import Drawn, class_sizes
from experiments.benchmarks.retrieval_spectra import Spectrum
from experiments.workdir import read_json, write_json

INDEX, QUERIES, MARK = "index.npy", "queries.npy", "data.json"
_CHUNK = 65_536


@dataclass(frozen=True)
class Source:
    """Embeddings as they were found.

    Attributes:
        rows: (N, D) numbers, perhaps memory-mapped, of any length but zero.
        labels: (N,) classes, or None.
        queries: (Q, D) rows that came as queries, or None.
        name: what they are, in words.
    """

    rows: np.ndarray
    labels: np.ndarray | None
    queries: np.ndarray | None
    name: str


def read_source(path: Path) -> Source:
    """Opens embeddings.

    Raises:
        ValueError: it is none of the kinds, or lacks a part.
        FileNotFoundError: there is nothing.
    """
    if not path.exists():
        raise FileNotFoundError(f"no embeddings at {path}")
    if path.is_dir():
        return _of_run(path)
    if path.suffix == ".npy":
        return _checked(Source(_array(np.load(path, mmap_mode="r")), None, None, path.name), path)
    if path.suffix == ".npz":
        with np.load(path) as file:
            if "embeddings" not in file:
                raise ValueError(
                    f"{path} must hold an array `embeddings` (N, D), and may hold `labels` (N,). "
                    f"It holds: {', '.join(file)}."
                )
            source = Source(file["embeddings"], file.get("labels"), None, path.name)
            return _checked(source, path)
    if path.suffix in (".hdf5", ".h5"):
        return _of_ann_benchmarks(path)
    raise ValueError(
        f"embeddings are a .npy, a .npz, an ann-benchmarks .hdf5 or the folder of a run. "
        f"Received: {path}."
    )


def _array(loaded) -> np.ndarray:
    if not isinstance(loaded, np.ndarray):
        raise ValueError("expected one array in a .npy file")
    return loaded


def _of_ann_benchmarks(path: Path) -> Source:
    import h5py

    with h5py.File(path, "r") as file:
        distance = file.attrs.get("distance", "angular")
        if distance != "angular":
            raise ValueError(
                f"{path} is made for the distance {distance!r}; embeddings are compared by angle: "
                "take one of the -angular files"
            )
        if missing := {"train", "test"} - set(file):
            raise ValueError(f"{path} lacks {', '.join(sorted(missing))} of ann-benchmarks' files")
        return _checked(Source(file["train"][:], None, file["test"][:], path.name), path)


def _of_run(folder: Path) -> Source:
    """Index and test embeddings of a run, and the landmarks of the former."""
    rows, queries = (folder / "embeddings" / f"{split}.npy" for split in ("index", "test"))
    if not rows.is_file():
        raise ValueError(f"{folder} is no finished run: it lacks embeddings/index.npy")
    table = folder / "records" / "metadata" / "index_image_to_landmark.csv"
    labels = None
    if table.is_file():
        with table.open(newline="", encoding="utf-8") as stream:
            landmarks = {row["id"]: int(row["landmark_id"]) for row in csv.DictReader(stream)}
        labels = np.array([landmarks[name] for name in np.load(rows.with_suffix(".ids.npy"))])
    found = np.load(queries, mmap_mode="r") if queries.is_file() else None
    return _checked(Source(np.load(rows, mmap_mode="r"), labels, found, folder.name), folder)


def _checked(source: Source, path: Path) -> Source:
    rows, queries = source.rows, source.queries
    if rows.ndim != 2 or rows.dtype.kind not in "fiu" or not rows.size:
        raise ValueError(
            f"{path}: expected embeddings (N, D). Received: {rows.shape} {rows.dtype}."
        )
    if source.labels is not None and source.labels.shape != (len(rows),):
        raise ValueError(
            f"{path}: expected a label for each of {len(rows)} rows. Received: "
            f"{source.labels.shape}."
        )
    if queries is not None and (queries.ndim != 2 or queries.shape[1] != rows.shape[1]):
        raise ValueError(f"{path}: queries {queries.shape} do not fit an index of {rows.shape}.")
    return source


def prepare_given(source: Source, folder: Path, *, queries: int, seed: int) -> dict:
    """Writes index and queries of embeddings as they are: rows held out at random, unless the
    source has queries of its own.

    Returns:
        The data's description (see `experiments.benchmarks.retrieval`).

    Raises:
        ValueError: rows with NaN or of no length, or no rows left for the index.
    """
    random = np.random.default_rng(seed)
    if source.queries is not None:
        held_out, kept = source.queries, np.arange(len(source.rows))
        if len(held_out) > queries:
            held_out = held_out[np.sort(random.choice(len(held_out), queries, replace=False))]
    else:
        count = min(queries, len(source.rows) // 10)
        if not count:
            raise ValueError(
                f"{source.name} has {len(source.rows)} rows: at least 10, of which one becomes "
                "the query"
            )
        chosen = np.sort(random.choice(len(source.rows), count, replace=False))
        held_out, kept = source.rows[chosen], np.delete(np.arange(len(source.rows)), chosen)

    def chunks() -> Iterator[np.ndarray]:
        for start in range(0, len(kept), _CHUNK):
            yield _unit(source.rows[kept[start : start + _CHUNK]], source.name)

    return _write(
        folder, chunks(), len(kept), _unit(held_out, source.name), kind="given", name=source.name
    )


def prepare_drawn(spectrum: Spectrum, folder: Path, *, rows: int, queries: int, seed: int) -> dict:
    """Writes an index of drawn rows and queries drawn beside them; returns as `prepare_given`."""
    drawn = Drawn(spectrum, class_sizes(rows), seed)
    found, _ = drawn.queries(queries)
    name = (
        f"drawn from {spectrum.source}; {len(np.unique(drawn.labels)):,} classes, sizes as in "
        "GLDv2's index"
    )
    return _write(folder, drawn.chunks(), rows, found, kind="drawn", name=name)


def _unit(rows: np.ndarray, name: str) -> np.ndarray:
    rows = np.asarray(rows, np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    bad = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if bad.size:
        raise ValueError(f"{name}: a row has length {lengths[bad[0], 0]}; it cannot be compared")
    return rows / lengths


def _write(
    folder: Path, chunks: Iterator[np.ndarray], count: int, queries: np.ndarray, **described
) -> dict:
    from tqdm import tqdm

    folder.mkdir(parents=True, exist_ok=True)
    dim = queries.shape[1]
    header = {"descr": "<f4", "fortran_order": False, "shape": (count, dim)}
    partial = folder / f"{INDEX}.partial"
    with (
        partial.open("wb") as file,
        tqdm(total=count, desc="vectors", unit=" rows", unit_scale=True, leave=False) as bar,
    ):
        np.lib.format.write_array_header_2_0(file, header)
        for rows in chunks:
            file.write(np.ascontiguousarray(rows, "<f4").data)
            bar.update(len(rows))
    np.save(folder / QUERIES, queries.astype(np.float32))
    partial.replace(folder / INDEX)
    data = described | {"rows": count, "dim": dim, "queries": len(queries)}
    write_json(folder / MARK, data)
    return data


def prepared(folder: Path) -> dict | None:
    """The description of vectors that are there, whole; None otherwise."""
    if not (folder / MARK).is_file():
        return None
    data = read_json(folder / MARK)
    return data if (folder / INDEX).is_file() and (folder / QUERIES).is_file() else None
