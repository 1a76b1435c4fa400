"""The benchmark anyone can run: `make bench` drives the real processes over loopback and prints a table."""
