"""An account of AWS, set up and taken down: `python3 -m tools aws`."""
