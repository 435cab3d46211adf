"""Batch queries on Apache Beam: each worker opens one part of an index, the answers are merged.

An element is a part and some blocks of queries. The answers to a block over all parts become the
one that a single index would give, equal scores by rising row, and are written into a folder beside
the result; when all are there the CSV is written here. All machines must see the index, the queries
and that folder under the same names (a shared file system), and need NumPy and this package; where
ScaNN is not installed its parts are searched exactly.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
import numpy as np

from experiments.beam_runner import Runner, progress_bar, run_pipeline
from experiments.index_files import neighbours_of, read_rows, write_rankings
from experiments.query_blocks import Block, digest_of, queries_of, read_blocks
from experiments.whitening import check_whitening, read_whitening, with_whitening
from landmarks_tf.retrieval.files import read_json, read_npy, write_json
from landmarks_tf.retrieval.index_folder import PART, IndexFolderError, kind_of
from landmarks_tf.retrieval.ranking_merge import merge_rankings
from landmarks_tf.retrieval.sharded_folder import read_parts
from landmarks_tf.retrieval.sharded_index import ShardedIndex

_BLOCKS_PER_ELEMENT = 16  # of queries: a part is opened for that many at least, if there are
_KEY = "search.json"
_EXACT = "exact-"  # notes of parts that ScaNN did not search


@dataclass(frozen=True)
class Search:
    """What is searched, and where the answers to blocks are put.

    Attributes:
        index: folder of a sharded index.
        k: neighbours of each query.
        normalize: make queries unit long.
        whitening: file of what is applied to them then, or None.
        folder: gets a file for each block.
    """

    index: Path
    k: int
    normalize: bool
    whitening: Path | None
    folder: Path

    def answer_path(self, place: int) -> Path:
        return self.folder / f"rows-{place:012d}.npy"

    def note_path(self, part: int) -> Path:
        return self.folder / f"{_EXACT}{part:05d}.txt"


def search_on_beam(
    queries: Path,
    index: Path,
    out: Path,
    runner: Runner,
    *,
    k: int,
    ids: Path | None = None,
    normalize: bool = False,
    whitening: Path | None = None,
    fingerprint: str | None = None,
) -> tuple[int, int]:
    """Writes the rankings of queries, as `python -m experiments.index search` does.

    Killed, the same call goes on: the answers to a block of queries are there whole or not at all,
    and those of another search are thrown away.

    Args:
        queries: a file as `read_rows` takes it; shards of embeddings are read one by one.
        index: folder of a sharded index.
        out: the CSV.
        runner: where.
        k: neighbours of each query; all rows where the index has fewer.
        ids: a file of ids of the queries.
        normalize: make queries unit long.
        whitening: file of the whitening that the index was built with.
        fingerprint: what must have made the index's embeddings; None accepts any.

    Returns:
        (queries, neighbours of each).

    Raises:
        OSError: a file that is missing, or the pipeline failed.
        ValueError: an index that is in one part or of another model, or queries that do not fit.
    """
    if (kind := kind_of(index)) != "sharded":
        raise IndexFolderError(
            f"{index} is one {kind} index, and Beam spreads parts: build it with --parts, or "
            "search it without --runner"
        )
    fitted = read_whitening(whitening)
    check_whitening(index, fitted)
    parts = read_parts(index, fingerprint=with_whitening(fingerprint, fitted))
    dim = parts.dim if fitted is None else len(fitted.mean)
    blocks, query_ids = read_blocks(queries, ids, normalize=normalize, dim=dim)
    folder = out.with_name(f".{out.name}.parts").resolve()
    # Absolute: a worker of Beam's starts elsewhere.
    whitening = None if whitening is None else whitening.resolve()
    k = neighbours_of(k, parts.num_rows)
    search = Search(index.resolve(), k, normalize, whitening, folder)
    key = {"index": parts.digest, "queries": digest_of(blocks), "k": k, "unit": normalize}
    _begin(folder, key)
    _run(search, blocks, len(parts.offsets), runner)
    _tell_exact(folder)
    answers = ((block.place, _answer(search, block)) for block in blocks)
    write_rankings(out, query_ids, parts.ids, answers)
    shutil.rmtree(folder)
    return sum(block.count for block in blocks), k


def _run(search: Search, blocks: list[Block], parts: int, runner: Runner) -> None:
    missing = [block for block in blocks if not search.answer_path(block.place).exists()]
    elements = [
        (part, missing[start : start + _BLOCKS_PER_ELEMENT])
        for part in range(parts)
        for start in range(0, len(missing), _BLOCKS_PER_ELEMENT)
    ]

    def build(pipeline: beam.Pipeline) -> None:
        # Without the reshuffle a runner may keep all of them on the worker that made them.
        _ = (
            pipeline
            | "Parts and queries" >> beam.Create(elements)
            | "Spread" >> beam.Reshuffle()
            | "Search" >> beam.ParDo(SearchPart(search))
            | "Merge" >> beam.CombinePerKey(BestOfParts(search.k))
            | "Write" >> beam.ParDo(WriteAnswer(search))
        )

    answers = [search.answer_path(block.place) for block in blocks]
    progress = sys.stderr.isatty()
    with progress_bar(answers, desc="search", unit=" blocks", progress=progress):
        if elements:
            run_pipeline(build, runner, kept="the answers to finished blocks")


class SearchPart(beam.DoFn):
    """(number of a part, blocks of queries) -> (place, ranking in that part) of each block.

    Args:
        search: what it is a part of.
    """

    def __init__(self, search: Search):
        self._search = search
        self._part = self._opened = self._file = self._rows = self._whitening = None

    def setup(self) -> None:
        """Reads the whitening, which is too large to be sent along."""
        self._whitening = read_whitening(self._search.whitening)

    def process(self, element: tuple[int, list[Block]]) -> Iterator:
        part, blocks = element
        index = self._open(part)
        for block in blocks:
            queries = self._read(block)
            yield block.place, index.search(queries, min(self._search.k, len(index)))

    def _open(self, part: int) -> ShardedIndex:
        if part != self._part:
            self._opened = None  # before the next: two may not fit into memory
            said = []
            path = self._search.index
            self._opened = ShardedIndex.load(path, parts=[part], report=said.append)
            self._part = part
            if kind_of(path / f"{PART}{part:05d}") != self._opened.parts[0].kind:
                self._search.note_path(part).write_text(said[0], encoding="utf-8")
        return self._opened

    def _read(self, block: Block) -> np.ndarray:
        if block.file != self._file:
            self._rows = read_rows(block.file).vectors
            self._file = block.file
        how = {"normalize": self._search.normalize, "whitening": self._whitening}
        return queries_of(self._rows, block, **how)


class BestOfParts(beam.CombineFn):
    """Rankings of the same queries in several parts -> that of all these parts.

    Args:
        k: neighbours of each query.
    """

    def __init__(self, k: int):
        self._k = k

    def create_accumulator(self):
        return None

    def add_input(self, best, ranking):
        return self.merge_accumulators([best, ranking])

    def merge_accumulators(self, accumulators):
        rankings = [one for one in accumulators if one is not None]
        return merge_rankings(rankings, self._k) if rankings else None

    def extract_output(self, best):
        return best


class WriteAnswer(beam.DoFn):
    """(place of a block, (scores, rows)) -> the file of its rows.

    Args:
        search: what it is a part of.
    """

    def __init__(self, search: Search):
        self._search = search

    def process(self, element) -> Iterator[str]:
        place, (_, rows) = element
        path = self._search.answer_path(place)
        # A runner may have two workers at it: each writes a file of its own, the later one stays.
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            np.save(file, rows, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(path)
        yield path.name


def _begin(folder: Path, key: dict) -> None:
    if (folder / _KEY).exists() and read_json(folder / _KEY, what="unfinished search") == key:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_json(folder / _KEY, key)


def _answer(search: Search, block: Block) -> np.ndarray:
    path = search.answer_path(block.place)
    rows = read_npy(path, what="answers")
    if rows.shape != (block.count, search.k):
        raise ValueError(
            f"{path} holds {rows.shape} rows, expected {(block.count, search.k)}: delete "
            f"{search.folder} and search again"
        )
    return rows


def _tell_exact(folder: Path) -> None:
    """One line for all parts that were searched exactly for want of ScaNN."""
    if notes := sorted(folder.glob(f"{_EXACT}*")):
        first = notes[0].read_text(encoding="utf-8").split(";")[0]
        print(
            f"{first} (on a worker); {len(notes)} parts were searched exactly, with the same "
            "results or better, slower",
            file=sys.stderr,
        )
