"""Devices: their profiles, this host, and what stands between a profile and a measurement."""
