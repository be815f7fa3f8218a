"""What its operator does with a device, in the same words for each cloud: `make run CLOUD=` shows it.

Each module has its cloud's as `Operator`; it is imported for that cloud alone, with what that needs.
"""
