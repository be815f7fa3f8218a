"""What the properties share."""

import hypothesis

hypothesis.settings.register_profile("house", deadline=None)  # machines are slow, each in its own way
hypothesis.settings.load_profile("house")
