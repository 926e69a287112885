"""Drawn faces: portraits of made-up people, their labels, and folders laid out like public data sets."""
