"""Services of the inbound side: one transition each, keyword-only arguments; they never speak HTTP."""
