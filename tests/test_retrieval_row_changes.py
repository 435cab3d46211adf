"""Any sequence of changes leaves what a dictionary of ids would hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.retrieval.index_changes import Changes
from landmarks_tf.retrieval.row_changes import live_rows, with_added, with_removed, with_updated
from landmarks_tf.retrieval.vectors import EmbeddingError

BUILT = np.array(["a", "b", "c", "d"])
FUNCTIONS = {"add": with_added, "update": with_updated, "remove": with_removed}


def row(angle):
    return np.float32([np.cos(angle), np.sin(angle)])


VECTORS = np.stack([row(0.1 * place) for place in range(4)])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(FUNCTIONS)),
            st.lists(st.sampled_from("abcdefg"), max_size=3, unique=True),
        ),
        max_size=8,
    )
)
def test_changes_hold_what_a_dictionary_holds(steps):
    expected = dict(zip(BUILT.tolist(), VECTORS.tolist(), strict=True))
    changes = Changes.none(2)
    for number, (kind, ids) in enumerate(steps):
        rows = np.stack([row(1 + number + place) for place in range(3)])[: len(ids)]
        known = set(ids) & set(expected)
        fits = not known if kind == "add" else len(known) == len(ids)
        fits &= not (kind == "remove" and ids and set(ids) == set(expected))
        arguments = (ids,) if kind == "remove" else (rows, ids)
        if not fits:
            with pytest.raises(ValueError, match=r"in the index|would be left"):
                FUNCTIONS[kind](changes, BUILT, 2, *arguments)
            continue
        changes = FUNCTIONS[kind](changes, BUILT, 2, *arguments)
        if kind == "remove":
            expected = {name: v for name, v in expected.items() if name not in ids}
        else:
            expected |= dict(zip(ids, rows.tolist(), strict=True))
    vectors, ids = live_rows(VECTORS, BUILT, changes)
    assert dict(zip(ids.tolist(), vectors.tolist(), strict=True)) == expected
    assert len(ids) == len(expected)


def test_messages_name_what_is_wrong():
    none = Changes.none(2)
    with pytest.raises(ValueError, match=r"^a, b are in the index already: update"):
        with_added(none, BUILT, 2, np.stack([row(1)] * 3), ["a", "b", "x"])
    with pytest.raises(ValueError, match=r"^w, x, y and 1 more are not in the index"):
        with_removed(none, BUILT, 2, ["w", "x", "y", "z", "a"])
    with pytest.raises(ValueError, match=r"^x is not in the index: add"):
        with_updated(none, BUILT, 2, row(1)[None], ["x"])
    with pytest.raises(ValueError, match=r"id x is given to more than one row"):
        with_added(none, BUILT, 2, np.stack([row(1)] * 2), ["x", "x"])
    with pytest.raises(ValueError, match=r"expected 1 ids"):
        with_added(none, BUILT, 2, row(1)[None], ["x", "y"])
    with pytest.raises(ValueError, match=r"need ids"):
        with_added(none, BUILT, 2, row(1)[None], None)
    with pytest.raises(ValueError, match=r"no row would be left: delete"):
        with_removed(none, BUILT, 2, BUILT)
    with pytest.raises(EmbeddingError, match=r"dimension 3, the index has dimension 2"):
        with_added(none, BUILT, 2, np.eye(3, dtype=np.float32)[:1], ["x"])
    with pytest.raises(EmbeddingError, match=r"the rows: row 0 holds NaN"):
        with_updated(none, BUILT, 2, np.float32([[np.nan, 0]]), ["a"])
    assert with_added(none, BUILT, 2, np.empty((0, 2)), []) is none
    assert with_removed(none, BUILT, 2, []) is none
