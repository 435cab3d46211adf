"""The web application: a page to try, and JSON for programs.

    GET  /            choose a picture, see its matches
    POST /search      multipart field `file`; ?k=1..100 -> {"matches": [{id, score, landmark}, ...]}
    POST /recognize   multipart field `file` -> {"result": {"class", "confidence"}}, as S2's server
    GET  /images/ID   a small JPEG of an index image, if the server knows their folder
    GET  /healthz     what is being served

Every refusal is JSON, {"error": "what is wrong and what to do"}, with a 4xx status.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import anyio
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from landmarks_tf.serving.finder import Finder
from landmarks_tf.serving.limits import BodyLimit
from landmarks_tf.serving.pictures import MAX_PIXELS, PictureError, decode_upload, shrink

MAX_UPLOAD_BYTES = 20_000_000
DEFAULT_K, MAX_K = 12, 100
THUMBNAIL_PX = 320
_IMAGE_ID = re.compile(r"[0-9a-f]{16}")
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
_POLICY += "img-src 'self' blob: data:; form-action 'self'; base-uri 'none'"
_STATIC = {
    "": ("page.html", "text/html"),
    "page.js": ("page.js", "text/javascript"),
    "page.css": ("page.css", "text/css"),
}
_log = logging.getLogger(__name__)


def create_app(
    saved_model_dir: str | Path,
    index_dir: str | Path,
    *,
    image_root: str | Path | None = None,
    labels: Mapping[str, str] | None = None,
    max_upload_bytes: int = MAX_UPLOAD_BYTES,
    max_pixels: int = MAX_PIXELS,
) -> Starlette:
    """Loads a model and an index and builds the application around them.

    Args:
        saved_model_dir: an exported SavedModel (`landmarks_tf.export`).
        index_dir: a saved index (`landmarks_tf.retrieval`) of the same model.
        image_root: folder of the index images, a/b/c/<id>.jpg as GLDv2 has them; None: no pictures.
        labels: image id -> name of its landmark (`read_labels`); None: no names, no /recognize.
        max_upload_bytes: largest request.
        max_pixels: largest picture.

    Raises:
        ValueError, OSError: what is wrong with the folders.
    """
    if image_root is not None and not Path(image_root).is_dir():
        raise FileNotFoundError(f"no folder of index images at {image_root}")
    finder = Finder.open(Path(saved_model_dir), Path(index_dir), labels)
    service = _Service(finder, None if image_root is None else Path(image_root), max_pixels)
    app = Starlette(
        routes=[
            *(Route(f"/{path}", _static(*content)) for path, content in _STATIC.items()),
            Route("/search", service.search, methods=["POST"]),
            Route("/recognize", service.recognize, methods=["POST"]),
            Route("/images/{image_id}", service.image),
            Route("/healthz", service.health),
        ],
        middleware=[Middleware(BodyLimit, max_bytes=max_upload_bytes)],
        exception_handlers={
            HTTPException: _refused,
            PictureError: _not_a_picture,
            Exception: _failed,
        },
    )
    app.state.finder = finder
    return app


class _Service:
    def __init__(self, finder: Finder, image_root: Path | None, max_pixels: int):
        self.finder = finder
        self.image_root = image_root
        self.max_pixels = max_pixels
        self.known_ids = frozenset(() if finder.index.ids is None else finder.index.ids.tolist())
        # The model uses all cores for one picture; two at a time keep it busy while one decodes.
        self.limiter = anyio.CapacityLimiter(2)

    async def search(self, request: Request) -> Response:
        k = _wanted_k(request)
        content = await _uploaded(request)
        answer = await self._in_thread(_answered, self.finder.find, content, self.max_pixels, k)
        return JSONResponse(
            {
                "matches": [
                    {
                        "id": match.image_id,
                        "score": round(match.score, 6),
                        "landmark": match.landmark,
                        "image": self._image_url(match.image_id),
                    }
                    for match in answer.matches
                ],
                "index_rows": len(self.finder.index),
                "describe_ms": round(answer.describe_ms, 2),
                "search_ms": round(answer.search_ms, 2),
            }
        )

    async def recognize(self, request: Request) -> Response:
        if self.finder.labels is None:
            raise HTTPException(
                404, "This server was started without labels; it can only /search. See --labels."
            )
        content = await _uploaded(request)
        name, confidence = await self._in_thread(
            _answered, self.finder.recognize, content, self.max_pixels
        )
        return JSONResponse({"result": {"class": name, "confidence": round(confidence, 4)}})

    async def image(self, request: Request) -> Response:
        image_id = request.path_params["image_id"]
        path = self._image_path(image_id)
        if path is None or not path.is_file():
            raise HTTPException(404, "There is no picture of this id here.")
        try:
            small = await self._in_thread(_thumbnail, path)
        except (PictureError, OSError):
            raise HTTPException(404, "The picture of this id cannot be read.") from None
        headers = {"Cache-Control": "public, max-age=86400", "X-Content-Type-Options": "nosniff"}
        return Response(small, media_type="image/jpeg", headers=headers)

    async def health(self, _request: Request) -> Response:
        index = self.finder.index
        return JSONResponse(
            {
                "status": "ok",
                "index": index.kind,
                "index_rows": len(index),
                "dimension": index.dim,
                "labels": self.finder.labels is not None,
            }
        )

    async def _in_thread(self, work, *arguments):
        return await run_sync(work, *arguments, limiter=self.limiter)

    def _image_path(self, image_id: str) -> Path | None:
        if self.image_root is None or image_id not in self.known_ids:
            return None
        if not _IMAGE_ID.fullmatch(image_id):
            return None
        return self.image_root / image_id[0] / image_id[1] / image_id[2] / f"{image_id}.jpg"

    def _image_url(self, image_id: str) -> str | None:
        path = self._image_path(image_id)
        return f"images/{image_id}" if path is not None and path.is_file() else None


def _answered(ask, content: bytes, max_pixels: int, *arguments):
    picture = decode_upload(content, max_pixels=max_pixels)
    try:
        return ask(picture, *arguments)
    except ValueError as error:  # a shape that the model does not bear, an empty descriptor
        raise PictureError(422, f"The model has no answer to this picture: {error}") from error


def _thumbnail(path: Path) -> bytes:
    return shrink(path.read_bytes(), THUMBNAIL_PX)


def _wanted_k(request: Request) -> int:
    text = request.query_params.get("k", str(DEFAULT_K))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_K and len(text) < 9):
        raise HTTPException(422, f"k must be a whole number from 1 to {MAX_K}, received {text!r}.")
    return int(text)


async def _uploaded(request: Request) -> bytes:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise HTTPException(
            415, "Send the picture as multipart/form-data, in a field that is named 'file'."
        )
    async with request.form(max_files=1, max_fields=4) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise HTTPException(422, "There is no picture in the field 'file' of the upload.")
        return await file.read()


def _static(name: str, media_type: str):
    content = resources.files("landmarks_tf.serving").joinpath("web", name).read_bytes()
    headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}

    async def answer(_request: Request) -> Response:
        return Response(content, media_type=media_type, headers=headers)

    return answer


async def _refused(_request: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def _not_a_picture(_request: Request, error: PictureError) -> Response:
    return JSONResponse({"error": str(error)}, error.status)


async def _failed(request: Request, error: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return JSONResponse({"error": "The server failed on this request; its log says why."}, 500)
