"""Pre-trained backbones fine-tuned on class-balanced batches: a start on one's own pictures.

    python -m experiments.run --exp mobilenet_v2_arcface --data PICTURES
    python -m experiments.run --exp mobilenet_v2_arcface --data PICTURES --set model.weights=FILE.h5

No paper's recipe: MobileNetV2 (Sandler et al., CVPR 2018), small enough for a CPU, with one loss
after another and all else equal: the same batches, steps, rate and augmentation.
`python -m experiments.benchmarks.learning` runs them beside each other.
"""

from __future__ import annotations

from dataclasses import replace

from experiments.config import Data, Evaluation, Experiment, Loss, Model, Train

MOBILENET_V2_ARCFACE = Experiment(
    name="mobilenet_v2_arcface",
    summary="ImageNet MobileNetV2 fine-tuned with ArcFace on class-balanced batches",
    source="ours; loss as S1 (margin 0.35, scale 30)",
    data=Data(
        min_images_per_class=2,
        validation_fraction=0.1,
        validation_split="per-class",
        expected_classes=81_313,
        image_size=224,
        resize="letterbox",
        augment="flip_jitter",
        sampling="class_balanced",
        batch_size=64,
        classes_per_batch=16,
        images_per_class=4,
    ),
    model=Model(
        backbone="mobilenet_v2",
        weights="imagenet",
        head="cosine",
        pooling="gem",
    ),
    loss=Loss(name="arcface", margin=0.35, scale=30.0),
    train=Train(
        optimizer="adamw",
        learning_rate=3e-4,
        weight_decay=1e-4,
        schedule="cosine",
        warmup_steps=100,
        epochs=10,
    ),
    evaluation=Evaluation(recognition="knn"),
    demo=(
        ("data.expected_classes", None),
        ("data.image_size", 192),
        ("data.batch_size", 32),
        ("data.classes_per_batch", 8),
        ("train.learning_rate", 5e-4),
        ("train.epochs", 10),
        ("train.warmup_steps", 20),
        ("train.log_every", 10),
        ("train.checkpoint_every", 50),
        ("train.validate_every", 100),
        ("evaluation.untrained_baseline", True),
    ),
)


def _with_loss(name: str, summary: str, source: str, *, loss: Loss, **model) -> Experiment:
    """The same training with another loss, and the head that it trains."""
    base = MOBILENET_V2_ARCFACE
    return replace(
        base,
        name=f"mobilenet_v2_{name}",
        summary=f"ImageNet MobileNetV2 fine-tuned {summary} on class-balanced batches",
        source=f"ours; {source}",
        model=replace(base.model, **model),
        loss=loss,
    )


MOBILENET_V2_SOFTMAX = _with_loss(
    "softmax",
    "with plain softmax",
    "the loss of every classifier",
    head="softmax",
    loss=Loss(name="cross_entropy"),
)

MOBILENET_V2_SUBCENTER_ARCFACE = _with_loss(
    "subcenter_arcface",
    "with sub-centre ArcFace and margins by class size",
    "3 sub-centres (Deng et al., ECCV 2020), margins 0.05 to 0.5 by n^-1/4 (Ha et al., 2020)",
    subcenters=3,
    loss=Loss(name="arcface", scale=30.0, dynamic_margin=True),
)

MOBILENET_V2_GE2E = _with_loss(
    "ge2e",
    "with GE2E",
    "the softmax form (Wan et al., 2018), as S1 has it",
    head="ge2e",
    loss=Loss(name="ge2e"),
)

MOBILENET_V2_TRIPLET = _with_loss(
    "triplet",
    "with semi-hard triplets",
    "FaceNet's margin 0.2 (Schroff et al., CVPR 2015)",
    head="embedding",
    loss=Loss(name="triplet", margin=0.2, mining="semi_hard"),
)

MOBILENET_V2_SUPERVISED_CONTRASTIVE = _with_loss(
    "supervised_contrastive",
    "with the supervised contrastive loss",
    "temperature 0.1 (Khosla et al., NeurIPS 2020), without its two views and projection head",
    head="embedding",
    loss=Loss(name="supervised_contrastive", temperature=0.1),
)

RECIPES = (
    MOBILENET_V2_ARCFACE,
    MOBILENET_V2_SOFTMAX,
    MOBILENET_V2_SUBCENTER_ARCFACE,
    MOBILENET_V2_GE2E,
    MOBILENET_V2_TRIPLET,
    MOBILENET_V2_SUPERVISED_CONTRASTIVE,
)
