"""One module or folder for each kind of server: it reads what is live there, writes and removes objects."""
