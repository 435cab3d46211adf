"""Pictures of a run: curves, UMAP, class sizes, galleries. Every function returns a Figure."""

from landmarks_tf.plots.class_distribution import class_distribution
from landmarks_tf.plots.curves import training_curves
from landmarks_tf.plots.gallery import GalleryRow, Match, gallery_figure, pick_queries, thumbnail
from landmarks_tf.plots.style import figure_png, figure_svg
from landmarks_tf.plots.umap_plot import umap_figure

__all__ = [
    "GalleryRow",
    "Match",
    "class_distribution",
    "figure_png",
    "figure_svg",
    "gallery_figure",
    "pick_queries",
    "thumbnail",
    "training_curves",
    "umap_figure",
]
