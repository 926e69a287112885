"""Kinds of tasks: how each encodes labels, and its head, loss and metrics."""
