"""The benchmark of embedding: its bounds by hand, its table, a run of it, how it ends."""

from __future__ import annotations

import json

import pytest

from experiments.benchmarks import embedding
from tests.small_embedder import NUM_PICTURES, write_records

SECONDS = {
    "pipeline": {"wall": [1.0, 4.0], "processor": [1.5, 1.0]},
    "network": {"wall": [3.0, 2.0], "processor": [2.5, 1.0]},
    "embed": {"wall": [6.0, 6.0], "processor": [5.0, 2.2]},
}


@pytest.mark.parametrize(
    ("cores", "wall"),
    [
        (2, (1.5, 2.0)),  # bounds: max(1, 3, 4 / 2) = 3 and max(4, 2, 2 / 2) = 4
        (1, (1.5, 1.5)),  # the work of 4 s of a single core is more than either part's 3 s
    ],
)
def test_the_bounds(cores, wall):
    found = embedding.ratios(SECONDS, cores)
    low, high = sorted(wall)
    assert found["wall"]["median"] == (low + high) / 2
    assert found["wall"]["low"] == pytest.approx(low + (high - low) / 4)
    # 5 / (1.5 + 2.5) and 2.2 / (1 + 1), whatever the cores.
    assert found["processor"]["median"] == pytest.approx((1.25 + 1.1) / 2)


def test_table():
    report = {
        "setting": {
            "pictures": 600, "backbone": "b", "image_size": 32, "batch_size": 8, "dim": 1280,
            "repeats": 2,
        },
        "environment": {"device": {"name": "C"}, "cores": 2, "load": 0.25},
        "seconds": SECONDS,
        "ratio": embedding.ratios(SECONDS, 2),
    }  # fmt: skip
    heading, _, *table, _, verdict = embedding.markdown(report).splitlines()
    assert heading == (
        "600 pictures, b at 32 px (1,280 numbers a row), batch 8, C, 2 cores, load 0.2 at the "
        "start, medians of 2 rounds"
    )
    # 600 pictures in 2.5 s with 1.25 s of work, in 2.5 s with 1.75 s, in 6 s with 3.6 s.
    assert [line.split("|")[2:4] for line in table[2:]] == [
        [" 240 ", " 2.08 "], [" 240 ", " 2.92 "], [" 100 ", " 6.00 "],
    ]  # fmt: skip
    assert "takes 1.18 (1.14-1.21) times the processor time" in verdict
    assert "1.75 (1.62-1.88) times the clock time" in verdict


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_whole_run(tmp_path, capsys):
    records = write_records(tmp_path)
    words = ["--records", str(records), "--image-size", "32", "--batch", "16", "--repeats", "2"]
    assert embedding.main([*words, "--out", str(tmp_path / "out")]) == 0
    report = json.loads((tmp_path / "out" / "embedding.json").read_text())
    assert report["setting"]["pictures"] == NUM_PICTURES
    for subject in embedding.SUBJECTS:
        for clock in ("wall", "processor"):
            assert [value > 0 for value in report["seconds"][subject][clock]] == [True, True]
    # Embedding is both parts each time, and not what the first time has left on the disk.
    assert report["ratio"]["processor"]["median"] > 0.5
    assert capsys.readouterr().out == (tmp_path / "out" / "embedding.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--repeats", "0"], 2, "--repeats must be at least 1. Received: 0."),
        (["--landmarks", "1"], 2, "--landmarks must be at least 2. Received: 1."),
        (["--records", "none", "--backbone", "nope"], 1, "There is no backbone 'nope'"),
    ],
)
def test_mistakes_are_told(arguments, code, message, capsys):
    assert embedding.main(arguments) == code
    assert message in capsys.readouterr().err
