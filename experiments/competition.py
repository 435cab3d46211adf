"""The two networks of S3's final entry: their first stage alone, and all stages.

    python -m experiments.run --exp resnest269_stages --data GLDV2 --stage-data low=V1_AND_V2_CLEAN

Source: "2nd Place Solution to Google Landmark Retrieval 2020" (Yang et al., arXiv 2210.01624) and
its authors' write-up (reproduction.md section 3.1): ResNeSt-269 and Res2Net200-vd, a 512-wide
embedding layer, arcmargin whose margin grows from stage to stage, 224 px first and 448 px later
with a smaller rate, GeM pooling and "Fix" in the last stage, which we read as FixRes (Touvron et
al., NeurIPS 2019): a last stage at a larger size, without augmentation, in which of the backbone
only the norms are trained. **The margins, scale, rates and epochs of its stages are published in no
readable form: those here are ours.** Its first stage trains on GLDv1 and GLDv2-clean together,
which `--stage-data` names; without it that stage too has the clean set, and says so. Never run at
full size here; scores are of the competition's own hidden sets. At demo size the stages train a
ResNet-50 from scratch, in minutes on a CPU, the first on all of train.csv: as in the source it has
more pictures and other classes than those after it.
"""

from __future__ import annotations

from dataclasses import replace

from experiments.config import (
    Data,
    Evaluation,
    Experiment,
    Loss,
    Model,
    Published,
    Stage,
    Train,
)

_ENTRY = "S3, the final two-model entry of Retrieval 2020, not this one model"

RESNEST269_ARCFACE = Experiment(
    name="resnest269_arcface",
    summary="ResNeSt-269 with a 512-wide embedding and ArcFace (S3, first stage)",
    source="S3: network, head and 224 px; margin 0.15, scale 30, rate and steps are ours",
    data=Data(
        validation_fraction=0.02,
        validation_split="per-class",
        expected_classes=81_313,
        image_size=224,
        resize="squash",
        augment="flip_jitter",
        batch_size=64,
    ),
    model=Model(
        backbone="resnest269",
        weights="imagenet",
        head="cosine",
        neck=("dense",),
        embedding_dim=512,
    ),
    loss=Loss(name="arcface", margin=0.15, scale=30.0),
    train=Train(
        optimizer="sgd",
        learning_rate=0.01,
        schedule="cosine",
        warmup_steps=1000,
        epochs=10,
    ),
    evaluation=Evaluation(recognition="knn"),
    published=(
        Published("retrieval_2020_public", 0.40176, _ENTRY),
        Published("retrieval_2020_private", 0.36278, _ENTRY),
    ),
    demo=(
        ("data.expected_classes", None),
        ("data.image_size", 64),
        ("data.batch_size", 16),
        ("model.weights", None),
        ("train.epochs", 0),
        ("train.steps", 100),
        ("train.warmup_steps", 10),
        ("train.log_every", 5),
        ("train.checkpoint_every", 25),
        ("train.validate_every", 50),
        ("evaluation.untrained_baseline", True),
    ),
)

RES2NET200_VD_ARCFACE = replace(
    RESNEST269_ARCFACE,
    name="res2net200_vd_arcface",
    summary="Res2Net200-vd with a 512-wide embedding and ArcFace (S3, first stage)",
    model=replace(RESNEST269_ARCFACE.model, backbone="res2net200_vd", weights=None),
)

_CLEAN = "GLDv2-clean (1,580,470 images, 81,313 classes)"
_STAGES = (
    Stage(
        "low",
        (
            ("data.image_size", 224),
            ("loss.margin", 0.15),
            ("train.learning_rate", 0.01),
            ("train.epochs", 10),
        ),
        data="GLDv1 (1,215,498 images, 14,950 classes) and GLDv2-clean, together",
    ),
    Stage(
        "high",
        (
            ("data.image_size", 448),
            ("data.batch_size", 32),
            ("loss.margin", 0.3),
            ("train.learning_rate", 0.001),
            ("train.epochs", 5),
        ),
        data=_CLEAN,
    ),
    Stage(
        "fix",
        (
            ("data.image_size", 512),
            ("data.batch_size", 32),
            ("data.augment", "none"),
            ("loss.margin", 0.35),
            ("model.pooling", "gem"),
            ("model.trainable", ("@norms",)),
            ("train.learning_rate", 0.001),
            ("train.epochs", 1),
        ),
        data=_CLEAN,
    ),
)

_DEMO_OF_STAGES = (
    ("data.expected_classes", None),
    ("model.backbone", "resnet50"),
    ("model.weights", None),
    ("model.embedding_dim", 128),
    ("train.optimizer", "adam"),
    ("train.warmup_steps", 10),
    ("train.log_every", 5),
    ("train.checkpoint_every", 25),
    ("train.validate_every", 50),
    ("evaluation.untrained_baseline", True),
    ("stages.1.data.train_set", "full"),
    # In so few steps GeM starts as the average that the network knows.
    ("stages.3.model.pooling", "gem:1"),
    *(
        (f"stages.{number}.{setting}", value)
        for number, size, steps, rate in ((1, 64, 200, 1e-3), (2, 80, 60, 3e-4), (3, 96, 40, 3e-4))
        for setting, value in (
            ("data.image_size", size),
            ("data.batch_size", 32),
            ("train.learning_rate", rate),
            ("train.epochs", 0),
            ("train.steps", steps),
        )
    ),
)


def _in_stages(first: Experiment, name: str, network: str) -> Experiment:
    return replace(
        first,
        name=name,
        summary=f"{network} with ArcFace in three stages of size and margin, the last FixRes (S3)",
        source="S3: network, head, 224 then 448 px, growing margin, GeM and Fix; all numbers ours",
        stages=_STAGES,
        demo=_DEMO_OF_STAGES,
    )


RECIPES = (
    RESNEST269_ARCFACE,
    RES2NET200_VD_ARCFACE,
    _in_stages(RESNEST269_ARCFACE, "resnest269_stages", "ResNeSt-269"),
    _in_stages(RES2NET200_VD_ARCFACE, "res2net200_vd_stages", "Res2Net200-vd"),
)
