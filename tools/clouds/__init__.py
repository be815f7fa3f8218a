"""Stand-ins for other clouds, each on a TLS port of its own: what a device meets there, and no more."""
