"""Drawn faces: portraits of made-up people, their labels, and folders laid out like public data sets."""

from mtl_keras.tables import Table

LAYOUTS = Table(
    "layout",
    {
        "utkface": "mtl_keras.portraits.writer:UTKFACE",
        "genki4k": "mtl_keras.portraits.layouts:GENKI4K",
        "fer2013": "mtl_keras.portraits.layouts:FER2013",
        "celeba": "mtl_keras.portraits.layouts:CELEBA",
        "celeba_crops": "mtl_keras.portraits.layouts:CELEBA_CROPS",
        "raf_db": "mtl_keras.portraits.layouts:RAF_DB",
        "fairface": "mtl_keras.portraits.layouts:FAIRFACE",
        "biwi": "mtl_keras.portraits.layouts:BIWI",
        "w300lp": "mtl_keras.portraits.layouts:W300LP",
    },
)
