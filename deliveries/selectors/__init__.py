"""What pages and doors read of the outbound side: bounded, by index, and never a change."""
