"""What the tasks share between the image and their heads, one file each."""

from mtl_keras.tables import Table

# name -> function(trunk, task names, settings) -> Shared, which gives {task name: features of that task} of an image
SHARING = Table(
    "way of sharing",
    {
        "hard": "mtl_keras.models.sharing.hard:hard",
        "soft": "mtl_keras.models.sharing.soft:soft",
        "hard_soft": "mtl_keras.models.sharing.hard_soft:hard_soft",
        "cross_stitch": "mtl_keras.models.sharing.cross_stitch:cross_stitch",
        "mmoe": "mtl_keras.models.sharing.mmoe:mmoe",
        "cgc": "mtl_keras.models.sharing.cgc:cgc",
        "ple": "mtl_keras.models.sharing.ple:ple",
        "mtan": "mtl_keras.models.sharing.mtan:mtan",
        "dselect_k": "mtl_keras.models.sharing.dselect_k:dselect_k",
        "ltb": "mtl_keras.models.sharing.ltb:ltb",
        "relationship": "mtl_keras.models.sharing.relationship:relationship",
        "mult": "mtl_keras.models.sharing.mult:mult",
    },
)
