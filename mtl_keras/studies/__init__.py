"""Experiments: runs and their comparison, and the tables and figures made of them."""
