"""Makes up a month of a busy hub, to look at and to measure. Nothing that runs a hub imports it."""
