"""Hypothesis strategies: distributions, assumptions, whole models, and values that they may take."""
