"""For all tests: properties have no deadline, for a busy machine is no fault of theirs."""

from hypothesis import settings

settings.register_profile("l7lb", deadline=None)
settings.load_profile("l7lb")
