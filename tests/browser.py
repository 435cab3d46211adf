"""A real Chromium, driven over its debugging pipe with nothing but the standard library.

`with browser() as page:` skips the test where no Chromium is installed.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run", "--disable-extensions"),
    *("--disable-default-apps", "--hide-scrollbars", "--remote-debugging-pipe"),
)

# Chromium reads commands from descriptor 3 and answers on 4. Both are moved out of the way first.
_LAUNCH = """
import fcntl, os, sys
moved = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
for wanted, number in zip((3, 4), moved):
    os.dup2(number, wanted)
    os.close(number)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Page:
    """One tab.

    Attributes:
        messages: what the page wrote on its console, and its errors.
        requests: URLs that were asked for.
    """

    def __init__(self, to_browser: int, from_browser: int, timeout_s: float = 60):
        self._out, self._in, self._timeout_s = to_browser, from_browser, timeout_s
        self._number, self._pending = 0, b""
        self._session = None
        self.messages: list[str] = []
        self.requests: list[str] = []
        self._loaded = False
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.call(f"{domain}.enable")

    def open(self, url: str, width: int, height: int = 900, dark: bool = False) -> None:
        """Loads a page in a window of so many CSS pixels and waits until it has loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.messages.clear()
        self.requests.clear()
        self._loaded = False
        self.call("Page.navigate", url=url)
        self._until(lambda: self._loaded, f"{url} to load")

    def evaluate(self, expression: str):
        """The value of a JavaScript expression; promises are awaited."""
        result = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in result:
            raise AssertionError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Waits until a JavaScript expression is true."""
        self._until(lambda: self.evaluate(expression), expression)

    def choose_file(self, selector: str, path: Path) -> None:
        """Puts a file into an <input type=file>, as a user does."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def screenshot(self, path: Path) -> None:
        """The whole page as a PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def call(self, method: str, **parameters):
        """Sends a command of the DevTools protocol and returns its result."""
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]
            self._note(answer)

    def _note(self, event: dict) -> None:
        kind, body = event.get("method"), event.get("params", {})
        if kind == "Page.loadEventFired":
            self._loaded = True
        elif kind == "Network.requestWillBeSent":
            self.requests.append(body["request"]["url"])
        elif kind in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            self.messages.append(json.dumps(body))

    def _receive(self) -> dict:
        while b"\0" not in self._pending:
            if not select.select([self._in], [], [], self._timeout_s)[0]:
                raise AssertionError(f"Chromium said nothing for {self._timeout_s} s")
            received = os.read(self._in, 1 << 20)
            if not received:
                raise AssertionError("Chromium has ended")
            self._pending += received
        message, _, self._pending = self._pending.partition(b"\0")
        return json.loads(message)

    def _until(self, holds, what: str) -> None:
        deadline = time.monotonic() + self._timeout_s
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {self._timeout_s} s for {what}: {self.messages}")
            while select.select([self._in], [], [], 0.05)[0] or b"\0" in self._pending:
                self._note(self._receive())


@contextlib.contextmanager
def browser() -> Iterator[Page]:
    """A fresh Chromium with one tab, ended and forgotten afterwards."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on this machine: pages are not looked at")
    read_commands, commands = os.pipe()
    answers, write_answers = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", _LAUNCH, str(read_commands), str(write_answers)),
                *(program, *_FLAGS, f"--user-data-dir={profile}"),
            ],
            pass_fds=(read_commands, write_answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_commands)
        os.close(write_answers)
        try:
            page = Page(commands, answers)
            yield page
            page.call("Browser.close")
        finally:
            os.close(commands)
            os.close(answers)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
