"""Training with missing labels, on one device or many, and the trained model on disk."""
