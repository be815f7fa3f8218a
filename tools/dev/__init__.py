"""The developer's loop: what is saved comes to a device, and what goes wrong shows its line."""
