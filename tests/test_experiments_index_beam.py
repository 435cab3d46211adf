"""`index search --runner DirectRunner` against `index search`: the same bytes, also after SIGKILL.

Beam has an environment of its own (`make peers`), without ScaNN.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from experiments import index, whitening
from landmarks_tf.retrieval import sharded_index
from landmarks_tf.retrieval.embed import embed_shards, plan_shards
from landmarks_tf.retrieval.sharded_index import ShardedIndex
from tests.conftest import ROOT
from tests.tiny_index import clustered, names, quiet, saved

PYTHON = Path(os.environ.get("LANDMARKS_BEAM_PYTHON", ROOT / ".venv-beam" / "bin" / "python"))
pytestmark = pytest.mark.skipif(
    not PYTHON.is_file(), reason="Apache Beam's environment is not here: `make peers` builds it"
)

# Each picture twice: ties across parts.
ROWS = np.concatenate([clustered(60, 8)] * 2 + [clustered(17, 8, seed=1)])
NUM_QUERIES = 4_100  # two blocks, three where they lie in two shards
QUERIES = clustered(NUM_QUERIES, 8, seed=2)
ON_BEAM = ("--runner", "DirectRunner")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with an exact index `parts` of four parts, and queries.npy without ids."""
    monkeypatch.chdir(tmp_path)
    options = {"parts": 4, "kind": "exact", "fingerprint": "m", "report": quiet}
    ShardedIndex.build(ROWS, names(len(ROWS)), "parts", **options)
    np.save("queries.npy", QUERIES)
    return tmp_path


def search(out, *words, queries="queries.npy", parts="parts", k=50):
    files = ("--index", parts, "--queries", queries, "--out", out)
    return ["search", *map(str, files), "--k", str(k), *map(str, words)]


