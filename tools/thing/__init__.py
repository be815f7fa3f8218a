"""One thing of a cloud, seen and spoken to from a terminal: of the local cloud, or of AWS."""
