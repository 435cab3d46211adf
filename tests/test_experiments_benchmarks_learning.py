"""The comparison of losses: its intervals, and the command on a tiny training."""

from __future__ import annotations

import json

import numpy as np
import pytest

from experiments.benchmarks import learning, learning_report


def test_interval_of_queries_is_that_of_their_mean():
    # One seed: the mean of Q independent numbers varies by their deviation over sqrt(Q).
    precisions = np.random.default_rng(3).beta(2, 3, size=(1, 400))
    found = learning_report.interval(precisions, draws=4000)
    half = 1.96 * precisions.std() / np.sqrt(400)
    assert found["mean"] == pytest.approx(precisions.mean())
    assert found["low"] == pytest.approx(precisions.mean() - half, abs=0.1 * half)
    assert found["high"] == pytest.approx(precisions.mean() + half, abs=0.1 * half)
    assert found["queries"] == 400


def test_interval_takes_in_the_seeds():
    # Every query alike: what is left is which of three seeds were drawn, all the lowest at least.
    precisions = np.repeat([[0.2], [0.5], [0.8]], 50, axis=1)
    found = learning_report.interval(precisions, draws=4000)
    assert (found["low"], found["high"]) == pytest.approx((0.2, 0.8))
    assert found["mean"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--recipes", "mobilenet_v3"], 2, "mobilenet_v3"),
        (["--seeds", "0,one"], 1, "--seeds takes whole numbers"),
        (["--set", "train.step=3"], 2, "Nearest: train.steps"),
    ],
)
def test_mistakes_are_told_before_any_work(arguments, code, message, tmp_path, capsys):
    given = ["--data", str(tmp_path), "--out", str(tmp_path / "out"), *arguments]
    assert learning.main(given) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_command(demo_raw, tmp_path, capsys):
    def run(*more):
        settings = ["model.weights=none", "data.image_size=32", "train.steps=3"]
        settings += ["train.warmup_steps=1", "train.log_every=1", "train.validate_every=0", *more]
        arguments = ["--data", str(demo_raw), "--out", str(tmp_path)]
        arguments += ["--recipes", "mobilenet_v2_triplet", "--seeds", "4"]
        arguments += [word for setting in settings for word in ("--set", setting)]
        return learning.main(arguments), capsys.readouterr().err

    code, errors = run()
    assert code == 0, errors
    report = json.loads((tmp_path / "learning.json").read_text())
    (entry,) = report["recipes"]
    run_metrics = json.loads((tmp_path / "mobilenet_v2_triplet-seed4" / "metrics.json").read_text())
    for part in ("public", "private"):
        expected = run_metrics["trained"]["retrieval"][part]["map@100"]
        assert entry[part]["mean"] == pytest.approx(expected, abs=1e-12)
        assert entry["runs"] == [
            {"seed": 4} | {p: pytest.approx(entry[p]["mean"]) for p in ("public", "private")}
        ]
    assert [step for step, _ in entry["curves"]["4"]] == [1, 2, 3]
    assert "mobilenet_v2_triplet" in (tmp_path / "learning.md").read_text()
    assert str(demo_raw.parent) not in (tmp_path / "learning.json").read_text()
    assert (tmp_path / "learning.png").stat().st_size > 10_000
    assert "done before" in run()[1]
    code, errors = run("data.image_size=40")
    assert code == 1
    assert "data.image_size: 32 -> 40. Name another --out" in errors
