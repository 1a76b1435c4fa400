"""Services of the outbound side: one transition each, keyword-only arguments; they never speak HTTP."""
