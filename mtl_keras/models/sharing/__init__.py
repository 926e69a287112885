"""What the tasks share between the image and their heads, one file each."""

from mtl_keras.models.sharing.cross_stitch import cross_stitch
from mtl_keras.models.sharing.hard import hard

# name -> function(trunk, task names, settings) -> Shared, which gives {task name: features of that task} of an image
SHARING = {"hard": hard, "cross_stitch": cross_stitch}
