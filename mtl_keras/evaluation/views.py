"""Ways to look at an image, over which answers can be averaged: test-time augmentation."""

# Ways to look at an image, as (mirrored, how many times as far away), over which answers can be averaged. Of zooms by
# 10 and 20 % and rotations by 8 degrees these were best on the validation split of UTKFace.
VIEWS = {
    "one": ((False, 1.0),),
    "mirror": ((False, 1.0), (True, 1.0)),
    "six": tuple((flip, zoom) for zoom in (1.0, 0.9, 1.1) for flip in (False, True)),
}
