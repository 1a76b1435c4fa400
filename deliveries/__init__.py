"""Outbound: an event becomes deliveries, attempts, and either a 2xx or a dead letter."""
