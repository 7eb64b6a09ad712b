"""Arithmetic and statistics on figures."""
