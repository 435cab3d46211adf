from __future__ import annotations

import pytest

from tfrecords_tools.download.published import PublishedTable
from tfrecords_tools.download.tables import TableError, check_table

TABLE = PublishedTable("test.csv", "metadata", ("id", "images", "Usage"))


@pytest.mark.parametrize(
    "content",
    [
        b"id,images,Usage\n0123456789abcdef,None,Public\n",
        b'\xef\xbb\xbf"id","images","Usage","more"\r\n0,1,2,"3\r\n"\r\n',  # UTF-8's mark, CRLF
        b"Usage,id,images\nPublic,0,caf\xe9",  # another order, latin-1, no newline at the end
    ],
)
def test_a_table_that_is_one(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    check_table(tmp_path / "t.csv", TABLE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"test.csv has no column id, images, Usage: expected .* found nothing"),
        (b"<html><body>Log in</body></html>", r"no column id.* found '<html><body>Log in"),
        (b"id,url,landmark_id\n1,2,3\n", r"no column images, Usage: .* found 'id', 'url', 'land"),
        (b"id,images,Usage\n", r"test.csv has a header and no rows"),
        (b"id,images,Usage\n0,1,2\n\0\0\0\0", r"test.csv holds zero bytes"),
        (b"id,images,Usage\n" + b"0,1,2\n" * 400_000 + b"\0" + b"0,1,2\n" * 9, r"zero bytes"),
        (b"\0" * 100, r"no column id"),
    ],
)
def test_a_table_that_is_none(tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(TableError, match=message):
        check_table(tmp_path / "t.csv", TABLE)
