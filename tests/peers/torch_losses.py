"""Compute the losses of pytorch-metric-learning on given arrays, with their gradients.

    python torch_losses.py GIVEN.npz OUT.npz [NAME ...]

Runs in the environment of torch_requirements.txt, without network. GIVEN.npz holds `labels` (B,)
and the float arrays that the losses of LOSSES read; all are computed in float64. Into OUT.npz goes,
for each loss (all of them unless named), its value under its name and under "NAME:ARRAY" the
derivative by each array that it reads.

Where the definition there differs from ours, the function says so and takes what both have.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from pytorch_metric_learning import distances, losses, miners, reducers

# Threads that wait for each other cost more than these small tensors do.
torch.set_num_threads(1)

DISTANCES = {
    "squared": lambda: distances.LpDistance(power=2),
    "euclidean": lambda: distances.LpDistance(),
    "cosine": lambda: distances.CosineSimilarity(),
}


def triplet(given, distance, *, mining=None, mean=True, **options):
    """Their default counts triplets above zero only ("nonzero" of ours); MeanReducer counts all."""
    reducer = reducers.MeanReducer() if mean else reducers.AvgNonZeroReducer()
    loss = losses.TripletMarginLoss(distance=DISTANCES[distance](), reducer=reducer, **options)
    mined = mining and mining(given["embeddings"], given["labels"])
    return loss(given["embeddings"], given["labels"], mined)


def triplet_hard(given):
    return triplet(
        given, "squared", margin=0.7, mining=miners.BatchHardMiner(distance=DISTANCES["squared"]())
    )


def nearest_semi_hard(embeddings, labels):
    """Their miner gives every semi-hard negative within the margin; FaceNet and ours take the
    nearest one of each anchor and positive, so the others are dropped here. Where there is none
    their miner gives nothing, and ours the farthest: the arrays must have one for each pair."""
    miner = miners.TripletMarginMiner(
        margin=1e9, type_of_triplets="semihard", distance=DISTANCES["squared"]()
    )
    apart = DISTANCES["squared"]()(embeddings)
    nearest = {}
    for a, p, n in zip(*(part.tolist() for part in miner(embeddings, labels)), strict=True):
        if (a, p) not in nearest or apart[a, n] < apart[a, nearest[a, p]]:
            nearest[a, p] = n
    pairs = sum(int((labels == label).sum()) - 1 for label in labels)
    if len(nearest) != pairs:
        raise ValueError(f"only {len(nearest)} of {pairs} pairs have a semi-hard negative")
    rows = [(a, p, n) for (a, p), n in nearest.items()]
    return tuple(torch.tensor(part) for part in zip(*rows, strict=True))


def contrastive(given):
    """Theirs is d and max(0, m - d), without the squares and halves of the paper: taken pair by
    pair, before any mean, and squared here."""
    loss = losses.ContrastiveLoss(
        neg_margin=1.2,
        distance=distances.LpDistance(),
        reducer=reducers.DoNothingReducer(),
    )
    parts = loss(given["embeddings"], given["labels"])
    return sum(0.5 * torch.mean(parts[name]["losses"] ** 2) for name in ("pos_loss", "neg_loss"))


def multi_similarity(given, mined: bool):
    """Their default leaves anchors that mined nothing out of the mean; the paper does not."""
    loss = losses.MultiSimilarityLoss(alpha=2, beta=50, base=1, reducer=reducers.MeanReducer())
    pairs = None
    if mined:
        pairs = miners.MultiSimilarityMiner(epsilon=0.1)(given["embeddings"], given["labels"])
    return loss(given["embeddings"], given["labels"], pairs)


def proxy_anchor(given):
    """Their proxies belong to the loss; ours are a layer's weights."""
    classes, dim = given["proxies"].shape
    loss = losses.ProxyAnchorLoss(classes, dim, margin=0.1, alpha=32).double()
    del loss.proxies
    loss.proxies = given["proxies"]
    return loss(given["embeddings"], given["labels"])


LOSSES = {
    "triplet_all_squared": lambda given: triplet(given, "squared", margin=0.7),
    "triplet_all_euclidean": lambda given: triplet(given, "euclidean", margin=0.7),
    "triplet_all_cosine": lambda given: triplet(given, "cosine", margin=0.7),
    "triplet_nonzero": lambda given: triplet(given, "euclidean", margin=0.2, mean=False),
    # Their soft margin keeps the margin inside of the exponential: 0 for Hermans' form.
    "triplet_soft": lambda given: triplet(given, "euclidean", margin=0, smooth_loss=True),
    "triplet_hard": triplet_hard,
    "triplet_semi_hard": lambda given: triplet(
        given, "squared", margin=0.7, mining=nearest_semi_hard
    ),
    "contrastive": contrastive,
    "multi_similarity": lambda given: multi_similarity(given, mined=False),
    "multi_similarity_mined": lambda given: multi_similarity(given, mined=True),
    "proxy_anchor": proxy_anchor,
    "supervised_contrastive": lambda given: losses.SupConLoss(temperature=0.1)(
        given["embeddings"], given["labels"]
    ),
    "circle": lambda given: losses.CircleLoss(m=0.4, gamma=80)(
        given["embeddings"], given["labels"]
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("given", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    with np.load(options.given) as arrays:
        plain = dict(arrays)
    out = {}
    for name in options.names or LOSSES:
        given = {
            key: torch.tensor(value).double().requires_grad_(True)
            if np.issubdtype(value.dtype, np.floating)
            else torch.tensor(value).long()
            for key, value in plain.items()
        }
        value = LOSSES[name](given)
        value.backward()
        out[name] = value.item()
        for key, tensor in given.items():
            if tensor.grad is not None:
                out[f"{name}:{key}"] = tensor.grad.numpy()
    np.savez(options.out, **out)


if __name__ == "__main__":
    main()
