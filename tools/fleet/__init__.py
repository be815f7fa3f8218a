"""The things of a cloud, many at a time: what is known of all, groups, tags, retirement, claims of batches."""
