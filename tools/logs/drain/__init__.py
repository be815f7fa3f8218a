"""The drain: one function, on AWS and on this computer, of Python's own modules and botocore alone."""
