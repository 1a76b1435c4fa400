"""What pages and the API ask of the inbound side. Nothing here changes anything or counts a big table."""
