"""`python -m landmarks_tf.serving --model DIR --index DIR`: serves a run's model and index."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(prog="python -m landmarks_tf.serving", description=__doc__)
    result.add_argument("--model", type=Path, required=True, help="exported SavedModel")
    result.add_argument("--index", type=Path, required=True, help="index of the same run")
    result.add_argument("--images", type=Path, help="folder of the index images, a/b/c/<id>.jpg")
    result.add_argument("--labels", type=Path, help="index_image_to_landmark.csv: id,landmark_id")
    result.add_argument(
        "--names", type=Path, help="index_label_to_category.csv: landmark_id,category"
    )
    result.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    result.add_argument("--port", type=_port, default=5000, help="port (%(default)s)")
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until stopped; 1 if it cannot begin."""
    options = parser().parse_args(arguments)
    if options.names and not options.labels:
        parser().error("--names needs --labels: it names the landmarks that the labels speak of")
    try:
        import uvicorn

        from landmarks_tf.serving.app import create_app
        from landmarks_tf.serving.labels import read_labels

        labels = read_labels(options.labels, options.names) if options.labels else None
        app = create_app(options.model, options.index, image_root=options.images, labels=labels)
    except ModuleNotFoundError as error:
        return _fail(f"{error}; the server needs: pip install 'landmarks-tf[serve]'")
    except (ValueError, OSError) as error:
        return _fail(str(error))
    # Beyond these, an answer of 503 is kinder than a queue.
    uvicorn.run(app, host=options.host, port=options.port, limit_concurrency=64)
    return 0


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, received {text!r}")
    return int(text)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
