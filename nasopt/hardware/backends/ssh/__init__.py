"""Measuring on a device over SSH, by the package that is copied to it."""
