"""Cut the faces out of the photos of a label table: found by a detector, aligned, written as a folder of crops."""

from mtl_keras.faces.crop import crop_faces, photo_table
from mtl_keras.faces.cut import CropSettings, settings_for
from mtl_keras.faces.folder import read_crops

__all__ = ["CropSettings", "crop_faces", "photo_table", "read_crops", "settings_for"]