def run(*words, **environment) -> subprocess.CompletedProcess:
    return subprocess.run(
        [PYTHON, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def on_beam(*searches, before="") -> subprocess.CompletedProcess:
    """Several searches in one process, which starts slowly; it ends with the worst of their codes.

    Args:
        before: lines of Python that go before them.
    """
    program = (
        f"import sys; from experiments import index, index_beam\n{before}\n"
        "sys.exit(max([index.main(words.split('|')) for words in sys.argv[1:]]))"
    )
    return run("-c", program, *("|".join([*words, *ON_BEAM]) for words in searches))


def write_shards(path):
    """QUERIES in two shards of float16, of which neither is a whole number of blocks."""
    ids = [f"query{number}" for number in range(NUM_QUERIES)]
    shards = plan_shards(path, NUM_QUERIES, 2, rows_per_batch=10)
    embed_shards(
        lambda batch: batch,
        lambda first, end: [QUERIES[first:end]],
        shards=shards,
        ids=ids,
        dim=8,
        path=path,
        fingerprint="q",
        dtype="float16",
        progress=False,
    )


def test_the_direct_runner_writes_the_same_bytes(folder):
    write_shards(folder / "test.npy")
    (folder / "few.txt").write_text("\n".join(names(7)))
    np.save("l.npy", 3 * QUERIES[:7])
    np.save("rows.npy", ROWS)
    words = ("--embeddings", "rows.npy", "--out")
    assert whitening.main([*words, "w.npz", "--dim", "5"]) == 0
    options = ("--exact", "--parts", "2", "--whitening", "w.npz", "--fingerprint", "m")
    assert index.main(["build", *words, "white", *options]) == 0
    cases = (
        ((), {"queries": "test.npy"}),
        (
            ("--normalize", "--ids", "few.txt", "--fingerprint", "m", "--whitening", "w.npz"),
            {"queries": "l.npy", "parts": "white", "k": 500},
        ),
    )
    done = on_beam(
        *(search(f"beam{n}.csv", *words, **case) for n, (words, case) in enumerate(cases))
    )
    assert done.returncode == 0, done.stderr
    for number, (words, case) in enumerate(cases):
        assert index.main(search(f"here{number}.csv", *words, **case)) == 0
        ours, theirs = (folder / f"{name}{number}.csv" for name in ("beam", "here"))
        assert ours.read_bytes() == theirs.read_bytes()
    assert "the index has 137 rows, so 137 neighbours are given" in done.stderr
    assert "beam1.csv: 7 queries, 137 neighbours each" in done.stdout
    assert not list(folder.glob(".*"))


def test_killed_while_it_writes_it_goes_on_and_takes_nothing_half_for_whole(folder):
    words = search("beam.csv")
    unfinished = folder / ".beam.csv.parts"

    # Its note of what is searched is the first; then a block, then half of another.
    killed = run("-m", "tests.killed_at_sync", *words, *ON_BEAM, KILLED_AT_SYNC="3")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (folder / "beam.csv").exists()
    assert len(list(unfinished.glob("tmp*"))) == 1
    (answer,) = unfinished.glob("rows-*.npy")
    # As no search would have it, to see where it is taken from.
    np.save(answer, np.zeros_like(np.load(answer)))
    # What another search has left is thrown away.
    shutil.copytree(unfinished, folder / ".other.csv.parts")
    done = on_beam(words, search("other.csv", k=49))
    assert done.returncode == 0, done.stderr
    for out, k in (("here.csv", 50), ("here49.csv", 49)):
        assert index.main(search(out, k=k)) == 0
    assert (folder / "other.csv").read_bytes() == (folder / "here49.csv").read_bytes()
    expected = (folder / "here.csv").read_text().splitlines()[1:]
    found = (folder / "beam.csv").read_text().splitlines()[1:]
    first = int(answer.stem.removeprefix("rows-"))
    kept = slice(first, first + 4_096)
    zeros = " ".join(["image00000"] * 50)
    assert [line.split(",")[1] for line in found[kept]] == [zeros] * len(found[kept])
    found[kept] = expected[kept]
    assert found == expected
    assert not list(folder.glob(".*"))


def test_parts_of_scann_are_searched_exactly_where_it_is_not(folder, monkeypatch):
    # In this process: a child for each part takes its time.
    build = lambda path, rows, ids, *_: saved(path, rows, ids)  # noqa: E731
    monkeypatch.setattr(sharded_index, "_build_part", build)
    options = {"parts": 2, "k": 5, "report": quiet}
    ShardedIndex.build(ROWS, names(len(ROWS)), "scann", **options)
    done = on_beam(search("beam.csv", parts="scann"))
    assert done.returncode == 0, done.stderr
    said = "2 parts were searched exactly, with the same results or better, slower"
    assert [said in line for line in done.stderr.splitlines() if "ScaNN" in line] == [True]
    assert index.main(search("here.csv")) == 0
    assert (folder / "beam.csv").read_bytes() == (folder / "here.csv").read_bytes()


def test_mistakes_are_told_before_any_worker_starts(folder):
    bad = QUERIES[:9].copy()
    bad[8, 3] = np.nan
    np.save("bad.npy", bad)
    (folder / "few.txt").write_text("a\nb\n")
    index.main(["build", "--exact", "--embeddings", "queries.npy", "--out", "one"])
    whitening.main(["--embeddings", "queries.npy", "--out", "w.npz"])
    cases = {
        "one exact index, and Beam spreads parts": search("x.csv", parts="one"),
        "another model's embeddings": search("x.csv", "--fingerprint", "b"),
        "queries: row 8": search("x.csv", queries="bad.npy"),
        "these rows come with whitening": search("x.csv", "--whitening", "w.npz"),
        "2 ids for 4100 queries": search("x.csv", "--ids", "few.txt"),
        "no index at none": search("x.csv", parts="none"),
    }
    forbidden = "def forbidden(*_, **__): raise AssertionError\nindex_beam.run_pipeline = forbidden"
    done = on_beam(*cases.values(), before=forbidden)
    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    for message, line in zip(cases, told, strict=True):
        assert message in line
    assert not list(folder.glob("*x.csv*"))


def test_a_pipeline_that_fails_keeps_what_there_is(folder):
    vectors = folder / "parts" / "part-00002" / "vectors.npy"
    data = bytearray(vectors.read_bytes())
    data[-1] ^= 1
    vectors.write_bytes(data)
    done = on_beam(search("beam.csv"))
    assert done.returncode == 1
    assert "error: the Beam pipeline failed: " in done.stderr
    assert "vectors.npy was changed since it was built: build the index again" in done.stderr
    assert "the same command continues" in done.stderr
    assert not (folder / "beam.csv").exists()
