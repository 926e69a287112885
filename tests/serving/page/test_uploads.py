import asyncio
from types import SimpleNamespace

import pytest
from gradio.route_utils import upload_fn
from starlette.datastructures import Headers

from mtl_keras.errors import UserError
from mtl_keras.serving.page.uploads import FileData, move, path_of, taken


@pytest.fixture
def upload(tmp_path):
    """A file as gradio keeps it: in a folder of its own, named by what it holds."""
    file = tmp_path / "3f2a" / "photo.jpg"
    file.parent.mkdir()
    file.write_bytes(b"pixels")
    return file


def test_a_file_that_was_read_is_gone_with_its_folder(upload, tmp_path):
    assert taken(str(upload)) == b"pixels" and list(tmp_path.iterdir()) == []


def test_a_file_that_was_moved_leaves_no_folder(upload, tmp_path):
    move(str(upload), str(tmp_path / "video"))
    assert [path.name for path in tmp_path.iterdir()] == ["video"]


def test_two_that_send_the_same_at_once_have_a_file_each(tmp_path):
    async def body():
        yield b"--x\r\nContent-Disposition: form-data; name=files; filename=a.jpg\r\n\r\npixels\r\n--x--\r\n"

    places = []
    for _ in range(2):
        request = SimpleNamespace(headers=Headers({"content-type": "multipart/form-data; boundary=x"}), stream=body)
        places += asyncio.run(upload_fn(request, tmp_path, 1000, None))[0]
    assert [taken(str(place)) for place in places] == [b"pixels"] * 2 and list(tmp_path.iterdir()) == []


def test_a_file_that_is_gone_is_no_path(upload):
    taken(str(upload))
    with pytest.raises(UserError, match="send it again") as caught:
        taken(str(upload))
    assert str(upload) not in str(caught.value)


@pytest.mark.parametrize("place", ["/etc/hostname", "../../etc/hostname", "/dev/zero", "{}/../hostname"])
def test_what_did_not_come_in_is_no_upload(upload, tmp_path, monkeypatch, place):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    assert path_of(FileData(path=str(upload))) == str(upload) and path_of(None) is None
    with pytest.raises(UserError, match="did not come in by the page"):
        path_of(FileData(path=place.format(tmp_path)))
