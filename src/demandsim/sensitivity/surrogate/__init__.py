"""Surrogates of a model: polynomial expansions and Gaussian conditionals."""
