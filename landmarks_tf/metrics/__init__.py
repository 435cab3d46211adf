"""How good a ranking or a prediction is: GLDv2's official numbers, in NumPy alone."""

from landmarks_tf.metrics.classification import f1_scores, macro_f1, top_k_accuracy, weighted_f1
from landmarks_tf.metrics.equal_error_rate import equal_error_rate
from landmarks_tf.metrics.recognition import (
    global_average_precision,
    recognition_summary,
    top1_accuracy,
)
from landmarks_tf.metrics.retrieval import (
    average_precisions,
    find_hits,
    first_hit_positions,
    mean_average_precision,
    mean_median_position,
    precisions_at_k,
    retrieval_summary,
)
from landmarks_tf.metrics.solutions import (
    Prediction,
    Predictions,
    Solution,
    SolutionFormatError,
    read_recognition_predictions,
    read_recognition_solution,
    read_retrieval_predictions,
    read_retrieval_solution,
)

__all__ = [
    "Prediction",
    "Predictions",
    "Solution",
    "SolutionFormatError",
    "average_precisions",
    "equal_error_rate",
    "f1_scores",
    "find_hits",
    "first_hit_positions",
    "global_average_precision",
    "macro_f1",
    "mean_average_precision",
    "mean_median_position",
    "precisions_at_k",
    "read_recognition_predictions",
    "read_recognition_solution",
    "read_retrieval_predictions",
    "read_retrieval_solution",
    "recognition_summary",
    "retrieval_summary",
    "top1_accuracy",
    "top_k_accuracy",
    "weighted_f1",
]
