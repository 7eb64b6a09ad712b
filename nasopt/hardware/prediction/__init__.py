"""Predicting costs: a graph's kernels, a model fitted to measurements, its domain, its errors, its file."""
