"""The hub: settings, doors, console, supervision and observation. Neither app imports it."""
