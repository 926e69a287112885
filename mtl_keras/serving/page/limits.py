"""What the page and its HTTP interface take, and how they refuse the rest."""

from dataclasses import dataclass

from mtl_keras.data.image_formats import START, format_of
from mtl_keras.data.images import TooManyPixelsError, size_of
from mtl_keras.errors import UserError

MEGA = 1_000_000


class RefusedError(UserError):
    """A request that is not answered, with the HTTP status that says so; one line that may go to anybody.

    With `retry` the same request can succeed after that many seconds.
    """

    def __init__(self, message: str, status: int, retry: int | None = None):
        super().__init__(message)
        self.status, self.retry = status, retry


@dataclass(frozen=True)
class Limits:
    """How much is taken: of one image, of one request, and of all that are being answered at once.

    `seconds` bound both how long a request may take to come in and how long its answer may take. Videos are larger, and
    have their own; of a longer one the first `video_length` seconds are looked at.
    """

    files: int = 16
    megabytes: float = 20
    megapixels: float = 50
    megapixels_together: float = 100
    waiting: int = 16
    seconds: float = 30
    video_megabytes: float = 100
    video_seconds: float = 600
    video_length: float = 60

    def check_photo(self, contents: bytes) -> int:
        """Return how many pixels an image has, without decoding it.

        What is no image of a known format, or has too many bytes or pixels, is refused.
        """
        if len(contents) > self.megabytes * MEGA:
            raise self.too_many_bytes()
        try:
            format_of(contents[:START])
        except UserError as error:
            raise RefusedError(str(error), 415) from None
        try:
            width, height = size_of(contents)
        except TooManyPixelsError as error:
            raise RefusedError(str(error), 413) from None
        except UserError as error:
            raise RefusedError(str(error), 422) from None
        if width * height > self.megapixels * MEGA:
            expected = f"at most {self.megapixels:g} million are taken"
            raise RefusedError(f"{width} x {height} pixels are too many; {expected}", 413)
        return width * height

    def check_together(self, pixels: int) -> None:
        """Refuse a request whose images have too many pixels together."""
        if pixels > self.megapixels_together * MEGA:
            expected = f"at most {self.megapixels_together:g} million are taken at once; send fewer images"
            raise RefusedError(f"{pixels / MEGA:.0f} million pixels in all are too many; {expected}", 413)

    def too_many_bytes(self) -> RefusedError:
        """Return the refusal of a request that is too large."""
        return RefusedError(f"more than {self.megabytes:g} MB; send a smaller photo, or fewer at once", 413)
