"""Image alerts: stamps of any size to the arrays that an image engine reads. No bytes, no files, no clock."""
