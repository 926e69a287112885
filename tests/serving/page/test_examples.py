import io

from PIL import Image

from mtl_keras.serving.page.examples import examples


def test_drawn_faces_are_the_same_each_time_and_say_what_they_show(drawn):
    assert examples() == drawn and len({example.contents for example in drawn}) == 5
    assert all("rawn" in example.title for example in drawn)
    assert Image.open(io.BytesIO(drawn[4].contents)).size == (900, 360)
