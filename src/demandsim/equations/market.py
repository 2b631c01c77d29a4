"""Market: the fleet held against what the market sells and what the providers spend."""

from __future__ import annotations

__all__: list[str] = []
