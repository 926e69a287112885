"""Forms in which a trained model can be saved."""

FORMATS = ("keras",)
