"""The two networks of S3's final entry, first stage.

    python -m experiments.run --exp resnest269_arcface --data GLDV2

Source: "2nd Place Solution to Google Landmark Retrieval 2020" (Yang et al., arXiv 2210.01624) and
its authors' write-up (reproduction.md section 3.1): ResNeSt-269 and Res2Net200-vd, a 512-wide
embedding layer, arcmargin, 224 px first and 448 px later, GeM pooling in the last stage. **The
margins, scale, rates and epochs of its stages are published in no readable form: those here are
ours.** This is one stage; the growing margin and resolution are not in this recipe. Never run at
full size here; scores are of the competition's own hidden sets.
"""

from __future__ import annotations

from dataclasses import replace

from experiments.config import Data, Evaluation, Experiment, Loss, Model, Published, Train

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

RECIPES = (
    RESNEST269_ARCFACE,
    replace(
        RESNEST269_ARCFACE,
        name="res2net200_vd_arcface",
        summary="Res2Net200-vd with a 512-wide embedding and ArcFace (S3, first stage)",
        model=replace(RESNEST269_ARCFACE.model, backbone="res2net200_vd", weights=None),
    ),
)
