"""The loop that sends: seats, lanes, turns, the one HTTP client, and settlement."""
