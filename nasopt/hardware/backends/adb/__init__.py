"""Measuring on Android phones over the Android Debug Bridge."""
