"""Re-ranking as matrix work: (Q, D) queries and an (M, D) index to better rankings.

One module a method, each a pure function over arrays, blockwise: nothing is ever M x M or Q x M.
`parse_pipeline("alpha_qe:n=3,k_reciprocal")` and `run_pipeline` put them in a row.
"""

from landmarks_tf.retrieval.reranking.class_aware import class_aware_rerank, predict_classes
from landmarks_tf.retrieval.reranking.diffusion import diffusion_rerank
from landmarks_tf.retrieval.reranking.geometric import geometric_rerank
from landmarks_tf.retrieval.reranking.inlier_counts import InlierCounts
from landmarks_tf.retrieval.reranking.k_reciprocal import k_reciprocal_rerank
from landmarks_tf.retrieval.reranking.local_features import FeatureSettings, FeatureStore, describe
from landmarks_tf.retrieval.reranking.neighbours import NeighbourGraph, neighbour_graph
from landmarks_tf.retrieval.reranking.pipeline import (
    PipelineError,
    needs,
    parse_pipeline,
    run_pipeline,
)
from landmarks_tf.retrieval.reranking.query_expansion import augment_database, expand_queries
from landmarks_tf.retrieval.reranking.steps import STEPS, RetrievalData
from landmarks_tf.retrieval.reranking.super_global import super_global_rerank
from landmarks_tf.retrieval.reranking.whitening import (
    Whitening,
    fit_learned_whitening,
    fit_pca_whitening,
    load_whitening,
)

__all__ = [
    "STEPS",
    "FeatureSettings",
    "FeatureStore",
    "InlierCounts",
    "NeighbourGraph",
    "PipelineError",
    "RetrievalData",
    "Whitening",
    "augment_database",
    "class_aware_rerank",
    "describe",
    "diffusion_rerank",
    "expand_queries",
    "fit_learned_whitening",
    "fit_pca_whitening",
    "geometric_rerank",
    "k_reciprocal_rerank",
    "load_whitening",
    "needs",
    "neighbour_graph",
    "parse_pipeline",
    "predict_classes",
    "run_pipeline",
    "super_global_rerank",
]
