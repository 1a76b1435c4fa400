"""Pure decisions about what came in: no Django, no I/O, no clock, no randomness that is not passed in."""
