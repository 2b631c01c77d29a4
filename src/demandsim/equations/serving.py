"""Serving: the tokens a card can serve, and the utilization that follows, from the roofline of prefill and decode."""

from __future__ import annotations

__all__: list[str] = []
