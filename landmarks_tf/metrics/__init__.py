"""How good a ranking or a prediction is: GLDv2's official numbers, in NumPy alone."""

from landmarks_tf.metrics.classification import f1_scores, macro_f1, top_k_accuracy, weighted_f1
from landmarks_tf.metrics.equal_error_rate import equal_error_rate
from landmarks_tf.metrics.gap_resampling import gap_interval, paired_gap_test
from landmarks_tf.metrics.recall import (
    hit_rates_at_k,
    r_precision,
    recall_summary,
    recalls_at_k,
)
from landmarks_tf.metrics.recognition import (
    global_average_precision,
    recognition_summary,
    top1_accuracy,
)
from landmarks_tf.metrics.resampling import (
    Interval,
    PairedTest,
    mean_interval,
    paired_mean_test,
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
from landmarks_tf.metrics.revisited import (
    RevisitedTruth,
    crop_query,
    delf_metrics_text,
    protocol_scores,
    revisited_summary,
)
from landmarks_tf.metrics.revisited_files import read_rankings, read_revisited_truth
from landmarks_tf.metrics.solution_version import check_solution_fits
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
    "Interval",
    "PairedTest",
    "Prediction",
    "Predictions",
    "RevisitedTruth",
    "Solution",
    "SolutionFormatError",
    "average_precisions",
    "check_solution_fits",
    "crop_query",
    "delf_metrics_text",
    "equal_error_rate",
    "f1_scores",
    "find_hits",
    "first_hit_positions",
    "gap_interval",
    "global_average_precision",
    "hit_rates_at_k",
    "macro_f1",
    "mean_average_precision",
    "mean_interval",
    "mean_median_position",
    "paired_gap_test",
    "paired_mean_test",
    "precisions_at_k",
    "protocol_scores",
    "r_precision",
    "read_rankings",
    "read_recognition_predictions",
    "read_recognition_solution",
    "read_retrieval_predictions",
    "read_retrieval_solution",
    "read_revisited_truth",
    "recall_summary",
    "recalls_at_k",
    "recognition_summary",
    "retrieval_summary",
    "revisited_summary",
    "top1_accuracy",
    "top_k_accuracy",
    "weighted_f1",
]
