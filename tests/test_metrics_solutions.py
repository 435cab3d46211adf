"""The readers of competition files: every rule of the organisers, and every refusal."""

from __future__ import annotations

import csv

import pytest

from landmarks_tf.metrics import solutions
from landmarks_tf.metrics.solutions import Prediction, Solution, SolutionFormatError

SOLUTION = Solution({"q1": ["x"], "q2": ["y"]}, {"q3": ["z"]}, {"q4"})


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def test_retrieval_solution(tmp_path):
    path = write(
        tmp_path / "solution.csv",
        "id,images,Usage\nq1,x y,Public\nq2,None,Ignored\n\nq3,z ,Private\nq4,w,Ignored\n",
    )
    solution = solutions.read_retrieval_solution(path)
    assert solution == Solution({"q1": ["x", "y"]}, {"q3": ["z"]}, {"q2", "q4"})


def test_recognition_solution(tmp_path):
    path = write(
        tmp_path / "solution.csv",
        "id,landmarks,Usage\r\nq1,12 7,Public\r\nq2,,Private\r\nq3,,Ignored\r\n",
    )
    solution = solutions.read_recognition_solution(path)
    assert solution == Solution({"q1": [12, 7]}, {"q2": []}, {"q3"})


def test_retrieval_predictions(tmp_path):
    path = write(
        tmp_path / "predictions.csv",
        '\ufeffId,Images\n\nq2,y x x  \n   \nq4,anything at all\n"q3","z"\nq1,\n',
    )
    public, private = solutions.read_retrieval_predictions(path, SOLUTION)
    assert public == {"q2": ["y", "x", "x"]}
    assert private == {"q3": ["z"]}


def test_recognition_predictions(tmp_path):
    path = write(tmp_path / "p.csv", "id,landmarks\nq1,12 0.5 \nq2,\nq3,7 -1e-3\n\nq4,not read\n")
    public, private = solutions.read_recognition_predictions(path, SOLUTION)
    assert public == {"q1": Prediction(12, 0.5)}
    assert private == {"q3": Prediction(7, -0.001)}


def test_only_an_answer_that_was_kept_can_be_repeated(tmp_path):
    """The organisers' rule: an empty or an ignored row does not count as a first answer."""
    path = write(tmp_path / "p.csv", "id,images\nq1,\nq1,x\nq4,a\nq4,b\n")
    assert solutions.read_retrieval_predictions(path, SOLUTION).public == {"q1": ["x"]}


def test_a_list_longer_than_the_csv_modules_limit(tmp_path):
    ids = [f"{number:016x}" for number in range(20_000)]
    path = write(tmp_path / "s.csv", f"id,images,Usage\nq1,{' '.join(ids)},Public\n")
    before = csv.field_size_limit()
    assert solutions.read_retrieval_solution(path).public == {"q1": ids}
    assert csv.field_size_limit() == before


