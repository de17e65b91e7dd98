"""Images in a message to an AI assistant: a URL, or a file's content as a ``data:`` URL (RFC 2397)."""

import base64
import re
from typing import Final

_KINDS: Final = {
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "jpeg": re.compile(rb"\xff\xd8\xff"),
    "gif": re.compile(rb"GIF8[79]a"),
    "webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
}
"""How the file of each kind begins."""


def image_url(image: str | bytes) -> str:
    """Raises ``ValueError`` for bytes that are no such file."""
    if isinstance(image, str):
        return image
    for kind, beginning in _KINDS.items():
        if beginning.match(image):
            return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"
    raise ValueError("an attachment is a URL, or the content of a PNG, JPEG, GIF or WebP file")
