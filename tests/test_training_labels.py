"""Labels that are no class."""

from __future__ import annotations

import numpy as np
import pytest

from landmarks_tf.training.labels import LabelError, check_labels


@pytest.mark.parametrize("labels", [[0, 1, 2], [2, 2], []])
def test_classes_pass(labels):
    check_labels(np.array(labels, np.int32), 3)


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        ([0, 1, 3], "1 of 3 training pictures .* outside 0 to 2, .*: c (row 2) with label 3. Num"),
        ([-1, 1, 2], "1 of 3 .*: a (row 0) with label -1."),
        ([9, -5, 7], "3 of 3 .*: a (row 0) with label 9, b (row 1) with label -5, c (row 2)"),
    ],
)
def test_others_are_named(labels, named):
    pattern = named.replace("(", r"\(").replace(")", r"\)")
    for ids in (["a", "b", "c"], np.array([b"a", b"b", b"c"])):
        with pytest.raises(LabelError, match=pattern):
            check_labels(np.array(labels), 3, ids)
    with pytest.raises(LabelError, match=r"no class for: row \d with label (3|-1|9)"):
        check_labels(np.array(labels), 3)


def test_only_the_first_of_many_are_named():
    labels = np.arange(2000)
    with pytest.raises(LabelError) as caught:
        check_labels(labels, 500)
    assert "1,500 of 2,000" in str(caught.value)
    assert "row 504 with label 504 and 1,495 more." in str(caught.value)


@pytest.mark.parametrize("labels", [np.zeros((2, 2), int), np.zeros(3)])
def test_no_labels_at_all(labels):
    with pytest.raises(ValueError, match="one whole number as label for each picture"):
        check_labels(labels, 3)
