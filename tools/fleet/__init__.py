"""The things of a cloud, many at a time: what is known, groups, tags, retirement, claims of batches."""
