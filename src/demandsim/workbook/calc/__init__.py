"""Calculation of workbooks: formulas of Excel read by its grammar, and run on numbers or on arrays of draws."""
