"""The web application over a real SavedModel and a real index."""

from __future__ import annotations

import html.parser
import io
import logging

import numpy as np
import pytest
from PIL import Image

from landmarks_tf.serving.app import create_app
from tests import tiny_serving
from tests.tiny_serving import COLOURS, drawn, encoded

RED = COLOURS["Red Fort"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("serving")
    labels = tiny_serving.save_images(root / "images")
    tiny_serving.save_model(root / "model")
    tiny_serving.save_index(root / "index", root / "images", labels)
    return root, labels


@pytest.fixture(scope="module")
def client(folders):
    root, labels = folders
    app = create_app(root / "model", root / "index", image_root=root / "images", labels=labels)
    with tiny_serving.asking(app) as client:
        yield client


def post(client, content, path="/search", **options):
    return client.post(path, files={"file": ("a.jpg", content)}, **options)


def test_search_finds_the_landmark_in_the_order_of_numpy(client, folders):
    root, labels = folders
    image = drawn(RED, shift=1, size=(80, 60))
    answer = post(client, encoded(image, "PNG"), params={"k": 7})
    assert answer.status_code == 200
    result = answer.json()
    query = tiny_serving.describe(np.asarray(image)).astype(float)
    expected = []
    for image_id in labels:
        with Image.open(root / "images" / "0/0/0" / f"{image_id}.jpg") as indexed:
            expected.append(float(tiny_serving.describe(np.asarray(indexed)).astype(float) @ query))
    best = np.argsort(-np.array(expected), kind="stable")[:7]
    assert [m["id"] for m in result["matches"]] == [list(labels)[row] for row in best]
    np.testing.assert_allclose(
        [m["score"] for m in result["matches"]], np.array(expected)[best], atol=1e-5
    )
    assert [m["landmark"] for m in result["matches"][:5]] == ["Red Fort"] * 5
    assert result["matches"][0]["image"] == f"images/{result['matches'][0]['id']}"
    assert result["index_rows"] == 15
    assert result["describe_ms"] > 0


def test_recognize_answers_in_the_shape_of_s2(client):
    answer = post(client, encoded(drawn(COLOURS["Blue Mosque"])), "/recognize")
    assert answer.status_code == 200
    assert set(answer.json()) == {"result"}
    result = answer.json()["result"]
    assert result["class"] == "Blue Mosque"
    assert result["confidence"] == pytest.approx(100.0)
    assert client.get("/recognize").status_code == 405


def test_a_sideways_photograph_is_turned(client):
    upright = drawn(RED, shift=2)
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = upright.transpose(Image.Transpose.ROTATE_90)
    straight, turned = (
        post(client, content).json()["matches"][0]
        for content in (encoded(upright), encoded(sideways, exif=exif))
    )
    assert turned["id"] == straight["id"]
    assert turned["score"] == pytest.approx(straight["score"], abs=0.01)


def test_pictures_of_the_index(client, folders):
    _, labels = folders
    image_id = next(iter(labels))
    answer = client.get(f"/images/{image_id}")
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (64, 48)
    for bad in ("f" * 16, "..%2f..%2fetc%2fpasswd", "%2e%2e", "x"):
        refused = client.get(f"/images/{bad}")
        assert refused.status_code == 404
        assert "error" in refused.json() or refused.text == "Not Found"


def test_health(client):
    assert client.get("/healthz").json() == {
        "status": "ok",
        "index": "scann",
        "index_rows": 15,
        "dimension": 12,
        "labels": True,
    }


@pytest.mark.parametrize("k", ["0", "101", "-1", "many", "1e2", "", "9" * 5000, "²"])
def test_a_k_that_is_none(client, k):
    answer = post(client, encoded(drawn(RED)), params={"k": k})
    assert answer.status_code == 422
    assert "k must be a whole number from 1 to 100" in answer.json()["error"]


def test_uploads_without_a_picture(client):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    whole = encoded(Image.fromarray(noise))
    for content, status, message in (
        (b"", 415, "empty"),
        (b"hello", 415, "not a JPEG, PNG or WebP"),
        (whole[: len(whole) // 2], 422, "damaged or was cut short"),
    ):
        answer = post(client, content)
        assert answer.status_code == status
        assert message in answer.json()["error"]
    answer = client.post("/search", files={"picture": ("a.jpg", whole)})
    assert (answer.status_code, "field 'file'" in answer.json()["error"]) == (422, True)
    answer = client.post("/search", data={"file": "text"}, files={"x": b""})
    assert answer.status_code == 422
    answer = client.post("/search", content=whole)
    assert answer.status_code == 415
    assert "multipart/form-data" in answer.json()["error"]
    broken = {"content-type": "multipart/form-data"}
    assert client.post("/search", content=b"x", headers=broken).status_code == 400
    assert client.get("/search").status_code == 405
    assert client.get("/nothing").status_code == 404


def test_too_large(folders):
    root, _ = folders
    app = create_app(root / "model", root / "index", max_upload_bytes=5000, max_pixels=64 * 48)
    with tiny_serving.asking(app) as client:
        assert post(client, encoded(drawn(RED))).status_code == 200
        answer = post(client, encoded(drawn(RED, size=(64, 49))))
        assert answer.status_code == 413
        assert "64 x 49 pixels" in answer.json()["error"]
        answer = post(client, encoded(drawn(RED)) + b"\0" * 5000)
        assert answer.status_code == 413
        assert "larger than 0.005 MB" in answer.json()["error"]
        # Without labels and pictures.
        match = post(client, encoded(drawn(RED))).json()["matches"][0]
        assert (match["landmark"], match["image"]) == (None, None)
        answer = post(client, encoded(drawn(RED)), "/recognize")
        assert answer.status_code == 404
        assert "without labels" in answer.json()["error"]


def test_a_picture_the_model_cannot_bear_is_the_uploads_fault(client):
    answer = post(client, encoded(Image.new("RGB", (64, 48), (80, 80, 80))))  # no direction at all
    assert answer.status_code == 422
    assert "The model has no answer to this picture" in answer.json()["error"]
    answer = post(client, encoded(Image.new("RGB", (1, 1), (80, 0, 80))))
    assert answer.status_code == 422


def test_a_failure_of_ours_is_logged_and_not_shown(client, monkeypatch, caplog):
    def fails(*_):
        raise RuntimeError("secret path /srv/x")

    monkeypatch.setattr(client.app.state.finder, "find", fails)
    with caplog.at_level(logging.ERROR):
        answer = post(client, encoded(drawn(RED)))
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "/search failed" in caplog.text
    assert "secret path" in caplog.text


class _Links(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.extend(value for name, value in attrs if name in ("src", "href", "action"))


def test_the_page_and_all_it_asks_for_come_from_here(client):
    answer = client.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    links = _Links(answer.text).found
    assert set(links) == {"data:,", "page.css", "search", "page.js"}
    for name, kind in (("page.css", "text/css"), ("page.js", "text/javascript")):
        asked = client.get(f"/{name}")
        assert asked.headers["content-type"].startswith(kind)
        assert "http://" not in asked.text
        assert "https://" not in asked.text


def test_what_cannot_be_served_says_so(folders, tmp_path):
    root, _ = folders
    with pytest.raises(FileNotFoundError, match="no index at"):
        create_app(root / "model", tmp_path / "none")
    with pytest.raises(ValueError, match=r"saved_model\.pb|no such|expected"):
        create_app(tmp_path / "none", root / "index")
    with pytest.raises(FileNotFoundError, match="no folder of index images"):
        create_app(root / "model", root / "index", image_root=tmp_path / "none")
