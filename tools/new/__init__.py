"""An application of one's own, made from a template in a folder of its own."""
