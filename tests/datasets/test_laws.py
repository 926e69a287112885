"""What every reader of a data set obeys, whatever its files look like; `TINY` lays out a small valid folder of each."""

import io
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import savemat

from mtl_keras.data.audit import check_images
from mtl_keras.data.table import complete
from mtl_keras.datasets import DATASETS
from mtl_keras.errors import UserError
from mtl_keras.tasks import TASKS


@dataclass(frozen=True)
class Tiny:
    """A valid folder: its images, and its label files with what is in them.

    `listed`: the label files name every image, so one that is gone is missed. `unlisted` is the name of an image that
    the reader finds, but no label file knows. `lines` is a label file of which a line may be there twice. `header` is a
    label file whose columns have names, with what separates them and the number of lines above; `number` is one that
    holds the given text where a number is expected, and the function that writes it.
    """

    images: list[str]
    labels: dict[str, bytes] = field(default_factory=dict)
    listed: bool = False
    unlisted: str = ""
    lines: str = ""
    header: tuple[str, str, int] | None = None
    number: tuple[str, Callable[[str], bytes]] | None = None


def text(*lines: str) -> bytes:
    return "".join(line + "\n" for line in lines).encode()


def mat(variables: dict) -> bytes:
    file = io.BytesIO()
    savemat(file, variables, oned_as="row")
    return file.getvalue()


def array(value: object) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array(value))
    return file.getvalue()


def adience_folds() -> dict[str, bytes]:
    names = ["user_id", "original_image", "face_id", "age", "gender"]
    names += ["x", "y", "dx", "dy", "tilt_ang", "fiducial_yaw_angle", "fiducial_score"]
    rows = (["u", f"{fold}.jpg", "1", "(25, 32)", "f", *"0123456"] for fold in range(5))
    return {f"fold_{fold}_data.txt": text("\t".join(names), "\t".join(row)) for fold, row in enumerate(rows)}


def pose_mat(yaw: str = "0.1") -> bytes:
    return mat({"Pose_Para": np.array([[0.1, float(yaw), *[0.1] * 5]])})


def poses(*names: str) -> dict[str, bytes]:
    return {f"{name}.mat": pose_mat() for name in names}


def imdb_mat(born: str = "723671") -> bytes:
    photos = {"dob": [723671.0, float(born)], "photo_taken": [2009, 2010]}
    photos |= {"gender": [1.0, 0.0], "face_score": [3.5, 2.0]}
    cells = {key: np.array(value) for key, value in photos.items()} | {"second_face_score": np.full(2, np.nan)}
    cells |= {"full_path": np.array(["1/a.jpg", "1/b.jpg"], object), "name": np.array(["A B", "C"], object)}
    return mat({"imdb": cells})


def rendered_lines(age: str = "30") -> bytes:
    labels = {"age": age, "gender": "male", "ethnicity": "asian", "smile": "smiling", "expression": "happy"}
    labels |= {"eyeglasses": "eyeglasses", "head_pose.yaw": 1.5, "head_pose.pitch": 0, "head_pose.roll": -3}
    return (
        pd.DataFrame([{"file": name, "seed": 1, **labels} for name in ("a.jpg", "b.jpg")]).to_csv(index=False).encode()
    )


