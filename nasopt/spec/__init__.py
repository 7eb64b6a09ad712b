"""Study files: typed sections, and errors that name file, line and key."""
