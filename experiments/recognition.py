"""S2's other networks: VGG16, ResNet50 and EfficientNet-B0 on the 890 large classes.

    python -m experiments.run --exp efficientnet_b0 --data GLDV2

Source: "Landmark Recognition" (Samala, Jiang, NYU), programs vgg16.py, resnet.py and efficient.py
(reproduction.md sections 1.6 to 1.9). Optimizer, schedule, split and classes are those of
`inception_v200`; what each program changes stands here. Its table is no like-for-like comparison:
ResNet50 and EfficientNet-B0 see 64 px, the others 224 and 299, and only EfficientNet-B0 starts
from ImageNet weights. Never run at full size here.
"""

from __future__ import annotations

from dataclasses import replace

from experiments.config import Experiment, Model, Published
from experiments.inception import INCEPTION_V200

_TABLE_2 = "S2, table 2, random 10 % held out, 50 epochs"


def _recipe(name: str, summary: str, model: Model, top1: float, top5: float, **data) -> Experiment:
    return replace(
        INCEPTION_V200,
        name=name,
        summary=summary,
        source="S2 code, with inception_v200's optimizer, schedule and split",
        data=replace(INCEPTION_V200.data, **data),
        model=model,
        published=(
            Published("top1_percent", top1, _TABLE_2),
            Published("top5_percent", top5, _TABLE_2),
        ),
        demo=(
            *(
                (setting, value)
                for setting, value in INCEPTION_V200.demo
                if setting not in ("data.image_size", "data.augment", "model.dropout")
            ),
            ("data.image_size", 64),
            ("model.weights", None),
        ),
    )


VGG16 = _recipe(
    "vgg16",
    "VGG16 (S2) from scratch with its three dense layers",
    Model(
        backbone="vgg16",
        pooling="flatten",
        neck=("dense:4096", "relu", "dropout:0.5", "dense:4096", "relu", "dropout:0.5"),
        dropout=0.0,
    ),
    70.12,
    88.21,
    image_size=224,
    resize="center_crop_from_8_7",
    batch_size=32,
)

RESNET50_S2 = _recipe(
    "resnet50_s2",
    "ResNet50 (S2) from scratch at 64 px, its head on all four positions of the last map",
    Model(backbone="resnet50_v1", pooling="padded_avg_flatten", dropout=0.0),
    74.42,
    87.24,
    image_size=64,
    resize="squash",
    augment="s2",
    batch_size=32,
)

EFFICIENTNET_B0 = _recipe(
    "efficientnet_b0",
    "EfficientNet-B0 (S2) from ImageNet weights at 64 px",
    Model(backbone="efficientnet_b0", weights="imagenet", dropout=0.0),
    80.54,
    90.27,
    image_size=64,
    resize="squash",
    augment="s2",
    batch_size=128,
)

RECIPES = (VGG16, RESNET50_S2, EFFICIENTNET_B0)