APPA_REAL_HEADER = "file_name,num_ratings,apparent_age_avg,apparent_age_std,real_age"
AFFECTNET_HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
)
LAGENDA_HEADER = "img_name,age,gender,face_x0,face_y0,face_x1,face_y1,person_x0,person_y0,person_x1,person_y1"
BIWI_POSE = text("1 0 0", "0 1 0", "0 0 1", "", "-2.47 53.45 866.06")
# By name in DATASETS; a set that is given out in two forms has the second behind a colon.
TINY = {
    "adience": Tiny(
        [f"aligned/u/landmark_aligned_face.1.{fold}.jpg" for fold in range(5)],
        adience_folds(),
        listed=True,
        unlisted="aligned/u/landmark_aligned_face.9.9.jpg",
        lines="fold_4_data.txt",
        header=("fold_4_data.txt", "\t", 0),
    ),
    "affectnet": Tiny(
        ["train_set/images/a.jpg", "train_set/images/b.jpg", "val_set/images/c.jpg"],
        {
            "train_set/annotations/a_exp.npy": array("1"),
            "train_set/annotations/b_exp.npy": array(7.0),
            "val_set/annotations/c_exp.npy": array(8),
        },
        listed=True,
        unlisted="val_set/images/d.jpg",
        number=("val_set/annotations/c_exp.npy", lambda code: array(float(code))),
    ),
    "affectnet: lists": Tiny(
        ["Manually_Annotated_Images/1/a.jpg", "Manually_Annotated_Images/1/b.jpg"],
        {
            "training.csv": text(AFFECTNET_HEADER, "1/a.jpg,1,2,30,40,35.5;80.1,3,-0.1,0.2"),
            "validation.csv": text("1/b.jpg,1,2,30,40,35.5;80.1,7,-0.1,0.2"),
        },
        listed=True,
        unlisted="Manually_Annotated_Images/1/c.jpg",
        lines="validation.csv",
        header=("training.csv", ",", 0),
    ),
    "aflw2000": Tiny(
        ["image2.jpg", "image4.jpg"],
        poses("image2", "image4"),
        unlisted="image6.jpg",
        number=("image4.mat", pose_mat),
    ),
    "appa_real": Tiny(
        ["train/0.jpg", "test/1.jpg"],
        {
            "gt_avg_train.csv": text(APPA_REAL_HEADER, "0.jpg,9,5,1,4"),
            "gt_avg_test.csv": text(APPA_REAL_HEADER, "1.jpg,9,7,1,8"),
        },
        listed=True,
        unlisted="test/9.jpg",
        lines="gt_avg_test.csv",
        header=("gt_avg_train.csv", ",", 0),
        number=("gt_avg_test.csv", lambda age: text(APPA_REAL_HEADER, f"1.jpg,9,{age},1,8")),
    ),
    "biwi": Tiny(
        ["01/frame_00003_rgb.png", "02/frame_00003_rgb.png"],
        {"01/frame_00003_pose.txt": BIWI_POSE, "02/frame_00003_pose.txt": BIWI_POSE},
        unlisted="01/frame_00004_rgb.png",
        number=(
            "01/frame_00003_pose.txt",
            lambda cell: text("1 0 0", f"0 {cell} 0", "0 0 1", "", "-2.47 53.45 866.06"),
        ),
    ),
    "celeba": Tiny(
        ["img_align_celeba/000001.jpg", "img_align_celeba/000002.jpg"],
        {
            "list_attr_celeba.txt": text(
                "2", "Eyeglasses Male Smiling Young", "000001.jpg -1 -1  1  1", "000002.jpg  1  1 -1  1"
            )
        },
        listed=True,
        unlisted="img_align_celeba/000009.jpg",
        lines="list_attr_celeba.txt",
        header=("list_attr_celeba.txt", " ", 1),
        number=(
            "list_attr_celeba.txt",
            lambda cell: text("2", "Eyeglasses Male Smiling", "000001.jpg -1 -1 1", f"000002.jpg 1 {cell} -1"),
        ),
    ),
    "class_folders": Tiny(["female/glasses/2.jpg", "male/glasses/1.jpg"], unlisted="male/unsorted/3.jpg"),
    "csv_file": Tiny(
        ["a.jpg", "b.jpg"],
        {"faces.csv": text("path,age,gender", "a.jpg,30,male", "b.jpg,,female")},
        listed=True,
        header=("faces.csv", ",", 0),
        number=("faces.csv", lambda age: text("path,age,gender", f"a.jpg,{age},male", "b.jpg,3,female")),
    ),
    "fairface": Tiny(
        ["train/1.jpg", "val/1.jpg"],
        {
            "fairface_label_train.csv": text("file,age,gender,race", "train/1.jpg,3-9,Male,East Asian"),
            "fairface_label_val.csv": text("file,age,gender,race", "val/1.jpg,more than 70,Female,White"),
        },
        listed=True,
        unlisted="val/7.jpg",
        lines="fairface_label_train.csv",
        header=("fairface_label_val.csv", ",", 0),
    ),
    "fer2013": Tiny(["test/surprise/2.png", "train/happy/1.png"], unlisted="train/unsorted/3.png"),
    "genki4k": Tiny(
        ["files/file0001.jpg", "files/file0002.jpg"],
        {"labels.txt": text("1 -0.02 0.06 -0.04", "0 0.5 -0.25 0.1")},
        listed=True,
        unlisted="files/file0009.jpg",
        number=("labels.txt", lambda yaw: text("1 -0.02 0.06 -0.04", f"0 {yaw} -0.25 0.1")),
    ),
    "imdb_wiki": Tiny(
        ["imdb_crop/1/a.jpg", "imdb_crop/1/b.jpg"],
        {"imdb_crop/imdb.mat": imdb_mat()},
        listed=True,
        number=("imdb_crop/imdb.mat", imdb_mat),
    ),
    "lagenda": Tiny(
        ["images/a.jpg", "images/b.jpg"],
        {
            "lagenda_annotation.csv": text(
                LAGENDA_HEADER, "x/a.jpg,31,M,10,20,50,80,5,5,90,190", "x/b.jpg,4.5,F,0,0,33,44,-1,-1,-1,-1"
            )
        },
        listed=True,
        unlisted="images/c.jpg",
        header=("lagenda_annotation.csv", ",", 0),
        number=(
            "lagenda_annotation.csv",
            lambda right: text(
                LAGENDA_HEADER, f"x/a.jpg,31,M,0,20,{right},80,5,5,90,190", "x/b.jpg,4.5,F,0,0,33,44,-1,-1,-1,-1"
            ),
        ),
    ),
    "raf_db": Tiny(
        ["Image/aligned/train_00001_aligned.jpg", "Image/aligned/test_0001_aligned.jpg"],
        {"EmoLabel/list_patition_label.txt": text("train_00001.jpg 5", "test_0001.jpg 4")},
        listed=True,
        unlisted="Image/aligned/test_0009_aligned.jpg",
        lines="EmoLabel/list_patition_label.txt",
    ),
    "rendered": Tiny(
        ["a.jpg", "b.jpg"],
        {"attributes.csv": rendered_lines()},
        listed=True,
        unlisted="c.jpg",
        lines="attributes.csv",
        header=("attributes.csv", ",", 0),
        number=("attributes.csv", rendered_lines),
    ),
    "utkface": Tiny(
        ["26_1_2_20170116174525125.jpg.chip.jpg", "30_0_1_20170116174525125.jpg.chip.jpg"], unlisted="portrait.jpg"
    ),
    "w300lp": Tiny(
        ["AFW/AFW_134212_1_0.jpg", "AFW/AFW_134213_1_0.jpg"],
        poses("AFW/AFW_134212_1_0", "AFW/AFW_134213_1_0"),
        unlisted="AFW/AFW_134214_1_0.jpg",
        number=("AFW/AFW_134213_1_0.mat", pose_mat),
    ),
}
every_set = pytest.mark.parametrize("name", TINY)
with_header = pytest.mark.parametrize("name", [name for name, tiny in TINY.items() if tiny.header])
with_numbers = pytest.mark.parametrize("name", [name for name, tiny in TINY.items() if tiny.number])
with_labels = pytest.mark.parametrize("name", [name for name, tiny in TINY.items() if tiny.labels])


