"""Draw the Inception family as it is built: the pictures of experiments/results/inception.md.

    python -m experiments.diagrams                # over the committed ones
    python -m experiments.diagrams --out FOLDER

Each network is built at 299 px with random weights; kernels, filters, strides, sizes and counts are
read off its layers.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.command import exit_code

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

FOLDER = Path(__file__).parent / "results" / "inception"

# File -> backbone, block, title.
_BLOCKS = {
    "reduction_plain": ("inception_v3", "mixed_6a", "Plain reduction (V3, Figure 6)"),
    "reduction_enhanced": ("inception_v200", "mixed_6a", "Enhanced reduction (V100, V200)"),
    "reduction_figure7": ("inception_v100_figure7", "mixed_6a", "Figure 7 (filters, strides ours)"),
    "block_a": ("inception_v200", "mixed_5b", "Block A at 35x35"),
    "block_c": ("inception_v200", "mixed_6b", "Block C at 17x17, c = 128"),
    "block_d": ("inception_v200", "mixed_7a", "Block D, 17x17 to 8x8"),
    "block_e": ("inception_v200", "mixed_7b", "Block E at 8x8"),
}

_FAMILY = {
    "InceptionV3": "inception_v3",
    "V100\nas coded": "inception_v100",
    "V100\nas Figure 7": "inception_v100_figure7",
    "V200\nas coded": "inception_v200",
    "V200\nas Figure 6": "inception_v200_figure6",
}
_BLOCK_NAMES = r"stem|mixed_\d[a-z]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write every diagram. Exit codes: 0 done, 1 failed, 2 usage."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.diagrams",
        description="Draw the Inception family's blocks from the built networks.",
    )
    parser.add_argument("--out", metavar="DIR", type=Path, default=FOLDER, help="where to write")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return exit_code(lambda: _write(options.out))


def _write(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    for name, svg in diagrams(_build).items():
        path = folder / f"{name}.svg"
        path.write_text(svg + "\n", encoding="utf-8")
        print(path)
    return 0


def diagrams(build: Callable[[str], keras.Model]) -> dict[str, str]:
    """File name without suffix -> SVG.

    Args:
        build: backbone's name -> its network at 299 px, a flat graph.
    """
    from landmarks_tf.plots.style import figure_svg

    return {name: figure_svg(figure) for name, figure in _figures(build).items()}


def _figures(build: Callable[[str], keras.Model]) -> dict[str, Figure]:
    from landmarks_tf.plots.architecture import block_figure, comparison_figure
    from landmarks_tf.plots.block_graph import read_block, read_blocks

    models = {name: build(name) for name in _FAMILY.values()}
    nets = {heading: read_blocks(models[name], _BLOCK_NAMES) for heading, name in _FAMILY.items()}
    figures = {"family": comparison_figure(nets, "The Inception family at 299 px, without heads")}
    for file, (name, block, title) in _BLOCKS.items():
        figures[file] = block_figure(read_block(models[name], block), f"{block}: {title}")
    return figures


def _build(name: str) -> keras.Model:
    from landmarks_tf.models import create_backbone

    return create_backbone(name, image_size=299).model


if __name__ == "__main__":
    sys.exit(main())
