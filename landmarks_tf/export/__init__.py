"""A trained model leaves the house: SavedModel, Kaggle files, and the competition's own check.

TensorFlow is imported inside the functions that need it, so the CSV and zip writers are cheap.
"""

from landmarks_tf.export.kaggle import (
    write_recognition_submission,
    write_retrieval_submission,
    zip_saved_model,
)
from landmarks_tf.export.parity import ParityError, measure_parity, probe_images
from landmarks_tf.export.saved_model import ExportReport, export_embedder
from landmarks_tf.export.scoring import (
    Kaggle2020Rankings,
    SubmissionRejectedError,
    load_descriptor,
    rank_kaggle_2020,
)

__all__ = [
    "ExportReport",
    "Kaggle2020Rankings",
    "ParityError",
    "SubmissionRejectedError",
    "export_embedder",
    "load_descriptor",
    "measure_parity",
    "probe_images",
    "rank_kaggle_2020",
    "write_recognition_submission",
    "write_retrieval_submission",
    "zip_saved_model",
]