def test_columns_that_the_header_names_beyond_ours_are_allowed(tmp_path):
    """The solution itself is a valid prediction file, and a perfect one."""
    text = "id,images,Usage\nq1,x,Public\nq2,y,Public\nq3,z,Private\nq4,None,Ignored\n"
    path = write(tmp_path / "s.csv", text)
    solution = solutions.read_retrieval_solution(path)
    predictions = solutions.read_retrieval_predictions(path, solution)
    assert (predictions.public, predictions.private) == (solution.public, solution.private)


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        ("retrieval", "id,images,Usage\nq1,x,public\n", "line 2: expected Usage .*'public'"),
        ("retrieval", "id,images,Usage\nq1,x,Public\nq1,y,Private\n", "line 3: query 'q1' is rep"),
        ("retrieval", "id,images,Usage\nq1,None,Ignored\nq1,y,Public\n", "'q1' is repeated"),
        (
            "retrieval",
            "id,images,Usage\nq1,None,Public\n",
            "line 2, query 'q1': expected index ids",
        ),
        ("retrieval", "id,images,Usage\nq1,,Private\n", "must have the Usage Ignored"),
        (
            "retrieval",
            "id,landmarks,Usage\nq1,1,Public\n",
            r"columns id,images,Usage, received 'id,landmarks,Usage'\. This is .* recognition task",
        ),
        (
            "retrieval",
            "id,images\nq1,x\n",
            r"columns id,images,Usage, received 'id,images'\. A solution has the column Usage",
        ),
        ("retrieval", "id,image,Usage\nq1,x,Public\n", r"received 'id,image,Usage'\.$"),
        ("retrieval", "id,images,Usage\nq1,x\n", "line 2: expected 3 fields .*received 2"),
        ("retrieval", "0123456789abcdef,x,Public\n", "no header.*0123456789abcdef"),
        ("retrieval", "", "is empty; expected the header id,images,Usage"),
        ("recognition", "id,landmarks,Usage\nq1,1 two,Public\n", "'q1': .*received 'two'"),
        ("recognition", "id,landmarks,Usage\nq1,1_0,Public\n", "received '1_0'"),
        ("recognition", "id,landmarks,Usage\nq1,1,\n", "received ''"),
    ],
)
def test_solution_refused(tmp_path, read, text, message):
    path = write(tmp_path / "s.csv", text)
    with pytest.raises(SolutionFormatError, match=message) as caught:
        getattr(solutions, f"read_{read}_solution")(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        ("retrieval", "q1,x\nq2,y\n", "no header: its first line is already the query 'q1'"),
        ("retrieval", "q4,x\nq2,y\n", "no header.*'q4'"),
        ("retrieval", "0123456789abcdef,x\n", "no header"),
        ("retrieval", "query,answer\nq1,x\n", "columns id,images, received 'query,answer'"),
        ("retrieval", "id,images\nq1,x\nq2,y\nq1,y\n", "line 4: query 'q1' is repeated"),
        ("retrieval", "id,images\nq3,x\nq3,\n", "'q3' is repeated"),
        ("retrieval", "id,images\nq9,x\n", r"'q9' is unknown.*2 public, 1 private, 1 ignored"),
        ("retrieval", "id,images\nq1 ,x\n", "'q1 ' is unknown"),
        ("retrieval", "id,images\nq1,x  y\n", "a gap at rank 2"),
        ("retrieval", "id,images\nq1,x,y\n", "line 2: expected 2 fields .*received 3"),
        ("retrieval", "id,images\nq1\n", "received 1"),
        ("recognition", "id,images\nq1,1 0.5\n", "columns id,landmarks.* of the retrieval task"),
        ("recognition", "id,landmarks\nq1,1\n", "line 2, query 'q1': expected exactly .*1 words"),
        ("recognition", "id,landmarks\nq1,1 0.5 2 0.4\n", "4 words"),
        ("recognition", "id,landmarks\nq1,1  0.5\n", "3 words"),
        ("recognition", "id,landmarks\nq1,1.0 0.5\n", "integer landmark id, received '1.0'"),
        ("recognition", "id,landmarks\nq1,1 high\n", "finite number as confidence.*'high'"),
        ("recognition", "id,landmarks\nq1,1 nan\n", "finite number as confidence.*'nan'"),
        ("recognition", "id,landmarks\nq1,1 inf\n", "finite"),
        ("recognition", "q1,1 0.5\n", "no header"),
    ],
)
def test_predictions_refused(tmp_path, read, text, message):
    path = write(tmp_path / "p.csv", text)
    with pytest.raises(SolutionFormatError, match=message) as caught:
        getattr(solutions, f"read_{read}_predictions")(path, SOLUTION)
    assert str(path) in str(caught.value)


def test_other_encodings_and_binary_files_are_named(tmp_path):
    path = write(tmp_path / "latin.csv", "id,images,Usage\né,x,Public\n", "latin-1")
    with pytest.raises(SolutionFormatError, match=r"is no UTF-8 text .* at byte 16"):
        solutions.read_retrieval_solution(path)
    (tmp_path / "nul.csv").write_bytes(b'id,images,Usage\n"a\nb')
    with pytest.raises(SolutionFormatError, match="expected 3 fields"):
        solutions.read_retrieval_solution(tmp_path / "nul.csv")
    with pytest.raises(FileNotFoundError):
        solutions.read_retrieval_solution(tmp_path / "absent.csv")


def test_the_real_solutions(real_landmarks):
    retrieval = solutions.read_retrieval_solution(real_landmarks / "retrieval_solution_v2.1.csv")
    # The counts that the folder's own README states.
    assert (len(retrieval.public), len(retrieval.private)) == (97, 191)
    assert len(retrieval.ignored) == 18
    recognition = solutions.read_recognition_solution(
        real_landmarks / "recognition_solution_v2.1.csv"
    )
    assert len(recognition.public) + len(recognition.private) == 306
    truths = [*recognition.public.values(), *recognition.private.values()]
    assert sum(map(bool, truths)) == 240
