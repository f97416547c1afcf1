"""The one error of a dialogue: its own driver misused it. What peers do wrong are events."""


class DialogueMisuse(Exception):
    """A call that makes no sense in this state; the driver has a bug."""
