"""The same ground truth from .json, .mat and .pkl, and the files that are refused."""

from __future__ import annotations

import json
import os
import pickle

import numpy as np
import pytest
import scipy.io

from landmarks_tf.metrics import revisited_files
from landmarks_tf.metrics.revisited_files import RevisitedFormatError
from tests.conftest import ROOT

CONTENT = {
    "imlist": ["a", "b", "c", "d"],
    "qimlist": ["x", "y"],
    "gnd": [
        {"bbx": [1.5, 2, 30, 40.25], "easy": [0, 2], "hard": [], "junk": [3]},
        {"bbx": [0, 0, 5, 5], "easy": [1], "hard": [0, 3], "junk": []},
    ],
}


def matlab(path, content):
    """As the authors' .mat: cell arrays, a struct array, places from 1."""
    rows = np.zeros(
        len(content["gnd"]), [(name, object) for name in ("bbx", "easy", "hard", "junk")]
    )
    for row, entry in zip(rows, content["gnd"], strict=True):
        row["bbx"] = np.array(entry["bbx"], float)
        for name in ("easy", "hard", "junk"):
            row[name] = np.array(entry[name], float) + 1
    cells = {key: np.array(content[key], object) for key in ("imlist", "qimlist")}
    scipy.io.savemat(path, {**cells, "gnd": rows})
    return path


def check(truth):
    assert truth.index_names == ("a", "b", "c", "d")
    assert truth.query_names == ("x", "y")
    assert truth.boxes.tolist() == [[1.5, 2, 30, 40.25], [0, 0, 5, 5]]
    found = [[rows.tolist() for rows in group] for group in (truth.easy, truth.hard, truth.junk)]
    assert found == [[[0, 2], [1]], [[], [0, 3]], [[3], []]]
    assert all(rows.dtype == np.int64 for rows in (*truth.easy, *truth.hard, *truth.junk))


def test_three_forms_of_one_ground_truth(tmp_path):
    (tmp_path / "g.json").write_text(json.dumps(CONTENT))
    check(revisited_files.read_revisited_truth(tmp_path / "g.json"))
    check(revisited_files.read_revisited_truth(matlab(tmp_path / "g.mat", CONTENT)))
    arrays = {
        **CONTENT,
        "gnd": [{k: np.array(v) for k, v in row.items()} for row in CONTENT["gnd"]],
    }
    for content, protocol in ((CONTENT, 2), (arrays, 2), (arrays, 5)):
        (tmp_path / "g.pkl").write_bytes(pickle.dumps(content, protocol))
        check(revisited_files.read_revisited_truth(tmp_path / "g.pkl"))


def test_numpys_old_module_names_are_known(tmp_path):
    content = pickle.dumps({**CONTENT, "gnd": [
        {k: np.array(v) for k, v in row.items()} for row in CONTENT["gnd"]
    ]}, 2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")  # fmt: skip
    assert b"numpy.core.multiarray" in content
    (tmp_path / "g.pkl").write_bytes(content)
    check(revisited_files.read_revisited_truth(tmp_path / "g.pkl"))


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_wants_to_run_something_is_refused_unrun(tmp_path):
    (tmp_path / "g.pkl").write_bytes(pickle.dumps({**CONTENT, "x": Bomb(tmp_path / "made")}))
    with pytest.raises(RevisitedFormatError, match=r"g\.pkl: .*asks for posix\.mkdir.*Prefer"):
        revisited_files.read_revisited_truth(tmp_path / "g.pkl")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gnd": None}, "no gnd"),
        ({"gnd": CONTENT["gnd"][:1]}, "each of 2 queries, received 1"),
        ({"gnd": [{"bbx": [0, 0, 1, 1]}] * 2}, "entry 0 of gnd lacks easy, hard, junk"),
        ({"imlist": [1, 2]}, "imlist to be a list of picture names"),
        ({"imlist": ["a"]}, r"query x: expected places in 0\.\.0"),
        ({"gnd": [CONTENT["gnd"][0] | {"bbx": [1, 2]}] * 2}, "x1, y1, x2, y2"),
        ({"gnd": [CONTENT["gnd"][0] | {"easy": [0.5]}] * 2}, "whole numbers as places"),
    ],
)
def test_content_refused(tmp_path, change, message):
    content = {k: v for k, v in (CONTENT | change).items() if v is not None}
    (tmp_path / "g.json").write_text(json.dumps(content))
    with pytest.raises(RevisitedFormatError, match=message) as caught:
        revisited_files.read_revisited_truth(tmp_path / "g.json")
    assert "g.json: " in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("g.json", b"{", "is no JSON"),
        ("g.mat", b"MATLAB 5.0" * 30, "no MATLAB file"),
        ("g.pkl", b"\x80\x04broken", "is not unpickled"),
        ("g.yaml", b"", r"as \.json, \.mat, \.pkl, received '\.yaml'"),
    ],
)
def test_files_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RevisitedFormatError, match=message):
        revisited_files.read_revisited_truth(tmp_path / name)


def test_rankings_in_either_direction(tmp_path):
    (tmp_path / "g.json").write_text(json.dumps(CONTENT))
    truth = revisited_files.read_revisited_truth(tmp_path / "g.json")
    ranks = np.array([[0, 1, 2, 3], [3, 2, 1, 0]])
    for array in (ranks, ranks.T):
        np.save(tmp_path / "r.npy", array)
        np.testing.assert_array_equal(
            revisited_files.read_rankings(tmp_path / "r.npy", truth), ranks
        )
    np.save(tmp_path / "r.npy", ranks[:, :3])
    with pytest.raises(RevisitedFormatError, match=r"\(2, 4\) or turned, .* shape \(2, 3\)"):
        revisited_files.read_rankings(tmp_path / "r.npy", truth)
    (tmp_path / "r.npy").write_bytes(b"no array")
    with pytest.raises(RevisitedFormatError, match=r"r\.npy is not a whole \.npy file"):
        revisited_files.read_rankings(tmp_path / "r.npy", truth)


@pytest.mark.parametrize(
    ("name", "index", "easy", "hard", "junk"),
    [("roxford5k", 4993, 3029, 2497, 1356), ("rparis6k", 6322, 6874, 10350, 7153)],
)
def test_the_real_counts(name, index, easy, hard, junk, tmp_path):
    path = ROOT.parent / "shared" / "data" / "revisited" / f"gnd_{name}.json"
    if not path.is_file():
        pytest.skip(f"the real ground truth ({path.name}) is not here")
    truth = revisited_files.read_revisited_truth(path)
    assert (len(truth.index_names), len(truth.query_names)) == (index, 70)
    assert [sum(map(len, group)) for group in (truth.easy, truth.hard, truth.junk)] == [
        easy, hard, junk
    ]  # fmt: skip
    assert sum(not len(rows) for rows in truth.easy) == (2 if name == "roxford5k" else 0)
    again = revisited_files.read_revisited_truth(
        matlab(tmp_path / "g.mat", json.loads(path.read_bytes()))
    )
    assert again.index_names == truth.index_names
    for ours, theirs in zip(truth.hard, again.hard, strict=True):
        np.testing.assert_array_equal(ours, theirs)
