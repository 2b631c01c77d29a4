"""Versions: of this library and those that it computes with, for every Dataset to carry."""

from __future__ import annotations

import functools
from typing import Any

__all__ = ["versions"]


@functools.cache
def versions() -> dict[str, str]:
    """Return what a Dataset says about the software that made it."""
    import importlib.metadata
    import platform

    packages = ("demandsim", "numpy", "scipy", "xarray")
    found = {f"{name}_version": _version(importlib.metadata, name) for name in packages}
    return found | {"python_version": platform.python_version()}


def _version(metadata: Any, name: str) -> str:
    try:
        return str(metadata.version(name))
    except metadata.PackageNotFoundError:
        return "source"
