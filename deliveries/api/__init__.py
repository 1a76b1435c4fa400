"""The outbound doors of the REST API, a file for each; `hub.api` says where they stand."""
