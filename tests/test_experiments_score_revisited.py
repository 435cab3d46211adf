"""`score revisited` on rankings, as a user meets it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from experiments import score

TRUTH = {
    "imlist": ["a", "b", "c", "d"],
    "qimlist": ["x"],
    "gnd": [{"bbx": [0, 0, 5, 5], "easy": [0], "hard": [2], "junk": [1]}],
}


@pytest.fixture
def files(tmp_path):
    (tmp_path / "gnd.json").write_text(json.dumps(TRUTH))
    np.save(tmp_path / "ranks.npy", [[1, 2, 3, 0]])
    return ["--truth", str(tmp_path / "gnd.json"), "--ranks", str(tmp_path / "ranks.npy")]


def test_by_hand(files, capsys, tmp_path):
    path = tmp_path / "metrics.txt"
    assert (
        score.main(["revisited", *files, "--queries", "cropped", "--metrics-txt", str(path)]) == 0
    )
    scores = json.loads(capsys.readouterr().out)
    # Easy: junk and hard out, a second of d a. Medium: junk out, c and a at 1 and 3 of c d a.
    assert scores["easy"]["map"] == pytest.approx((0 + 1 / 2) / 2)
    assert scores["medium"]["map"] == pytest.approx((1 + (1 / 2 + 2 / 3) / 2) / 2)
    assert scores["hard"]["map"] == 1
    assert scores["medium"]["mr@1"] == 1 / 2
    assert path.read_text().splitlines()[1] == "  mAP=25.0"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--queries", "whole"], 1, "the protocol wants each query cropped to its box"),
        ([], 2, "--ranks wants --queries cropped"),
    ],
)
def test_rankings_of_whole_queries_are_not_scored(files, capsys, arguments, code, message):
    assert score.main(["revisited", *files, *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


def test_other_refusals(files, capsys, tmp_path):
    assert score.main(["revisited", *files[:2], "--model", "m"]) == 2
    assert "--model wants --images" in capsys.readouterr().err
    np.save(tmp_path / "ranks.npy", [[1, 2, 3, 4]])
    assert score.main(["revisited", *files, "--queries", "cropped"]) == 1
    assert "expected each of 0..3 once" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        score.main(["revisited", *files, "--model", "m"])
    assert "not allowed with argument --ranks" in capsys.readouterr().err
