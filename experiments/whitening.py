"""A whitening fitted once, for an index and all its queries: `python -m experiments.whitening`.

    python -m experiments.whitening --embeddings train.npy --dim 512 --out whitening.npz
    python -m experiments.whitening --embeddings train.npy --labels labels.npy --out whitening.npz
    python -m experiments.index build --embeddings index.npy --whitening whitening.npz --out DIR
    python -m experiments.index search --index DIR --queries test.npy --whitening whitening.npz ...

The first is PCA whitening cut to 512 dimensions, the second is learned from which training pictures
show the same landmark (both: `landmarks_tf.retrieval.reranking.whitening`). Embeddings are files as
`python -m experiments.index` takes them.

Exit codes: 0 done, 1 a file or a row that does not fit, 2 usage, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.command import UsageError, exit_code
from landmarks_tf.retrieval.index_folder import IndexFolderError, fingerprint_of

if TYPE_CHECKING:
    from landmarks_tf.retrieval.reranking.whitening import Whitening

_MARK = "+whitening:"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    return exit_code(lambda: _fit(options), interrupted="interrupted; nothing was written")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.whitening",
        description="Fits a whitening on training embeddings, for experiments.index --whitening.",
    )
    add = parser.add_argument
    add("--embeddings", type=Path, required=True, metavar="FILE", help="of training pictures")
    add("--labels", type=Path, metavar="NPY", help="(N,) their classes: learned, no PCA")
    add("--dim", type=int, metavar="D", help="dimensions that stay (default: all)")
    add("--power", type=float, metavar="P", help="of PCA: 0 turns and cuts, 0.5 whitens (0.5)")
    add("--ridge", type=float, metavar="R", help="with --labels: for few pairs, more (0.01)")
    add("--normalize", action="store_true", help="make rows unit long")
    add("--out", type=Path, required=True, metavar="NPZ", help="the whitening")
    return parser


def _fit(options: argparse.Namespace) -> int:
    from experiments.index_files import read_rows
    from landmarks_tf.retrieval.files import read_npy
    from landmarks_tf.retrieval.reranking import fit_learned_whitening, fit_pca_whitening

    learned = options.labels is not None
    if (options.power if learned else options.ridge) is not None:
        raise UsageError("--power is of PCA whitening, --ridge of the one that --labels ask for")
    if options.out.suffix != ".npz":
        raise UsageError(f"--out ends in .npz. Received: {options.out}")
    chosen = {name: getattr(options, name) for name in ("dim", "power", "ridge")}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    vectors = read_rows(options.embeddings, normalize=options.normalize).vectors
    if learned:
        labels = read_npy(options.labels, what="labels")
        fitted = fit_learned_whitening(vectors, labels, **chosen)
    else:
        fitted = fit_pca_whitening(vectors, **chosen)
    fitted.save(options.out)
    kind = "learned" if learned else "PCA"
    print(
        f"{options.out}: {kind} whitening {fitted.digest}, {len(fitted.mean)} to "
        f"{fitted.projection.shape[1]} dimensions, of {len(vectors)} rows"
    )
    return 0


def read_whitening(path: Path | None) -> Whitening | None:
    """The whitening in a file; None for none.

    Raises:
        ValueError, OSError: as `load_whitening`.
    """
    if path is None:
        return None
    from landmarks_tf.retrieval.reranking import load_whitening  # brings SciPy, which takes a while

    return load_whitening(path)


def with_whitening(fingerprint: str | None, whitening: Whitening | None) -> str | None:
    """The fingerprint of embeddings that went through a whitening; None stays None."""
    if fingerprint is None or whitening is None:
        return fingerprint
    return f"{fingerprint}{_MARK}{whitening.digest}"


def check_whitening(index: Path, whitening: Whitening | None) -> None:
    """Refuses rows for an index whose own went through another whitening.

    Args:
        index: the folder.
        whitening: what the rows go through.

    Raises:
        IndexFolderError: it is another one, one too many, or missing.
        FileNotFoundError: there is no such index.
    """
    found = fingerprint_of(index).partition(_MARK)[2]
    given = "" if whitening is None else whitening.digest
    if found != given:
        built = f"with whitening {found}" if found else "without a whitening"
        came = f"with whitening {given}" if given else "without one"
        todo = "give --whitening its file" if found else "leave --whitening out"
        raise IndexFolderError(f"{index} was built {built}, these rows come {came}: {todo}")


if __name__ == "__main__":
    sys.exit(main())
