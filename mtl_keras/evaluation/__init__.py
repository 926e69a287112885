"""What a trained model answers, and what its answers are worth."""
