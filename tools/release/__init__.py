"""Updates as their makers have them: keys, roots, builds, signatures, and what is in a release."""
