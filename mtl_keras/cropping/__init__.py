"""Cut the faces out of the photos of a label table: found with MTCNN, aligned, written as a folder of crops."""

from mtl_keras.cropping.cut import CropSettings, settings_for
from mtl_keras.cropping.folder import read_crops
from mtl_keras.cropping.run import crop_faces, photo_table

__all__ = ["CropSettings", "crop_faces", "photo_table", "read_crops", "settings_for"]
