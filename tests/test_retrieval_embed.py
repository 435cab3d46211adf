"""Embedding a split: order, resuming, and what never becomes a file."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from landmarks_tf.retrieval.embed import embed_dataset, embed_shards, plan_shards
from landmarks_tf.retrieval.embedding_files import PartialFile, load_embeddings
from landmarks_tf.retrieval.files import ids_digest
from landmarks_tf.retrieval.vectors import EmbeddingError
from tests.conftest import ROOT

DIM, BATCH = 6, 4


def expected_rows(images):
    """A stand-in for a network that is easy to follow: flatten the picture, normalise."""
    rows = np.asarray(images, np.float64).reshape(len(images), -1)[:, :DIM] + 1.0
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class Pictures:
    """Eleven pictures in batches of four, with a record of where reading began."""

    def __init__(self, count=11):
        self.images = np.random.default_rng(0).integers(0, 255, (count, 2, 2, 3), np.uint8)
        self.ids = [f"{number * 7919:016x}" for number in range(count)]
        self.asked_for = []

    def batches_from(self, first_row):
        self.asked_for.append(first_row)
        assert first_row % BATCH == 0 or first_row == len(self.ids)
        for start in range(first_row, len(self.ids), BATCH):
            images = self.images[start : start + BATCH]
            yield images, np.zeros(len(images), np.int32)


def run(pictures, path, predict=expected_rows, fingerprint="model-a", **options):
    options = {"ids": pictures.ids, "dim": DIM, "progress": False, **options}
    return embed_dataset(
        predict, pictures.batches_from, path=path, fingerprint=fingerprint, **options
    )


def test_rows_ids_and_mark(tmp_path, capsys):
    pictures, path = Pictures(), tmp_path / "made" / "index.npy"
    result = run(pictures, path, progress=True)
    np.testing.assert_array_equal(result.vectors, expected_rows(pictures.images))
    assert result.vectors.dtype == np.float32
    assert result.ids.tolist() == pictures.ids
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "index.ids.npy",
        "index.json",
        "index.npy",
    ]
    # The file is a plain .npy to anyone else.
    np.testing.assert_array_equal(np.load(path), result.vectors)
    shown = capsys.readouterr().err
    assert "embed index" in shown
    assert "images/s" in shown


def test_a_finished_file_is_not_made_again(tmp_path):
    pictures = Pictures()
    run(pictures, tmp_path / "x.npy")
    run(pictures, tmp_path / "x.npy", predict=None)
    assert pictures.asked_for == [0]


@pytest.mark.parametrize("failing_batch", [0, 1, 2])
def test_a_killed_run_goes_on_where_it_stopped(tmp_path, failing_batch):
    pictures, path = Pictures(), tmp_path / "x.npy"
    calls = []

    def dies(images):
        calls.append(len(images))
        if len(calls) > failing_batch:
            raise KeyboardInterrupt
        return expected_rows(images)

    with pytest.raises(KeyboardInterrupt):
        run(pictures, path, predict=dies)
    assert not path.exists()
    with pytest.raises(FileNotFoundError, match="never finished"):
        load_embeddings(path)
    result = run(pictures, path)
    assert pictures.asked_for == [0, BATCH * failing_batch]
    np.testing.assert_array_equal(result.vectors, expected_rows(pictures.images))


def test_a_note_behind_the_data_loses_only_the_rows_after_it(tmp_path, monkeypatch):
    """SIGKILL leaves rows that no note vouches for: they are made again."""
    pictures, path = Pictures(), tmp_path / "x.npy"
    partial = PartialFile(
        path,
        {
            "format_version": 1,
            "num_rows": 11,
            "dim": DIM,
            "dtype": "float32",
            "ids_sha256": ids_digest(np.array(pictures.ids)),
            "fingerprint": "model-a",
        },
    )
    with partial:
        partial.append(expected_rows(pictures.images[:BATCH]))
        partial.save_note()
        partial.append(np.full((3, DIM), 9.0, np.float32))  # half of a batch
        monkeypatch.setattr(partial, "save_note", lambda: None)
    result = run(pictures, path)
    assert pictures.asked_for == [BATCH]
    np.testing.assert_array_equal(result.vectors, expected_rows(pictures.images))


def interrupted(pictures, path, **options):
    def dies(images):
        if (np.asarray(images) == pictures.images[2 * BATCH]).all(axis=(1, 2, 3)).any():
            raise RuntimeError("power cut")
        return expected_rows(images)

    with pytest.raises(RuntimeError, match="power cut"):
        run(pictures, path, predict=dies, **options)
    pictures.asked_for.clear()


def test_rows_of_another_model_or_other_ids_are_never_continued(tmp_path):
    pictures, path = Pictures(), tmp_path / "x.npy"
    interrupted(pictures, path)
    run(pictures, path, fingerprint="model-b")
    assert pictures.asked_for == [0]
    interrupted(pictures, tmp_path / "y.npy")
    run(pictures, tmp_path / "y.npy", ids=pictures.ids[::-1])
    assert pictures.asked_for == [0]


def test_a_data_file_shorter_than_its_note_is_begun_again(tmp_path):
    pictures, path = Pictures(), tmp_path / "x.npy"
    interrupted(pictures, path)
    data = tmp_path / "x.npy.partial"
    data.write_bytes(data.read_bytes()[:-1])
    result = run(pictures, path)
    assert pictures.asked_for == [0]
    np.testing.assert_array_equal(result.vectors, expected_rows(pictures.images))


def test_another_model_replaces_a_finished_file(tmp_path):
    pictures, path = Pictures(), tmp_path / "x.npy"
    run(pictures, path)
    with pytest.raises(ValueError, match="made by another model: expected fingerprint 'model-b'"):
        load_embeddings(path, fingerprint="model-b")
    result = run(pictures, path, predict=lambda x: -expected_rows(x), fingerprint="model-b")
    np.testing.assert_array_equal(result.vectors, -expected_rows(pictures.images))
    assert load_embeddings(path, fingerprint="model-b").fingerprint == "model-b"


def test_a_nan_row_is_named_and_nothing_is_finished(tmp_path):
    pictures = Pictures()

    def breaks(images):
        rows = expected_rows(images)
        if len(images) == 3:
            rows[1] = np.nan
        return rows

    with pytest.raises(EmbeddingError, match=f"row 9 holds NaN.*from {pictures.ids[8]} on"):
        run(pictures, tmp_path / "x.npy", predict=breaks)
    assert not (tmp_path / "x.npy").exists()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"predict": lambda x: 2 * expected_rows(x)}, EmbeddingError, "row 0 has length 2, expec"),
        ({"dim": 7}, EmbeddingError, r"made \(4, 6\) of a batch of 4 images, expected \(4, 7\)"),
        ({"ids": ["a", "b"]}, ValueError, r"more images than there are ids \(2\)"),
        ({"ids": list("abcdefghijkl")}, ValueError, "hold 11 images, expected 12"),
        ({"ids": ["a"] * 11}, ValueError, "id a is given to more than one row"),
        ({"ids": []}, ValueError, "no images to embed"),
    ],
)
def test_refusals(tmp_path, change, error, message):
    with pytest.raises(error, match=message):
        run(Pictures(), tmp_path / "x.npy", **change)
    assert not (tmp_path / "x.npy").exists()


def test_refuses_another_suffix(tmp_path):
    with pytest.raises(ValueError, match=r"kept in a \.npy file"):
        run(Pictures(), tmp_path / "x.csv")


def test_parts_that_do_not_belong_together_are_refused(tmp_path):
    path = tmp_path / "x.npy"
    run(Pictures(), path)
    ids = np.load(tmp_path / "x.ids.npy")
    np.save(tmp_path / "x.ids.npy", ids[::-1])
    with pytest.raises(ValueError, match=r"x\.ids\.npy does not belong to"):
        load_embeddings(path)
    np.save(tmp_path / "x.ids.npy", ids)
    np.save(path, np.load(path)[:-1])
    with pytest.raises(ValueError, match=r"holds \(10, 6\) float32, x\.json speaks of \(11, 6\)"):
        load_embeddings(path)
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(ValueError, match="not readable as JSON"):
        load_embeddings(path)


@pytest.fixture
def files_limited_to():
    """Lets no file grow past a size: the system then refuses writes as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_an_error_and_the_next_run_goes_on(tmp_path, files_limited_to):
    pictures, path = Pictures(2000), tmp_path / "x.npy"
    files_limited_to(10_000)
    with pytest.raises(OSError, match="File too large"):
        run(pictures, path)
    files_limited_to(resource.RLIM_INFINITY)
    assert not path.exists()
    result = run(pictures, path)
    assert 0 < pictures.asked_for[1] <= 10_000 // (4 * DIM)
    np.testing.assert_array_equal(result.vectors, expected_rows(pictures.images))


