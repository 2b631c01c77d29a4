"""Equations as live Excel formulas."""
