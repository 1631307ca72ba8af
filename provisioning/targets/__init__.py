"""One module or folder for each kind of server that artefacts are brought to: it reads what is live, writes and removes objects."""
