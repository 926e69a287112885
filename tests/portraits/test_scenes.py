"""What is said to be true of a scene is what its walkers do."""

import pytest

from mtl_keras.portraits.scenes import SCENES, WIDTH


@pytest.mark.parametrize("name", SCENES)
def test_people_and_crossings_are_those_of_the_paths(name):
    known = SCENES[name](1)
    entered = left = 0
    for walker in known.scene.walkers:
        for one, other in zip(walker.stops, walker.stops[1:], strict=False):
            entered += one.x < WIDTH / 2 < other.x
            left += other.x < WIDTH / 2 < one.x
    assert (known.visitors, known.entered, known.left) == (len(known.scene.people), entered, left)
    assert known.scene.seconds >= max(walker.stops[-1].seconds for walker in known.scene.walkers)
