"""The server as a user starts it: a real process, a real browser, and the container's command."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from landmarks_tf.serving.__main__ import main, parser
from tests import tiny_serving
from tests.browser import browser
from tests.tiny_serving import COLOURS, drawn, encoded

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("serving")
    labels = tiny_serving.save_images(root / "images")
    tiny_serving.save_model(root / "model")
    tiny_serving.save_index(root / "index", root / "images", labels)
    numbers = {name: str(7 * n) for n, name in enumerate(COLOURS)}
    (root / "labels.csv").write_text(
        "id,landmark_id\n" + "".join(f"{i},{numbers[name]}\n" for i, name in labels.items())
    )
    (root / "names.csv").write_text(
        "landmark_id,category\n"
        + "".join(
            f"{n},http://commons.wikimedia.org/wiki/Category:{name.replace(' ', '_')}\n"
            for name, n in numbers.items()
        )
    )
    return root


@pytest.fixture(scope="module")
def server(folder):
    """The address of a running server."""
    options = (
        *("--model", folder / "model", "--index", folder / "index", "--port", "0"),
        *("--images", folder / "images", "--labels", folder / "labels.csv"),
        *("--names", folder / "names.csv"),
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "landmarks_tf.serving", *map(str, options)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(180, process.kill)
    watchdog.start()
    said = []
    for line in process.stderr:
        said.append(line)
        if found := re.search(r"running on (http://127\.0\.0\.1:\d+)", line):
            break
    else:
        watchdog.cancel()
        pytest.fail(f"the server did not start:\n{''.join(said)}")
    watchdog.cancel()
    yield found.group(1)
    process.send_signal(signal.SIGINT)
    said.append(process.communicate(timeout=30)[1])
    assert "Traceback" not in "".join(said)


def test_a_program_asks(server):
    assert httpx.get(f"{server}/healthz").json()["status"] == "ok"
    picture = encoded(drawn(COLOURS["Green Vault"], shift=1))
    matches = httpx.post(f"{server}/search?k=3", files={"file": picture}).json()["matches"]
    assert [match["landmark"] for match in matches] == ["Green Vault"] * 3
    assert httpx.get(f"{server}/{matches[0]['image']}").status_code == 200
    result = httpx.post(f"{server}/recognize", files={"file": picture}).json()["result"]
    assert result["class"] == "Green Vault"


def test_a_person_asks(server, tmp_path):
    (tmp_path / "holiday.png").write_bytes(encoded(drawn(COLOURS["Red Fort"]), "PNG"))
    (tmp_path / "notes.jpg").write_bytes(b"no picture")
    with browser() as page:
        for width in (390, 1280):
            page.open(server, width)
            page.choose_file("#file", tmp_path / "holiday.png")
            page.wait_for("document.getElementById('preview').naturalWidth === 64")
            page.evaluate("document.getElementById('go').click()")
            page.wait_for("document.querySelectorAll('#matches img:not([hidden])').length === 12")
            page.wait_for("[...document.querySelectorAll('#matches img')].every(i => i.complete)")
            names = page.evaluate(
                "[...document.querySelectorAll('.landmark')].slice(0, 5).map(e => e.textContent)"
            )
            assert names == ["Red Fort"] * 5
            assert page.evaluate("document.querySelector('#matches img').naturalWidth") == 64
            overflow = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
            assert page.evaluate(overflow) is False
            assert page.messages == []
            assert all(url.startswith((server, "data:", "blob:")) for url in page.requests)
        page.choose_file("#file", tmp_path / "notes.jpg")
        page.evaluate("document.getElementById('go').click()")
        page.wait_for("document.getElementById('error').textContent.includes('not a JPEG')")
        assert page.evaluate("document.querySelectorAll('#matches li').length") == 0


def test_what_cannot_start_is_one_line(folder, tmp_path, capsys):
    assert main(["--model", str(folder / "model"), "--index", str(tmp_path / "none")]) == 1
    error = capsys.readouterr().err
    assert re.fullmatch(r"error: no index at .*none: there is no such folder\n", error)
    assert main(["--model", str(tmp_path), "--index", str(folder / "index")]) == 1
    assert "error: " in capsys.readouterr().err
    arguments = ["--model", "m", "--index", "i", "--labels", str(tmp_path / "none.csv")]
    assert main(arguments) == 1
    assert re.fullmatch(r"error: .*none\.csv.*\n", capsys.readouterr().err)


def test_without_the_extra_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["--model", "m", "--index", "i"]) == 1
    assert "pip install 'landmarks-tf[serve]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--model, --index"),
        (["--model", "m", "--index", "i", "--port", "99999"], "0 to 65535, received '99999'"),
        (["--model", "m", "--index", "i", "--names", "n"], "--names needs --labels"),
    ],
)
def test_usage(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_the_containers_command_is_one_the_server_understands():
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    command = json.loads(re.search(r"^ENTRYPOINT (\[.*\])$", text, re.MULTILINE).group(1))
    default = json.loads(re.search(r"^CMD (\[.*\])$", text, re.MULTILINE).group(1))
    assert command == ["python", "-m", "landmarks_tf.serving"]
    options = parser().parse_args(default)
    assert options.host == "0.0.0.0"
    assert re.search(rf"^EXPOSE {options.port}$", text, re.MULTILINE)
    assert f"http://127.0.0.1:{options.port}/healthz" in text
    assert re.search(r"^USER (?!root)", text, re.MULTILINE)
    for source in re.findall(r"^COPY (?:--\S+ )?(\S+) ", text, re.MULTILINE):
        assert (ROOT / source).exists() or source == "requirements.txt", source
