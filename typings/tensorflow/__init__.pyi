"""TensorFlow has any type: pyright's own stubs for it are of another version."""

from typing import Any

def __getattr__(name: str) -> Any: ...
