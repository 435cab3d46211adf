"""What each stage trains on: the run's own, a subset of its raw folder, or a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.config import Data, Experiment, Stage
from experiments.data_source import DataSource
from experiments.training_sets import TrainingSet, training_set, words_for
from experiments.training_stages import stage_recipes
from experiments.workdir import Workdir

OWN = "the run's own training pictures"
RUN = Workdir(Path("run"))


def of(*, stage=None, recipe=None, source=None, given=None):
    """The set of the only stage, "low", with this `data.train_set`."""
    settings = (("data.train_set", stage),) if stage else ()
    experiment = Experiment(
        "e", "s", "t", data=Data(train_set=recipe), stages=(Stage("low", settings),)
    )
    source = source or DataSource("demo", None, 0)
    (only,) = stage_recipes(experiment)
    found = {} if given is None else {"low": given}
    return training_set(only, experiment, source=source, workdir=RUN, stage_data=found)


@pytest.fixture
def raw(tmp_path):
    """A raw folder that lists clean pictures, where DELF's downloader leaves the list."""
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "train_clean.csv").touch()
    return DataSource("raw", tmp_path, 5)


@pytest.mark.parametrize(
    ("recipe", "stage"),
    [(None, None), ("full", None), (None, "clean"), ("clean", "clean"), ("c2x", "c2x")],
)
def test_the_recipes_set_is_the_runs_own(raw, recipe, stage):
    for source in (raw, DataSource("demo", None, 0), DataSource("records", Path("r"), 5)):
        found = of(recipe=recipe, stage=stage, source=source)
        assert found == TrainingSet(OWN)
        assert found.is_own


def test_another_set_is_made_from_the_raw_folder(raw):
    words = "all pictures of the clean classes (data.train_set=c2x)"
    made = RUN.stage_records / "c2x"
    assert of(stage="c2x", source=raw) == TrainingSet(words, made, raw.folder, "c2x")
    assert of(stage="c2x") == TrainingSet(words, made, RUN.raw, "c2x")
    back = of(recipe="full", stage="clean", source=raw)
    assert (back.records, back.subset) == (RUN.stage_records / "clean", "clean")


def test_where_there_is_one_set_every_stage_has_it_and_says_so(tmp_path):
    found = of(stage="full", source=DataSource("raw", tmp_path, 5))
    assert found.is_own
    assert found.words == (
        f"{OWN} (data.train_set=full, but {tmp_path} has no train_clean.csv; "
        "--stage-data low=FOLDER names others)"
    )
    found = of(stage="full", source=DataSource("records", Path("r"), 5))
    assert found.is_own
    assert "data.train_set=full is for raw folders, and r holds records; --stage" in found.words


def test_a_folder_of_its_own(raw):
    records = DataSource("records", Path("more"), 9)
    assert of(given=records) == TrainingSet("more (--stage-data)", Path("more"))
    # The records were made of what they were made of.
    assert of(given=records, stage="full") == TrainingSet("more (--stage-data)", Path("more"))
    made = RUN.stage_records / "1-low"
    words = f"{raw.folder} (--stage-data)"
    assert of(given=raw) == TrainingSet(words, made, raw.folder)
    words = f"all of train.csv of {raw.folder} (--stage-data)"
    assert of(given=raw, stage="full") == TrainingSet(words, made, raw.folder, "full")


def test_a_training_in_one_piece_has_the_runs_own(raw):
    experiment = Experiment("e", "s", "t", data=Data(train_set="full"))
    (only,) = stage_recipes(experiment)
    assert training_set(only, experiment, source=raw, workdir=RUN, stage_data={}).words == OWN


@pytest.mark.parametrize("where", ["stage", "recipe"])
def test_a_set_that_there_is_not(where):
    with pytest.raises(ValueError, match=r"one of clean, c2x, full, or none. Received: 'dirty'"):
        of(**{"stage": "dirty"} if where == "stage" else {"recipe": "dirty"})


def test_words_where_the_data_is_not_known_yet():
    experiment = Experiment(
        "e", "s", "t", stages=(Stage("a", (("data.train_set", "full"),)), Stage("b"))
    )
    words = [words_for(stage, experiment, {}) for stage in stage_recipes(experiment)]
    assert words == ["all of train.csv (data.train_set=full)", OWN]
