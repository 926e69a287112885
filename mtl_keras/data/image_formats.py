"""Which image files are opened: those of a few formats, told by their first bytes whatever a file is called.

Pillow knows many more formats, each a door that nobody needs. Of files with several images the first is read.
"""

from typing import NamedTuple

from PIL import features
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from mtl_keras.errors import UserError


class Format(NamedTuple):
    """A format of image files: `marks` are what its files hold from byte `place` on, `opener` reads their header.

    Without `opener` the files are known and refused with the reason `missing`; `feature` is what Pillow must be built
    with.
    """

    name: str
    place: int
    marks: tuple[bytes, ...]
    opener: type[ImageFile] | None
    feature: str = ""
    missing: str = ""


def _heif_opener() -> type[ImageFile] | None:
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        return None
    return HeifImageFile


HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
FORMATS = (
    Format("JPEG", 0, (b"\xff\xd8\xff",), JpegImageFile),
    Format("PNG", 0, (b"\x89PNG\r\n\x1a\n",), PngImageFile),
    Format("BMP", 0, (b"BM",), BmpImageFile),
    Format("GIF", 0, (b"GIF87a", b"GIF89a"), GifImageFile),
    Format("TIFF", 0, (b"II*\0", b"MM\0*"), TiffImageFile),
    Format("WebP", 8, (b"WEBP",), WebPImageFile, "webp"),
    Format("AVIF", 8, (b"avif", b"avis"), AvifImageFile, "avif"),
    Format("HEIC", 8, HEIC, _heif_opener(), missing="a HEIC image; pip install 'mtl-keras[heic]' to read such files"),
)
# Bytes from the beginning of a file that tell its format.
START = 16


def format_of(start: bytes) -> Format:
    """Return the format of a file that starts with these bytes; one that is not read is a `UserError`."""
    if not start:
        raise UserError("the file is empty (0 bytes)")
    found = next((each for each in FORMATS if start[each.place :].startswith(each.marks)), None)
    if found is None:
        raise UserError(f"not a {', '.join(each.name for each in FORMATS[:-1])} or {FORMATS[-1].name} image")
    if found.feature and not features.check(found.feature):
        raise UserError(f"a {found.name} image, which this Pillow was built without; pip install --upgrade pillow")
    if found.opener is None:
        raise UserError(found.missing)
    return found
