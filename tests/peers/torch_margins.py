"""Compute the margin losses of pytorch-metric-learning and the cross-entropies of PyTorch.

    python torch_margins.py FOLDER NUM_CLASSES SUBCENTERS

Runs in the environment of torch_requirements.txt, without network. Reads FOLDER/given.npz (rows,
centers, scores, labels, weights: see tests/torch_margins.py) and writes FOLDER/out.npz, in float64:
for each loss `NAME:losses` (B,), and the derivative of their sum, by the rows and the centres
(`NAME:rows`, `NAME:centers`) or by the scores (`NAME:scores`).
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import torch
from pytorch_metric_learning import losses, reducers
from torch.nn.functional import cross_entropy


def with_centers(num_classes: int, dim: int, subcenters: int) -> dict[str, torch.nn.Module]:
    """Losses that own their centres. Margins of angles are in degrees there."""
    options = {
        "num_classes": num_classes,
        "embedding_size": dim,
        "reducer": reducers.DoNothingReducer(),
    }
    s1 = {"margin": math.degrees(0.35), "scale": 30, **options}
    return {
        "arcface": losses.ArcFaceLoss(**s1),
        "arcface_wide": losses.ArcFaceLoss(margin=math.degrees(0.9), scale=10, **options),
        "subcenter_arcface": losses.SubCenterArcFaceLoss(sub_centers=subcenters, **s1),
        "cosface": losses.CosFaceLoss(margin=0.35, scale=64, **options),
        "norm_softmax": losses.NormalizedSoftmaxLoss(temperature=0.05, **options),
    }


def main(folder: Path, num_classes: int, subcenters: int) -> None:
    # Threads that wait for each other cost more than these small tensors do.
    torch.set_num_threads(1)
    with np.load(folder / "given.npz") as arrays:
        given = {name: torch.from_numpy(array) for name, array in arrays.items()}
    labels, out = given["labels"], {}

    def write(name: str, found: torch.Tensor, **parts: torch.Tensor) -> None:
        out[f"{name}:losses"] = found.detach().numpy()
        derivatives = torch.autograd.grad(found.sum(), list(parts.values()))
        for part, derivative in zip(parts, derivatives, strict=True):
            out[f"{name}:{part}"] = derivative.numpy()

    for name, loss in with_centers(num_classes, given["rows"].shape[1], subcenters).items():
        # W starts at random and holds a centre in each column.
        centers = given["centers"][: loss.W.shape[1]].double()
        loss.W = torch.nn.Parameter(centers.T.contiguous())
        rows = given["rows"].double().requires_grad_()
        write(name, loss(rows, labels)["loss"]["losses"], rows=rows, centers=loss.W)
        out[f"{name}:centers"] = out[f"{name}:centers"].T

    for name, options in {
        "cross_entropy_0.0": {},
        "cross_entropy_0.1": {"label_smoothing": 0.1},
        "cross_entropy_weighted": {"weight": given["weights"].double()},
    }.items():
        scores = given["scores"].double().requires_grad_()
        write(name, cross_entropy(scores, labels, reduction="none", **options), scores=scores)
    np.savez(folder / "out.npz", **out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