SLOW_RUN = """
import sys, time
import numpy as np
from landmarks_tf.retrieval import embedding_files
from landmarks_tf.retrieval.embed import embed_shards, plan_shards

embedding_files._SECONDS_BETWEEN_NOTES = 0.0
rows = np.eye(40, dtype=np.float32)

def slow(first, end):
    for start in range(first, end, 4):
        time.sleep(1.0 if start > 20 else 0.0)
        yield rows[start : min(start + 4, end)]

path = sys.argv[1]
embed_shards(
    lambda part: part, slow, shards=plan_shards(path, 40, 2, rows_per_batch=4),
    ids=[f"{row:016x}" for row in range(40)], dim=40, path=path, fingerprint="a", progress=False,
)
"""


def test_a_process_killed_by_sigkill_loses_nothing_that_was_noted(tmp_path):
    path, rows = tmp_path / "x.npy", np.eye(40, dtype=np.float32)
    child = subprocess.Popen([sys.executable, "-c", SLOW_RUN, str(path)], cwd=ROOT)
    note = tmp_path / "x-00001-of-00002.npy.partial.json"
    deadline = time.monotonic() + 60
    while not note.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert note.exists()
    with pytest.raises(FileNotFoundError, match="never finished"):
        load_embeddings(path)
    asked = []

    def between(first, end):
        asked.append((first, end))
        for start in range(first, end, 4):
            yield rows[start : min(start + 4, end)]

    embed_shards(
        lambda part: part,
        between,
        shards=plan_shards(path, 40, 2, rows_per_batch=4),
        ids=[f"{row:016x}" for row in range(40)],
        dim=40,
        path=path,
        fingerprint="a",
        progress=False,
    )
    ((first, end),) = asked  # the first shard was finished, the second begun
    assert end == 40
    assert first > 20
    np.testing.assert_array_equal(load_embeddings(path).vectors, rows)
