"""Evidence: what was observed of a model's quantities, and the draws that agree with it.

Observations become a likelihood; draws of the prior are weighted by it, and where too few of them
carry the weight, a sampler moves them. Numbers come from plain parts of a model, never from the facade.
"""
