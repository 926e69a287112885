"""The reader of APPA-REAL: three label files, photos and the faces beside them."""

from pathlib import Path

import pytest
from PIL import Image

from mtl_keras.data.table import combine
from mtl_keras.datasets.appa_real import appa_real
from mtl_keras.errors import UserError

HEADER = "file_name,num_ratings,apparent_age_avg,apparent_age_std,real_age\n"


def write(folder: Path, place: str = "") -> Path:
    """Three parts of one photo each, of which training's and validation's have a face beside them."""
    for part, line in (("train", "0.jpg,36,5.5,1.2,4"), ("valid", "1.jpg,40,30.25,4,31"), ("test", "2.jpg,38,70,6,")):
        (folder / place / part).mkdir(parents=True)
        (folder / place / f"gt_avg_{part}.csv").write_text(f"{HEADER}{line}\n")
        name = line.split(",")[0]
        for file in (name, *([f"{name}_face.jpg"] if part != "test" else [])):
            Image.new("RGB", (16, 16), "tan").save(folder / place / part / file)
    return folder


@pytest.mark.parametrize("place", ["", "appa-real-release"])
def test_ages_and_guesses_are_read_and_faces_before_photos(tmp_path, place):
    table = appa_real(write(tmp_path, place))
    files = [Path(path).relative_to(tmp_path / place).as_posix() for path in table["path"]]
    assert files == ["train/0.jpg_face.jpg", "valid/1.jpg_face.jpg", "test/2.jpg"]
    assert table["split"].tolist() == ["train", "validation", "test"]
    assert table["age"].fillna(-1).tolist() == [4, 31, -1]
    assert table["apparent_age"].tolist() == [5.5, 30.25, 70] and table["apparent_age_std"].tolist() == [1.2, 4, 6]
    assert table.attrs == {"skipped": [], "deviations": []} and len(combine([table])) == 3


def test_one_part_is_enough_and_what_lacks_its_other_half_is_named(tmp_path):
    write(tmp_path)
    for part in ("valid", "test"):
        (tmp_path / f"gt_avg_{part}.csv").unlink()
    Image.new("RGB", (16, 16), "tan").save(tmp_path / "train" / "9.jpg")
    table = appa_real(tmp_path)
    assert table["age"].tolist() == [4]
    assert [Path(entry["path"]).name for entry in table.attrs["skipped"]] == ["9.jpg"]
    with pytest.raises(UserError, match="9.jpg: no line in"):
        appa_real(tmp_path, strict=True)


def test_an_age_that_is_no_number_is_an_error(tmp_path):
    write(tmp_path)
    (tmp_path / "gt_avg_train.csv").write_text(f"{HEADER}0.jpg,36,5.5,1.2,four\n")
    with pytest.raises(UserError, match="age 'four' is no number; expected years"):
        appa_real(tmp_path)
