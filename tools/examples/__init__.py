"""Examples of what stands around devices: services, and what runs them here."""
