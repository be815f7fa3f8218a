"""The camera's service: what AWS runs of it, and all of it on this computer."""
