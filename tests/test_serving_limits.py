"""The size limit acts on what is announced and on what really comes."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from landmarks_tf.serving.limits import BodyLimit
from tests.tiny_serving import asking

consumed = []


async def count(request):
    total = 0
    async for piece in request.stream():
        total += len(piece)
        consumed.append(len(piece))
    return PlainTextResponse(str(total))


@pytest.fixture
def client():
    consumed.clear()
    routes = [Route("/", count, methods=["POST"])]
    app = Starlette(routes=routes, middleware=[Middleware(BodyLimit, max_bytes=1000)])
    with asking(app) as client:
        yield client


def test_up_to_the_limit(client):
    assert client.post("/", content=b"x" * 1000).text == "1000"
    assert client.post("/", content=b"").text == "0"


def test_announced_too_long_is_refused_unread(client):
    answer = client.post("/", content=b"x" * 1001)
    assert answer.status_code == 413
    assert "larger than 0.001 MB" in answer.text
    assert consumed == []


async def pieces():
    """A body that does not say how long it is."""
    for _ in range(50):
        yield b"x" * 100


def test_not_announced_is_cut_off(client):
    answer = client.post("/", content=pieces())
    assert answer.status_code == 413
    assert sum(consumed) <= 1000
