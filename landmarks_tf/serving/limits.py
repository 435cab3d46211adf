"""A limit on the size of a request, kept while the request is still coming in."""

from __future__ import annotations

from starlette.exceptions import HTTPException


class BodyLimit:
    """ASGI middleware: answers 413 to a body of more than `max_bytes`.

    A body that says its length is refused before it is read; one that does not is cut off as soon
    as it is too long, so it never fills the disk.
    """

    def __init__(self, app, max_bytes: int):
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        received = 0

        async def counted():
            nonlocal received
            if announced.isdigit() and int(announced) > self.max_bytes:
                raise self._refusal()
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                raise self._refusal()
            return message

        await self.app(scope, counted, send)

    def _refusal(self) -> HTTPException:
        return HTTPException(
            413,
            f"The upload is larger than {self.max_bytes / 1e6:g} MB. Send a smaller picture.",
            headers={"Connection": "close"},
        )
