"""What the tasks share between the image and their heads, one file each."""

from mtl_keras.tables import Table

# name -> function(trunk, task names, settings) -> Shared, which gives {task name: features of that task} of an image
SHARING = Table(
    "way of sharing",
    {
        "hard": "mtl_keras.models.sharing.hard:hard",
        "cross_stitch": "mtl_keras.models.sharing.cross_stitch:cross_stitch",
        "relationship": "mtl_keras.models.sharing.relationship:relationship",
        "mult": "mtl_keras.models.sharing.mult:mult",
    },
)
