"""`python -m experiments.embed`: one file, shards, going on, concatenations, mistakes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from experiments import embed
from landmarks_tf.retrieval.embedding_files import load_embeddings
from tests.small_embedder import DIM, save_embedder, write_records


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A run's folder, as far as embedding looks at it."""
    folder = tmp_path_factory.mktemp("run")
    save_embedder(folder / "model" / "embedder.keras")
    recipe = {
        "data": {"image_size": 24, "resize": "letterbox"},
        "evaluation": {"batch_size": 8},
    }
    (folder / "run.json").write_text(json.dumps({"recipe": recipe}))
    return folder


@pytest.fixture(scope="module")
def folder_of_records(tmp_path_factory):
    return write_records(tmp_path_factory.mktemp("records"))


def run(*arguments):
    return embed.main([str(argument) for argument in arguments])


def test_shards_are_the_one_file_cut_and_a_concatenation_weighs(
    run_folder, folder_of_records, tmp_path, capsys
):
    ours = ("--model", run_folder, "--records", folder_of_records, "--split", "train")
    assert run(*ours, "--out", tmp_path / "one") == 0
    one = load_embeddings(tmp_path / "one" / "train.npy")
    said = capsys.readouterr().out
    assert f"train.npy: {len(one.ids)} x {DIM} float32 in 1 file, " in said
    assert one.fingerprint in said
    assert run(*ours, "--out", tmp_path / "two", "--shards", 3, "--name", "some") == 0
    assert "float32 in 3 files" in capsys.readouterr().out
    sharded = load_embeddings(tmp_path / "two" / "some.npy")
    assert sharded.vectors.tobytes() == one.vectors.tobytes()
    assert sharded.ids.tolist() == one.ids.tolist()

    flipped = ("--out", tmp_path / "flip", "--flip", "--scales", "1,1.5", "--dtype", "float16")
    assert run(*ours, *flipped) == 0
    parts = [tmp_path / "one" / "train.npy", f"{tmp_path / 'flip' / 'train.npy'}:0.5"]
    assert run("--concat", *parts, "--out", tmp_path / "joined.npy") == 0
    joined = load_embeddings(tmp_path / "joined.npy").vectors
    other = load_embeddings(tmp_path / "flip" / "train.npy").vectors.astype(np.float64)
    assert (np.abs(other - one.vectors) > 1e-3).any()
    expected = (one.vectors[0] @ one.vectors[9] + 0.25 * other[0] @ other[9]) / 1.25
    assert joined[0] @ joined[9] == pytest.approx(expected, abs=1e-3)  # float16 rows of one


def test_interrupted_it_goes_on(run_folder, folder_of_records, tmp_path, capsys, monkeypatch):
    from experiments import embedding_job

    ours = ("--model", run_folder, "--records", folder_of_records, "--split", "train")
    asked, read = [], embedding_job.OpenJob.batches_between

    def interrupted(self, first, end):
        asked.append(first)
        for number, batch in enumerate(read(self, first, end)):
            if len(asked) == 1 and number == 2:
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(embedding_job.OpenJob, "batches_between", interrupted)
    assert run(*ours, "--out", tmp_path) == 130
    assert "the same command goes on from here" in capsys.readouterr().err
    assert not (tmp_path / "train.json").exists()
    assert run(*ours, "--out", tmp_path) == 0
    assert asked == [0, 16]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--split", "train"], 2, "--model is missing"),
        (["--model", "m.keras"], 2, "--split is missing"),
        (["--model", "m.keras", "--split", "train"], 2, "--records says where the pictures are"),
        (
            ["--model", "m.keras", "--split", "train", "--records", "r"],
            1, "there is no model",
        ),
        (
            ["--model", "m.keras", "--split", "train", "--records", "r", "--scales", "1,1"],
            1, "a scale is given twice",
        ),
        (
            ["--model", "m.keras", "--split", "t", "--records", "r", "--beam-options", "x"],
            2, "--beam-options goes with --runner",
        ),
        (
            ["--model", "m.keras", "--split", "t", "--records", "r", "--runner", "DirectRunner"],
            2, "say how many with --shards",
        ),
        (["--concat", "a.npy:1", "b.npy:x"], 2, "takes FILE.npy:WEIGHT, received 'b.npy:x'"),
        (["--concat", "a.npy", "b.npy", "--flip"], 2, "--flip does not go with --concat"),
        (["--concat", "a.npy"], 1, "an ensemble has two models or more"),
        (["--concat", "a.npy", "b.npy"], 1, "a.json is missing, so it was never finished"),
    ],
)  # fmt: skip
def test_mistakes_are_told(arguments, code, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments, "--out", "out.npy") == code
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_scales_that_are_no_numbers(capsys):
    with pytest.raises(SystemExit):
        run("--model", "m", "--split", "s", "--out", "o", "--scales", "1,large")
    assert "expected numbers such as 0.7071,1,1.4142, received '1,large'" in capsys.readouterr().err


def test_a_name_with_a_colon_needs_no_weight():
    assert embed.part_and_weight("C:/a.npy") == (embed.Path("C:/a.npy"), 1.0)
    assert embed.part_and_weight("a.npy:0.55") == (embed.Path("a.npy"), 0.55)