def reader_of(name):
    return DATASETS[name.split(":")[0]]


def draw(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), "gray").save(path)


def lay_out(folder: Path, name: str, images: bool = True, labels: bool = True) -> Path:
    """Write the set's tiny folder, or one without its images or its label files."""
    folder.mkdir(exist_ok=True)
    for image in TINY[name].images if images else ():
        draw(folder / image)
    for file, contents in TINY[name].labels.items() if labels else ():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(contents)
    return folder


def names_of(table: pd.DataFrame, folder: Path) -> list[str]:
    return [Path(path).relative_to(folder).as_posix() for path in table["path"]]


def test_every_set_has_a_tiny_folder():
    assert {name.split(":")[0] for name in TINY} == set(DATASETS), "TINY lays out a small valid folder of each set"


@every_set
def test_a_valid_folder_is_read_whole(tmp_path, monkeypatch, name):
    table = reader_of(name)(lay_out(tmp_path, name), strict=True)
    assert names_of(table, tmp_path) == TINY[name].images and table.attrs == {"skipped": [], "deviations": []}
    assert table.columns.tolist()[:4] == ["path", "source", "split", "group"]
    assert table["source"].unique().tolist() == [name.split(":")[0]]
    known = {column for task in TASKS.values() for column in task.columns}
    labels = table.columns[4:][table.columns[4:].isin(known)]
    assert table[labels].notna().any(axis=None)
    pd.testing.assert_frame_equal(complete(table)[table.columns], table)
    assert len(check_images(table)) == len(table)
    monkeypatch.chdir(tmp_path)
    assert [os.path.normpath(path) for path in reader_of(name)(".")["path"]] == TINY[name].images


