"""Stores: draws on disk; a Zarr folder in blocks, so that an interrupted run goes on, or one netCDF file written whole.

What is finished is sealed, and a store without its seal, or that does not agree with it, is not opened.
"""
