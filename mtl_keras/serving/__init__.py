"""From a trained model to answers about people in images."""
