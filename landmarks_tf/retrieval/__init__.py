"""Embeddings to rankings: embed, exact search, ScaNN, recognition by neighbours.

`ExactIndex` and `ScannIndex` share `search(queries (Q, D), k) -> scores (Q, k), rows (Q, k)`.
"""

from landmarks_tf.retrieval.calibration import fit_isotonic, fit_logistic
from landmarks_tf.retrieval.embed import embed_dataset, embed_shards, plan_shards
from landmarks_tf.retrieval.embedding_files import Embeddings, load_embeddings, shard_paths
from landmarks_tf.retrieval.ensemble import concatenate_embeddings
from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.index_folder import IndexFolderError
from landmarks_tf.retrieval.knn import knn_classify, nearest_classes
from landmarks_tf.retrieval.open_set import Penalty, recognize
from landmarks_tf.retrieval.opening import open_index
from landmarks_tf.retrieval.parameters import ScannParameters, choose_parameters
from landmarks_tf.retrieval.scann_build import ScannBuildError
from landmarks_tf.retrieval.scann_index import ScannIndex
from landmarks_tf.retrieval.sharded_index import ShardedIndex
from landmarks_tf.retrieval.threshold import choose_threshold, open_set_scores
from landmarks_tf.retrieval.vectors import EmbeddingError

__all__ = [
    "EmbeddingError",
    "Embeddings",
    "ExactIndex",
    "IndexFolderError",
    "Penalty",
    "ScannBuildError",
    "ScannIndex",
    "ScannParameters",
    "ShardedIndex",
    "choose_parameters",
    "choose_threshold",
    "concatenate_embeddings",
    "embed_dataset",
    "embed_shards",
    "fit_isotonic",
    "fit_logistic",
    "knn_classify",
    "load_embeddings",
    "nearest_classes",
    "open_index",
    "open_set_scores",
    "plan_shards",
    "recognize",
    "shard_paths",
]
