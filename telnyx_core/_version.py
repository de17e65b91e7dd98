"""The version that the client tells the server, and the package's own."""

from typing import Final

VERSION: Final = "0.1.0"
