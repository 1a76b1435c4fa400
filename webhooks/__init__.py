"""Inbound: a request is verified, identified and stored as one event. It never sends anything."""
