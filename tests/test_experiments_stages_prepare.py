"""What the first stage tells before hours of training."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from experiments.stages.prepare import _tell_what_is_not_scored
from experiments.tasks import Task


@pytest.mark.parametrize(
    ("has_test", "tasks", "told"),
    [
        (False, {}, "note: there are no test pictures: the network can be trained, not evaluated."),
        (
            True,
            {"retrieval": (False, False), "recognition": (True, False)},
            "note: retrieval is left out, as the data has no index; predictions/recognition.csv is "
            "written but not scored, as the data has no recognition_solution_v2.1.csv.",
        ),
        (True, {"retrieval": (True, True), "recognition": (True, True)}, None),
    ],
)
def test_what_will_not_be_scored_is_told(capsys, has_test, tasks, told):
    context = SimpleNamespace(
        has_split=lambda split: has_test,
        tasks={name: Task(name, *flags) for name, flags in tasks.items()},
    )
    _tell_what_is_not_scored(context)
    assert capsys.readouterr().err == ("" if told is None else f"{told}\n")
