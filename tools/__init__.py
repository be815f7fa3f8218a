"""What runs on a computer: `python3 -m tools VERB`."""
