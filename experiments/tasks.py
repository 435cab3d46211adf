"""Which of the two tasks a run can answer, and which of the answers can be scored.

GLDv2 has everything: an index to search, and the ground truth of retrieval and of recognition. Its
Kaggle editions have less: those of recognition no index, all of them no ground truth. What cannot
be answered or scored is left out of metrics.json and said, never shown as zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from experiments.config import Evaluation
from experiments.data_source import DataSource

SOLUTIONS = {
    "retrieval": "retrieval_solution_v2.1.csv",
    "recognition": "recognition_solution_v2.1.csv",
}
# What the studies of an evaluated run ask about.
_STUDIED = {
    "scalability": "retrieval",
    "rerank": "retrieval",
    "visuals": "retrieval",
    "open_set": "recognition",
}


@dataclass(frozen=True)
class Task:
    """Retrieval or recognition, on the data of a run.

    Attributes:
        name: "retrieval" or "recognition".
        is_answered: there is something to search or to tell apart: predictions are written.
        is_scored: there is ground truth, too.
    """

    name: str
    is_answered: bool
    is_scored: bool

    @property
    def solution(self) -> str:
        """Name of the file of its ground truth."""
        return SOLUTIONS[self.name]

    @property
    def lack(self) -> str:
        """What the data has not, for people; "" where the task is scored."""
        if self.is_scored:
            return ""
        return self.solution if self.is_answered else "index"

    @property
    def note(self) -> str:
        """What becomes of the task, for people; "" where it is scored."""
        if self.is_scored:
            return ""
        if not self.is_answered:
            return f"{self.name} is left out, as the data has no index"
        return (
            f"predictions/{self.name}.csv is written but not scored, as the data has no "
            f"{self.solution}"
        )


def tasks_of(source: DataSource) -> dict[str, Task]:
    """Both tasks by name, for data that has train and test pictures."""
    searched = {"retrieval": source.has("index"), "recognition": True}
    return {
        name: Task(name, searched[name], searched[name] and source.has_table(solution))
        for name, solution in SOLUTIONS.items()
    }


def check_evaluation_fits(
    source: DataSource, evaluation: Evaluation, study: str | None = None
) -> None:
    """Tell before the training what would fail after it for want of ground truth.

    Args:
        source: the data.
        evaluation: the recipe's.
        study: a study that is asked for, or None.

    Raises:
        ValueError: the study's task is not scored on this data; or penalties, whose non-landmarks
            the ground truth of recognition names.
    """
    tasks = tasks_of(source)
    task = tasks.get(_STUDIED.get(study, ""))
    if task is not None and not task.is_scored:
        raise ValueError(
            f"--stage {study} is a study of scored {task.name}, and --data {source.folder} has no "
            f"{task.lack}. Leave --stage out for what can be had without."
        )
    penalties = evaluation.reference_penalty or evaluation.query_penalty
    if penalties and evaluation.recognition == "knn" and not tasks["recognition"].is_scored:
        raise ValueError(
            f"evaluation.reference_penalty and evaluation.query_penalty compare with known "
            f"non-landmarks, the public queries without a landmark of "
            f"{SOLUTIONS['recognition']}, which --data {source.folder} has not. Set both to 0."
        )
