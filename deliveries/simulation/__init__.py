"""A rehearsal: the real deciders on a simulated clock, against endpoints that can be overrun. No database."""
