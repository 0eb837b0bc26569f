"""What users' tools write: csv dialects, values of labels, names of files, folders of pictures."""
