"""MobileNetV3-Small: its size, and where it can be cut."""

from mtl_keras.models.backbones.mobilenet import MOBILENET_V3_SMALL
from mtl_keras.models.sharing.sharing import cut


def test_it_is_kerass_own_network_and_each_stage_is_half_as_large_or_as_large_as_before():
    trunk = MOBILENET_V3_SMALL.trunk(64)
    assert trunk.count_params() == 939_120 and trunk.output_shape == (None, 576)
    parts = cut(trunk, MOBILENET_V3_SMALL.stages, "task")
    shapes = [part.output_shape[1:] for part in parts[:-1]]
    assert shapes == [
        (16, 16, 16),
        (8, 8, 24),
        (4, 4, 40),
        (4, 4, 48),
        (2, 2, 96),
    ]
    assert sum(part.count_params() for part in parts) == 939_120
