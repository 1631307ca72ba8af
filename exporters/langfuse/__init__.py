"""Model calls from Langfuse: every call once in a ledger, or figures of windows where no ledger may be written."""
