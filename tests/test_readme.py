"""The README's commands, run as they stand, and what the main one leaves behind."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from experiments import show
from experiments.run import main

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.partition("  #")[0].strip()
    for block in re.findall(r"^```bash\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]


def run(command: str, folder: Path, data: Path) -> subprocess.CompletedProcess:
    """A README line in `folder`, with this interpreter and `DATA` filled in."""
    words = [word.replace("DATA", str(data)) for word in command.split()]
    assert words[0] == "python", command
    done = subprocess.run(
        [sys.executable, *words[1:]],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def finished(tmp_path_factory, demo_raw):
    """Every command of the README, in order, in one fresh folder: {command: output}, folder."""
    folder = tmp_path_factory.mktemp("stranger")
    outputs = {command: run(command, folder, demo_raw) for command in COMMANDS}
    return outputs, folder


def output_of(finished, part: str) -> str:
    (found,) = [done.stdout for command, done in finished[0].items() if part in command]
    return found


@pytest.mark.slow
def test_every_command_of_the_readme_runs(finished):
    assert len(finished[0]) >= 10
    assert "inception_v200" in output_of(finished, "--list")
    shown = json.loads(output_of(finished, "--show --json"))
    assert shown["params"]["trainable"] == 22_831_898


@pytest.mark.slow
def test_the_run_leaves_what_the_readme_lists(finished):
    workdir = finished[1] / "runs" / "mine"
    table = README[README.index("| what a run writes") :].split("\n\n")[0]
    names = [
        name
        for row in table.splitlines()[2:]
        for name in re.findall(r"`([^`]+)`", row.split("|")[1])
    ]
    assert len(names) >= 9
    for name in names:
        assert list(workdir.rglob(name.rstrip("/"))), f"{name} is missing"


@pytest.mark.slow
def test_summary_names_files_that_exist(finished):
    summary = output_of(finished, "--workdir runs/mine")
    for label in ("trained model", "metrics", "report", "ScaNN index", "submission"):
        (path,) = re.findall(rf"^  {label} +(\S+)$", summary, re.MULTILINE)
        assert (finished[1] / path).exists(), label


@pytest.mark.slow
def test_metrics_are_those_of_the_competition_files(finished):
    """What `experiments.score` reads out of the CSVs is what metrics.json says."""
    metrics = json.loads((finished[1] / "runs/mine/metrics.json").read_text())["trained"]
    assert json.loads(output_of(finished, "score retrieval")) == metrics["retrieval"]
    assert json.loads(output_of(finished, "score recognition")) == metrics["recognition"]


@pytest.mark.slow
def test_the_organisers_loop_over_the_export_agrees(finished):
    """Raw pictures -> SavedModel -> Euclidean distances gives the mAP of our own pipeline."""
    metrics = json.loads((finished[1] / "runs/mine/metrics.json").read_text())["trained"]
    loop = json.loads(output_of(finished, "score kaggle-2020"))
    for part in ("public", "private"):
        ours = metrics["retrieval"][part]
        assert loop[part]["queries"] == ours["queries"]
        # Neighbours within float32 rounding of each other may change places.
        assert loop[part]["map@100"] == pytest.approx(ours["map@100"], abs=2e-3)


@pytest.mark.slow
def test_submission_has_the_model_at_its_root(finished):
    with zipfile.ZipFile(finished[1] / "runs/mine/submission.zip") as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    assert "saved_model.pb" in names
    assert "variables/variables.index" in names
    parity = json.loads((finished[1] / "runs/mine/parity.json").read_text())
    assert parity["parity"]["max_abs"] <= parity["tolerance"]


@pytest.mark.slow
def test_embeddings_are_unit_rows_in_the_records_order(finished):
    from landmarks_tf.records import RecordIndex
    from landmarks_tf.retrieval.embed import load_embeddings

    workdir = finished[1] / "runs/mine"
    stored = load_embeddings(workdir / "embeddings/index.npy")
    index = RecordIndex.open(workdir / "records", "index")
    assert stored.ids.tolist() == [image_id.decode() for image_id in index.id]
    np.testing.assert_allclose(np.linalg.norm(stored.vectors, axis=1), 1, atol=1e-5)


@pytest.mark.slow
def test_a_lost_product_is_made_again_and_nothing_else(finished, demo_raw):
    """Deleting the index re-runs the stages from there; the training is not touched."""
    workdir = finished[1] / "runs/mine"
    before = (workdir / "model/embedder.keras").stat().st_mtime_ns
    shutil.rmtree(workdir / "scann_index")
    (command,) = [c for c in COMMANDS if "--workdir runs/mine" in c]
    done = run(command, finished[1], demo_raw)
    assert "[evaluate] done before" in done.stderr
    assert "[index]\n" in done.stderr
    assert (workdir / "scann_index").is_dir()
    assert (workdir / "model/embedder.keras").stat().st_mtime_ns == before


def test_make_demo_runs_the_command_that_is_tested():
    makefile = (ROOT / "Makefile").read_text()
    command = "python -m experiments.run --exp inception_v200"
    assert f"$(BIN)/{command}\n" in makefile
    assert any(tested.startswith(command) for tested in COMMANDS)
    assert (ROOT / ".ci/run").read_text().strip() == "make test"


def test_commands_that_are_not_run_still_parse(monkeypatch, capsys):
    """The fine-tuning lines need ImageNet weights; their options are checked by --show."""
    # What --show builds the networks for; other tests have them.
    monkeypatch.setattr(show, "parameter_counts", lambda recipe: {})
    lines = re.findall(r"^python -m experiments.run --exp mobilenet\S* .*$", README, re.MULTILINE)
    assert lines
    for line in lines:
        kept = [word for word in line.split()[3:] if word not in ("--data", "DATA")]
        assert main([*kept, "--show", "--json"]) == 0, capsys.readouterr().err
