"""The live page of a cloud's devices, and its server: docs/dashboard.md."""
