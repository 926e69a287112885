"""The one exception that stands for a mistake its user can mend."""


class UserError(ValueError):
    """A mistake that the user can mend: the message says what came, what was expected and how to mend it.

    The command line prints it as one line, without a traceback.
    """
