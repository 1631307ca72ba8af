"""Where the notifications of the local stack go: a Slack sink, a mail sink and a page to look at them."""
