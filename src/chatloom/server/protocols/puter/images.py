"""Telling images from what is none, by how they begin."""

from __future__ import annotations

import binascii
import re
from typing import Final

_DATA_URL = re.compile(r"data:image/[\w.+-]{1,50};base64,")
_BEGINNINGS: Final = (
    rb"\x89PNG\r\n\x1a\n",
    rb"\xff\xd8\xff",  # JPEG
    rb"GIF8[79]a",
    rb"RIFF.{4}WEBP",
    rb"BM.{4}\0{4}",
    rb"II\*\0|MM\0\*",  # TIFF
    rb".{4}ftyp(?:avif|avis|heic|heix|mif1)",
)
_begins_as_image = re.compile(b"|".join(_BEGINNINGS), re.DOTALL).match


def is_image_url(url: str) -> bool:
    """Whether *url* is the address of something on the web, or an image itself."""
    if url.startswith(("https://", "http://")):
        return True
    begins = _DATA_URL.match(url)
    if begins is None:
        return False
    try:
        held = binascii.a2b_base64(url[begins.end() :], strict_mode=True)
    except (binascii.Error, ValueError):  # the latter for letters that are not ASCII
        return False
    return _begins_as_image(held) is not None
