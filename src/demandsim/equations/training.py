"""Training: the compute, time and cost of making a model, and its share of the fleet."""

from __future__ import annotations

__all__: list[str] = []