@every_set
def test_what_is_no_folder_of_the_set_is_one_line(tmp_path, one_line, name):
    (tmp_path / "file.jpg").touch()
    (tmp_path / "empty").mkdir()
    lay_out(tmp_path / "labels", name, images=False)
    places = ["missing", "file.jpg", "empty", "labels"]
    if TINY[name].labels:
        lay_out(tmp_path / "images", name, labels=False)
        places.append("images")
    for place in places:
        with one_line("no such f" if place == "missing" else "", tmp_path / place):
            reader_of(name)(tmp_path / place)


@every_set
def test_an_image_that_is_gone_leaves_the_others_and_is_named(tmp_path, one_line, name):
    first, *others = TINY[name].images
    (lay_out(tmp_path, name) / first).unlink()
    table = reader_of(name)(tmp_path)
    assert names_of(table, tmp_path) == others
    if TINY[name].listed:
        (entry,) = table.attrs["skipped"]
        assert Path(first).stem in entry["path"] + entry["reason"]
        with one_line(start=tmp_path):
            reader_of(name)(tmp_path, strict=True)


@pytest.mark.parametrize("name", [name for name, tiny in TINY.items() if tiny.unlisted])
def test_an_image_without_a_label_leaves_the_others_and_is_named(tmp_path, one_line, name):
    image = lay_out(tmp_path, name) / TINY[name].unlisted
    draw(image)
    table = reader_of(name)(tmp_path)
    assert names_of(table, tmp_path) == TINY[name].images
    (entry,) = table.attrs["skipped"]
    assert entry["path"] == str(image) and entry["reason"] and "\n" not in entry["reason"]
    with one_line(start=image):
        reader_of(name)(tmp_path, strict=True)


@pytest.mark.parametrize("name", [name for name, tiny in TINY.items() if tiny.lines])
def test_of_two_lines_for_an_image_the_first_counts(tmp_path, one_line, name):
    whole = reader_of(name)(lay_out(tmp_path, name))
    lines = TINY[name].labels[TINY[name].lines]
    (tmp_path / TINY[name].lines).write_bytes(lines + lines.splitlines(keepends=True)[-1])
    table = reader_of(name)(tmp_path)
    pd.testing.assert_frame_equal(table, whole)
    (entry,) = table.attrs["deviations"]
    assert entry["path"] in set(whole["path"]) and "several lines" in entry["reason"]
    with one_line("several lines", tmp_path):
        reader_of(name)(tmp_path, strict=True)


def edit_header(folder: Path, name: str, change: Callable[[str], str], more: str = "") -> None:
    """Change the names of the columns in a set's list, and add a column of this name."""
    file, separator, above = TINY[name].header
    lines = (folder / file).read_text().splitlines()
    names = [change(column) for column in lines[above].split(separator)] + ([more] if more else [])
    lines[above] = separator.join(names)
    lines[above + 1 :] = [line + (f"{separator}7" if more else "") for line in lines[above + 1 :]]
    (folder / file).write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("change", [str.swapcase, " {} ".format, lambda column: column.replace("_", "-")])
@with_header
def test_columns_with_near_names_are_read_as_they_are_meant_and_told(tmp_path, one_line, name, change):
    whole = reader_of(name)(lay_out(tmp_path, name))
    edit_header(tmp_path, name, change)
    table = reader_of(name)(tmp_path)
    pd.testing.assert_frame_equal(table, whole)
    file, separator, above = TINY[name].header
    names = (tmp_path / file).read_text().splitlines()[above].split(separator)
    if set(names) <= set(TINY[name].labels[file].decode().splitlines()[above].split(separator)) | {""}:
        return  # nothing to change in these names, or blanks between columns that blanks separate
    (entry,) = table.attrs["deviations"]
    assert entry["path"] == str(tmp_path / file) and entry["reason"].startswith("columns read as they are meant: ")
    with one_line("columns read as they are meant", tmp_path / file):
        reader_of(name)(tmp_path, strict=True)


