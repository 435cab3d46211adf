"""What the first stage tells before hours of training."""

from __future__ import annotations

from types import SimpleNamespace

from experiments.stages.prepare import SOLUTIONS, _tell_missing_truth, missing_truth


def test_ground_truth_that_is_not_there_is_told(tmp_path, capsys):
    context = SimpleNamespace(metadata=tmp_path)
    _tell_missing_truth(context)
    told = capsys.readouterr().err
    assert "no retrieval_solution_v2.1.csv and no recognition_solution_v2.1.csv" in told
    assert "--stage train stops there" in told
    (tmp_path / SOLUTIONS[0]).touch()
    assert missing_truth(tmp_path) == [SOLUTIONS[1]]
    (tmp_path / SOLUTIONS[1]).touch()
    _tell_missing_truth(context)
    assert capsys.readouterr().err == ""
