"""A tiny model and index for the serving tests: real SavedModel, real ScaNN, drawn pictures."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
from anyio.from_thread import start_blocking_portal
from PIL import Image, ImageDraw

COLOURS = {"Red Fort": (200, 40, 30), "Blue Mosque": (30, 60, 200), "Green Vault": (30, 160, 60)}


def drawn(colour, shift=0, size=(64, 48)):
    """A coloured block on the ground under a bright sky."""
    image = Image.new("RGB", size, (225, 230, 240))
    box = [size[0] // 4 + shift, size[1] // 2, 3 * size[0] // 4 + shift, size[1]]
    ImageDraw.Draw(image).rectangle(box, fill=colour)
    return image


def encoded(image, kind="JPEG", **options) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def describe(image: np.ndarray) -> np.ndarray:
    """What the tiny model computes, in NumPy: mean colour of four quarters, less its mean, unit."""
    height, width = image.shape[0] // 2, image.shape[1] // 2
    quarters = [
        image[y * height : (y + 1) * height, x * width : (x + 1) * width].mean(axis=(0, 1))
        for y in (0, 1)
        for x in (0, 1)
    ]
    vector = np.concatenate(quarters).astype(np.float64)
    vector -= vector.mean()
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def save_model(folder: Path) -> Path:
    """`describe` as a SavedModel of the Retrieval-2020 contract."""
    import tensorflow as tf

    class Tiny(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8, "input_image")])
        def call(self, input_image):
            image = tf.cast(input_image, tf.float32)
            height, width = tf.shape(image)[0] // 2, tf.shape(image)[1] // 2
            rows = (image[:height], image[height : 2 * height])
            parts = [row[:, x * width : (x + 1) * width] for row in rows for x in (0, 1)]
            vector = tf.concat([tf.reduce_mean(part, axis=[0, 1]) for part in parts], axis=0)
            vector -= tf.reduce_mean(vector)
            return {"global_descriptor": tf.math.l2_normalize(vector)}

    module = Tiny()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.call})
    return folder


def save_images(folder: Path) -> dict[str, str]:
    """Five pictures of each landmark, laid out as GLDv2; image id -> name."""
    labels = {}
    for number, (name, colour) in enumerate(COLOURS.items()):
        for shot in range(5):
            image_id = f"{number * 4096 + shot * 17:016x}"
            path = folder / image_id[0] / image_id[1] / image_id[2] / f"{image_id}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(drawn(colour, shift=shot - 2)))
            labels[image_id] = name
    return labels


def save_index(folder: Path, images: Path, ids) -> Path:
    """A ScaNN index over the descriptors of the pictures."""
    from landmarks_tf.retrieval import ScannIndex

    vectors = []
    for image_id in ids:
        path = images / image_id[0] / image_id[1] / image_id[2] / f"{image_id}.jpg"
        with Image.open(path) as image:
            vectors.append(describe(np.asarray(image.convert("RGB"))))
    ScannIndex.build(np.stack(vectors), list(ids), folder, k=5, report=lambda _line: None)
    return folder


class Client:
    """Asks an ASGI application through httpx; a failure of the application is its answer of 500.

    (starlette.testclient warns that it wants another HTTP library than the httpx we have.)
    """

    def __init__(self, app, portal):
        self.app, self._portal = app, portal

    def request(self, method, url, **options):
        async def ask():
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                return await client.request(method, url, **options)

        return self._portal.call(ask)

    def get(self, url, **options):
        return self.request("GET", url, **options)

    def post(self, url, **options):
        return self.request("POST", url, **options)


@contextlib.contextmanager
def asking(app) -> Iterator[Client]:
    """A client whose requests all run in one event loop, as a server's do."""
    with start_blocking_portal() as portal:
        yield Client(app, portal)
