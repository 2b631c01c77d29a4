"""Draws to numbers: estimators with their error, summaries and tables; knows labels and units, nothing of models."""
