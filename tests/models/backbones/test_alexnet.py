"""AlexNet: its published number of parameters, its shapes at every stage, and the smallest image."""

import numpy as np
import pytest

from mtl_keras.models.backbones.alexnet import ALEXNET, alexnet
from mtl_keras.models.sharing.sharing import cut


def test_the_convolutions_have_the_published_number_of_parameters():
    # 3 to 64 by 11 x 11, 64 to 192 by 5 x 5, then 384, 256 and 256 by 3 x 3, each with its biases.
    assert alexnet(63).count_params() == 23_296 + 307_392 + 663_936 + 884_992 + 590_080 == 2_469_696


@pytest.mark.parametrize(("side", "maps"), [(224, (27, 13, 13, 13, 6)), (63, (7, 3, 3, 3, 1))])
def test_it_is_cut_where_maps_are_as_large_as_published(side, maps):
    parts = cut(alexnet(side), ALEXNET.stages, "task")
    sides = zip(maps, (64, 192, 384, 256, 256), strict=True)
    assert [part.output_shape[1:] for part in parts] == [
        *((s, s, filters) for s, filters in sides),
        (256 * maps[-1] ** 2,),
    ]


def test_the_border_is_padded_by_two_pixels_of_nothing():
    trunk, image = alexnet(63), np.zeros((1, 63, 63, 3), "float32")
    image[0, 8, 8] = 1  # seen by the first convolution's windows 0 to 2 alone, which begin at -2, 2 and 6
    first = cut(trunk, ("conv1",), "task")[0]
    seen = np.abs(first(image).numpy()).sum(-1)[0] > 0
    assert seen[:3, :3].any() and not seen[3:].any() and not seen[:, 3:].any()


def test_a_small_image_is_refused(one_line):
    with one_line("image size 62 is too small; expected at least 63", "alexnet"):
        alexnet(62)
