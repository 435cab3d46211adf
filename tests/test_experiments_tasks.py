"""Which tasks a data set can answer, and what is refused for want of ground truth."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.config import Evaluation
from experiments.data_source import DataSource, find_data
from experiments.run import STUDIES
from experiments.tasks import Task, check_evaluation_fits, tasks_of
from tests.kaggle_edition import write_edition, write_records, write_solution

PENALTY = Evaluation(recognition="knn", reference_penalty=0.5)


def test_what_has_everything_is_scored(demo_records, demo_raw):
    for source in (find_data(None), find_data(demo_records), find_data(demo_raw)):
        tasks = tasks_of(source)
        assert tasks == {name: Task(name, True, True) for name in ("retrieval", "recognition")}
        assert not any(task.lack or task.note for task in tasks.values())
        for study in (None, *STUDIES):
            check_evaluation_fits(source, PENALTY, study)


@pytest.mark.parametrize("kind", ["raw", "records"])
@pytest.mark.parametrize("task", ["recognition", "retrieval"])
def test_kaggles_editions(tmp_path, task, kind):
    folder = write_edition(tmp_path / "raw", task=task)
    metadata = folder
    if kind == "records":
        folder = write_records(folder, tmp_path / "records")
        metadata = folder / "metadata"
    source = find_data(folder)
    assert source.kind == kind
    has_index = task == "retrieval"
    tasks = tasks_of(source)
    assert tasks["retrieval"] == Task("retrieval", has_index, False)
    assert tasks["retrieval"].lack == ("retrieval_solution_v2.1.csv" if has_index else "index")
    assert tasks["recognition"] == Task("recognition", True, False)
    write_solution(metadata, {})
    assert tasks_of(source)["recognition"].is_scored
    # Ground truth without an index to search scores nothing.
    (metadata / "retrieval_solution_v2.1.csv").touch()
    assert tasks_of(source)["retrieval"].is_scored == has_index


def test_studies_and_penalties_want_ground_truth(tmp_path):
    source = DataSource("raw", write_edition(tmp_path / "raw"), 9)
    for study in ("scalability", "rerank", "visuals"):
        with pytest.raises(ValueError, match=rf"--stage {study} .* scored retrieval.* no index\."):
            check_evaluation_fits(source, Evaluation(), study)
    with pytest.raises(ValueError, match=r"--stage open_set .* no recognition_solution_v2\.1"):
        check_evaluation_fits(source, Evaluation(), "open_set")
    for evaluation in (PENALTY, Evaluation(recognition="knn", query_penalty=1.0)):
        with pytest.raises(ValueError, match=r"known non-landmarks.* has not\. Set both to 0"):
            check_evaluation_fits(source, evaluation)
        check_evaluation_fits(source, replace(evaluation, recognition="softmax"))
    for stage in (None, "evaluate", "report"):
        check_evaluation_fits(source, Evaluation(), stage)
    write_solution(source.folder, {})
    check_evaluation_fits(source, PENALTY, "open_set")
