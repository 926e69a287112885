"""Label tables, images and what lies between them and a network: combining, checking, splitting, decoding."""
