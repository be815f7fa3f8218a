"""The page that flashes boards from a browser."""
