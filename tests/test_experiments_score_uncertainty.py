"""`score ... --intervals` and `--against`, as a user meets them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from experiments import score

QUERIES = [f"{number:016x}" for number in range(60)]
SETTINGS = {"level": 0.95, "resamples": 500, "seed": 0}


def write(path, header, rows):
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n")
    return str(path)


def run(capsys, *arguments):
    code = score.main([*map(str, arguments), "--resamples", "500"])
    out, err = capsys.readouterr()
    assert code == 0, err
    return json.loads(out)


@pytest.fixture
def retrieval(tmp_path):
    """60 queries of one image each; run A finds every third, run B every second."""
    solution = [(q, f"x{n}", "Public" if n < 20 else "Private") for n, q in enumerate(QUERIES)]
    runs = [
        [(q, f"x{n}" if n % step == 0 else "no") for n, q in enumerate(QUERIES)] for step in (3, 2)
    ]
    return [
        write(tmp_path / "s.csv", "id,images,Usage", solution),
        *(
            write(tmp_path / f"{n}.csv", "id,images", rows)
            for n, rows in zip("ab", runs, strict=True)
        ),
    ]


def test_retrieval(retrieval, capsys):
    solution, a, b = retrieval
    files = ("retrieval", "--predictions", a, "--solution", solution)
    plain = run(capsys, *files)
    scores = run(capsys, *files, "--intervals", "--more")
    private = scores["private"]
    told = private.pop("uncertainty")
    assert told.items() >= SETTINGS.items()
    low, high = told["map@100"]["interval"]
    # 13 of 40 found: 1.96 standard errors of a share are 0.145.
    assert (low, high) == pytest.approx((13 / 40 - 0.145, 13 / 40 + 0.145), abs=0.03)
    assert private["recall@1"] == private["r_precision"] == private["map@100"]
    assert {k: private[k] for k in plain["private"]} == plain["private"]
    compared = run(capsys, *files, "--against", b)["public"]["uncertainty"]["map@100"]
    assert compared["theirs"] == 10 / 20
    assert compared["difference"] == pytest.approx(7 / 20 - 10 / 20)
    assert compared["difference_interval"][0] < -3 / 20 < compared["difference_interval"][1]
    # 3 queries for, 6 against: by coins at least as uneven in 2 * (1 + 9 + 36 + 84) of 512.
    assert compared["p_value"] == pytest.approx(260 / 512, abs=0.07)


def test_recognition(tmp_path, capsys):
    rng = np.random.default_rng(0)
    truth = [(q, "5" if n % 3 else "", "Private") for n, q in enumerate(QUERIES)]
    runs = [
        [(q, f"{5 if rng.random() < share else 6} {rng.random():.3f}") for q in QUERIES]
        for share in (0.9, 0.3)
    ]
    solution = write(tmp_path / "s.csv", "id,landmarks,Usage", truth)
    a = write(tmp_path / "a.csv", "id,landmarks", runs[0])
    b = write(tmp_path / "b.csv", "id,landmarks", runs[1])
    files = ("recognition", "--predictions", a, "--solution", solution, "--against", b)
    scores = run(capsys, *files)
    assert scores["public"]["uncertainty"] == {
        "gap": None, "gap_ignoring_non_landmarks": None, **SETTINGS
    }  # fmt: skip
    for name in ("gap", "gap_ignoring_non_landmarks"):
        told = scores["private"]["uncertainty"][name]
        ours = scores["private"][name]
        assert told["interval"][0] < ours < told["interval"][1]
        assert told["difference"] == pytest.approx(ours - told["theirs"])
        assert told["difference_interval"][0] > 0
        assert told["p_value"] < 0.01


@pytest.mark.parametrize("level", ["0", "1", "95", "much"])
def test_a_level_is_a_fraction(level, capsys):
    with pytest.raises(SystemExit):
        score.main(["retrieval", "--predictions", "p", "--solution", "s", "--level", level])
    assert f"expected a number between 0 and 1, received '{level}'" in capsys.readouterr().err
