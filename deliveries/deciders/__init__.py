"""Pure decisions about what goes out: no Django, no I/O, no clock, no randomness that is not passed in."""