@with_header
def test_a_column_that_nobody_knows_is_named_and_changes_nothing(tmp_path, one_line, name):
    whole = reader_of(name)(lay_out(tmp_path, name))
    edit_header(tmp_path, name, str, "cars")
    table = reader_of(name)(tmp_path)
    pd.testing.assert_frame_equal(table, whole)
    (entry,) = table.attrs["deviations"]
    assert entry["path"] == str(tmp_path / TINY[name].header[0]) and entry["reason"].endswith(": 'cars'")
    with one_line("'cars'", tmp_path):
        reader_of(name)(tmp_path, strict=True)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
@with_numbers
def test_what_is_no_number_is_never_a_label_and_is_told(tmp_path, name, number):
    file, contents = TINY[name].number
    (lay_out(tmp_path, name) / file).write_bytes(contents(number))
    try:
        table = complete(reader_of(name)(tmp_path))
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert not np.isinf(table.select_dtypes("number")).any(axis=None)
        assert table.attrs["skipped"] or table.attrs["deviations"]
    with pytest.raises(UserError):
        complete(reader_of(name)(tmp_path, strict=True))


@with_numbers
def test_the_number_of_the_law_above_is_read_where_it_is_one(tmp_path, name):
    file, contents = TINY[name].number
    (lay_out(tmp_path, name) / file).write_bytes(contents("723671" if name == "imdb_wiki" else "1"))
    assert not complete(reader_of(name)(tmp_path, strict=True)).attrs["deviations"]


@with_header
def test_images_of_another_ending_than_listed_are_found_and_told(tmp_path, one_line, name):
    first, *others = TINY[name].images
    (lay_out(tmp_path, name) / first).rename((tmp_path / first).with_suffix(".png"))
    table = reader_of(name)(tmp_path)
    assert names_of(table, tmp_path) == [str(Path(first).with_suffix(".png")), *others]
    assert not table.attrs["skipped"] and "another ending than" in table.attrs["deviations"][0]["reason"]
    with one_line("another ending than", tmp_path):
        reader_of(name)(tmp_path, strict=True)


@pytest.mark.skipif(os.name != "posix", reason="only POSIX file names are bytes")
@every_set
def test_a_name_in_another_encoding_is_no_row(tmp_path, name):
    image = lay_out(tmp_path, name) / TINY[name].images[0]
    try:
        (image.parent / os.fsdecode(b"26_1_2_20170116174525125\xe9.jpg")).touch()
    except OSError:
        pytest.skip("this file system holds only UTF-8 names")
    table = reader_of(name)(tmp_path)
    assert names_of(table, tmp_path) == TINY[name].images
    for entry in table.attrs["skipped"]:
        entry["path"].encode()


@every_set
def test_hidden_files_are_no_images_and_loops_of_links_end(tmp_path, name):
    image = lay_out(tmp_path, name) / TINY[name].images[0]
    image.with_name(f".{image.name}").touch()
    image.with_name("loop").symlink_to(image.parent)
    table = reader_of(name)(tmp_path, strict=True)
    assert names_of(table, tmp_path) == TINY[name].images


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@with_labels
def test_any_label_file_is_read_or_refused_in_one_line(tmp_path, name, data):
    lay_out(tmp_path, name)
    file = data.draw(st.sampled_from(sorted(TINY[name].labels)))
    contents = TINY[name].labels[file]
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(contents))] * 2)))
    # Some bytes, or pieces of the file itself at other places, which get further.
    pieces = st.lists(st.sampled_from([contents[i : i + 3] for i in range(len(contents))]), max_size=8).map(b"".join)
    (tmp_path / file).write_bytes(contents[:start] + data.draw(st.binary(max_size=20) | pieces) + contents[end:])
    try:
        table = reader_of(name)(tmp_path)
        if name == "csv_file":
            complete(table)  # where labels of one's own are checked
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert set(names_of(complete(table), tmp_path)) <= set(TINY[name].images)
        for entry in table.attrs["skipped"] + table.attrs["deviations"]:
            assert "\n" not in entry["reason"]
