"""ROxford and RParis: cases by hand, plain loops, and the real ground truth ranked by an oracle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.metrics import revisited
from landmarks_tf.metrics.revisited_files import read_revisited_truth
from tests.conftest import ROOT
from tests.reference import revisited as reference

GROUPS = {"easy": ("e", "jh"), "medium": ("eh", "j"), "hard": ("h", "je")}


def truth_of(*queries, index=8, boxes=None):
    """A ground truth from (easy, hard, junk) lists."""
    easy, hard, junk = (
        tuple(np.array(row[part], np.int64) for row in queries) for part in range(3)
    )
    boxes = np.tile([0.0, 0, 10, 10], (len(queries), 1)) if boxes is None else np.array(boxes)
    names = tuple(f"i{n}" for n in range(index))
    return revisited.RevisitedTruth(
        names, tuple(f"q{n}" for n in range(len(queries))), boxes, easy, hard, junk
    )


@pytest.mark.parametrize(
    ("junk", "ap", "p5", "r1"),
    [
        ([9, 1], 1.0, 1.0, 1 / 2),
        # Places 1 and 3: ((1 + 1)/2 + (1/2 + 2/3)/2) / 2, and P@5 is P@3.
        ([9], (1 + (1 / 2 + 2 / 3) / 2) / 2, 2 / 3, 1 / 2),
    ],
)
def test_by_hand(junk, ap, p5, r1):
    truth = truth_of(([0, 2], [], junk), index=10)
    scores = revisited.protocol_scores(np.arange(10)[None], truth, "easy")
    assert scores.average_precisions == pytest.approx([ap])
    assert scores.precisions[0] == pytest.approx([1, p5, p5])
    assert scores.recalls[0] == pytest.approx([r1, 1, 1])


def test_a_first_hit_past_the_top():
    # Right at place 2 alone: before it 0/1, with it 1/2.
    scores = revisited.protocol_scores(
        np.array([[1, 0, 2]]), truth_of(([0], [], []), index=3), "easy"
    )
    assert scores.average_precisions == pytest.approx([(0 + 1 / 2) / 2])
    assert scores.precisions[0] == pytest.approx([0, 1 / 2, 1 / 2])
    assert scores.recalls[0] == pytest.approx([0, 1, 1])


@st.composite
def cases(draw):
    index = draw(st.integers(3, 14))
    groups = draw(st.lists(st.sampled_from("ehjnn"), min_size=index, max_size=index))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    width = index + draw(st.integers(0, 3))  # distractors
    return groups, rng.permutation(width), draw(st.integers(1, 16))


@settings(max_examples=200, deadline=None)
@given(cases())
def test_equals_plain_loops(case):
    groups, ranking, k = case
    lists = {name: [n for n, group in enumerate(groups) if group == name] for name in "ehj"}
    truth = truth_of((lists["e"], lists["h"], lists["j"]), index=len(groups))
    for protocol, (right, out) in GROUPS.items():
        scores = revisited.protocol_scores(ranking[None], truth, protocol, (k,))
        positives = [n for group in right for n in lists[group]]
        junk = [n for group in out for n in lists[group]]
        if not positives:
            assert all(np.isnan(values).all() for values in scores)
            continue
        ordered = ranking.tolist()
        assert scores.average_precisions[0] == pytest.approx(
            reference.trapezoidal_ap(ordered, positives, junk), abs=1e-12
        )
        precision, recall = reference.precision_recall(ordered, positives, junk, k)
        assert scores.precisions[0, 0] == pytest.approx(precision, abs=1e-12)
        assert scores.recalls[0, 0] == pytest.approx(recall, abs=1e-12)


@pytest.fixture(scope="module", params=["roxford5k", "rparis6k"])
def real(request):
    path = ROOT.parent / "shared" / "data" / "revisited" / f"gnd_{request.param}.json"
    if not path.is_file():
        pytest.skip(f"the real ground truth ({path.name}) is not here")
    return request.param, read_revisited_truth(path)


def oracle(truth, groups):
    """Rankings that put the groups first, one after the other, and the rest behind."""
    rankings = []
    for query in range(len(truth.query_names)):
        first = np.concatenate([getattr(truth, group)[query] for group in groups])
        rest = np.setdiff1d(np.arange(len(truth.index_names)), first)
        rankings.append(np.concatenate([first, rest]))
    return np.array(rankings)


def test_an_oracle_is_perfect_and_its_reverse_is_worst(real):
    name, truth = real
    answered = {"easy": 68 if name == "roxford5k" else 70, "medium": 70, "hard": 70}
    # Junk on top does not hurt: it is taken out.
    perfect = oracle(truth, ("junk", "easy", "hard"))
    summary = revisited.revisited_summary(perfect, truth, queries_cropped=True)
    for protocol, row in summary.items():
        assert row.pop("queries") == answered[protocol]
        assert [row.pop(key) for key in ("map", "mp@1", "mp@5", "mp@10")] == [1, 1, 1, 1]
    # All right pictures last: the n-th of P stands at N' - P + n of N' kept ones.
    worst = revisited.protocol_scores(perfect[:, ::-1], truth, "hard").average_precisions
    for query in (0, 69):
        right, kept = len(truth.hard[query]), len(truth.index_names)
        kept -= len(truth.junk[query]) + len(truth.easy[query])
        before = np.arange(right)
        places = kept - right + before
        expected = ((before / places + (before + 1) / (places + 1)) / 2).mean()
        assert worst[query] == pytest.approx(expected, rel=1e-12)


def test_chance_finds_each_as_often_as_it_occurs(real):
    _, truth = real
    rng = np.random.default_rng(0)
    rankings = np.array([rng.permutation(len(truth.index_names)) for _ in range(70)])
    summary = revisited.revisited_summary(rankings, truth, queries_cropped=True)
    share = np.mean([len(rows) for rows in truth.hard]) / len(truth.index_names)
    assert share / 2 < summary["hard"]["map"] < 2 * share
    for query in (0, 33):
        junk = [*truth.junk[query], *truth.hard[query]]
        assert revisited.protocol_scores(rankings, truth, "easy").average_precisions[
            query
        ] == pytest.approx(
            reference.trapezoidal_ap(
                rankings[query].tolist(), set(truth.easy[query].tolist()), set(junk)
            ),
            abs=1e-12,
        )


def test_queries_that_were_not_cropped_are_refused():
    truth = truth_of(([0], [1], []))
    for cropped in (False, None, "yes"):
        with pytest.raises(ValueError, match=r"each query cropped to its box .* these were not"):
            revisited.revisited_summary(np.arange(8)[None], truth, queries_cropped=cropped)
    with pytest.raises(TypeError, match="queries_cropped"):
        revisited.revisited_summary(np.arange(8)[None], truth)


def test_summary_skips_queries_with_nothing_to_find_and_writes_delfs_file():
    truth = truth_of(([], [1], []), ([0], [1], []))
    ranking = np.array([[1, 0, 2, 3, 4, 5, 6, 7], [1, 0, 2, 3, 4, 5, 6, 7]])
    summary = revisited.revisited_summary(ranking, truth, queries_cropped=True, ranks=(1, 5))
    assert summary["easy"] == {
        "map": 1, "mp@1": 1, "mp@5": 1, "mr@1": 1, "mr@5": 1, "queries": 1
    }  # fmt: skip
    assert revisited.delf_metrics_text(summary).splitlines()[:8] == [
        "easy",
        "  mAP=100.0",
        "  mP@k[1 5] [100. 100.]",
        "  mR@k[1 5] [100. 100.]",
        "hard",
        "  mAP=100.0",
        "  mP@k[1 5] [100. 100.]",
        "  mR@k[1 5] [100. 100.]",
    ]
    nothing = revisited.revisited_summary(
        ranking[:1], truth_of(([], [1], [])), queries_cropped=True
    )
    assert nothing["easy"]["map"] is None
    assert "easy\n  mAP=nan\n" in revisited.delf_metrics_text(nothing)


def test_delfs_file_as_the_format_notes_have_it():
    row = {"map": 0.7, "mp@1": 1.0, "mp@5": 0.8, "mr@1": 0.5, "mr@5": 0.8, "queries": 3}
    assert revisited.delf_metrics_text({"hard": row}) == (
        "hard\n  mAP=70.0\n  mP@k[1 5] [100.  80.]\n  mR@k[1 5] [50. 80.]\n"
    )


def test_crops():
    truth = truth_of(([0], [], []), ([1], [], []), boxes=[[1.5, 0.4, 6.5, 7.6], [-1, 2, 22, 5]])
    assert truth.crop_boxes().tolist() == [[2, 0, 6, 8], [-1, 2, 22, 5]]
    boxes = truth.crop_boxes([[7, 7], [20, 9]])
    assert boxes.tolist() == [[2, 0, 6, 7], [0, 2, 20, 5]]
    picture = np.arange(7 * 7 * 3).reshape(7, 7, 3)
    assert revisited.crop_query(picture, boxes[0]).shape == (7, 4, 3)
    assert revisited.crop_query(picture, boxes[0])[0, 0].tolist() == [6, 7, 8]
    with pytest.raises(ValueError, match=r"within a picture of 7 x 7 pixels, received \[0, 2, 20"):
        revisited.crop_query(picture, boxes[1])
    # A copy of half the size: the box would be cut to another part of it.
    for sizes in ([[2, 2], [20, 9]], [[7, 7], [10, 9]]):
        with pytest.raises(ValueError, match=r"query q.: the box .* resized copy"):
            truth.crop_boxes(sizes)
    with pytest.raises(ValueError, match="query q0: the box"):
        truth_of(([0], [], []), boxes=[[0.6, 0, 1.4, 5]]).crop_boxes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"easy": ()}, r"each of 1 queries, received 1, 0, 1 and 1"),
        ({"boxes": np.zeros((1, 3))}, "a box, easy, hard and junk"),
        ({"boxes": np.array([[5.0, 0, 5, 9]])}, "with x1 < x2"),
        ({"easy": (np.array([8]),)}, r"query q0: expected places in 0\.\.7, received 1\.\.8"),
        ({"easy": (np.array([1]),)}, "query q0: a picture is named twice"),
        ({"index_names": ("a",) * 8}, "each index name once"),
    ],
)
def test_ground_truth_that_contradicts_itself(change, message):
    with pytest.raises(ValueError, match=message):
        replace(truth_of(([0], [1], [])), **change)


@pytest.mark.parametrize(
    ("rankings", "message"),
    [
        (np.zeros((1, 8)), r"integers, received an array of shape \(1, 8\) and type float64"),
        (np.arange(8)[None, :5], r"all 8 index pictures .*\(1, 5\).* full ranking"),
        (np.arange(16).reshape(2, 8), r"1 queries, received the shape \(2, 8\)"),
        (np.arange(1, 9)[None], r"query q0: expected each of 0\.\.7 once, .*1\.\.8.* from 0"),
        (np.array([[0, 0, 1, 2, 3, 4, 5, 6]]), "received 7 different numbers"),
    ],
)
def test_rankings_refused(rankings, message):
    with pytest.raises(ValueError, match=message):
        revisited.protocol_scores(rankings, truth_of(([0], [1], [])), "easy")


def test_other_refusals():
    truth, ranking = truth_of(([0], [1], [])), np.arange(8)[None]
    with pytest.raises(ValueError, match="one of easy, medium, hard, received 'Easy'"):
        revisited.protocol_scores(ranking, truth, "Easy")
    with pytest.raises(ValueError, match=r"ranks from 1 up, received \[0, 5\]"):
        revisited.protocol_scores(ranking, truth, "easy", [0, 5])
