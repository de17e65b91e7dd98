"""Sounds that ship with the package."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

HELLO: Final[Traversable] = files(__name__) / "hello.wav"
"""One spoken sentence, about four seconds: mono, 16 bit, 16 kHz."""
