"""Embeddings to rankings: embed, exact search, ScaNN, recognition by neighbours.

`ExactIndex` and `ScannIndex` share `search(queries (Q, D), k) -> scores (Q, k), rows (Q, k)`.
"""

from landmarks_tf.retrieval.embed import embed_dataset, embed_shards, plan_shards
from landmarks_tf.retrieval.embedding_files import Embeddings, load_embeddings, shard_paths
from landmarks_tf.retrieval.ensemble import concatenate_embeddings
from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.index_folder import IndexFolderError
from landmarks_tf.retrieval.knn import knn_classify, nearest_classes
from landmarks_tf.retrieval.opening import open_index
from landmarks_tf.retrieval.parameters import ScannParameters, choose_parameters
from landmarks_tf.retrieval.scann_build import ScannBuildError
from landmarks_tf.retrieval.scann_index import ScannIndex
from landmarks_tf.retrieval.sharded_index import ShardedIndex
from landmarks_tf.retrieval.vectors import EmbeddingError

__all__ = [
    "EmbeddingError",
    "Embeddings",
    "ExactIndex",
    "IndexFolderError",
    "ScannBuildError",
    "ScannIndex",
    "ScannParameters",
    "ShardedIndex",
    "choose_parameters",
    "concatenate_embeddings",
    "embed_dataset",
    "embed_shards",
    "knn_classify",
    "load_embeddings",
    "nearest_classes",
    "open_index",
    "plan_shards",
    "shard_paths",
]
