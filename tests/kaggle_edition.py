"""Tiny sets laid out as Kaggle's editions of 2020 and 2021, and a run whose network is there."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from experiments import run
from experiments.workdir import Workdir
from tests.reference import gldv2
from tests.small_embedder import save_embedder
from tfrecords_tools.convert import convert
from tfrecords_tools.options import ConvertOptions

SIZE_PX = 32  # the least that the recipe's own backbone takes
# Fewer than the 16 pictures that a UMAP wants; of each class one is held out.
CLASSES = {900: 7, 7: 5, 31: 3}
# Test pictures that are copies of training pictures, and what these show.
COPIES = {gldv2.image_id(f"copy {n}"): n for n in CLASSES}
STRANGERS = [gldv2.image_id(f"stranger {n}") for n in range(3)]
BROKEN = gldv2.image_id("broken")
ABSENT = gldv2.image_id("absent")
SAMPLED = [ABSENT, *reversed(STRANGERS), BROKEN, *COPIES]


def write_edition(folder: Path, *, task: str = "recognition", sample: bool = True) -> Path:
    """train/, test/ and train.csv without URLs; of a retrieval edition index/, too.

    The sample lists a picture that is not there, and one that cannot be read.
    """
    gldv2.write_folder(folder, CLASSES)
    with (folder / "train.csv").open(newline="") as stream:
        train = [(row["id"], row["landmark_id"]) for row in csv.DictReader(stream)]
    lines = "".join(f"{image_id},{landmark}\n" for image_id, landmark in train)
    (folder / "train.csv").write_text("id,landmark_id\n" + lines)
    for name, landmark in COPIES.items():
        original = gldv2.image_id(f"train {landmark} 2")  # none that is held out
        content = gldv2.image_path(folder, "train", original).read_bytes()
        gldv2.put(folder, "test", name, content)
    for name in STRANGERS:
        gldv2.put(folder, "test", name, gldv2.picture(name))
    gldv2.put(folder, "test", BROKEN, b"no picture")
    column, answer = ("landmarks", "900 0.1") if task == "recognition" else ("images", "")
    if task == "retrieval":
        for n in range(4):
            name = gldv2.image_id(f"index {n}")
            gldv2.put(folder, "index", name, gldv2.picture(name))
    if sample:
        lines = "".join(f"{name},{answer}\n" for name in SAMPLED)
        (folder / "sample_submission.csv").write_text(f"id,{column}\n" + lines)
    return folder


def write_records(raw: Path, folder: Path) -> Path:
    """Records of every split that a folder has; a picture of each class is held out."""
    for split in ("train", "index", "test"):
        if not (raw / split).is_dir():
            continue
        held_out = {"validation_fraction": 0.1} if split == "train" else {}
        options = ConvertOptions(split, shards=1, **held_out)
        convert(raw, folder, options, workers=1, progress=False, say=len)
    return folder


def write_solution(folder: Path, truth: dict[str, str]) -> Path:
    """recognition_solution_v2.1.csv: public and private in turn."""
    folder.mkdir(exist_ok=True)
    usages = ("Public", "Private")
    rows = [f"{q},{landmarks},{usages[n % 2]}\n" for n, (q, landmarks) in enumerate(truth.items())]
    path = folder / "recognition_solution_v2.1.csv"
    path.write_text("id,landmarks,Usage\n" + "".join(rows))
    return path


def command(records: Path, workdir: Path, *more: str) -> list[str]:
    """The arguments of a run at the size of the small embedder."""
    settings = (
        "model.weights=none",
        f"data.image_size={SIZE_PX}",
        "evaluation.untrained_baseline=false",
        "evaluation.knn_neighbours=2",
    )
    pairs = [word for setting in settings for word in ("--set", setting)]
    where = ["--data", str(records), "--workdir", str(workdir)]
    return ["--exp", "mobilenet_v2_arcface", "--size", "demo", *where, *pairs, *more]


def trained(records: Path, folder: Path) -> Workdir:
    """A run whose training is done: its network is `small_embedder`'s, random as it is."""
    workdir = Workdir(folder)
    assert run.main(command(records, folder, "--stage", "prepare")) == 0
    for path in (workdir.embedder, workdir.trainer):
        save_embedder(path, size=SIZE_PX)
    workdir.training.mkdir()
    log = workdir.training / "metrics.jsonl"
    log.write_text(json.dumps({"step": 1, "loss": 1.0}) + "\n")
    workdir.mark_done("train", 0.0, [workdir.embedder, workdir.trainer, log])
    return workdir
