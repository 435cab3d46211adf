"""Pipelines as text: what is understood, what is refused and how, and that steps do their work."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.reranking.k_reciprocal import k_reciprocal_rerank
from landmarks_tf.retrieval.reranking.pipeline import (
    PipelineError,
    Step,
    needs,
    parse_pipeline,
    run_pipeline,
)
from landmarks_tf.retrieval.reranking.query_expansion import augment_database, expand_queries
from landmarks_tf.retrieval.reranking.steps import STEPS, RetrievalData
from landmarks_tf.retrieval.reranking.whitening import fit_pca_whitening


def unit_rows(count, dim=8, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def data():
    return RetrievalData(
        unit_rows(6, seed=1), unit_rows(50), unit_rows(40, seed=2), np.arange(40) % 7
    )


def test_settings_are_read_by_their_types_and_the_rest_are_defaults():
    (step,) = parse_pipeline(" class_aware : min_confidence=0.5 : insert=False ")
    assert step.name == "class_aware"
    assert dict(step.settings) == {"k": 3, "min_confidence": 0.5, "insert": False}
    assert str(step) == "class_aware:k=3:min_confidence=0.5:insert=false"
    assert parse_pipeline("") == parse_pipeline("  ") == ()


@given(
    st.lists(st.sampled_from([name for name, kind in STEPS.items() if kind.changes_descriptors])),
    st.lists(
        st.sampled_from([name for name, kind in STEPS.items() if not kind.changes_descriptors])
    ),
)
@settings(max_examples=30, deadline=None)
def test_what_is_printed_is_read_back(before, after):
    steps = parse_pipeline(",".join(before + after))
    assert [step.name for step in steps] == before + after
    assert parse_pipeline(",".join(map(str, steps))) == steps


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("k_reciprical", r"no step 'k_reciprical'\. Nearest: k_reciprocal"),
        ("zzz", r"no step 'zzz'\. Known: whiten, aqe, alpha_qe"),
        ("alpha_qe:alfa=3", r"alpha_qe has no setting 'alfa'\. Nearest: alpha"),
        ("alpha_qe:n=three", r"alpha_qe:n expects a whole number, received 'three'"),
        ("alpha_qe:n=3.5", r"alpha_qe:n expects a whole number, received '3.5'"),
        ("alpha_qe:alpha=much", r"alpha_qe:alpha expects a number"),
        ("class_aware:insert=1", r"class_aware:insert is true or false, received '1'"),
        ("alpha_qe:n", r"alpha_qe: expected setting=value, received 'n'"),
        ("alpha_qe:n=3:n=4", r"alpha_qe: n is given twice"),
        (",,", r"there is no step in ',,'"),
        ("k_reciprocal,dba", r"put dba before k_reciprocal"),
    ],
)
def test_refuses_what_is_no_pipeline(text, message):
    with pytest.raises(PipelineError, match=message):
        parse_pipeline(text)


def test_no_step_is_the_exact_search(data):
    expected = ExactIndex(data.index).search(data.queries, 10)
    for found, wanted in zip(run_pipeline((), data, k=10), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert run_pipeline((), data, k=100)[1].shape == (6, 50)  # all there are


def test_steps_follow_one_another(data):
    told = []
    steps = parse_pipeline(
        "whiten:dim=5,dba:n=2:alpha=1,alpha_qe:n=4,k_reciprocal:k1=4:k2=2:top=20"
    )
    _, rows = run_pipeline(steps, data, k=30, told=told.append)
    assert told == [str(step) for step in steps]
    whitening = fit_pca_whitening(data.train, dim=5)
    index = augment_database(whitening.apply(data.index), neighbours=2, alpha=1)
    queries = expand_queries(whitening.apply(data.queries), index, neighbours=4)
    scores, expected = ExactIndex(index).search(queries, 30)
    head = k_reciprocal_rerank(queries, index, scores[:, :20], expected[:, :20], k1=4, k2=2)
    np.testing.assert_array_equal(rows, np.hstack([head[1], expected[:, 20:]]))


def test_the_search_is_as_deep_as_the_deepest_step_reads(data):
    (_, deep), (_, shallow) = (
        run_pipeline(parse_pipeline(f"diffusion:k=5:n=4:top={top}"), data, k=5) for top in (40, 5)
    )
    assert deep.shape == shallow.shape == (6, 5)
    bare = ExactIndex(data.index).search(data.queries, 5)[1]
    assert (np.sort(shallow, axis=1) == np.sort(bare, axis=1)).all()
    assert (np.sort(deep, axis=1) != np.sort(bare, axis=1)).any()


def test_what_a_step_needs_is_said_before_and_missed_when_run(data):
    assert needs(parse_pipeline("aqe,class_aware"), "train")
    assert not needs(parse_pipeline("aqe,k_reciprocal"), "train")
    assert needs(parse_pipeline("geometric"), "pictures")
    bare = RetrievalData(data.queries, data.index)
    for text, message in (
        ("whiten", r"whiten: this step needs training embeddings and their labels"),
        ("class_aware", r"class_aware: this step needs training"),
        ("geometric", r"geometric: this step needs pictures"),
        ("alpha_qe:n=51", r"alpha_qe: k must be between 1 and the number of indexed rows \(50\)"),
        ("whiten:method=zca", r"whiten: .*needs training"),
        ("k_reciprocal:top=0", r"k_reciprocal: top must be at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            run_pipeline(parse_pipeline(text), bare)
    with pytest.raises(ValueError, match=r"whiten: method must be pca or learned, received 'zca'"):
        run_pipeline(parse_pipeline("whiten:method=zca"), data)


def test_a_step_can_be_made_by_hand(data):
    step = Step("aqe", (("n", 2), ("rounds", 1)))
    _, rows = run_pipeline((step,), data, k=7)
    np.testing.assert_array_equal(rows, run_pipeline(parse_pipeline("aqe:n=2"), data, k=7)[1])
