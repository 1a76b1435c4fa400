"""Three small services on loopback, wired through Weir as anybody would: orders, billing and shipping."""
