"""Demand: how many tokens a day, from users and queries, or from a growth curve."""

from __future__ import annotations

__all__: list[str] = []
