"""The experiment's table is that of its rows, and a tiny one runs from end to end."""

from dataclasses import replace

from PIL import Image

from mtl_keras.portraits.scenes import one_by_one
from mtl_keras.serving.people import scene_scores
from mtl_keras.serving.people.scene_scores import draw_scene, score_lines, score_scenes


def test_rows_become_a_table_of_means_and_a_scene_a_picture(tmp_path, monkeypatch):
    only = {"one by one": scene_scores.SCENES["one by one"]}
    monkeypatch.setattr(scene_scores, "SCENES", only)
    rows = score_scenes(1)
    assert [row["detector"] for row in rows] == ["YuNet", "truth with noise"]
    for row in rows:
        assert (row["people"], row["visitors"], row["crossings"], row["crossed"]) == (3, 3, 3, 3)
        assert row["hota"] > 0.7 and row["idf1"] > 0.9
    lines = score_lines([rows[0], {**rows[0], "seed": 1, "visitors": 4, "hota": rows[0]["hota"] + 0.1}])
    assert len(lines) == 3
    assert lines[2].startswith(f"| one by one | YuNet | 3 | 3.5 | 3 | 3 | {rows[0]['hota'] + 0.05:.3f} |")


def test_the_picture_of_a_scene(tmp_path):
    draw_scene(tmp_path, replace(one_by_one().scene, seconds=2), 1.9)
    assert [path.name for path in tmp_path.iterdir()] == ["scene.png"]
    assert Image.open(tmp_path / "scene.png").size == (960, 540)
