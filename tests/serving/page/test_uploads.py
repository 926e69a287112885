import pytest

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


def test_who_sends_the_same_at_once_is_told_to_send_it_again(upload):
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
