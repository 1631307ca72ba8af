"""Schema `analytics` as a file, and back: `file` is what the file looks like, `saving` writes one, `restoring` takes one in."""
